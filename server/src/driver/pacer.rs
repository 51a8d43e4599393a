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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// The first tick is due within one from now, at a place between two ticks that is the room's own: of rooms that began together,
    /// as when a crowd comes, all would else be due at the same moments for ever.
    pub(super) fn in_place(room: u64, now: Micros, tick_hz: u16) -> Self {
        // The golden ratio: numbers that follow each other, or every second of them, are spread evenly.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let place = (u128::from(room.wrapping_mul(SPREAD)) * 1_000_000) >> 64;
        let hz = u128::from(tick_hz);
        // In parts of a microsecond, as many as there are ticks in a second: a tick is a whole number of them.
        let passed = (u128::from(now.0) * hz).saturating_sub(place);
        let start = (passed.div_ceil(1_000_000) * 1_000_000 + place).div_ceil(hz);
        Self::new(Micros(u64::try_from(start).unwrap_or(now.0)), tick_hz)
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
    fn rooms_that_begin_together_are_due_apart() {
        for tick_hz in [1, 7, 20, 30, 60, 128] {
            let tick_micros = 1_000_000 / u64::from(tick_hz);
            let mut places = Vec::new();
            for room in 0..1000 {
                // They come in groups, some after a night.
                let now = Micros(3_600_000_000 * (room / 100) + 5_000 * (room / 10) + 77);
                let wait = Pacer::in_place(room, now, tick_hz).deadline().since(now);
                assert!(wait <= tick_micros + 1, "room {room} waits {wait} of {tick_micros}");
                assert!(Pacer::in_place(room, now, tick_hz).deadline() >= now);
                places.push((now.0 + wait) * u64::from(tick_hz) % 1_000_000);
            }
            for step in [1, 2] {
                let mut places: Vec<_> = places.iter().step_by(step).copied().collect();
                places.sort_unstable();
                let gap = places.windows(2).map(|pair| pair[1] - pair[0]).max();
                // Evenly would be one for each; times are whole microseconds.
                let even = 1_000_000 / places.len() as u64;
                assert!(gap <= Some(3 * even + 2 * u64::from(tick_hz)), "{tick_hz} Hz: {gap:?} of {even}");
            }
        }
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
