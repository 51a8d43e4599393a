//! When a room's ticks are due: on absolute deadlines, made up for after a short delay and skipped after a long one, or after any
//! in a room that has too much to do. No clock of its own.

use tickwire_shared::Micros;
use tickwire_shared::wire::message::Percent;

/// Ticks that are made up for, back to back, before the rest is skipped.
const CATCH_UP_TICKS_MAX: u64 = 3;

/// When the next tick is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    start: Micros,
    tick_hz: u64,
    pace: Percent,
    catch_up_ticks_max: u64,
    /// Ticks begun or skipped since the start.
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
        let tick_hz = u64::from(tick_hz);
        Self { start, tick_hz, pace: Percent::FULL, catch_up_ticks_max: CATCH_UP_TICKS_MAX, count: 0 }
    }

    /// Whether ticks that are late are made up for.
    pub(super) fn catch_up(&mut self, does: bool) {
        self.catch_up_ticks_max = if does { CATCH_UP_TICKS_MAX } else { 0 };
    }

    pub(super) fn pace(&self) -> Percent {
        self.pace
    }

    /// From the next tick on there are so many of those that the tick rate says.
    pub(super) fn go_at(&mut self, pace: Percent) {
        if pace != self.pace {
            (self.start, self.count, self.pace) = (self.deadline(), 0, pace);
        }
    }

    /// The deadline of the next tick: counted from the start, so that nothing adds up.
    pub(super) fn deadline(&self) -> Micros {
        self.start.plus(self.count * 100_000_000 / self.ticks_per_100_s())
    }

    pub(super) fn tick_micros(&self) -> u64 {
        100_000_000 / self.ticks_per_100_s()
    }

    fn ticks_per_100_s(&self) -> u64 {
        self.tick_hz * u64::from(self.pace.get())
    }

    /// The tick that is due starts now.
    pub(super) fn begin(&mut self, now: Micros) -> Started {
        let late_micros = now.since(self.deadline());
        let behind = late_micros * self.ticks_per_100_s() / 100_000_000;
        let skipped = if behind > self.catch_up_ticks_max { behind } else { 0 };
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
    fn a_short_delay_is_skipped_where_there_is_no_time_for_it() {
        let mut pacer = Pacer::new(START, 10);
        pacer.catch_up(false);
        assert_eq!(pacer.begin(START.plus(99_999)), Started { late_micros: 99_999, skipped: 0 });
        assert_eq!(pacer.begin(START.plus(350_000)), Started { late_micros: 250_000, skipped: 2 });
        assert_eq!(pacer.deadline(), START.plus(400_000));
    }

    #[test]
    fn another_pace_counts_from_the_next_tick() {
        let mut pacer = Pacer::new(START, 10);
        pacer.begin(START);
        pacer.go_at(50.try_into().expect("a percentage"));
        let deadlines = [(); 3].map(|()| {
            let deadline = pacer.deadline();
            pacer.begin(deadline);
            deadline.since(START)
        });
        assert_eq!(deadlines, [100_000, 300_000, 500_000]);
        pacer.go_at(Percent::FULL);
        assert_eq!((pacer.deadline().since(START), pacer.tick_micros()), (700_000, 100_000));
    }

    #[test]
    fn a_long_delay_is_skipped_and_counted() {
        let mut pacer = Pacer::new(START, 10);
        let now = START.plus(10_050_000);
        assert_eq!(pacer.begin(now), Started { late_micros: 10_050_000, skipped: 100 });
        assert_eq!(pacer.deadline(), START.plus(10_100_000));
    }
}
