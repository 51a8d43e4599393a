//! The slots of a frame: those in the stream, and those that are caught up after a pause.

use super::codes::Codes;
use super::tape::{Refused, Tape};
use super::update::{Next, Seen, Window, gap_record, record, update};

/// Slots at rest that share one bit.
const GROUP: usize = 8;

/// Updates from the tick before, for slots that hold these windows. `nexts` is ignored when the tape is read; a
/// slot that stays at rest has `None`.
///
/// # Errors
/// [`Refused`].
pub fn stream(
    tape: &mut Tape,
    codes: &Codes,
    slots: &[(Seen, Window)],
    nexts: &[Option<Next>],
) -> Result<Vec<Option<Next>>, Refused> {
    let mut told = vec![None; slots.len()];
    let mut one = |tape: &mut Tape, slot: usize| {
        let (seen, window) = &slots[slot];
        let foreseen = Next::Moved(window[0].clone());
        told[slot] = Some(update(tape, codes, seen, window, nexts[slot].as_ref().unwrap_or(&foreseen))?);
        Ok(())
    };
    let (resting, moving): (Vec<_>, Vec<_>) = (0..slots.len()).partition(|slot| {
        let (_, window) = &slots[*slot];
        window.iter().all(|state| *state == window[0])
    });
    for slot in moving {
        one(tape, slot)?;
    }
    for group in resting.chunks(GROUP) {
        if tape.bit(group.iter().all(|slot| nexts[*slot].is_none()))? {
            continue;
        }
        for slot in group {
            if !tape.bit(nexts[*slot].is_none())? {
                one(tape, *slot)?;
            }
        }
    }
    Ok(told)
}

/// How a slot catches up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caught {
    /// It is as it was.
    AsItWas,
    /// By a gap record.
    Gap(Window),
    /// By a full record.
    Record(Window),
}

/// Slots after a pause, for a client that holds these windows and whose last frame is `ticks` old. `caught` is
/// ignored when the tape is read.
///
/// # Errors
/// [`Refused`].
pub fn caught_up(
    tape: &mut Tape,
    codes: &Codes,
    slots: &[(Seen, Window)],
    ticks: u32,
    caught: &[Caught],
) -> Result<Vec<Caught>, Refused> {
    let mut told = Vec::new();
    for ((seen, held), caught) in slots.iter().zip(caught) {
        let window = match caught {
            Caught::AsItWas => held,
            Caught::Gap(window) | Caught::Record(window) => window,
        };
        told.push(if tape.bit(*caught == Caught::AsItWas)? {
            Caught::AsItWas
        } else if tape.bit(matches!(caught, Caught::Gap(_)))? {
            Caught::Gap(gap_record(tape, codes, seen, held, ticks, window)?)
        } else {
            Caught::Record(record(tape, codes, seen, window)?)
        });
    }
    Ok(told)
}
