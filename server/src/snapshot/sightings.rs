//! What one client was shown a while ago: which entities, how often they were told of, and how much later than others they
//! were shown. Written while frames are packed, read when the game looks back with a client's eyes. Kept for as long as a
//! room looks back, and not at all in rooms that do not.
//!
//! It is the present roster with its last edits, to be undone backwards. Moments are in 256ths of a tick from the start.

use std::collections::VecDeque;

use tickwire_shared::NetId;
use tickwire_shared::limits::CADENCE_TICKS_MAX;
use tickwire_shared::wire::cadence::{Cadences, Tier};

use super::packed::Packed;
use super::roster::RosterSlot;

/// Edits that are remembered of one client. What happens beyond makes it look back less far.
const EDITS_MAX: usize = 4096;
/// A client whose entity is told of at another cadence shows it later, or less late, by one part of this many that pass.
const SLEW_DIVISOR: u64 = 4;

/// How an entity is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// How often.
    pub tier: Tier,
    /// The tick that the client's states are of while it is parked; 0 when it is not.
    pub parked_at: u32,
}

impl From<&RosterSlot> for Telling {
    fn from(slot: &RosterSlot) -> Self {
        Self { tier: slot.tier, parked_at: slot.parked_at }
    }
}

/// What happened to a slot, with how it was told of before.
#[derive(Clone, Copy, Debug)]
enum Change {
    Entered,
    Moved(Telling),
    Left(Telling),
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    /// Of the frame.
    tick: u64,
    row: u32,
    id: NetId,
    change: Change,
}

const _: () = assert!(size_of::<Edit>() * EDITS_MAX <= 128 * 1024, "as CONFIG.md says");

/// One client's last edits.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// For how long; 0 keeps nothing.
    keep_ticks: u64,
    edits: VecDeque<Edit>,
    /// What was there in the frame of this tick had been there before.
    anew_at: u64,
    /// Nothing is known of the time before the frame of this tick.
    forgotten: u64,
}

impl Sightings {
    /// For rooms that look back for so many ticks.
    pub(super) fn new(rewind_ticks: u32) -> Self {
        // From the fastest cadence to the slowest one.
        let slew_ticks = u64::from(CADENCE_TICKS_MAX) * (SLEW_DIVISOR + 1);
        let keep_ticks = if rewind_ticks == 0 { 0 } else { u64::from(rewind_ticks) + slew_ticks };
        Self { keep_ticks, ..Self::default() }
    }

    /// The frame of `tick` lets a slot enter.
    pub(super) fn entered(&mut self, tick: u64, slot: &RosterSlot) {
        if tick == self.anew_at {
            return;
        }
        // Who leaves and enters in one frame, since more of it or less is shown, goes on in view.
        let frame = self.edits.partition_point(|edit| edit.tick < tick);
        let mut edits =
            self.edits.range_mut(frame..).take_while(|edit| !matches!(edit.change, Change::Entered));
        match edits.find(|edit| edit.id == slot.id) {
            Some(Edit { change, .. }) => {
                if let Change::Left(before) = *change {
                    *change = Change::Moved(before);
                }
            }
            None => self.note(tick, slot, Change::Entered),
        }
    }

    /// The frame of `tick` changes how a slot is told of, from how it is so far.
    pub(super) fn moved(&mut self, tick: u64, slot: &RosterSlot) {
        self.note(tick, slot, Change::Moved(slot.into()));
    }

    /// The frame of `tick` lets a slot leave.
    pub(super) fn left(&mut self, tick: u64, slot: &RosterSlot) {
        self.note(tick, slot, Change::Left(slot.into()));
    }

    fn note(&mut self, tick: u64, slot: &RosterSlot, change: Change) {
        if self.keep_ticks == 0 {
            return;
        }
        while let Some(oldest) = self.edits.front().copied() {
            let fresh = oldest.tick + self.keep_ticks >= tick;
            if fresh && self.edits.len() < EDITS_MAX {
                break;
            }
            if fresh {
                self.forgotten = oldest.tick;
            }
            self.edits.pop_front();
        }
        self.edits.push_back(Edit { tick, row: slot.row, id: slot.id, change });
    }

    /// The frame of `tick` tells everything anew, to a client that shows on what it was told before.
    pub(super) fn begin_anew(&mut self, tick: u64) {
        self.edits.clear();
        self.anew_at = tick;
    }

