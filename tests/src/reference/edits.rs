//! What stands between a frame's header and its slots: events, and who leaves the roster, who is told of more or less
//! often, who enters.

use tickwire_shared::schema::{Schema, View};

use super::cadence::Cadences;
use super::client::Slot;
use super::codes::Codes;
use super::prediction::bits_of;
use super::slots::{Brought, window};
use super::tape::{Refused, Tape};
use super::update::{Seen, Window, record};

/// Bytes of a spawn or an event.
pub(super) type Blob = Vec<u8>;

/// The code of being parked, after those of the tiers.
const PARKED: i64 = 3;

/// A slot that is told of more or less often, or parked, or comes back from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its index after the leaves.
    pub index: usize,
    /// Its new tier and its window; `None` parks it.
    pub to: Option<(usize, Brought)>,
}

/// An entity that comes into view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Its id.
    pub id: i64,
    /// Its kind's index.
    pub kind: usize,
    /// How much of it is seen.
    pub view: View,
    /// How often it is told of.
    pub tier: usize,
    /// Its last four states.
    pub window: Window,
    /// What is told once.
    pub spawn: Blob,
}

/// What becomes of a roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Indices into the roster as it is at that moment.
    pub leaves: Vec<usize>,
    /// In order.
    pub moves: Vec<Moved>,
    /// In order.
    pub enters: Vec<Entered>,
}

/// What edits are read against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'a> {
    pub(super) codes: &'a Codes,
    pub(super) schema: &'a Schema,
    pub(super) cadences: &'a Cadences,
    /// The roster before the frame.
    pub(super) slots: &'a [Slot],
    /// Tick of the frame before this one, and of this one.
    pub(super) ticks: (i64, i64),
}

fn blob(tape: &mut Tape, bytes: &[u8]) -> Result<Blob, Refused> {
    let length = tape.golomb(bytes.len() as i64, 4)? as usize;
    (0..length).map(|at| Ok(tape.number(bytes.get(at).copied().unwrap_or(0).into(), 8)? as u8)).collect()
}

/// Events with their ages in ticks. `told` is ignored when the tape is read.
pub(super) fn events(tape: &mut Tape, told: &[(i64, Blob)]) -> Result<Vec<(i64, Blob)>, Refused> {
    let count = tape.golomb(told.len() as i64, 0)? as usize;
    let nothing = (0, Blob::new());
    (0..count)
        .map(|at| {
            let (age, bytes) = told.get(at).unwrap_or(&nothing);
            Ok((tape.golomb(*age, 0)?, blob(tape, bytes)?))
        })
        .collect()
}

/// Leaves, moves and enters. `told` is ignored when the tape is read.
pub(super) fn edits(tape: &mut Tape, before: &Before<'_>, told: &Edits) -> Result<Edits, Refused> {
    let (mut read, mut slots) = (Edits::default(), before.slots.to_vec());
    let leaves = tape.golomb(told.leaves.len() as i64, 0)? as usize;
    for at in 0..leaves {
        let index = index(tape, slots.len(), told.leaves.get(at).copied())?;
        slots.swap_remove(index);
        read.leaves.push(index);
    }
    let moves = tape.golomb(told.moves.len() as i64, 0)? as usize;
    for at in 0..moves {
        read.moves.push(moved(tape, before, &slots, told.moves.get(at))?);
    }
    let enters = tape.golomb(told.enters.len() as i64, 0)? as usize;
    for at in 0..enters {
        read.enters.push(enter(tape, before, told.enters.get(at))?);
    }
    Ok(read)
}

/// An index into a roster of `length` slots.
fn index(tape: &mut Tape, length: usize, told: Option<usize>) -> Result<usize, Refused> {
    let largest = length.checked_sub(1).ok_or(Refused)?;
    let index = tape.number(told.unwrap_or(0) as i64, bits_of(largest as i64))? as usize;
    if index <= largest { Ok(index) } else { Err(Refused) }
}

fn moved(
    tape: &mut Tape,
    before: &Before<'_>,
    slots: &[Slot],
    told: Option<&Moved>,
) -> Result<Moved, Refused> {
    let index = index(tape, slots.len(), told.map(|told| told.index))?;
    let told = told.and_then(|told| told.to.as_ref());
    let to = tape.number(told.map_or(PARKED, |(tier, _)| *tier as i64), 2)?;
    if to == PARKED {
        return Ok(Moved { index, to: None });
    }
    let (slot, (last, now)) = (&slots[index], before.ticks);
    let held = (slot.tier, slot.parked.unwrap_or(last));
    let gap = before.cadences.gap(slot.id, held, (to as usize, now));
    let holds = (&slot.seen, &slot.window);
    let brought = window(tape, before.codes, holds, gap, told.map(|(_, brought)| brought))?;
    Ok(Moved { index, to: Some((to as usize, brought)) })
}

fn enter(tape: &mut Tape, before: &Before<'_>, told: Option<&Entered>) -> Result<Entered, Refused> {
    let id = tape.number(told.map_or(0, |told| told.id), 32)?;
    let kind = tape.golomb(told.map_or(0, |told| told.kind as i64), 1)? as usize;
    let view = tape.golomb(told.map_or(0, |told| told.view as i64), 0)? as usize;
    let view = *View::ALL.get(view).ok_or(Refused)?;
    let tier = tape.golomb(told.map_or(0, |told| told.tier as i64), 0)? as usize;
    let seen = Seen::new(before.schema.kinds.get(kind).ok_or(Refused)?, view);
    if tier > 2 {
        return Err(Refused);
    }
    let nothing = [0; 4].map(|_| vec![0; seen.columns]);
    let window = record(tape, before.codes, &seen, told.map_or(&nothing, |told| &told.window))?;
    let spawn = blob(tape, told.map_or(&[], |told| &told.spawn))?;
    Ok(Entered { id, kind, view, tier, window, spawn })
}
