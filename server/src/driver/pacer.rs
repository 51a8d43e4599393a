//! When a room's ticks are due: on absolute deadlines, made up for after a short delay and skipped after a long one. No clock
//! of its own.

use tickwire_shared::Micros;

/// Ticks that are made up for, back to back, before the rest is skipped.
const CATCH_UP_TICKS_MAX: u64 = 3;

/// When the next tick is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    start: Micros,
    tick_hz: u64,
    /// Ticks begun or skipped.
    count: u64,
}

/// How a tick started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Started {
    /// After its deadline, in microseconds.
    pub(super) late_micros: u64,
    /// Ticks given up before it.
    pub(super) skipped: u64,
}

impl Pacer {
    pub(super) fn new(start: Micros, tick_hz: u16) -> Self {
        Self { start, tick_hz: u64::from(tick_hz), count: 0 }
    }

    /// The deadline of the next tick: counted from the start, so that nothing adds up.
    pub(super) fn deadline(&self) -> Micros {
        self.start.plus(self.count * 1_000_000 / self.tick_hz)
    }

    pub(super) fn tick_micros(&self) -> u64 {
        1_000_000 / self.tick_hz
    }

    /// The tick that is due starts now.
    pub(super) fn begin(&mut self, now: Micros) -> Started {
        let late_micros = now.since(self.deadline());
        let behind = late_micros * self.tick_hz / 1_000_000;
        let skipped = if behind > CATCH_UP_TICKS_MAX { behind } else { 0 };
        self.count += skipped + 1;
        Started { late_micros, skipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Micros = Micros(1_000);

    #[test]
    fn deadlines_do_not_add_up_errors() {
        let mut pacer = Pacer::new(START, 30);
        for _ in 0..30_000 {
            let deadline = pacer.deadline();
            assert_eq!(pacer.begin(deadline.plus(700)), Started { late_micros: 700, skipped: 0 });
        }
        assert_eq!(pacer.deadline(), START.plus(1_000_000_000));
    }

    #[test]
    fn a_short_delay_is_caught_up() {
        let mut pacer = Pacer::new(START, 10);
        let now = START.plus(350_000);
        let starts: Vec<_> = (0..5).map(|_| (pacer.deadline() <= now, pacer.begin(now).skipped)).collect();
        assert_eq!(starts, [(true, 0), (true, 0), (true, 0), (true, 0), (false, 0)]);
    }

    #[test]
    fn a_long_delay_is_skipped_and_counted() {
        let mut pacer = Pacer::new(START, 10);
        let now = START.plus(10_050_000);
        assert_eq!(pacer.begin(now), Started { late_micros: 10_050_000, skipped: 100 });
        assert_eq!(pacer.deadline(), START.plus(10_100_000));
    }
}
