//! What lies between two states: columns as shares of quanta, so that nothing is seen to jump from quantum to quantum.
//! Positions go straight, angles and rotations the shorter way round; everything else stays as it was until the later
//! state is reached. Knows fields by their class and no game.

use crate::limits::COLUMNS_MAX;
use crate::schema::{FieldClass, FieldPlan, KindPlan, View};
use crate::wire::quantize::{self, rotation_half};

/// One state's columns, in shares of quanta.
pub(super) type Columns = [f64; COLUMNS_MAX];

/// Columns as they were told.
pub(super) fn told(state: &[i32]) -> Columns {
    let mut out = [0.0; COLUMNS_MAX];
    out.iter_mut().zip(state).for_each(|(out, column)| *out = f64::from(*column));
    out
}

/// From `a` (share 0) to `b` (share 1). A share over 1 goes on as it went, but for what does not move.
pub(super) fn between(kind: &KindPlan, view: View, a: &[i32], b: &[i32], share: f64) -> Columns {
    let mut out = told(if share >= 1.0 { b } else { a });
    for field in kind.seen(view) {
        let columns = field.first..field.first + field.columns;
        match field.class {
            FieldClass::Position { min, max, .. } => {
                for column in columns {
                    let from = f64::from(a[column]);
                    let reached = from + (f64::from(b[column]) - from) * share;
                    out[column] = reached.clamp(f64::from(min), f64::from(max));
                }
            }
            FieldClass::Angle { bits } => {
                let way = shorter(f64::from(b[field.first]) - f64::from(a[field.first]), bits);
                out[field.first] = (f64::from(a[field.first]) + way * share).rem_euclid(turn(bits));
            }
            FieldClass::Rotation { bits } if share <= 1.0 => {
                let (from, to) = (told(field.of(a)), told(field.of(b)));
                let turned = turn_towards(parts(&from, bits), parts(&to, bits), share);
                put_parts(turned, bits, &mut out[columns]);
            }
            _ => {}
        }
    }
    out
}

/// By how much `shown` is off `right`, for [`ease`]: differences of positions and angles, and rotations as they were shown.
pub(super) fn offset(kind: &KindPlan, view: View, shown: &Columns, right: &Columns) -> Columns {
    let mut out = [0.0; COLUMNS_MAX];
    for field in kind.seen(view) {
        for column in field.first..field.first + field.columns {
            out[column] = match field.class {
                FieldClass::Position { .. } => shown[column] - right[column],
                FieldClass::Angle { bits } => shorter(shown[column] - right[column], bits),
                FieldClass::Rotation { .. } => shown[column],
                _ => 0.0,
            };
        }
    }
    out
}

/// Adds `weight` of an offset to `state`.
pub(super) fn ease(kind: &KindPlan, view: View, offset: &Columns, weight: f64, state: &mut Columns) {
    for field in kind.seen(view) {
        let columns = field.first..field.first + field.columns;
        match field.class {
            FieldClass::Position { .. } => {
                columns.for_each(|column| state[column] += offset[column] * weight)
            }
            FieldClass::Angle { bits } => {
                state[field.first] =
                    (state[field.first] + offset[field.first] * weight).rem_euclid(turn(bits));
            }
            FieldClass::Rotation { bits } => {
                let (right, shown) = (of(field, state), of(field, offset));
                let eased = turn_towards(parts(&right, bits), parts(&shown, bits), weight);
                put_parts(eased, bits, &mut state[columns]);
            }
            _ => {}
        }
    }
}

/// How far apart the first positions of two states are, in the game's unit; 0 for what has none.
pub(super) fn distance(kind: &KindPlan, a: &Columns, b: &Columns) -> f32 {
    let Some(field) = kind.position else { return 0.0 };
    let FieldClass::Position { quantum, .. } = field.class else { return 0.0 };
    let columns = field.first..field.first + field.columns;
    let squared: f64 = columns.map(|column| (a[column] - b[column]) * (a[column] - b[column])).sum();
    (squared.sqrt() * f64::from(quantum)) as f32
}

fn of(field: &FieldPlan, state: &Columns) -> Columns {
    let mut out = [0.0; COLUMNS_MAX];
    out[..field.columns].copy_from_slice(&state[field.first..field.first + field.columns]);
    out
}

fn turn(bits: u8) -> f64 {
    f64::from(1_u32 << bits)
}

/// The shorter way round.
fn shorter(difference: f64, bits: u8) -> f64 {
    let turn = turn(bits);
    (difference + turn / 2.0).rem_euclid(turn) - turn / 2.0
}

/// A rotation's four components.
fn parts(columns: &Columns, bits: u8) -> [f64; 4] {
    quantize::restore_rotation(&columns[..4], bits).to_array().map(f64::from)
}

/// The inverse, with shares of quanta.
fn put_parts(parts: [f64; 4], bits: u8, columns: &mut [f64]) {
    let dropped = (1..4).fold(0, |most, at| if parts[at].abs() > parts[most].abs() { at } else { most });
    let scale = f64::from(rotation_half(bits)) * std::f64::consts::SQRT_2 * parts[dropped].signum();
    columns[0] = dropped as f64;
    let others = (0..4).filter(|at| *at != dropped);
    columns[1..4].iter_mut().zip(others).for_each(|(column, at)| *column = parts[at] * scale);
}

/// The shorter way round, normalized: at the angles between two samples no eye tells it from the great circle.
fn turn_towards(from: [f64; 4], to: [f64; 4], share: f64) -> [f64; 4] {
    let dot: f64 = from.iter().zip(to).map(|(a, b)| a * b).sum();
    let sign = if dot < 0.0 { -1.0 } else { 1.0 };
    let mut mixed = from;
    mixed.iter_mut().zip(to).for_each(|(a, b)| *a += (b * sign - *a) * share);
    let length = mixed.iter().map(|part| part * part).sum::<f64>().sqrt();
    if length < 1e-9 { to } else { mixed.map(|part| part / length) }
}
