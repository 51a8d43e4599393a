//! At which ticks a slot is told of. A *cadence* is a number of ticks from one sample of an entity to the next; a
//! game has three, its *tiers*. Which ticks they are depends on the entity's id and the tick alone, so both ends know
//! without a word, and the samples of a tier are spread evenly over its period.

use serde::{Deserialize, Serialize};

use crate::id::NetId;
use crate::limits::CADENCE_TICKS_MAX;
use crate::tick::Tick;

/// How many cadences there are.
pub const TIERS: usize = 3;

/// One of the cadences; a smaller one is told more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tier(u8);

impl Tier {
    /// All of them, the most frequent first.
    pub const ALL: [Self; TIERS] = [Self(0), Self(1), Self(2)];
    /// The most frequent one.
    pub const FAST: Self = Self::ALL[0];
    /// The least frequent one.
    pub const SLOW: Self = Self::ALL[TIERS - 1];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The periods of all tiers, in ticks. Frames fall on multiples of the first one only, which the others are multiples
/// of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[u8; TIERS]", into = "[u8; TIERS]")]
pub struct Cadences([u8; TIERS]);

/// Periods that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cadences must rise from 1 or more to {CADENCE_TICKS_MAX} ticks at most, in multiples of the first")]
pub struct CadencesError;

impl Default for Cadences {
    fn default() -> Self {
        Self([1, 3, 6])
    }
}

impl TryFrom<[u8; TIERS]> for Cadences {
    type Error = CadencesError;

    fn try_from(periods: [u8; TIERS]) -> Result<Self, CadencesError> {
        let first = periods[0];
        let fine = first >= 1
            && periods.is_sorted()
            && periods.iter().all(|period| *period <= CADENCE_TICKS_MAX && period.is_multiple_of(first));
        if fine { Ok(Self(periods)) } else { Err(CadencesError) }
    }
}

impl From<Cadences> for [u8; TIERS] {
    fn from(cadences: Cadences) -> Self {
        cadences.0
    }
}

impl Cadences {
    /// Ticks from one sample of a tier to the next.
    #[must_use]
    pub fn period(&self, tier: Tier) -> u32 {
        u32::from(self.0[tier.index()])
    }

    /// Ticks from one frame to the next.
    #[must_use]
    pub fn frame_ticks(&self) -> u32 {
        u32::from(self.0[0])
    }

    /// How many groups the entities of a tier fall into, each sampled at ticks of its own.
    #[must_use]
    pub fn phases(&self, tier: Tier) -> u32 {
        self.period(tier) / self.frame_ticks()
    }

    /// Which of the groups of its tier an entity belongs to.
    #[must_use]
    pub fn phase(&self, tier: Tier, id: NetId) -> u32 {
        id.0 % self.phases(tier)
    }

    /// Ticks since the last sample of the tier's group `phase`: 0 when it is sampled at this very tick. Where ticks wrap,
    /// after years, the periods around it are of other lengths; that is worse prediction at one moment, no more.
    #[must_use]
    pub fn age(&self, tier: Tier, phase: u32, tick: Tick) -> u32 {
        let period = self.period(tier);
        ((u64::from(tick.0) + u64::from(period - phase * self.frame_ticks())) % u64::from(period)) as u32
    }

    /// When an entity was last sampled, at `tick` or before.
    #[must_use]
    pub fn last_due(&self, tier: Tier, id: NetId, tick: Tick) -> Tick {
        tick.minus(self.age(tier, self.phase(tier, id), tick))
    }

    /// Whether an entity is sampled at this tick.
    #[must_use]
    pub fn is_due(&self, tier: Tier, id: NetId, tick: Tick) -> bool {
        self.age(tier, self.phase(tier, id), tick) == 0
    }

    /// How many samples of an entity lie after `after` and not after `until`.
    #[must_use]
    pub fn samples(&self, tier: Tier, id: NetId, after: Tick, until: Tick) -> u32 {
        let age = self.age(tier, self.phase(tier, id), until);
        match u32::try_from(until.since(after)) {
            Ok(ticks) if ticks > age => (ticks - age - 1) / self.period(tier) + 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_the_ticks_that_are_due() {
        for periods in [[1, 3, 6], [2, 4, 12], [1, 1, 1], [4, 8, 12]] {
            let cadences = Cadences::try_from(periods).expect("sensible periods");
            for (tier, id, after) in (0..3).flat_map(|tier| {
                (0..13).flat_map(move |id| (12..20).map(move |after| (Tier::ALL[tier], NetId(id), after)))
            }) {
                for until in after..after + 130 {
                    let due = |tick: &u32| cadences.is_due(tier, id, Tick(*tick));
                    let counted = (after + 1..=until).filter(due).count() as u32;
                    assert_eq!(cadences.samples(tier, id, Tick(after), Tick(until)), counted);
                    let last = (0..=until).rev().find(due).expect("one at least");
                    assert_eq!(cadences.last_due(tier, id, Tick(until)), Tick(last));
                    assert!(!due(&until) || until % cadences.frame_ticks() == 0, "no frame goes out then");
                }
            }
        }
    }

    #[test]
    fn senseless_periods_are_refused() {
        for periods in [[0, 1, 2], [1, 3, 2], [2, 3, 6], [1, 3, CADENCE_TICKS_MAX + 1]] {
            assert_eq!(Cadences::try_from(periods), Err(CadencesError), "{periods:?}");
        }
    }
}
