//! When a slot is told of, and which states a client lacks that was not told of it for a while, or otherwise: tick by
//! tick.

/// The periods of the tiers, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Cadences(pub [i64; 3]);

/// From what a client holds of an entity to what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many states it lacks, 1 to 4.
    pub states: usize,
    /// Ticks from the newest state that it holds to the oldest that it lacks.
    pub ahead: i64,
    /// Ticks between the states that it holds.
    pub from: i64,
    /// Ticks between those that it lacks.
    pub to: i64,
}

impl Gap {
    /// Whether the first missing state follows upon the last one as in a stream.
    #[must_use]
    pub fn is_seamless(&self) -> bool {
        self.from == self.to && self.ahead == self.from
    }
}

impl Cadences {
    /// Whether an entity is due at a tick.
    #[must_use]
    pub fn is_due(&self, tier: usize, id: i64, tick: i64) -> bool {
        let (frames, period) = (self.0[0], self.0[tier]);
        let group = id % (period / frames);
        (tick - group * frames).rem_euclid(period) == 0
    }

    /// What leads from the states of tier `a` until tick `held` to those of tier `b` at `tick`; `None` where nothing is
    /// missing.
    #[must_use]
    pub fn gap(&self, id: i64, (a, held): (usize, i64), (b, tick): (usize, i64)) -> Option<Gap> {
        let since = if a == b { held } else { tick - 4 * self.0[b] };
        let missing: Vec<_> = (since + 1..=tick).rev().filter(|at| self.is_due(b, id, *at)).take(4).collect();
        let mut newest = held;
        while !self.is_due(a, id, newest) {
            newest -= 1;
        }
        let ahead = (missing.last()? - newest).clamp(-255, 255);
        Some(Gap { states: missing.len(), ahead, from: self.0[a], to: self.0[b] })
    }
}
