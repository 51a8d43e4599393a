//! A queue between tasks that imitates a slow link.

use tokio::sync::mpsc;

use crate::link::LinkConditioner;
use crate::time;

/// What TCP and IP add to a small message.
const SEGMENT_HEADER_BYTES: usize = 40;

/// What a link carries.
pub(super) trait OnWire {
    /// Bytes that it fills.
    fn wire_bytes(&self) -> usize;
}

/// The receiving end of a bounded queue, with a link behind it.
#[derive(Debug)]
pub(super) struct Delayed<T> {
    queue: mpsc::Receiver<T>,
    link: LinkConditioner<T>,
}

impl<T: OnWire> Delayed<T> {
    pub(super) fn new(queue: mpsc::Receiver<T>, link: LinkConditioner<T>) -> Self {
        Self { queue, link }
    }

    /// The next item, or `None` when all senders are gone and nothing is on its way. Nothing is lost when the
    /// future is dropped.
    pub(super) async fn next(&mut self) -> Option<T> {
        let link = &mut self.link;
        let mut more = true;
        loop {
            if let Some(item) = link.poll(time::now()) {
                return Some(item);
            }
            let due = link.due();
            tokio::select! {
                item = self.queue.recv(), if more && link.has_room() => match item {
                    Some(item) => {
                        let bytes = item.wire_bytes() + SEGMENT_HEADER_BYTES;
                        link.push(item, bytes, time::now());
                    }
                    None => more = false,
                },
                () = time::sleep_until(due.unwrap_or_default()), if due.is_some() => {}
                else => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Direction, LinkProfile};

    impl OnWire for u32 {
        fn wire_bytes(&self) -> usize {
            4
        }
    }

    #[tokio::test]
    async fn everything_comes_in_order_before_the_end() {
        let (sender, receiver) = mpsc::channel(64);
        let profile: LinkProfile = "delay=5ms,jitter=5ms".parse().unwrap();
        let began = time::now();
        let mut delayed = Delayed::new(receiver, LinkConditioner::new(profile, 1, Direction::Inwards, began));
        for item in 0..50_u32 {
            sender.send(item).await.unwrap();
        }
        drop(sender);
        for item in 0..50 {
            assert_eq!(delayed.next().await, Some(item));
        }
        assert!(time::now().since(began) >= 5_000);
        assert_eq!(delayed.next().await, None);
    }
}
