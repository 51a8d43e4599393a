//! One entity's update: the bit string that takes every client that holds its window S1..S4 to its new state.
//!
//! The string depends on the entity, the view and the window only, so it is made once a tick and spliced into
//! the frame of every client that sees the entity. This file and `residual` are the place to change when the
//! coding of an update changes; nothing else knows it.

use super::bits::{BitReader, BitSink, BitsError};
use super::residual::{self, Window};
use crate::limits::{COLUMNS_MAX, HISTORY};
use crate::schema::{KindPlan, View};

/// How an entity came to its new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It moved there; the window shifts by one.
    Moved,
    /// It was put there (teleport, respawn): the whole window becomes the new state, and nobody interpolates.
    Cut,
}

/// Writes the update from `window` to `state` as `view` sees it.
pub fn write<S: BitSink>(
    kind: &KindPlan,
    view: View,
    step: Step,
    window: Window<'_>,
    state: &[i32],
    out: &mut S,
) {
    let mut predicted = [0; COLUMNS_MAX];
    let mut mask = 0_u32;
    let mut fields = 0;
    for (place, field) in kind.seen(view).enumerate() {
        residual::predict(field, window, &mut predicted);
        if field.of(&predicted) != field.of(state) {
            mask |= 1 << place;
        }
        fields = place as u32 + 1;
    }
    if step == Step::Cut {
        // A miss that misses nothing is otherwise impossible.
        out.bit(true);
        out.bit(true);
        out.bits(0, fields);
        kind.seen(view).for_each(|field| residual::write_absolute(field, state, out));
        return;
    }
    out.bit(mask != 0);
    if mask == 0 {
        return;
    }
    // The first field, usually the position, is the only miss more often than not.
    out.bit(mask != 1);
    if mask != 1 {
        out.bits(mask, fields);
    }
    for (place, field) in kind.seen(view).enumerate() {
        if mask >> place & 1 == 1 {
            residual::write(field, window, &predicted, state, out);
        }
    }
}

/// Reads what [`write`] wrote into `state`; columns that `view` does not see are left as they are.
///
/// # Errors
/// [`BitsError`] when the stream ends or a value is out of range; `state` is then worthless.
pub fn read(
    kind: &KindPlan,
    view: View,
    window: Window<'_>,
    state: &mut [i32],
    bits: &mut BitReader<'_>,
) -> Result<Step, BitsError> {
    let mut fields = 0;
    for field in kind.seen(view) {
        residual::predict(field, window, state);
        fields += 1;
    }
    if !bits.get_bit()? {
        return Ok(Step::Moved);
    }
    let mask = if bits.get_bit()? { bits.get(fields)? as u32 } else { 1 };
    if mask == 0 {
        kind.seen(view).try_for_each(|field| residual::read_absolute(field, state, bits))?;
        return Ok(Step::Cut);
    }
    for (place, field) in kind.seen(view).enumerate() {
        if mask >> place & 1 == 1 {
            residual::read(field, window, state, bits)?;
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
