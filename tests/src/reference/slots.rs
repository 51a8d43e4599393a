//! The slots of a frame: those in the stream, and those that are caught up after a pause or with a move.

use super::cadence::Gap;
use super::codes::Codes;
use super::tape::{Refused, Tape};
use super::update::{Next, Seen, Window, gap_record, record, update};

/// Slots at rest that share one bit.
const GROUP: usize = 8;

/// Updates of the slots that are due, which hold these windows. `nexts` is ignored when the tape is read; a slot that
/// stays at rest has `None`.
pub(super) fn stream(
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

/// A window that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// By a gap record, across this gap.
    Gap(Gap, Window),
    /// By a full record.
    Record(Window),
}

impl Brought {
    /// The window.
    #[must_use]
    pub fn window(&self) -> &Window {
        let (Self::Gap(_, window) | Self::Record(window)) = self;
        window
    }
}

/// A window for whoever holds `held`, with the gap that lies between. `told` is ignored when the tape is read.
pub(super) fn window(
    tape: &mut Tape,
    codes: &Codes,
    (seen, held): (&Seen, &Window),
    gap: Option<Gap>,
    told: Option<&Brought>,
) -> Result<Brought, Refused> {
    let window = told.map_or(held, Brought::window);
    Ok(if tape.bit(matches!(told, Some(Brought::Gap(..))))? {
        let gap = gap.ok_or(Refused)?;
        Brought::Gap(gap, gap_record(tape, codes, seen, held, &gap, window)?)
    } else {
        Brought::Record(record(tape, codes, seen, window)?)
    })
}

/// Slots that were due during a pause, for a client that holds these windows; `None` is as it was. `told` is ignored
/// when the tape is read.
pub(super) fn caught_up(
    tape: &mut Tape,
    codes: &Codes,
    slots: &[(Seen, Window, Gap)],
    told: &[Option<Brought>],
) -> Result<Vec<Option<Brought>>, Refused> {
    let one = |((seen, held, gap), told): (&(Seen, Window, Gap), &Option<Brought>)| {
        if tape.bit(told.is_none())? {
            return Ok(None);
        }
        window(tape, codes, (seen, held), Some(*gap), told.as_ref()).map(Some)
    };
    slots.iter().zip(told).map(one).collect()
}
