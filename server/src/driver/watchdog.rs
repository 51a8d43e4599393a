//! The deadlines of one connection: Hello, a frame that has begun, silence. No I/O: the connection's task asks
//! at the times that it is told.

use std::time::Duration;

use tickwire_shared::{Close, CloseCode, Micros};

use crate::config::Limits;

/// Pings that may stay unanswered, each as long as the silence before the first.
const PING_MISSES_MAX: u32 = 2;

/// Keeps the deadlines of one connection.
#[derive(Debug)]
pub(super) struct Watchdog {
    opened: Micros,
    hello: u64,
    partial: u64,
    silence: u64,
    /// Pings since the last frame.
    pings: u32,
    /// When the last of them went out; without one, when the last frame came.
    pinged_at: Micros,
}

/// How the connection is doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    pub(super) joined: bool,
    /// Last whole frame.
    pub(super) frame_at: Micros,
    /// Since when a frame is incomplete.
    pub(super) partial_since: Option<Micros>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Ask again after this time.
    Wait(Duration),
    /// Send a ping, then ask again.
    Ping,
    /// A deadline has passed.
    Close(Close),
}

impl Watchdog {
    pub(super) fn new(limits: &Limits, now: Micros) -> Self {
        let micros = |duration: Duration| duration.as_micros() as u64;
        Self {
            opened: now,
            hello: micros(limits.hello_deadline),
            partial: micros(limits.partial_frame_deadline),
            silence: micros(limits.ping_after),
            pings: 0,
            pinged_at: now,
        }
    }

    pub(super) fn check(&mut self, pulse: Pulse, now: Micros) -> Check {
        let mut wait = u64::MAX;
        if !pulse.joined {
            let passed = now.since(self.opened);
            if passed >= self.hello {
                return deadline("no Hello");
            }
            wait = wait.min(self.hello - passed);
        }
        wait = wait.min(match pulse.partial_since.map(|since| now.since(since)) {
            Some(passed) if passed >= self.partial => return deadline("half a frame"),
            Some(passed) => self.partial - passed,
            // One may begin at any time.
            None => self.partial / 2,
        });
        if self.pings == 0 || pulse.frame_at > self.pinged_at {
            (self.pings, self.pinged_at) = (0, pulse.frame_at);
        }
        // Counted from the last ping that really went out: if we ourselves stood still, nobody pays for it.
        let unanswered = now.since(self.pinged_at);
        if unanswered >= self.silence {
            if self.pings == PING_MISSES_MAX {
                return deadline("no answer to pings");
            }
            (self.pings, self.pinged_at) = (self.pings + 1, now);
            return Check::Ping;
        }
        Check::Wait(Duration::from_micros(wait.min(self.silence - unanswered).max(1_000)))
    }
}

fn deadline(words: &str) -> Check {
    Check::Close(Close::because(CloseCode::Deadline, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Micros {
        Micros(100_000_000 + seconds * 1_000_000)
    }

    fn pulse(joined: bool, frame_at: Micros, partial_since: Option<Micros>) -> Pulse {
        Pulse { joined, frame_at, partial_since }
    }

    fn is_close(check: &Check, words: &str) -> bool {
        matches!(check, Check::Close(close) if close.code == CloseCode::Deadline && close.reason.ends_with(words))
    }

    #[test]
    fn hello_has_five_seconds() {
        let mut dog = Watchdog::new(&Limits::default(), at(0));
        let quiet = pulse(false, at(0), None);
        assert_eq!(dog.check(quiet, at(0)), Check::Wait(Duration::from_secs(5)));
        assert!(is_close(&dog.check(quiet, at(5)), "no Hello"));
    }

    #[test]
    fn a_frame_that_has_begun_has_ten() {
        let mut dog = Watchdog::new(&Limits::default(), at(0));
        let half = pulse(true, at(0), Some(at(1)));
        assert!(matches!(dog.check(half, at(10)), Check::Wait(_)));
        assert!(is_close(&dog.check(half, at(11)), "half a frame"));
    }

    #[test]
    fn two_pings_then_gone() {
        let mut dog = Watchdog::new(&Limits::default(), at(0));
        let quiet = pulse(true, at(0), None);
        assert!(matches!(dog.check(quiet, at(14)), Check::Wait(_)));
        assert_eq!(dog.check(quiet, at(15)), Check::Ping);
        assert!(matches!(dog.check(quiet, at(15)), Check::Wait(_)));
        assert_eq!(dog.check(quiet, at(30)), Check::Ping);
        assert!(matches!(dog.check(quiet, at(44)), Check::Wait(_)));
        assert!(is_close(&dog.check(quiet, at(45)), "no answer to pings"));
    }

    #[test]
    fn a_stop_of_our_own_closes_nobody() {
        let mut dog = Watchdog::new(&Limits::default(), at(0));
        let quiet = pulse(true, at(0), None);
        assert_eq!(dog.check(quiet, at(100)), Check::Ping);
        assert_eq!(dog.check(quiet, at(115)), Check::Ping);
        assert!(is_close(&dog.check(quiet, at(130)), "no answer to pings"));
    }

    #[test]
    fn an_answer_starts_over() {
        let mut dog = Watchdog::new(&Limits::default(), at(0));
        assert_eq!(dog.check(pulse(true, at(0), None), at(15)), Check::Ping);
        assert!(matches!(dog.check(pulse(true, at(16), None), at(20)), Check::Wait(_)));
        assert_eq!(dog.check(pulse(true, at(16), None), at(31)), Check::Ping);
    }
}
