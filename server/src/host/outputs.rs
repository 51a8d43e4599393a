//! What a room wants done, in order. The bytes of all messages lie in one buffer, whose memory is kept.

use std::collections::VecDeque;
use std::ops::Range;

use tickwire_shared::{ClientId, Close};

use super::event::Output;

#[derive(Debug)]
enum Queued {
    Send { client: ClientId, range: Range<usize> },
    Close { client: ClientId, close: Close },
    Resumed { client: ClientId, connection: ClientId },
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    queue: VecDeque<Queued>,
    bytes: Vec<u8>,
}

impl Outputs {
    /// One message, which `write` appends to the buffer; nothing is sent when it says `false`.
    pub(super) fn send(&mut self, client: ClientId, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        if self.queue.is_empty() {
            self.bytes.clear();
        }
        let start = self.bytes.len();
        if write(&mut self.bytes) {
            self.queue.push_back(Queued::Send { client, range: start..self.bytes.len() });
        } else {
            self.bytes.truncate(start);
        }
    }

    pub(super) fn close(&mut self, client: ClientId, close: Close) {
        self.queue.push_back(Queued::Close { client, close });
    }

    pub(super) fn resumed(&mut self, client: ClientId, connection: ClientId) {
        self.queue.push_back(Queued::Resumed { client, connection });
    }

    pub(super) fn pop(&mut self) -> Option<Output<'_>> {
        Some(match self.queue.pop_front()? {
            Queued::Send { client, range } => Output::Send { client, bytes: &self.bytes[range] },
            Queued::Close { client, close } => Output::Close { client, close },
            Queued::Resumed { client, connection } => Output::Resumed { client, connection },
        })
    }
}
