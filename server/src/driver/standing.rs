//! How far a connection has come as a session: written by whoever lets it in, read by the one who keeps its
//! deadlines.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Longest time between two looks at the clock on the wall, which may be set.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One connection's.
#[derive(Debug)]
pub(super) struct Standing {
    greeted: AtomicBool,
    /// Seconds since 1970; `u64::MAX` for never.
    expires_at_s: AtomicU64,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self { greeted: AtomicBool::new(false), expires_at_s: AtomicU64::new(u64::MAX) }
    }

    /// It has said Hello; what happens to that has its own deadline.
    pub(super) fn greet(&self) {
        self.greeted.store(true, Ordering::Release);
    }

    pub(super) fn has_greeted(&self) -> bool {
        self.greeted.load(Ordering::Acquire)
    }

    /// What lets it in is good until then.
    pub(super) fn expire_at(&self, unix_s: u64) {
        self.expires_at_s.store(unix_s, Ordering::Release);
    }

    /// How long to wait before asking again; `None` when its time is over.
    pub(super) fn look(&self, now_unix_s: u64) -> Option<Duration> {
        match self.expires_at_s.load(Ordering::Acquire) {
            u64::MAX => Some(Duration::MAX),
            end => {
                let left = Duration::from_secs(end.saturating_sub(now_unix_s));
                (!left.is_zero()).then(|| left.min(LOOK_EVERY))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_comes_even_when_the_clock_is_set() {
        let standing = Standing::new();
        assert_eq!(standing.look(5), Some(Duration::MAX));
        standing.expire_at(1000);
        assert_eq!(standing.look(998), Some(Duration::from_secs(2)));
        assert_eq!(standing.look(10), Some(LOOK_EVERY));
        assert_eq!(standing.look(1000), None);
        assert_eq!(standing.look(5000), None);
    }
}
