//! One field of one entity: what its next value is predicted to be, and how the difference is coded.
//!
//! All arithmetic is on integers, so every platform and language agrees bit for bit. Prediction and context
//! come from the last four states S1 (newest) to S4 and from nothing else.

use super::bits::{BitReader, BitSink, BitsError};
use super::prefix::LENGTH_MAX;
use super::quantize::{low_mask, rotation_half};
use super::symbols::{self, Model, Motion};
use super::tables::{Counts, Tables};
use crate::schema::{FieldClass, FieldPlan, Lead};

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

/// An even turn moves a quaternion on a great circle: each component goes on by its last step, less the square of
/// the angle times itself. Components are predicted only while the same one was dropped in the last two states.
fn predict_rotation(field: &FieldPlan, bits: u8, window: Window<'_>, state: &mut [i32]) {
    let half = i64::from(rotation_half(bits));
    // The length of a unit quaternion in these quanta, squared.
    let whole = 2 * half * half;
    let of = |age: usize| {
        let parts = field.of(window.state(age));
        let kept = [parts[1], parts[2], parts[3]].map(i64::from);
        let dropped = (whole - kept.iter().map(|part| part * part).sum::<i64>()).max(0).isqrt();
        (parts[0], kept, dropped)
    };
    let ((index, s1, dropped1), (index2, s2, dropped2)) = (of(0), of(1));
    state[field.first] = index;
    let steady = index == index2;
    let step_squared: i64 = s1.iter().zip(&s2).map(|(a, b)| (a - b) * (a - b)).sum::<i64>()
        + (dropped1 - dropped2) * (dropped1 - dropped2);
    for axis in 0..3 {
        let bend = (step_squared * s1[axis] + (whole / 2) * s1[axis].signum()) / whole.max(1);
        let predicted = if steady { 2 * s1[axis] - s2[axis] - bend } else { s1[axis] };
        state[field.first + 1 + axis] = predicted.clamp(-half, half) as i32;
    }
}

/// The shorter way round a circle of `2^bits` steps.
fn wrap(difference: i32, bits: u8) -> i32 {
    let unused = 32 - u32::from(bits);
    (difference << unused) >> unused
}

/// How the leading fields of an entity have moved: the context of its miss mask.
#[must_use]
pub fn motion(lead: &Lead, window: Window<'_>) -> Motion {
    let mut motion = Motion::default();
    if let Some(position) = &lead.position {
        for column in position.first..position.first + position.columns {
            let [s1, s2, s3, s4] = window.column(column);
            let (d1, d2, d3) = (s1 - s2, s2 - s3, s3 - s4);
            motion.last_miss = motion.last_miss.max((d1 - d2).unsigned_abs());
            motion.older_miss = motion.older_miss.max((d2 - d3).unsigned_abs());
            motion.moves |= d1 != 0;
            motion.moved |= d2 != 0;
        }
    }
    if let Some((column, bits)) = lead.angle {
        let [s1, s2, s3, _] = window.column(column);
        let (d1, d2) = (wrap(s1 - s2, bits), wrap(s2 - s3, bits));
        motion.turning = if d1 == 0 && d2 == 0 { 0 } else { 1 + usize::from((d1 - d2).abs() > 1) };
    }
    motion
}

/// How far prediction of this column has been off lately: 3·|d1−d2| + |d2−d3|.
fn unrest([s1, s2, s3, s4]: [i32; 4], shortest: impl Fn(i32) -> i32) -> u32 {
    let (d1, d2, d3) = (shortest(s1 - s2), shortest(s2 - s3), shortest(s3 - s4));
    3 * (d1 - d2).unsigned_abs().min(1 << 20) + (d2 - d3).unsigned_abs().min(1 << 20)
}

/// Context of a number's change: how wide its range is. Numbers rest most of the time, so their past tells little.
fn range_class(min: i32, max: i32) -> usize {
    (absolute_bits(min, max) as usize / 4).min(7)
}

/// Where symbols and raw bits go: into a bit stream by way of tables, or into counts from which tables are made.
pub trait SymbolSink {
    /// A symbol of a model in a context.
    fn symbol(&mut self, model: Model, context: usize, symbol: usize);

