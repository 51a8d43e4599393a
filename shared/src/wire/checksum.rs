//! The checksum of everything that a client holds, computed by both ends from decoded state.

use super::cadence::Tier;
use super::residual::Window;
use crate::id::NetId;
use crate::limits::HISTORY;
use crate::schema::{KindPlan, View};

/// Takes in 32-bit words; the result depends on every word and on their order.
#[derive(Clone, Copy, Debug)]
pub struct Checksum(u32);

impl Default for Checksum {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Checksum {
    /// Takes in one word. The mixing step is that of MurmurHash3 (Austin Appleby, public domain).
    pub fn word(&mut self, word: u32) {
        let mixed = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        self.0 = (self.0 ^ mixed).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    /// Takes in columns.
    pub fn columns(&mut self, columns: &[i32]) {
        columns.iter().for_each(|column| self.word(*column as u32));
    }

    /// Takes in one slot of a roster: what the client knows it by, how often it is told of it, and its window as the
    /// client sees it; no window while it is parked.
    pub fn slot(&mut self, kind: &KindPlan, id: NetId, view: View, tier: Tier, window: Option<Window<'_>>) {
        self.word(id.0);
        self.word(view as u32 | (tier.index() as u32) << 8 | u32::from(window.is_none()) << 16);
        let Some(window) = window else { return };
        for age in 0..HISTORY {
            kind.seen(view).for_each(|field| self.columns(field.of(window.state(age))));
        }
    }

    /// The checksum of all words so far.
    #[must_use]
    pub fn finish(self) -> u32 {
        let hash = (self.0 ^ self.0 >> 16).wrapping_mul(0x85eb_ca6b);
        let hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
        hash ^ hash >> 16
    }
}
