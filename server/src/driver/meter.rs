//! One connection's budgets over everything that it sends, control frames and fragments included. No I/O: the
//! reading task asks for each frame.

use std::time::Duration;

use tickwire_shared::{Close, CloseCode, Micros};

use super::tally::Drop;
use crate::session::Budget;

/// Pauses shorter than this do not interrupt an excess.
const CALM_MICROS: u64 = 1_500_000;
/// Frames beyond the budget after which nobody waits for the excess to last: what one peer can cost us is
/// bounded by frames, not by time alone.
const EXCESS_FRAMES_PER_BUDGET: u32 = 20;

/// The rates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) frames_per_s: u32,
    pub(super) frames_burst: u32,
    pub(super) bytes_per_s: u32,
    pub(super) bytes_burst: u32,
    pub(super) pings_per_s: u32,
    pub(super) pings_burst: u32,
    pub(super) excess_deadline: Duration,
    pub(super) retry_after: Duration,
}

/// What to do with a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts.
    Fine,
    /// It is dropped, and so is the message that it is a part of.
    Excess(Drop),
    /// The peer has gone on for too long.
    Close(Close),
}

/// What a frame is, for the budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Ping,
    Other,
}

/// One connection's budgets.
pub(super) struct Meter {
    frames: Budget,
    bytes: Budget,
    pings: Budget,
    patience: Patience,
}

/// How long a peer may go on beyond a budget.
pub(super) struct Patience {
    deadline: Duration,
    /// In one excess.
    times_max: u32,
    retry_after: Duration,
    excess: Option<Excess>,
}

/// A peer beyond its budget.
struct Excess {
    since: Micros,
    latest: Micros,
    times: u32,
}

impl Meter {
    pub(super) fn new(rates: Rates, now: Micros) -> Self {
        Self {
            frames: Budget::new(rates.frames_per_s, rates.frames_burst, now),
            bytes: Budget::new(rates.bytes_per_s, rates.bytes_burst, now),
            pings: Budget::new(rates.pings_per_s, rates.pings_burst, now),
            patience: Patience::new(rates),
        }
    }

    /// A frame of `bytes` on the wire arrived.
    pub(super) fn frame(&mut self, kind: FrameKind, bytes: usize, now: Micros) -> Verdict {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let over = if !self.frames.take(1, now) {
            Some(Drop::Frames)
        } else if !self.bytes.take(bytes, now) {
            Some(Drop::Bytes)
        } else if kind == FrameKind::Ping && !self.pings.take(1, now) {
            Some(Drop::Pings)
        } else {
            None
        };
        match over {
            None => Verdict::Fine,
            Some(why) => match self.patience.exceeded(now) {
                Some(close) => Verdict::Close(close),
                None => Verdict::Excess(why),
            },
        }
    }
}

impl Patience {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            deadline: rates.excess_deadline,
            times_max: rates.frames_per_s.saturating_mul(EXCESS_FRAMES_PER_BUDGET),
            retry_after: rates.retry_after,
            excess: None,
        }
    }

    /// The peer is beyond a budget; the close once it has been so for too long.
    pub(super) fn exceeded(&mut self, now: Micros) -> Option<Close> {
        let excess = match self.excess.take() {
            Some(excess) if now.since(excess.latest) <= CALM_MICROS => {
                Excess { latest: now, times: excess.times.saturating_add(1), ..excess }
            }
            _ => Excess { since: now, latest: now, times: 1 },
        };
        let too_long = u128::from(now.since(excess.since)) >= self.deadline.as_micros();
        let too_many = excess.times > self.times_max;
        self.excess = Some(excess);
        (too_long || too_many).then(|| {
            let retry_after_ms = u32::try_from(self.retry_after.as_millis()).unwrap_or(u32::MAX);
            Close::retry_after(CloseCode::RateExceeded, retry_after_ms)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates {
        frames_per_s: 10,
        frames_burst: 10,
        bytes_per_s: 1000,
        bytes_burst: 1000,
        pings_per_s: 1,
        pings_burst: 5,
        excess_deadline: Duration::from_secs(5),
        retry_after: Duration::from_secs(2),
    };

    fn at(ms: u64) -> Micros {
        Micros(ms * 1000)
    }

    #[test]
    fn within_the_rate_for_ever() {
        let mut meter = Meter::new(RATES, at(0));
        assert!((0..1000).all(|n| meter.frame(FrameKind::Other, 90, at(n * 100)) == Verdict::Fine));
    }

    #[test]
    fn the_first_excess_is_dropped_and_a_lasting_one_closed() {
        let mut meter = Meter::new(RATES, at(0));
        let verdicts: Vec<_> = (0..200).map(|n| meter.frame(FrameKind::Other, 10, at(n * 50))).collect();
        let first = verdicts.iter().position(|verdict| *verdict != Verdict::Fine).expect("an excess");
        assert_eq!(verdicts[first], Verdict::Excess(Drop::Frames));
        let closed =
            verdicts.iter().position(|verdict| matches!(verdict, Verdict::Close(_))).expect("a close");
        assert_eq!((closed - first) * 50, 5000);
        let Verdict::Close(close) = &verdicts[closed] else { unreachable!() };
        assert_eq!(
            (close.code, close.reason.contains("retry_after_ms=2000")),
            (CloseCode::RateExceeded, true)
        );
    }

    #[test]
    fn a_calm_peer_is_forgiven() {
        let mut meter = Meter::new(RATES, at(0));
        for burst in 0..20 {
            let verdicts: Vec<_> =
                (0..12).map(|_| meter.frame(FrameKind::Other, 10, at(burst * 2000))).collect();
            assert_eq!(verdicts.last(), Some(&Verdict::Excess(Drop::Frames)), "burst {burst}");
        }
    }

    #[test]
    fn pings_have_their_own_budget() {
        let mut meter = Meter::new(RATES, at(0));
        assert!((0..5).all(|_| meter.frame(FrameKind::Ping, 6, at(0)) == Verdict::Fine));
        assert_eq!(meter.frame(FrameKind::Ping, 6, at(0)), Verdict::Excess(Drop::Pings));
        assert_eq!(meter.frame(FrameKind::Other, 6, at(0)), Verdict::Fine);
    }

    #[test]
    fn bytes_count_and_a_flood_is_not_waited_for() {
        let mut meter = Meter::new(RATES, at(0));
        assert_eq!(meter.frame(FrameKind::Other, 1001, at(0)), Verdict::Excess(Drop::Bytes));
        let flood =
            (0..1000).position(|_| matches!(meter.frame(FrameKind::Other, 1, at(1)), Verdict::Close(_)));
        assert!(flood.is_some_and(|frames| frames <= 220), "{flood:?}");
    }
}
