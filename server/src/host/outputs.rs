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

/// Messages that may be sent side by side: one for each client, in the order of their ids. Dropped, they count as sent.
#[derive(Debug)]
pub struct Sends<'a> {
    queue: &'a mut VecDeque<Queued>,
    bytes: &'a [u8],
    count: usize,
}

impl Sends<'_> {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Some of them, in order: to whom, and what.
    pub fn slice(&self, range: Range<usize>) -> impl Iterator<Item = (ClientId, &[u8])> {
        let (queue, _) = self.queue.as_slices();
        queue[..self.count][range].iter().filter_map(|queued| match queued {
            Queued::Send { client, range } => Some((*client, &self.bytes[range.clone()])),
            Queued::Close { .. } | Queued::Resumed { .. } => None,
        })
    }
}

impl Drop for Sends<'_> {
    fn drop(&mut self) {
        self.queue.drain(..self.count);
    }
}

impl Outputs {
    fn begin(&mut self) -> usize {
        if self.queue.is_empty() {
            self.bytes.clear();
        }
        self.bytes.len()
    }

    pub(super) fn send(&mut self, client: ClientId, message: &[u8]) {
        let start = self.begin();
        self.bytes.extend_from_slice(message);
        self.queue.push_back(Queued::Send { client, range: start..self.bytes.len() });
    }

    /// Many messages: who is sent how many of `bytes`, in order. Both are empty afterwards.
    pub(super) fn take_in(&mut self, bytes: &mut Vec<u8>, sent: &mut Vec<(ClientId, usize)>) {
        let mut start = self.begin();
        if start == 0 {
            std::mem::swap(&mut self.bytes, bytes);
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        bytes.clear();
        for (client, length) in sent.drain(..) {
            self.queue.push_back(Queued::Send { client, range: start..start + length });
            start += length;
        }
    }

    pub(super) fn close(&mut self, client: ClientId, close: Close) {
        self.queue.push_back(Queued::Close { client, close });
    }

    pub(super) fn resumed(&mut self, client: ClientId, connection: ClientId) {
        self.queue.push_back(Queued::Resumed { client, connection });
    }

    /// The messages up to the next output of another kind, or to a client that does not come after the one before.
    pub(super) fn pop_sends(&mut self) -> Sends<'_> {
        let mut last = None;
        let ascending = |queued: &&Queued| match queued {
            Queued::Send { client, .. } => last.replace(*client).is_none_or(|last| last < *client),
            Queued::Close { .. } | Queued::Resumed { .. } => false,
        };
        let count = self.queue.iter().take_while(ascending).count();
        self.queue.make_contiguous();
        Sends { queue: &mut self.queue, bytes: &self.bytes, count }
    }

    pub(super) fn pop(&mut self) -> Option<Output<'_>> {
        Some(match self.queue.pop_front()? {
            Queued::Send { client, range } => Output::Send { client, bytes: &self.bytes[range] },
            Queued::Close { client, close } => Output::Close { client, close },
            Queued::Resumed { client, connection } => Output::Resumed { client, connection },
        })
    }
}
