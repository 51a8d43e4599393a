//! Sums of what rooms count.

use super::board::RoomView;
use super::timing::Timing;
use crate::host::Counters;

/// Sums over rooms.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) counters: Counters,
    pub(super) timing: Timing,
    /// Questions of inspectors that were answered, and the microseconds that took.
    pub(super) answers: (u64, u64),
}

impl Totals {
    /// Puts one room on top.
    pub(super) fn add(&mut self, room: &RoomView) {
        self.counters.add(&room.counters);
        self.timing.add(&room.timing);
        self.answered(room.answers);
    }

    /// So many questions, which took so many microseconds.
    pub(super) fn answered(&mut self, (questions, micros): (u64, u64)) {
        self.answers.0 += questions;
        self.answers.1 += micros;
    }
}
