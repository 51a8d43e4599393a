//! What stands between a frame's header and its slots: events, and who leaves and enters the roster.

use tickwire_shared::schema::{Schema, View};

use super::codes::Codes;
use super::prediction::bits_of;
use super::tape::{Refused, Tape};
use super::update::{Seen, Window, record};

/// Bytes of a spawn or an event.
type Blob = Vec<u8>;

/// An entity that comes into view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Its id.
    pub id: i64,
    /// Its kind's index.
    pub kind: usize,
    /// How much of it is seen.
    pub view: View,
    /// Its last four states.
    pub window: Window,
    /// What is told once.
    pub spawn: Blob,
}

/// Who leaves, by index, one after the other, and who enters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Indices into the roster as it is at that moment.
    pub leaves: Vec<usize>,
    /// In order.
    pub enters: Vec<Entered>,
}

fn blob(tape: &mut Tape, bytes: &[u8]) -> Result<Blob, Refused> {
    let length = tape.golomb(bytes.len() as i64, 4)? as usize;
    (0..length).map(|at| Ok(tape.number(bytes.get(at).copied().unwrap_or(0).into(), 8)? as u8)).collect()
}

/// Events with their ages in ticks. `told` is ignored when the tape is read.
///
/// # Errors
/// [`Refused`].
pub fn events(tape: &mut Tape, told: &[(i64, Blob)]) -> Result<Vec<(i64, Blob)>, Refused> {
    let count = tape.golomb(told.len() as i64, 0)? as usize;
    let nothing = (0, Blob::new());
    (0..count)
        .map(|at| {
            let (age, bytes) = told.get(at).unwrap_or(&nothing);
            Ok((tape.golomb(*age, 0)?, blob(tape, bytes)?))
        })
        .collect()
}

/// Leaves and enters of a roster of `length` slots. `told` is ignored when the tape is read.
///
/// # Errors
/// [`Refused`].
pub fn edits(
    tape: &mut Tape,
    codes: &Codes,
    schema: &Schema,
    length: usize,
    told: &Edits,
) -> Result<Edits, Refused> {
    let mut read = Edits::default();
    let leaves = tape.golomb(told.leaves.len() as i64, 0)? as usize;
    for at in 0..leaves {
        let left = length.checked_sub(at).filter(|left| *left > 0).ok_or(Refused)?;
        let index = told.leaves.get(at).copied().unwrap_or(0);
        let index = tape.number(index as i64, bits_of(left as i64 - 1))? as usize;
        if index >= left {
            return Err(Refused);
        }
        read.leaves.push(index);
    }
    let enters = tape.golomb(told.enters.len() as i64, 0)? as usize;
    for at in 0..enters {
        read.enters.push(enter(tape, codes, schema, told.enters.get(at))?);
    }
    Ok(read)
}

fn enter(
    tape: &mut Tape,
    codes: &Codes,
    schema: &Schema,
    told: Option<&Entered>,
) -> Result<Entered, Refused> {
    let id = tape.number(told.map_or(0, |told| told.id), 32)?;
    let kind = tape.golomb(told.map_or(0, |told| told.kind as i64), 1)? as usize;
    let view = tape.golomb(told.map_or(0, |told| told.view as i64), 0)? as usize;
    let view = *View::ALL.get(view).ok_or(Refused)?;
    let seen = Seen::new(schema.kinds.get(kind).ok_or(Refused)?, view);
    let nothing = [0; 4].map(|_| vec![0; seen.columns]);
    let window = record(tape, codes, &seen, told.map_or(&nothing, |told| &told.window))?;
    let spawn = blob(tape, told.map_or(&[], |told| &told.spawn))?;
    Ok(Entered { id, kind, view, window, spawn })
}
