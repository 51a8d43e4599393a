//! What one client was shown a while ago: which entities, and how often they were told of. Written while frames are packed,
//! read when the game looks back with a client's eyes. Kept for as long as a room looks back, and for nobody in rooms that
//! do not.
//!
//! It is the present roster with its last edits, to be undone backwards.

use std::collections::VecDeque;

use tickwire_shared::NetId;
use tickwire_shared::wire::cadence::Tier;

use super::packed::Packed;
use super::roster::RosterSlot;

/// Edits that are remembered of one client. What happens beyond makes it look back less far.
const EDITS_MAX: usize = 4096;

/// How an entity is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// How often.
    pub tier: Tier,
    /// The tick that the client's states are of while it is parked; 0 when it is not.
    pub parked_at: u32,
}

impl Telling {
    fn of(slot: &RosterSlot) -> Self {
        Self { tier: slot.tier, parked_at: slot.parked_at }
    }
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    /// Of the frame.
    tick: u64,
    row: u32,
    id: NetId,
    before: Option<Telling>,
}

/// One client's last edits.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// For how long; 0 keeps nothing.
    keep_ticks: u64,
    edits: VecDeque<Edit>,
    /// Nothing is known of the time before the frame of this tick.
    known_from: u64,
}

impl Sightings {
    pub(super) fn new(keep_ticks: u32) -> Self {
        Self { keep_ticks: u64::from(keep_ticks), edits: VecDeque::new(), known_from: 0 }
    }

    /// The frame of `tick` lets a slot enter.
    pub(super) fn entered(&mut self, tick: u64, slot: &RosterSlot) {
        self.note(Edit { tick, row: slot.row, id: slot.id, before: None });
    }

    /// The frame of `tick` lets a slot leave, or changes how it is told of.
    pub(super) fn changed(&mut self, tick: u64, slot: &RosterSlot) {
        self.note(Edit { tick, row: slot.row, id: slot.id, before: Some(Telling::of(slot)) });
    }

    fn note(&mut self, edit: Edit) {
        if self.keep_ticks == 0 {
            return;
        }
        while let Some(oldest) = self.edits.front().copied() {
            let fresh = oldest.tick + self.keep_ticks >= edit.tick;
            if fresh && self.edits.len() < EDITS_MAX {
                break;
            }
            if fresh {
                self.known_from = oldest.tick;
            }
            self.edits.pop_front();
        }
        self.edits.push_back(edit);
    }

    /// The frame of `tick` tells everything anew.
    pub(super) fn begin_anew(&mut self, tick: u64) {
        self.edits.clear();
        self.known_from = tick;
    }

    /// Frames after that of `tick` were never received.
    pub(super) fn undo(&mut self, tick: u64) {
        while self.edits.pop_back_if(|edit| edit.tick > tick).is_some() {}
    }
}

impl Packed {
    /// The tick from which on it is known what the client was shown.
    #[must_use]
    pub fn shown_from(&self) -> u64 {
        self.sightings.known_from
    }

    /// Calls `show` so that, when it has returned for the last time, what it was called with last of each row is how that
    /// was told of after the frames up to and at `tick`; not at all, if that is `None` or it was never called.
    pub fn shown_at(&self, tick: u64, mut show: impl FnMut(u32, NetId, Option<Telling>)) {
        self.roster.slots().iter().for_each(|slot| show(slot.row, slot.id, Some(Telling::of(slot))));
        let later = self.sightings.edits.iter().rev().take_while(|edit| edit.tick > tick);
        later.for_each(|edit| show(edit.row, edit.id, edit.before));
    }
}
