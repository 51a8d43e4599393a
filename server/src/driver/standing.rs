//! How far a connection has come as a session: written by whoever lets it in, read by the one who keeps its
//! deadlines.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::visitors::Counted;

/// Longest time between two looks at the clock on the wall, which may be set.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One connection's.
pub(super) struct Standing {
    greeted: AtomicBool,
    /// Seconds since 1970; `u64::MAX` for never.
    expires_at_s: AtomicU64,
    /// Whether that time came while it was connected.
    expired: AtomicBool,
    /// Until it is let in.
    stranger: Mutex<Option<Stranger>>,
}

/// The place of somebody whose Hello was not accepted yet: one of few in the server, and of fewer for its address.
/// Dropped as soon as it is let in.
pub(super) struct Stranger {
    counted: Counted,
    _permit: OwnedSemaphorePermit,
}

impl Stranger {
    pub(super) fn new(counted: Counted, permit: OwnedSemaphorePermit) -> Self {
        Self { counted, _permit: permit }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.counted.arrived();
    }
}

impl Standing {
    pub(super) fn new(stranger: Option<Stranger>) -> Self {
        Self {
            greeted: AtomicBool::new(false),
            expires_at_s: AtomicU64::new(u64::MAX),
            expired: AtomicBool::new(false),
            stranger: Mutex::new(stranger),
        }
    }

    /// It has said Hello; what happens to that has its own deadline.
    pub(super) fn greet(&self) {
        self.greeted.store(true, Ordering::Release);
    }

    pub(super) fn has_greeted(&self) -> bool {
        self.greeted.load(Ordering::Acquire)
    }

    /// It is a session now.
    pub(super) fn let_in(&self) {
        drop(self.stranger.lock().unwrap_or_else(PoisonError::into_inner).take());
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
                if left.is_zero() {
                    self.expired.store(true, Ordering::Release);
                }
                (!left.is_zero()).then(|| left.min(LOOK_EVERY))
            }
        }
    }

    /// Whether its time came to an end while it was connected.
    pub(super) fn has_expired(&self) -> bool {
        self.expired.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_comes_even_when_the_clock_is_set() {
        let standing = Standing::new(None);
        assert_eq!(standing.look(5), Some(Duration::MAX));
        standing.expire_at(1000);
        assert_eq!(standing.look(998), Some(Duration::from_secs(2)));
        assert_eq!(standing.look(10), Some(LOOK_EVERY));
        assert!(!standing.has_expired());
        assert_eq!(standing.look(1000), None);
        assert_eq!(standing.look(5000), None);
        assert!(standing.has_expired());
    }
}
