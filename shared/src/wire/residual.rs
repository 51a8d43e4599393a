//! One field of one entity: what its next value is predicted to be, and how the difference is coded.
//!
//! All arithmetic is on integers, so every platform and language agrees bit for bit. Prediction and context
//! come from the last four states S1 (newest) to S4 and from nothing else.

use super::bits::{BitReader, BitSink, BitsError};
use super::quantize::{low_mask, rotation_half};
use crate::schema::{FieldClass, FieldPlan};

/// The last four states of one entity, newest first, `stride` columns each.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    columns: &'a [i32],
    stride: usize,
}

impl<'a> Window<'a> {
    /// `columns` holds four states of `stride` columns.
    #[must_use]
    pub fn new(columns: &'a [i32], stride: usize) -> Self {
        debug_assert!(columns.len() >= stride * crate::limits::HISTORY);
        Self { columns, stride }
    }

    /// State `age`, 0 for S1 to 3 for S4.
    #[must_use]
    pub fn state(&self, age: usize) -> &'a [i32] {
        &self.columns[age * self.stride..(age + 1) * self.stride]
    }

    /// One column over time: S1, S2, S3, S4.
    #[must_use]
    pub fn column(&self, column: usize) -> [i32; 4] {
        [0, 1, 2, 3].map(|age| self.columns[age * self.stride + column])
    }
}

/// Writes the predicted value of `field` into its place in `state`.
pub fn predict(field: &FieldPlan, window: Window<'_>, state: &mut [i32]) {
    match field.class {
        FieldClass::Position { min, max, .. } => {
            for column in field.first..field.first + field.columns {
                state[column] = predict_linear(window.column(column), |d| d).clamp(min, max);
            }
        }
        FieldClass::Angle { bits } => {
            let predicted = predict_linear(window.column(field.first), |d| wrap(d, bits));
            state[field.first] = predicted & low_mask(bits) as i32;
        }
        FieldClass::Rotation { bits } => predict_rotation(field, bits, window, state),
        FieldClass::Number { .. } | FieldClass::Flags { .. } | FieldClass::Opaque { .. } => {
            state[field.first] = window.column(field.first)[0];
        }
    }
}

/// S1 plus the mean of as many last steps as were alike, one at least. `shortest` takes a difference to the
/// one meant: the identity, or the shorter way round.
fn predict_linear([s1, s2, s3, s4]: [i32; 4], shortest: impl Fn(i32) -> i32) -> i32 {
    let (d1, d2, d3) = (shortest(s1 - s2), shortest(s2 - s3), shortest(s3 - s4));
    if (d1 - d2).abs() > 1 {
        s1 + d1
    } else if (d2 - d3).abs() > 1 {
        s1 + mean(d1 + d2, 2)
    } else {
        s1 + mean(d1 + d2 + d3, 3)
    }
}

/// `sum / count`, half away from zero.
fn mean(sum: i32, count: i32) -> i32 {
    let half = count / 2;
    (sum + if sum < 0 { -half } else { half }) / count
}

/// Components are predicted only while the same one was dropped in all four states.
fn predict_rotation(field: &FieldPlan, bits: u8, window: Window<'_>, state: &mut [i32]) {
    let dropped = window.column(field.first);
    state[field.first] = dropped[0];
    let steady = dropped.iter().all(|index| *index == dropped[0]);
    let half = rotation_half(bits);
    for column in field.first + 1..field.first + 4 {
        let history = window.column(column);
        let predicted = if steady { predict_linear(history, |d| d) } else { history[0] };
        state[column] = predicted.clamp(-half, half);
    }
}

/// The shorter way round a circle of `2^bits` steps.
fn wrap(difference: i32, bits: u8) -> i32 {
    let unused = 32 - u32::from(bits);
    (difference << unused) >> unused
}

/// How far prediction of this column has been off lately: 3·|d1−d2| + |d2−d3|.
fn unrest([s1, s2, s3, s4]: [i32; 4], shortest: impl Fn(i32) -> i32) -> u32 {
    let (d1, d2, d3) = (shortest(s1 - s2), shortest(s2 - s3), shortest(s3 - s4));
    3 * (d1 - d2).unsigned_abs().min(1 << 20) + (d2 - d3).unsigned_abs().min(1 << 20)
}

/// Order of the Exp-Golomb code for a residual after so much unrest.
fn golomb_order(unrest: u32) -> u32 {
    (32 - (unrest / 4).leading_zeros()).min(16)
}

/// Small magnitudes of either sign to small numbers.
fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// Order of the code for changes of a number whose range is this wide: a fraction of the range is typical.
fn number_order(min: i32, max: i32) -> u32 {
    (32 - max.abs_diff(min).leading_zeros()).saturating_sub(4) / 2
}

/// Writes the difference from `predicted` to `state` of one field.
pub fn write<S: BitSink>(
    field: &FieldPlan,
    window: Window<'_>,
    predicted: &[i32],
    state: &[i32],
    out: &mut S,
) {
    let columns = field.first..field.first + field.columns;
    match field.class {
        FieldClass::Position { .. } => {
            for column in columns {
                let order = golomb_order(unrest(window.column(column), |d| d));
                out.golomb(zigzag(state[column] - predicted[column]), order);
            }
        }
        FieldClass::Angle { bits } => {
            let order = golomb_order(unrest(window.column(field.first), |d| wrap(d, bits)));
            out.golomb(zigzag(wrap(state[field.first] - predicted[field.first], bits)), order);
        }
        FieldClass::Rotation { .. } => {
            let same = state[field.first] == predicted[field.first];
            out.bit(same);
            if !same {
                return write_absolute(field, state, out);
            }
            for column in columns.skip(1) {
                let order = golomb_order(unrest(window.column(column), |d| d));
                out.golomb(zigzag(state[column] - predicted[column]), order);
            }
        }
        FieldClass::Number { min, max, .. } => {
            out.golomb(zigzag(state[field.first] - predicted[field.first]), number_order(min, max));
        }
        FieldClass::Flags { .. } | FieldClass::Opaque { .. } => write_absolute(field, state, out),
    }
}

