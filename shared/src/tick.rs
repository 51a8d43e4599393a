//! Numbers of time. A tick wraps, so it has no order, only distances.

use serde::{Deserialize, Serialize};

/// The number of a simulation step, counted from the start of its room; wraps at 2³².
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct Tick(pub u32);

impl Tick {
    /// The tick `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// The tick `ticks` earlier.
    #[must_use]
    pub const fn minus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_sub(ticks))
    }

    /// How many ticks this one lies after `earlier`; negative when it lies before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// The low 16 bits, as they travel in a frame's header.
    #[must_use]
    pub const fn low16(self) -> u16 {
        self.0 as u16
    }

    /// The tick nearest to `self` whose low 16 bits are `low`.
    #[must_use]
    pub const fn expand(self, low: u16) -> Self {
        let difference = low.wrapping_sub(self.0 as u16) as i16;
        Self(self.0.wrapping_add(difference as i32 as u32))
    }
}

/// A moment from one tick to the next: which one a client shows, when it shows the world between two states of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ViewTick {
    /// The tick whose state has been reached.
    pub tick: Tick,
    /// How much of the way to the next one, in 256ths.
    pub fraction: u8,
}

impl ViewTick {
    /// 256ths of a tick from `earlier` on to this moment; negative when it lies before.
    #[must_use]
    pub const fn since(self, earlier: Tick) -> i64 {
        self.tick.since(earlier) as i64 * 256 + self.fraction as i64
    }

    /// The moment `parts` 256ths of a tick after `tick`, or before.
    #[must_use]
    pub const fn after(tick: Tick, parts: i64) -> Self {
        let ticks = parts.div_euclid(256);
        Self { tick: Tick(tick.0.wrapping_add(ticks as u32)), fraction: parts.rem_euclid(256) as u8 }
    }
}

/// Microseconds since an epoch that the caller chose; only differences mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Micros(pub u64);

impl Micros {
    /// Microseconds from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time `micros` later.
    #[must_use]
    pub const fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_bits_expand_to_the_nearest_tick() {
        for base in [0_u32, 1, 40_000, 65_535, 65_536, u32::MAX] {
            for offset in [-32_768_i64, -1, 0, 1, 7, 32_767] {
                let tick = Tick((i64::from(base) + offset) as u32);
                assert_eq!(Tick(base).expand(tick.low16()), tick, "base {base} offset {offset}");
            }
        }
    }

    #[test]
    fn moments_wrap_like_ticks() {
        for (tick, parts) in [(5, 0), (5, -1), (0, -257), (u32::MAX, 300), (7, 70_000)] {
            let moment = ViewTick::after(Tick(tick), parts);
            assert_eq!(moment.since(Tick(tick)), parts);
        }
        assert_eq!(ViewTick::after(Tick(5), -1), ViewTick { tick: Tick(4), fraction: 255 });
    }

    #[test]
    fn distances_wrap() {
        assert_eq!(Tick(2).since(Tick(u32::MAX)), 3);
        assert_eq!(Tick(u32::MAX).since(Tick(2)), -3);
        assert_eq!(Tick(1).minus(3).plus(3), Tick(1));
    }
}
