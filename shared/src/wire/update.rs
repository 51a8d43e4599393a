//! One entity's update: the bit string that takes every client that holds its window S1..S4 to its new state.
//!
//! The string depends on the entity, the view and the window only, so it is made once a tick and spliced into
//! the frame of every client that sees the entity. This file and `residual` are the place to change when the
//! coding of an update changes; nothing else knows it.

use super::bits::BitsError;
use super::residual::{self, Decoder, SymbolSink, Window};
use super::symbols::{MASK_CUT, Model};
use crate::limits::{COLUMNS_MAX, HISTORY};
use crate::schema::{GROUPS, KindPlan, View};

/// How an entity came to its new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It moved there; the window shifts by one.
    Moved,
    /// It was put there (teleport, respawn): the whole window becomes the new state, and nobody interpolates.
    Cut,
}

/// Which fields are not as predicted: for each group one bit per field of it, and how many fields it has.
#[derive(Clone, Copy, Debug, Default)]
struct Misses {
    missed: [u32; GROUPS],
    fields: [u32; GROUPS],
}

impl Misses {
    fn note(&mut self, group: usize, missed: bool) {
        self.missed[group] |= u32::from(missed) << self.fields[group];
        self.fields[group] += 1;
    }

    /// One bit per group.
    fn symbol(&self) -> usize {
        (0..GROUPS).map(|group| usize::from(self.missed[group] != 0) << group).sum()
    }

    /// Whether the next field of a group was missed, in the order in which they were noted.
    fn next(&mut self, group: usize) -> bool {
        let missed = self.missed[group] & 1 == 1;
        self.missed[group] >>= 1;
        missed
    }
}

/// Writes the update from `window` to `state` as `view` sees it.
pub fn write<S: SymbolSink>(
    kind: &KindPlan,
    view: View,
    step: Step,
    window: Window<'_>,
    state: &[i32],
    out: &mut S,
) {
    let context = residual::motion(kind.lead(view), window).context();
    if step == Step::Cut {
        out.symbol(Model::Mask, context, MASK_CUT);
        for field in kind.seen(view) {
            out.field(field);
            residual::write_absolute(field, state, out);
        }
        return;
    }
    let mut predicted = [0; COLUMNS_MAX];
    let mut misses = Misses::default();
    for field in kind.seen(view) {
        residual::predict(field, window, &mut predicted);
        misses.note(field.group, field.of(&predicted) != field.of(state));
    }
    out.symbol(Model::Mask, context, misses.symbol());
    for group in 0..GROUPS {
        if misses.missed[group] != 0 && misses.fields[group] > 1 {
            out.raw(misses.missed[group], misses.fields[group]);
        }
    }
    for field in kind.seen(view) {
        if misses.next(field.group) {
            out.field(field);
            residual::write(field, window, &predicted, state, out);
        }
    }
}

/// Reads what [`write()`] wrote into `state`; columns that `view` does not see are left as they are.
///
/// # Errors
/// [`BitsError`] when the stream ends or a value is out of range; `state` is then worthless.
pub fn read(
    kind: &KindPlan,
    view: View,
    window: Window<'_>,
    state: &mut [i32],
    from: &mut Decoder<'_, '_>,
) -> Result<Step, BitsError> {
    let context = residual::motion(kind.lead(view), window).context();
    let symbol = from.symbol(Model::Mask, context)?;
    if symbol == MASK_CUT {
        kind.seen(view).try_for_each(|field| residual::read_absolute(field, state, from.bits))?;
        return Ok(Step::Cut);
    }
    let mut misses = Misses::default();
    for field in kind.seen(view) {
        residual::predict(field, window, state);
        misses.note(field.group, false);
    }
    for group in (0..GROUPS).filter(|group| symbol >> group & 1 == 1) {
        misses.missed[group] = match misses.fields[group] {
            0 => return Err(BitsError::OutOfRange),
            1 => 1,
            fields => from.raw(fields)?,
        };
    }
    for field in kind.seen(view) {
        if misses.next(field.group) {
            residual::read(field, window, state, from)?;
        }
    }
    Ok(Step::Moved)
}

/// Puts a new state in front of a window of `stride` columns a state, as both ends do after an update.
pub fn shift(window: &mut [i32], stride: usize, step: Step, state: &[i32]) {
    match step {
        Step::Moved => {
            window.copy_within(0..stride * (HISTORY - 1), stride);
            window[..state.len()].copy_from_slice(state);
        }
        Step::Cut => {
            for age in 0..HISTORY {
                window[age * stride..age * stride + state.len()].copy_from_slice(state);
            }
        }
    }
}
