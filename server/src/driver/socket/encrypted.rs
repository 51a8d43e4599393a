//! The writing side inside TLS: takes what waits in an [`Outbox`], encrypts it and writes it, in the connection's
//! own task. Every write has to be flushed, or its last record stays in a buffer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::outbox::{Driven, KEPT_BYTES, Outbox, Taken};

/// The half that is written to, and what is on its way into it.
pub(super) struct Encrypted {
    half: WriteHalf<Box<TlsStream<TcpStream>>>,
    batch: Vec<u8>,
    /// Bytes of `batch` that are gone.
    written: usize,
}

impl Encrypted {
    pub(super) fn new(half: WriteHalf<Box<TlsStream<TcpStream>>>) -> Self {
        Self { half, batch: Vec::new(), written: 0 }
    }

    /// As [`Outbox::drive`], which says when it ends and that it may be begun again.
    pub(super) async fn drive(&mut self, outbox: &Outbox, stall: Duration) -> Driven {
        loop {
            while self.written < self.batch.len() {
                let write = self.half.write(&self.batch[self.written..]);
                match timeout(stall, watched(write, outbox)).await {
                    Ok(Ok(count @ 1..)) => self.written += count,
                    Ok(Ok(0) | Err(_)) => return Driven::Broken,
                    Err(_) => return Driven::Stalled,
                }
            }
            match timeout(stall, watched(self.half.flush(), outbox)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Driven::Broken,
                Err(_) => return Driven::Stalled,
            }
            self.batch.clear();
            self.batch.shrink_to(KEPT_BYTES);
            self.written = 0;
            match outbox.take(&mut self.batch) {
                Taken::Batch => {}
                Taken::Nothing => outbox.more().await,
                Taken::CloseSent => return Driven::CloseSent,
                Taken::Broken => return Driven::Broken,
            }
        }
    }

    pub(super) async fn shutdown(&mut self) {
        // A peer that is gone already needs no telling.
        let _ = self.half.shutdown().await;
    }
}

/// Tells the outbox as soon as the peer takes nothing, so that its room packs nothing more.
async fn watched<F: Future>(write: F, outbox: &Outbox) -> F::Output {
    let mut write = pin!(write);
    poll_fn(|context| {
        let polled = write.as_mut().poll(context);
        if polled.is_pending() {
            outbox.note_congestion();
        }
        polled
    })
    .await
}
