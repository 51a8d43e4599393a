//! The writer task: messages, pongs and the close out, one at a time, each under a deadline.
//!
//! It selects only over its queue; a write that was begun is finished or the connection is given up.

use std::time::Duration;

use fastwebsockets::{Frame, Payload, WebSocketError, WebSocketWrite};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::connect::WriteStream;
use super::connection::Ending;
use super::delayed::{Delayed, OnWire};
use super::reader::{Incoming, framed_bytes};

/// How long one write may take.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the reader may look for the server's own reason after a write failed.
const REASON_DEADLINE: Duration = Duration::from_secs(1);
/// A client masks what it sends.
pub(super) const MASK_BYTES: usize = 4;

/// What the writer is given.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A binary message.
    Message(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The last one.
    Close { code: u16, reason: String },
}

impl OnWire for Outgoing {
    fn wire_bytes(&self) -> usize {
        let payload = match self {
            Self::Message(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Close { reason, .. } => 2 + reason.len(),
        };
        framed_bytes(payload, MASK_BYTES)
    }
}

/// Writes until the close is written, the queue's other ends are gone, or a write fails.
pub(super) async fn run(
    mut socket: WebSocketWrite<WriteStream>,
    mut queue: Delayed<Outgoing>,
    endings: mpsc::Sender<Incoming>,
) {
    let lost = loop {
        let Some(outgoing) = queue.next().await else { return };
        let is_last = matches!(outgoing, Outgoing::Close { .. });
        let write = async {
            socket.write_frame(frame(outgoing)).await?;
            // TLS keeps the last record back until it is told.
            socket.flush().await
        };
        match timeout(WRITE_DEADLINE, write).await {
            Ok(Ok(())) if is_last => return,
            Ok(Ok(())) => {}
            Ok(Err(WebSocketError::IoError(error))) => break error.to_string(),
            Ok(Err(error)) => break error.to_string(),
            Err(_) => break format!("the server took nothing for {} s", WRITE_DEADLINE.as_secs()),
        }
    };
    drop(socket);
    // The owner believes the first ending that it is told.
    sleep(REASON_DEADLINE).await;
    drop(endings.send(Incoming::Ended(Ending::Lost(lost))).await);
}

fn frame(outgoing: Outgoing) -> Frame<'static> {
    match outgoing {
        Outgoing::Message(bytes) => Frame::binary(Payload::Owned(bytes)),
        Outgoing::Pong(bytes) => Frame::pong(Payload::Owned(bytes)),
        // A code that may not travel is answered with an empty close frame.
        Outgoing::Close { code: Ending::NO_CODE, .. } => Frame::close_raw(Payload::Owned(Vec::new())),
        Outgoing::Close { code, reason } => Frame::close(code, reason.as_bytes()),
    }
}