    /// The low `count` bits of `value`, at most 32.
    fn raw(&mut self, value: u32, count: u32);

    /// What follows is of this field, until the next one. For whoever wants to know what each of them takes.
    #[inline]
    fn field(&mut self, field: &FieldPlan) {
        let _ = field;
    }
}

/// Symbols as words of prefix codes.
pub struct Coder<'a, S> {
    /// The codes.
    pub tables: &'a Tables,
    /// Where their words go.
    pub out: &'a mut S,
}

impl<S: BitSink> SymbolSink for Coder<'_, S> {
    #[inline]
    fn symbol(&mut self, model: Model, context: usize, symbol: usize) {
        let (word, length) = self.tables.code(model, context).word(symbol);
        self.out.bits(u32::from(word), u32::from(length));
    }

    #[inline]
    fn raw(&mut self, value: u32, count: u32) {
        self.out.bits(value, count);
    }
}

impl SymbolSink for Counts {
    fn symbol(&mut self, model: Model, context: usize, symbol: usize) {
        self.add(model, context, symbol);
    }

    fn raw(&mut self, _value: u32, _count: u32) {}
}

/// Reads symbols of tables.
pub struct Decoder<'a, 'b> {
    /// The codes.
    pub tables: &'a Tables,
    /// Where their words come from.
    pub bits: &'a mut BitReader<'b>,
}

impl Decoder<'_, '_> {
    /// The next symbol of a model in a context.
    ///
    /// # Errors
    /// [`BitsError::Ended`].
    #[inline]
    pub fn symbol(&mut self, model: Model, context: usize) -> Result<usize, BitsError> {
        let (symbol, length) = self.tables.code(model, context).symbol(self.bits.peek(u32::from(LENGTH_MAX)));
        self.bits.skip(length)?;
        Ok(symbol)
    }

    /// The next `count` raw bits, at most 32.
    ///
    /// # Errors
    /// [`BitsError::Ended`].
    #[inline]
    pub fn raw(&mut self, count: u32) -> Result<u32, BitsError> {
        Ok(self.bits.get(count)? as u32)
    }

    fn residual(&mut self, model: Model, context: usize) -> Result<i64, BitsError> {
        let symbol = self.symbol(model, context)?;
        let raw = self.raw(symbols::raw_bits(symbol))?;
        Ok(symbols::join_residual(symbol, raw))
    }
}

fn write_residual<S: SymbolSink>(model: Model, context: usize, residual: i32, out: &mut S) {
    let (symbol, count, raw) = symbols::split_residual(residual);
    out.symbol(model, context, symbol);
    out.raw(raw, count);
}

/// Writes the difference from `predicted` to `state` of one field.
pub fn write<S: SymbolSink>(
    field: &FieldPlan,
    window: Window<'_>,
    predicted: &[i32],
    state: &[i32],
    out: &mut S,
) {
    match field.class {
        FieldClass::Position { .. } => {
            write_axes(field.first, field.columns, POSITION, window, predicted, state, out);
        }
        FieldClass::Angle { bits } => {
            let unrest = unrest(window.column(field.first), |d| wrap(d, bits));
            let residual = wrap(state[field.first] - predicted[field.first], bits);
            write_residual(Model::Angle, symbols::unrest_class(unrest), residual, out);
        }
        FieldClass::Rotation { .. } => {
            let same = state[field.first] == predicted[field.first];
            out.raw(u32::from(same), 1);
            if same {
                write_axes(field.first + 1, 3, ROTATION, window, predicted, state, out);
            } else {
                write_absolute(field, state, out);
            }
        }
        FieldClass::Number { min, max, .. } => {
            let residual = state[field.first] - predicted[field.first];
            write_residual(Model::Number, range_class(min, max), residual, out);
        }
        FieldClass::Flags { .. } | FieldClass::Opaque { .. } => write_absolute(field, state, out),
    }
}

/// Models of the first axis and of the next ones.
type AxisModels = (Model, Model);
const POSITION: AxisModels = (Model::PositionFirst, Model::PositionNext);
const ROTATION: AxisModels = (Model::RotationFirst, Model::RotationNext);

