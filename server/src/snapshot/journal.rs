//! What the frames on their way to a client changed of what it was last handed, so that those that a cut connection
//! never delivered can be undone. Written while frames are packed and shortened by acknowledgements, so it spans no
//! more than the window of unacknowledged frames. Knows nothing of connections and tokens.
//!
//! The order of edits in a frame is leaves, moves, enters; they are undone backwards.

use std::collections::VecDeque;

use tickwire_shared::Tick;
use tickwire_shared::limits::WINDOW_FRAMES_MAX;
use tickwire_shared::wire::cadence::Tier;

use super::cadence::Section;
use super::capture::Capture;
use super::edits::Told;
use super::packed::Packed;
use super::roster::RosterSlot;

/// Leaves and moves that are remembered of one client: what changes more than this between two acknowledgements is told
/// anew after a cut.
const SLOT_EDITS_MAX: usize = 4096;

/// The changes of one client's last frames.
#[derive(Debug, Default)]
pub(super) struct Journal {
    frames: VecDeque<FrameEdits>,
    /// Of all these frames, in order.
    slots: VecDeque<SlotEdit>,
    /// The states that fell out of the private window, in order.
    private: VecDeque<i32>,
    /// The frame at hand.
    open: FrameEdits,
    /// Whether the frame at hand makes the client forget everything: nothing before it can be undone.
    barrier: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct FrameEdits {
    tick: u64,
    /// The tick of the frame before it.
    before: u64,
    slots: usize,
    enters: usize,
    /// Columns of the private state that fell out.
    private: usize,
}

#[derive(Clone, Copy, Debug)]
enum SlotEdit {
    Left { index: u32, slot: RosterSlot },
    Moved { index: u32, tier: Tier, parked_at: u32 },
}

impl Journal {
    /// A slot left the roster.
    pub(super) fn left(&mut self, index: usize, slot: RosterSlot) {
        self.edit(SlotEdit::Left { index: index as u32, slot });
    }

    /// A slot is about to be told of at another tier, or not at all.
    pub(super) fn moved(&mut self, index: usize, slot: &RosterSlot) {
        self.edit(SlotEdit::Moved { index: index as u32, tier: slot.tier, parked_at: slot.parked_at });
    }

    fn edit(&mut self, edit: SlotEdit) {
        self.slots.push_back(edit);
        self.open.slots += 1;
    }

    /// So many slots were appended.
    pub(super) fn entered(&mut self, count: usize) {
        self.open.enters += count;
    }

    /// The private window is about to lose its oldest state.
    pub(super) fn private(&mut self, oldest: &[i32]) {
        self.private.extend(oldest);
        self.open.private += oldest.len();
    }

    /// The client is told to forget everything.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.slots.clear();
        self.private.clear();
        (self.open, self.barrier) = (FrameEdits::default(), true);
    }

    /// The frame of `tick` is packed; the one before it was that of `before`.
    pub(super) fn close(&mut self, before: u64, tick: u64) {
        if std::mem::take(&mut self.barrier) {
            return self.clear_behind();
        }
        self.frames.push_back(FrameEdits { tick, before, ..std::mem::take(&mut self.open) });
        while self.frames.len() > WINDOW_FRAMES_MAX || self.slots.len() > SLOT_EDITS_MAX {
            self.drop_oldest();
        }
    }

    fn clear_behind(&mut self) {
        self.clear();
        self.barrier = false;
    }

    fn drop_oldest(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.slots.drain(..frame.slots);
            self.private.drain(..frame.private);
        }
    }

    /// The client has applied the frame of this tick: it and those before it are never undone.
    fn acknowledged(&mut self, applied: Tick) {
        let Some(place) = self.frames.iter().position(|frame| frame.tick as u32 == applied.0) else { return };
        (0..=place).for_each(|_| self.drop_oldest());
    }
}

impl Packed {
    /// The client has applied the frame of this tick.
    pub fn acknowledged(&mut self, applied: Tick) {
        self.journal.acknowledged(applied);
    }

    /// Goes back to what the client holds after the frame of `applied`, the last that it received. `false` when that is
    /// not known any more; it has to be told everything anew then.
    pub(super) fn rewind(&mut self, applied: Tick, capture: &Capture, told: &mut Vec<Told>) -> bool {
        let is_applied = |tick: u64| tick as u32 == applied.0;
        let known = is_applied(self.frame_at) || self.journal.frames.iter().any(|it| is_applied(it.before));
        if self.stream.is_none() || !known {
            return false;
        }
        while !is_applied(self.frame_at) {
            let Some(frame) = self.journal.frames.pop_back() else { return false };
            self.undo(&frame, capture, told);
            (self.frame_at, self.stream) = (frame.before, Some(frame.before));
        }
        self.sightings.undo(self.frame_at);
        self.parked = self.roster.slots().iter().filter(|slot| slot.is_parked()).count();
        true
    }

    fn undo(&mut self, frame: &FrameEdits, capture: &Capture, told: &mut Vec<Told>) {
        let Self { roster, journal, private, .. } = self;
        let mut tell = |slot: &RosterSlot, more: bool| {
            if !slot.is_parked() {
                told.push((slot.row, slot.id, slot.lane, more));
            }
        };
        for _ in 0..frame.enters {
            roster.take_back().iter().for_each(|slot| tell(slot, false));
        }
        let edits = journal.slots.split_off(journal.slots.len() - frame.slots);
        for edit in edits.into_iter().rev() {
            match edit {
                SlotEdit::Left { index, slot } => {
                    roster.rejoin(index as usize, slot);
                    tell(&slot, true);
                }
                SlotEdit::Moved { index, tier, parked_at } => {
                    roster.change(index as usize, |slot| {
                        tell(slot, false);
                        slot.follow(tier, capture);
                        if parked_at != 0 {
                            (slot.parked_at, slot.section) = (parked_at, Section::SILENT);
                        }
                        tell(slot, true);
                    });
                }
            }
        }
        if frame.private > 0 {
            private.copy_within(frame.private.., 0);
            let oldest = private.len() - frame.private;
            let lost = journal.private.split_off(journal.private.len() - frame.private);
            private[oldest..].iter_mut().zip(lost).for_each(|(column, was)| *column = was);
        }
    }
}
