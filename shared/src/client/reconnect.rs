//! When to come back after a connection has ended, or whether not to: exponential backoff with full jitter, so that the
//! clients of a server that restarts do not all knock at once. No clock and no dice: time and random words are arguments.

use crate::close::{Close, CloseCode};
use crate::tick::Micros;

/// The first attempt comes within this time, the later ones within twice as much each.
const FIRST_MICROS: u64 = 1_000_000;
/// No attempt waits for more than this, unless the server says so.
const SPREAD_MICROS_MAX: u64 = 30_000_000;
/// No server makes anybody wait for longer.
const RETRY_AFTER_MS_MAX: u32 = 600_000;
/// A session that lasted this long makes the attempts before it forgotten.
const STEADY_MICROS: u64 = 3_000_000;

/// One client's patience.
#[derive(Clone, Debug, Default)]
pub struct Reconnect {
    attempts: u32,
    welcomed_at: Option<Micros>,
}

/// How a connection ended, or the attempt to open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended<'a> {
    /// With a close frame of the server's.
    Closed {
        /// Its code.
        code: u16,
        /// Its reason.
        reason: &'a str,
    },
    /// Without one, or it never came about.
    Lost,
}

/// What to do then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Open another connection at this time, and call [`Session::resume`](super::Session::resume).
    At(Micros),
    /// Nothing: another attempt would end in the same way, or take the session away from who has it now.
    Never,
}

impl Reconnect {
    /// A Welcome arrived.
    pub fn welcomed(&mut self, now: Micros) {
        self.welcomed_at = Some(now);
    }

    /// A connection ended at `now`. `random` is any word, a new one each time.
    pub fn ended(&mut self, ended: Ended<'_>, random: u32, now: Micros) -> Next {
        if self.welcomed_at.take().is_some_and(|at| now.since(at) >= STEADY_MICROS) {
            self.attempts = 0;
        }
        let told = match ended {
            Ended::Lost => None,
            Ended::Closed { code, reason } => {
                if CloseCode::from_number(code).is_some_and(|code| !code.may_return()) {
                    return Next::Never;
                }
                Close::retry_after_ms(reason)
            }
        };
        let least = told.map_or(0, |ms| u64::from(ms.min(RETRY_AFTER_MS_MAX)) * 1000);
        let own = (FIRST_MICROS << self.attempts.min(8)).min(SPREAD_MICROS_MAX);
        // Whoever was told to wait was told so with others: the longer the wait, the more of them there may be.
        let spread = own.max(least.min(SPREAD_MICROS_MAX));
        self.attempts += 1;
        Next::At(now.plus(least + ((u64::from(random) * spread) >> 32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(reconnect: &mut Reconnect, ended: Ended<'_>, random: u32) -> u64 {
        match reconnect.ended(ended, random, Micros(5)) {
            Next::At(at) => at.since(Micros(5)),
            Next::Never => panic!("{ended:?} should be tried again"),
        }
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_jitter_is_full() {
        let mut reconnect = Reconnect::default();
        let waits: Vec<_> = (0..8).map(|_| wait(&mut reconnect, Ended::Lost, u32::MAX) / 999_999).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(wait(&mut reconnect, Ended::Lost, 0), 0);
        (0..100).for_each(|_| assert!(wait(&mut reconnect, Ended::Lost, u32::MAX) < SPREAD_MICROS_MAX));
    }

    #[test]
    fn what_the_server_says_is_the_least() {
        let closed = |reason| Ended::Closed { code: 1001, reason };
        let told = Close::retry_after(CloseCode::GoingAway, 4_000);
        assert_eq!(wait(&mut Reconnect::default(), closed(&told.reason), 0), 4_000_000);
        assert_eq!(wait(&mut Reconnect::default(), closed(&told.reason), 1 << 31), 6_000_000);
        for nonsense in ["retry_after_ms=", "retry_after_ms=soon", "", "retry_after_ms=99999999999"] {
            assert_eq!(wait(&mut Reconnect::default(), closed(nonsense), 0), 0, "{nonsense}");
        }
        let forever = wait(&mut Reconnect::default(), closed("x; retry_after_ms=4294967295"), 0);
        assert_eq!(forever, 600_000_000);
    }

    #[test]
    fn a_steady_session_is_a_new_beginning() {
        let mut reconnect = Reconnect::default();
        let early: u64 = (0..6).map(|_| wait(&mut reconnect, Ended::Lost, 0)).sum();
        assert_eq!(early, 0);
        reconnect.welcomed(Micros(0));
        let soon = reconnect.clone().ended(Ended::Lost, u32::MAX, Micros(STEADY_MICROS - 1));
        assert!(matches!(soon, Next::At(at) if at.0 > STEADY_MICROS + 25_000_000), "{soon:?}");
        let later = reconnect.ended(Ended::Lost, u32::MAX, Micros(STEADY_MICROS));
        assert!(matches!(later, Next::At(at) if at.0 < STEADY_MICROS + 1_000_001), "{later:?}");
    }

    #[test]
    fn final_codes_are_final() {
        let never = |code| {
            Reconnect::default().ended(Ended::Closed { code, reason: "" }, 7, Micros(0)) == Next::Never
        };
        let finals: Vec<_> = (1000..5000).filter(|code| never(*code)).collect();
        assert_eq!(finals, [1000, 1002, 1003, 1007, 1009, 4000, 4001, 4002, 4006, 4007, 4009]);
    }
}
