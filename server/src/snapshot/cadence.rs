//! Which slots are due at a tick, as one word of bits: every tier's entities fall into groups by their id, a *section*
//! each, and all of a section are due at the same ticks.

use tickwire_shared::wire::cadence::{Cadences, TIERS, Tier};
use tickwire_shared::{NetId, Tick};

/// One group of entities that are due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section(u8);

impl Section {
    /// Of those that are never due.
    pub const SILENT: Self = Self(63);
}

/// The cadences of a room, and which sections are due at its present tick.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    cadences: Cadences,
    /// The first section of each tier.
    first: [u8; TIERS],
    due: u64,
}

impl Schedule {
    /// At the tick before the first.
    #[must_use]
    pub fn new(cadences: Cadences) -> Self {
        let mut first = [0; TIERS];
        for tier in 1..TIERS {
            first[tier] = first[tier - 1] + cadences.phases(Tier::ALL[tier - 1]) as u8;
        }
        debug_assert!(u32::from(first[TIERS - 1]) + cadences.phases(Tier::SLOW) < 63);
        Self { cadences, first, due: 0 }
    }

    /// Goes on to `tick`.
    pub fn at(&mut self, tick: Tick) {
        self.due = 0;
        for tier in Tier::ALL {
            for phase in 0..self.cadences.phases(tier) {
                let due = self.cadences.age(tier, phase, tick) == 0;
                self.due |= u64::from(due) << (u32::from(self.first[tier.index()]) + phase);
            }
        }
    }

    /// The periods.
    #[must_use]
    pub fn cadences(&self) -> &Cadences {
        &self.cadences
    }

    /// Whether frames go out at this tick.
    #[must_use]
    pub fn is_frame_tick(&self) -> bool {
        self.is_due(Section(self.first[Tier::FAST.index()]))
    }

    /// Where an entity belongs in a tier.
    #[must_use]
    pub fn section(&self, tier: Tier, id: NetId) -> Section {
        Section(self.first[tier.index()] + self.cadences.phase(tier, id) as u8)
    }

    /// Whether a section is due at this tick.
    #[must_use]
    #[inline]
    pub fn is_due(&self, section: Section) -> bool {
        self.due >> section.0 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_due_when_their_entities_are() {
        for periods in [[1, 3, 6], [2, 6, 12], [1, 12, 12]] {
            let cadences = Cadences::try_from(periods).expect("sensible periods");
            let mut schedule = Schedule::new(cadences);
            for tick in (0..40).map(Tick) {
                schedule.at(tick);
                for (tier, id) in
                    Tier::ALL.into_iter().flat_map(|tier| (0..30).map(move |id| (tier, NetId(id))))
                {
                    let due = schedule.is_due(schedule.section(tier, id));
                    assert_eq!(due, cadences.is_due(tier, id, tick), "{periods:?} {tier:?} {id:?} {tick:?}");
                }
                assert!(!schedule.is_due(Section::SILENT));
                assert_eq!(schedule.is_frame_tick(), tick.0.is_multiple_of(cadences.frame_ticks()));
            }
        }
    }
}
