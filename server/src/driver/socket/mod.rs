//! WebSocket frames over a TCP stream, plain or inside TLS: the only module that names fastwebsockets, which is a frame codec and
//! leaves the rest of RFC 6455 to us. It begins with the upgrade of a checked request and knows no session, no
//! room and no budget: what it reads and refuses goes to [`connection`](super::connection).
//!
//! Reading is one task that awaits nothing but `read_frame`, which cannot be cancelled and resumed; writing is
//! bytes framed beforehand and handed to the kernel without waiting, from any thread.

use std::time::Duration;

use axum::body::Body;
use fastwebsockets::upgrade::UpgradeFut;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

mod stream;

mod heads;

mod assembly;

mod reader;

mod framing;

mod outbox;

mod encrypted;

mod plain;

pub(super) use stream::Stream;

pub(super) use assembly::Bounds;
pub(super) use reader::{Failure, FrameReader, ReadSide, Received, Vitals};

pub(super) use framing::{binary, message, text};
pub(super) use heads::short_message;
pub(super) use outbox::{Driven, Outbox};
#[cfg(test)]
pub(super) use plain::PlainRead;
pub(super) use plain::{Plain, READ_BYTES_MAX};

/// The writing of a socket without TLS, whoever reads it.
pub(super) fn plain_writing(socket: std::sync::Arc<Plain>) -> stream::WriteHalf {
    stream::WriteHalf::Plain(socket)
}

/// Which kind of message a subprotocol uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Binary,
    Text,
}

/// A promise of a stream, kept once the response has been sent.
pub(super) struct PendingUpgrade(UpgradeFut);

/// The 101 for a request whose headers have been checked.
///
/// # Errors
/// A sentence when the request cannot be upgraded after all.
pub(super) fn upgrade(request: &mut Request<Body>) -> Result<(Response<Body>, PendingUpgrade), String> {
    let (response, future) = fastwebsockets::upgrade::upgrade(request).map_err(|error| error.to_string())?;
    Ok((response.map(Body::new), PendingUpgrade(future)))
}

impl PendingUpgrade {
    /// The stream and what was read of it beyond the request, or nothing when the peer went away or waited.
    pub(super) async fn stream(self, deadline: Duration) -> Option<(Stream, Vec<u8>)> {
        let socket = tokio::time::timeout(deadline, self.0).await.ok()?.ok()?;
        let upgraded: Upgraded = socket.into_inner().into_inner();
        let parts = upgraded.downcast::<TokioIo<Stream>>().ok()?;
        // A copy of what is usually nothing, in place of a buffer of 8 KiB for the life of the connection.
        Some((parts.io.into_inner(), parts.read_buf.to_vec()))
    }
}
