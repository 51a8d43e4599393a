//! The ordered list of what one client sees, kept equal at both ends: append on enter, swap-remove on leave.

use tickwire_shared::NetId;
use tickwire_shared::schema::View;

/// One entity in a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RosterSlot {
    /// Its row in the table.
    pub row: u32,
    /// Its id, which tells whether the row is still this entity's.
    pub id: NetId,
    /// How much of it is shown.
    pub view: View,
}

/// What one client sees.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    slots: Vec<RosterSlot>,
}

impl Roster {
    /// The slots, in the order that both ends keep.
    #[must_use]
    pub fn slots(&self) -> &[RosterSlot] {
        &self.slots
    }

    /// Appends.
    pub fn enter(&mut self, slot: RosterSlot) {
        self.slots.push(slot);
    }

    /// Removes; the last slot takes the place.
    pub fn leave(&mut self, index: usize) {
        self.slots.swap_remove(index);
    }

    /// Forgets all, for a client that is told to forget all too.
    pub fn clear(&mut self) {
        self.slots.clear();
    }
}
