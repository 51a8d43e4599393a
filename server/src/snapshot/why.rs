//! Why a client is told of an entity, or is not, and what it holds of it. Made between ticks, when somebody asks. The rules are
//! `interest`'s own, by which frames are packed: here is only said what they decide. It changes nothing.

use tickwire_shared::Tick;
use tickwire_shared::schema::View;
use tickwire_shared::wire::cadence::Tier;

use super::capture::{Capture, place_of};
use super::interest::{Bound, Eye, Rule, Seen, Sight, view_of};
use super::packed::Packed;
use super::roster::RosterSlot;
use crate::simulation::EntityKey;

/// How a client stands to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is told of it.
    Told,
    /// It holds an old state: its budget is not enough for all that it sees, and this waits for its turn.
    Parked,
    /// It holds it, and is not to see it, or not like this, any more: the next look takes it away.
    Leaves,
    /// It is to see it, and waits for bandwidth.
    Waits,
    /// It is to see it, and is told so at the next look.
    Enters,
    /// It does not see it, by a rule.
    Unseen,
}

/// What a client holds of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// How often it is told of.
    pub tier: Tier,
    /// How much of it.
    pub view: View,
    /// The tick whose state it has.
    pub state_of: u64,
    /// Whether nothing has been told of it since then, for lack of bandwidth.
    pub is_parked: bool,
}

/// Everything about one client and one entity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Why {
    /// How it stands.
    pub standing: Standing,
    /// What decides whether it is to be seen.
    pub rule: Rule,
    /// What the client holds, if it holds anything.
    pub holding: Option<Holding>,
    /// How much of it the client is to be shown.
    pub view: View,
    /// How often the client should be told of it if bandwidth were no matter.
    pub natural: Tier,
    /// How far away it is, and how far it may be, in the game's unit; `None` where that is no matter.
    pub distance: Option<(f32, f32)>,
}

/// One client's view of everything, as the last tick left it.
pub struct Insight<'a> {
    eye: Eye<'a>,
    client: &'a Packed,
    /// For each row, the place of its slot in the roster and 1.
    slots: Vec<u32>,
    /// For each row, whether it waits to enter.
    waits: Vec<bool>,
}

impl<'a> Insight<'a> {
    /// Of a client that looks as `seen` says. `sights` is by kind, `may_see` the game's own rule for this client.
    #[must_use]
    pub fn new(
        capture: &'a Capture,
        sights: &'a [Sight],
        seen: Seen,
        may_see: &'a dyn Fn(EntityKey) -> bool,
        client: &'a Packed,
    ) -> Self {
        let rows = capture.rows().len();
        let (mut slots, mut waits) = (vec![0; rows], vec![false; rows]);
        let is_row = |slot: &RosterSlot| capture.row(slot.row).id == slot.id;
        for (slot, place) in client.roster.slots().iter().zip(1..) {
            if is_row(slot) {
                slots[slot.row as usize] = place;
            }
        }
        client.waiting.iter().filter(|slot| is_row(slot)).for_each(|slot| waits[slot.row as usize] = true);
        let eye = Eye { capture, sights, seen, may_see, reach: client.share.reach };
        Self { eye, client, slots, waits }
    }

    /// About the entity of a row.
    #[must_use]
    pub fn why(&self, index: u32) -> Why {
        let row = self.eye.capture.row(index);
        let slot = self.slot(index);
        let bound = if slot.is_some() { Bound::Leave } else { Bound::Enter };
        let rule = self.eye.rule(row, bound);
        let standing = match slot {
            Some(slot) if !self.eye.stays(slot) => Standing::Leaves,
            Some(slot) if slot.is_parked() => Standing::Parked,
            Some(_) => Standing::Told,
            None if !rule.shows() => Standing::Unseen,
            // Those beyond the list of who waits are looked for again as soon as there is room.
            None if self.waits[index as usize] || self.client.beyond > 0 => Standing::Waits,
            None => Standing::Enters,
        };
        let squared = self.eye.distance_squared(row);
        Why {
            standing,
            rule,
            holding: slot.map(|slot| self.holding(slot)),
            view: view_of(row, &self.eye.seen),
            natural: self.eye.natural_tier(row, squared, slot.map_or(Tier::SLOW, |slot| slot.tier)),
            distance: self.eye.radius(row, bound).map(|radius| (squared.sqrt(), radius)),
        }
    }

    /// Where the client has an entity that it holds; `None` for one without a position, or when it is too long ago.
    #[must_use]
    pub fn held_place(&self, index: u32) -> Option<glam::Vec3> {
        let (slot, capture) = (self.slot(index)?, self.eye.capture);
        let state = capture.past_state(index, self.holding(slot).state_of)?;
        place_of(capture.plan().kind(capture.row(index).kind), state)
    }

    /// Whether bandwidth is not enough for all that the client sees.
    #[must_use]
    pub fn is_strained(&self) -> bool {
        self.client.share.strained
    }

    /// Share of every radius that the client's bandwidth is enough for.
    #[must_use]
    pub fn reach(&self) -> f32 {
        self.eye.reach
    }

    /// How many entities the client holds that are gone.
    #[must_use]
    pub fn ghosts(&self) -> usize {
        let slots = self.client.roster.slots().iter();
        let is_there = |slot: &&RosterSlot| {
            let row = self.eye.capture.row(slot.row);
            row.alive && row.id == slot.id
        };
        slots.clone().count() - slots.filter(is_there).count()
    }

    fn slot(&self, index: u32) -> Option<&'a RosterSlot> {
        let place = (self.slots[index as usize] as usize).checked_sub(1)?;
        self.client.roster.slots().get(place)
    }

    fn holding(&self, slot: &RosterSlot) -> Holding {
        let capture = self.eye.capture;
        let held = if slot.is_parked() {
            let ago = u64::try_from(Tick(capture.tick() as u32).since(Tick(slot.parked_at))).unwrap_or(0);
            capture.tick().saturating_sub(ago)
        } else {
            self.client.stream.unwrap_or(self.client.frame_at)
        };
        let sampled_at = capture.sampled_at(slot.row, slot.tier, held);
        Holding {
            tier: slot.tier,
            view: slot.view,
            state_of: sampled_at.max(capture.born_at(slot.row)),
            is_parked: slot.is_parked(),
        }
    }
}
