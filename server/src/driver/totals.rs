//! Sums of what rooms count.

use super::board::RoomView;
use super::timing::Timing;
use crate::host::Counters;

/// Sums over rooms.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) counters: Counters,
    pub(super) timing: Timing,
}

impl Totals {
    /// Puts one room on top.
    pub(super) fn add(&mut self, room: &RoomView) {
        self.counters.add(&room.counters);
        self.timing.add(&room.timing);
    }
}
