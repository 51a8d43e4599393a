//! Which tick is when, in the server's own time: evenly, at the tick rate, but for a room that has let its time go slower
//! because it had too much to do. Asked whenever a time becomes a tick or a tick a time; knows no offset and no clock.

use crate::tick::Tick;
use crate::wire::message::TimeDilation;

/// Times are counted in microseconds from a tick called the base.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    base: Tick,
    tick_hz: i64,
    now: Stretch,
    /// What is asked about lies a second back at most, and so do changes: two stretches are enough.
    before: Stretch,
}

/// From this tick on, which is at this time, ticks follow each other at so many percent of the tick rate.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    tick: i64,
    micros: i64,
    percent: i64,
}

/// Parts of a tick.
const PARTS: i64 = 256;
/// Microseconds of a second times percent, by parts: so nothing overflows for a year.
const MICRO_PERCENTS: i64 = 100_000_000;

impl Timeline {
    pub(super) fn new(base: Tick, tick_hz: u16) -> Self {
        let even = Stretch { tick: 0, micros: 0, percent: 100 };
        Self { base, tick_hz: i64::from(tick_hz.max(1)), now: even, before: even }
    }

    pub(super) fn base(&self) -> Tick {
        self.base
    }

    /// Time goes at another pace from a tick on.
    pub(super) fn dilate(&mut self, TimeDilation { from, percent }: TimeDilation) {
        let tick = i64::from(from.since(self.base)).max(self.now.tick);
        let micros = self.now.micros_of(tick, self.tick_hz);
        self.before = self.now;
        self.now = Stretch { tick, micros, percent: i64::from(percent.get()) };
    }

    /// Length of a tick at present, in microseconds.
    pub(super) fn tick_micros(&self) -> i64 {
        MICRO_PERCENTS / (self.tick_hz * self.now.percent)
    }

    /// When a tick is.
    pub(super) fn micros_of(&self, tick: Tick) -> i64 {
        let tick = i64::from(tick.since(self.base));
        let stretch = if tick >= self.now.tick { &self.now } else { &self.before };
        stretch.micros_of(tick, self.tick_hz)
    }

    /// 256ths of a tick from the base to a time.
    pub(super) fn parts_of(&self, micros: i64) -> i64 {
        let stretch = self.stretch_at(micros);
        let share = (micros - stretch.micros) * self.tick_hz * stretch.percent;
        stretch.tick * PARTS + share.div_euclid(MICRO_PERCENTS / PARTS)
    }

    /// The tick that is reached at a time, and for how long it has been.
    pub(super) fn tick_at(&self, micros: i64) -> (Tick, u64) {
        let stretch = self.stretch_at(micros);
        let share = (micros - stretch.micros) * self.tick_hz * stretch.percent;
        let tick = stretch.tick + share.div_euclid(MICRO_PERCENTS);
        let into = micros - stretch.micros_of(tick, self.tick_hz);
        (self.base.plus(tick as u32), into.max(0) as u64)
    }

    fn stretch_at(&self, micros: i64) -> &Stretch {
        if micros >= self.now.micros { &self.now } else { &self.before }
    }
}

impl Stretch {
    fn micros_of(&self, tick: i64, tick_hz: i64) -> i64 {
        self.micros + (tick - self.tick) * MICRO_PERCENTS / (tick_hz * self.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dilated(from: u32, percent: u8) -> TimeDilation {
        TimeDilation { from: Tick(from), percent: percent.try_into().expect("a percentage") }
    }

    #[test]
    fn ticks_are_longer_from_the_one_on_that_is_named() {
        let mut line = Timeline::new(Tick(1000), 20);
        line.dilate(dilated(1010, 50));
        assert_eq!(line.tick_micros(), 100_000);
        let times = [1000, 1009, 1010, 1011, 1012].map(|tick| line.micros_of(Tick(tick)));
        assert_eq!(times, [0, 450_000, 500_000, 600_000, 700_000]);
        line.dilate(dilated(1012, 100));
        assert_eq!(line.micros_of(Tick(1011)), 600_000);
        assert_eq!(line.micros_of(Tick(1014)), 800_000);
        assert_eq!(line.parts_of(650_000), 11 * 256 + 128);
        assert_eq!(line.tick_at(699_999), (Tick(1011), 99_999));
    }

    #[test]
    fn there_and_back_is_the_same_tick() {
        for hz in [1, 7, 20, 30, 60, 240] {
            let mut line = Timeline::new(Tick(u32::MAX - 50), hz);
            for (from, percent) in [(u32::MAX - 20, 90), (u32::MAX, 33), (30, 100)] {
                line.dilate(dilated(from, percent));
                for tick in (0..200).map(|tick| Tick(from).plus(tick)) {
                    let micros = line.micros_of(tick);
                    // Whole microseconds may lie just before the tick.
                    assert_eq!(line.tick_at(micros + 1).0, tick, "{hz} Hz at {percent} %");
                    let parts = i64::from(tick.since(line.base())) * PARTS;
                    assert!((0..=1).contains(&(parts - line.parts_of(micros))), "{hz} Hz at {percent} %");
                }
            }
        }
    }

    #[test]
    fn time_never_goes_back_however_it_is_bent() {
        let mut line = Timeline::new(Tick(0), 30);
        let (mut last, mut seed) = (i64::MIN, 9_u32);
        for micros in (0..60_000_000).step_by(16_667) {
            if micros % 1_000_020 < 16_667 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                line.dilate(dilated(line.tick_at(micros).0.0 + 2, 10 + (seed >> 16) as u8 % 91));
            }
            let parts = line.parts_of(micros);
            assert!(parts >= last, "at {micros} µs");
            last = parts;
        }
    }
}