/// Which model and context an axis has, after the residual of the one before it.
fn axis_context(models: AxisModels, unrest: u32, before: Option<i32>) -> (Model, usize) {
    match before {
        None => (models.0, symbols::unrest_class(unrest)),
        Some(before) => (models.1, symbols::neighbour_context(unrest, before)),
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "one loop that positions and rotations share; called right above"
)]
fn write_axes<S: SymbolSink>(
    first: usize,
    count: usize,
    models: AxisModels,
    window: Window<'_>,
    predicted: &[i32],
    state: &[i32],
    out: &mut S,
) {
    let mut before = None;
    for column in first..first + count {
        let (model, context) = axis_context(models, unrest(window.column(column), |d| d), before);
        let residual = state[column] - predicted[column];
        write_residual(model, context, residual, out);
        before = Some(residual);
    }
}

/// Reads what [`write()`] wrote: `state` holds the prediction and receives the value.
///
/// # Errors
/// [`BitsError`] when the stream ends or the value is outside the field's range.
pub fn read(
    field: &FieldPlan,
    window: Window<'_>,
    state: &mut [i32],
    from: &mut Decoder<'_, '_>,
) -> Result<(), BitsError> {
    match field.class {
        FieldClass::Position { min, max, .. } => {
            read_axes(field.first..field.first + field.columns, POSITION, window, (min, max), state, from)
        }
        FieldClass::Angle { bits } => {
            let unrest = unrest(window.column(field.first), |d| wrap(d, bits));
            let residual = from.residual(Model::Angle, symbols::unrest_class(unrest))?;
            let residual = i32::try_from(residual).map_err(|_| BitsError::OutOfRange)?;
            if wrap(residual, bits) != residual {
                return Err(BitsError::OutOfRange);
            }
            state[field.first] = (state[field.first] + residual) & low_mask(bits) as i32;
            Ok(())
        }
        FieldClass::Rotation { bits } => {
            if from.raw(1)? == 0 {
                return read_absolute(field, state, from.bits);
            }
            let half = rotation_half(bits);
            read_axes(field.first + 1..field.first + 4, ROTATION, window, (-half, half), state, from)
        }
        FieldClass::Number { min, max, .. } => {
            let residual = from.residual(Model::Number, range_class(min, max))?;
            state[field.first] = in_range(i64::from(state[field.first]) + residual, (min, max))?;
            Ok(())
        }
        FieldClass::Flags { .. } | FieldClass::Opaque { .. } => read_absolute(field, state, from.bits),
    }
}

fn read_axes(
    columns: std::ops::Range<usize>,
    models: AxisModels,
    window: Window<'_>,
    range: (i32, i32),
    state: &mut [i32],
    from: &mut Decoder<'_, '_>,
) -> Result<(), BitsError> {
    let mut before = None;
    for column in columns {
        let (model, context) = axis_context(models, unrest(window.column(column), |d| d), before);
        let residual = from.residual(model, context)?;
        state[column] = in_range(i64::from(state[column]) + residual, range)?;
        before = i32::try_from(residual).ok();
    }
    Ok(())
}

fn in_range(value: i64, (min, max): (i32, i32)) -> Result<i32, BitsError> {
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
pub fn write_absolute<S: SymbolSink>(field: &FieldPlan, state: &[i32], out: &mut S) {
    match field.class {
        FieldClass::Position { min, max, .. } | FieldClass::Number { min, max, .. } => {
            for value in field.of(state) {
                out.raw(value.abs_diff(min), absolute_bits(min, max));
            }
        }
        FieldClass::Rotation { bits } => {
            let half = rotation_half(bits);
            out.raw(state[field.first] as u32, 2);
            for value in &field.of(state)[1..] {
                out.raw(value.abs_diff(-half), absolute_bits(-half, half));
            }
        }
        FieldClass::Angle { bits } | FieldClass::Flags { bits } | FieldClass::Opaque { bits } => {
            out.raw(state[field.first] as u32, u32::from(bits));
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
}
