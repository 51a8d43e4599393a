//! The ordered list of what one client sees, kept equal at both ends: append on enter, swap-remove on leave.

use tickwire_shared::NetId;
use tickwire_shared::schema::View;
use tickwire_shared::wire::cadence::Tier;

use super::cadence::Section;
use super::capture::Capture;
use super::updates::Lane;

/// One entity in a roster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RosterSlot {
    /// Its row in the table.
    pub row: u32,
    /// Its id, which tells whether the row is still this entity's.
    pub id: NetId,
    /// How much of it is shown.
    pub view: View,
    /// How often it is told of.
    pub tier: Tier,
    /// By which updates: those of its tier and view.
    pub lane: Lane,
    /// At which ticks: that of its tier and id, or at none.
    pub section: Section,
    /// The square of its distance from the viewpoint when that was last looked at, in the game's unit; 0 without a position.
    pub distance_squared: f32,
    /// The tick that the client's states are of while it is parked; 0 when it is not.
    pub parked_at: u32,
}

impl RosterSlot {
    /// Whether nothing has been told of it since a frame before.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.parked_at != 0
    }

    /// It is told of at a tier from now on.
    pub(super) fn follow(&mut self, tier: Tier, capture: &Capture) {
        (self.tier, self.parked_at) = (tier, 0);
        self.lane = capture.row(self.row).lane(tier, self.view);
        self.section = capture.schedule().section(tier, self.id);
    }

    /// Whether the frame at hand tells of it elsewhere, if at all.
    pub(super) fn is_silent(&self) -> bool {
        self.section == Section::SILENT
    }
}

/// Where the updates of a slot are found, and at which ticks. Every frame walks along these, of every client, and no cache holds so
/// much: two fifths of what it would be with the slots themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// As [`RosterSlot::row`].
    pub row: u32,
    /// As [`RosterSlot::lane`].
    pub lane: Lane,
    /// As [`RosterSlot::section`].
    pub section: Section,
}

impl From<&RosterSlot> for Source {
    fn from(slot: &RosterSlot) -> Self {
        Self { row: slot.row, lane: slot.lane, section: slot.section }
    }
}

/// What one client sees.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    slots: Vec<RosterSlot>,
    /// Of each slot.
    sources: Vec<Source>,
}

impl Roster {
    /// The slots, in the order that both ends keep.
    #[must_use]
    pub fn slots(&self) -> &[RosterSlot] {
        &self.slots
    }

    /// Where the updates of the slots are found, in their order.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        debug_assert!(self.slots.iter().map(Source::from).eq(self.sources.iter().copied()));
        &self.sources
    }

    /// A slot, to bring its distance up to date; for anything else there is [`Self::change`].
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut RosterSlot> {
        self.slots.get_mut(index)
    }

    /// Changes how a slot is told of.
    pub(super) fn change(&mut self, index: usize, change: impl FnOnce(&mut RosterSlot)) {
        change(&mut self.slots[index]);
        self.sources[index] = Source::from(&self.slots[index]);
    }

    /// The frame at hand tells of a slot elsewhere, if at all.
    pub(super) fn silence(&mut self, index: usize) {
        self.change(index, |slot| slot.section = Section::SILENT);
    }

    /// Appends.
    pub fn enter(&mut self, slot: RosterSlot) {
        self.sources.push(Source::from(&slot));
        self.slots.push(slot);
    }

    /// Removes; the last slot takes the place.
    pub fn leave(&mut self, index: usize) -> RosterSlot {
        self.sources.swap_remove(index);
        self.slots.swap_remove(index)
    }

    /// Undoes the last [`Self::enter`].
    pub(super) fn take_back(&mut self) -> Option<RosterSlot> {
        self.sources.pop();
        self.slots.pop()
    }

    /// Undoes a [`Self::leave`].
    pub(super) fn rejoin(&mut self, index: usize, slot: RosterSlot) {
        self.enter(slot);
        let last = self.slots.len() - 1;
        self.slots.swap(index.min(last), last);
        self.sources.swap(index.min(last), last);
    }

    /// Forgets all, for a client that is told to forget all too.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.sources.clear();
    }
}
