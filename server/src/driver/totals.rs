//! Sums of what rooms count.

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
    pub(super) fn add(&mut self, counters: &Counters, timing: &Timing, (questions, micros): (u64, u64)) {
        self.counters.add(counters);
        self.timing.add(timing);
        self.answers.0 += questions;
        self.answers.1 += micros;
    }
}