/// Reads what [`write`] wrote: `state` holds the prediction and receives the value.
///
/// # Errors
/// [`BitsError`] when the stream ends or the value is outside the field's range.
pub fn read(
    field: &FieldPlan,
    window: Window<'_>,
    state: &mut [i32],
    bits_in: &mut BitReader<'_>,
) -> Result<(), BitsError> {
    let columns = field.first..field.first + field.columns;
    match field.class {
        FieldClass::Position { min, max, .. } => {
            for column in columns {
                let order = golomb_order(unrest(window.column(column), |d| d));
                state[column] = read_near(state[column], order, min, max, bits_in)?;
            }
        }
        FieldClass::Angle { bits } => {
            let order = golomb_order(unrest(window.column(field.first), |d| wrap(d, bits)));
            let residual = unzigzag(bits_in.get_golomb(order)?);
            if wrap(residual, bits) != residual {
                return Err(BitsError::OutOfRange);
            }
            state[field.first] = (state[field.first] + residual) & low_mask(bits) as i32;
        }
        FieldClass::Rotation { bits } => {
            if !bits_in.get_bit()? {
                return read_absolute(field, state, bits_in);
            }
            let half = rotation_half(bits);
            for column in columns.skip(1) {
                let order = golomb_order(unrest(window.column(column), |d| d));
                state[column] = read_near(state[column], order, -half, half, bits_in)?;
            }
        }
        FieldClass::Number { min, max, .. } => {
            let order = number_order(min, max);
            state[field.first] = read_near(state[field.first], order, min, max, bits_in)?;
        }
        FieldClass::Flags { .. } | FieldClass::Opaque { .. } => read_absolute(field, state, bits_in)?,
    }
    Ok(())
}

fn read_near(
    predicted: i32,
    order: u32,
    min: i32,
    max: i32,
    bits_in: &mut BitReader<'_>,
) -> Result<i32, BitsError> {
    let value = i64::from(predicted) + i64::from(unzigzag(bits_in.get_golomb(order)?));
    match i32::try_from(value) {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(BitsError::OutOfRange),
    }
}

/// Bits of one column of the class when it is written as it is.
fn absolute_bits(min: i32, max: i32) -> u32 {
    32 - max.abs_diff(min).leading_zeros()
}

/// Writes the field as it is, without prediction.
pub fn write_absolute<S: BitSink>(field: &FieldPlan, state: &[i32], out: &mut S) {
    match field.class {
        FieldClass::Position { min, max, .. } | FieldClass::Number { min, max, .. } => {
            for value in field.of(state) {
                out.bits(value.abs_diff(min), absolute_bits(min, max));
            }
        }
        FieldClass::Rotation { bits } => {
            let half = rotation_half(bits);
            out.bits(state[field.first] as u32, 2);
            for value in &field.of(state)[1..] {
                out.bits(value.abs_diff(-half), absolute_bits(-half, half));
            }
        }
        FieldClass::Angle { bits } | FieldClass::Flags { bits } | FieldClass::Opaque { bits } => {
            out.bits(state[field.first] as u32, u32::from(bits));
        }
    }
}

/// Reads what [`write_absolute`] wrote.
///
/// # Errors
/// [`BitsError`] when the stream ends or the value is outside the field's range.
pub fn read_absolute(
    field: &FieldPlan,
    state: &mut [i32],
    bits_in: &mut BitReader<'_>,
) -> Result<(), BitsError> {
    let mut ranged = |column: usize, min: i32, max: i32| {
        let value = i64::from(min) + bits_in.get(absolute_bits(min, max))? as i64;
        state[column] = i32::try_from(value).map_err(|_| BitsError::OutOfRange)?;
        if state[column] > max { Err(BitsError::OutOfRange) } else { Ok(()) }
    };
    match field.class {
        FieldClass::Position { min, max, .. } | FieldClass::Number { min, max, .. } => {
            (field.first..field.first + field.columns).try_for_each(|column| ranged(column, min, max))
        }
        FieldClass::Rotation { bits } => {
            let half = rotation_half(bits);
            ranged(field.first, 0, 3)?;
            (field.first + 1..field.first + 4).try_for_each(|column| ranged(column, -half, half))
        }
        FieldClass::Angle { bits } | FieldClass::Flags { bits } | FieldClass::Opaque { bits } => {
            state[field.first] = bits_in.get(u32::from(bits))? as u32 as i32;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_movement_is_predicted() {
        assert_eq!(predict_linear([40, 30, 20, 10], |d| d), 50);
        assert_eq!(predict_linear([30, 20, 9, 0], |d| d), 41);
        assert_eq!(predict_linear([30, 20, 0, 0], |d| d), 40);
        assert_eq!(predict_linear([7, 7, 7, 7], |d| d), 7);
    }

    #[test]
    fn angles_turn_the_shorter_way() {
        assert_eq!(wrap(1023, 10), -1);
        assert_eq!(wrap(-1023, 10), 1);
        assert_eq!(wrap(512, 10), -512);
        assert_eq!(predict_linear([2, 1022, 1018, 1014], |d| wrap(d, 10)) & 1023, 6);
    }

    #[test]
    fn signs_fold() {
        for value in [0, 1, -1, 77, -78, i32::MAX, i32::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