    /// Frames after that of `tick` were never received.
    pub(super) fn undo(&mut self, tick: u64) {
        while self.edits.pop_back_if(|edit| edit.tick > tick).is_some() {}
    }
}

/// What one client after the other was shown, by row. Its memory is kept.
#[derive(Debug, Default)]
pub struct Sights {
    marks: Vec<Mark>,
    /// Of the client at hand.
    stamp: u32,
    moment: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    stamp: u32,
    id: NetId,
    telling: Option<Telling>,
    /// How much later it was shown at a moment, where that was about to change.
    slewing: Option<(u64, u64)>,
}

impl Sights {
    /// How an entity was told of, and by how much later than what is told of at every frame it was shown; `None` where
    /// it was not.
    #[must_use]
    pub fn of(&self, row: u32, id: NetId, cadences: &Cadences) -> Option<(Telling, u64)> {
        let mark = self.marks.get(row as usize)?;
        let telling = mark.telling.filter(|_| mark.stamp == self.stamp && mark.id == id)?;
        let wanted = later_parts(cadences, telling.tier);
        let later = mark.slewing.map_or(wanted, |slewing| slewed(slewing, wanted, self.moment));
        Some((telling, later))
    }

    fn begin(&mut self, rows: usize, moment: u64) {
        let nothing = Mark { stamp: 0, id: NetId(0), telling: None, slewing: None };
        self.marks.resize(rows.max(self.marks.len()), nothing);
        (self.stamp, self.moment) = (self.stamp.wrapping_add(1), moment);
        if self.stamp == 0 {
            self.marks.fill(nothing);
            self.stamp = 1;
        }
    }

    fn put(&mut self, row: u32, id: NetId, telling: Option<Telling>) {
        self.marks[row as usize] = Mark { stamp: self.stamp, id, telling, slewing: None };
    }

    /// An edit that the client had been told by then.
    fn follow(&mut self, edit: &Edit, cadences: &Cadences) {
        let mark = &mut self.marks[edit.row as usize];
        if mark.stamp != self.stamp || mark.id != edit.id {
            return;
        }
        let at = edit.tick * 256;
        mark.slewing = match edit.change {
            Change::Entered | Change::Left(_) => None,
            Change::Moved(before) => {
                let wanted = later_parts(cadences, before.tier);
                Some((mark.slewing.map_or(wanted, |slewing| slewed(slewing, wanted, at)), at))
            }
        };
    }

    /// The same edits once more, the last one first: what is shown later than others enters and leaves later.
    fn delay(&mut self, edit: &Edit, cadences: &Cadences) {
        let is_before = |later: u64| self.moment.saturating_sub(later) < edit.tick * 256;
        match (edit.change, self.of(edit.row, edit.id, cadences)) {
            (Change::Entered, Some((_, later))) if is_before(later) => self.put(edit.row, edit.id, None),
            (Change::Left(before), None) if is_before(later_parts(cadences, before.tier)) => {
                self.put(edit.row, edit.id, Some(before));
            }
            _ => {}
        }
    }
}

/// By how much later than what is told of at every frame a client shows what is told of at a tier.
fn later_parts(cadences: &Cadences, tier: Tier) -> u64 {
    u64::from(cadences.period(tier) - cadences.period(Tier::FAST)) * 256
}

fn slewed((later, since): (u64, u64), wanted: u64, at: u64) -> u64 {
    let most = at.saturating_sub(since) / SLEW_DIVISOR;
    wanted.clamp(later.saturating_sub(most), later + most)
}

impl Packed {
    /// The tick from which on it is known what the client was shown.
    #[must_use]
    pub fn known_from(&self) -> u64 {
        self.sightings.forgotten
    }

    /// Works out what the client was shown at a moment; there are so many `rows`.
    pub fn shown_at(&self, moment: u64, rows: usize, cadences: &Cadences, sights: &mut Sights) {
        sights.begin(rows, moment);
        self.roster.slots().iter().for_each(|slot| sights.put(slot.row, slot.id, Some(slot.into())));
        let edits = &self.sightings.edits;
        let told = edits.partition_point(|edit| edit.tick * 256 <= moment);
        for edit in edits.range(told..).rev() {
            let before = match edit.change {
                Change::Entered => None,
                Change::Moved(before) | Change::Left(before) => Some(before),
            };
            sights.put(edit.row, edit.id, before);
        }
        edits.range(..told).for_each(|edit| sights.follow(edit, cadences));
        edits.range(..told).rev().for_each(|edit| sights.delay(edit, cadences));
    }
}
