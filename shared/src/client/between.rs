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

#[cfg(test)]
mod tests {
    use glam::{Quat, Vec3};

    use super::*;
    use crate::schema::{Audience, FieldSchema, KindSchema, Plan, Schema};

    fn kind(classes: &[FieldClass]) -> KindPlan {
        let field = |class: &FieldClass| FieldSchema {
            name: "field".to_owned(),
            class: *class,
            audience: Audience::All,
        };
        let fields = classes.iter().map(field).collect();
        let kinds = vec![KindSchema { name: "Kind".to_owned(), fields }];
        let private = KindSchema { name: "Private".to_owned(), fields: Vec::new() };
        let schema = Schema { game: "test".to_owned(), revision: 1, kinds, private };
        Plan::new(&schema).kinds[0].clone()
    }

    const POSITION: FieldClass = FieldClass::Position { dims: 2, quantum: 0.5, min: -100, max: 100 };

    #[test]
    fn positions_go_straight_and_numbers_stay() {
        let kind = kind(&[POSITION, FieldClass::Number { quantum: 1.0, min: 0, max: 9 }]);
        let half = between(&kind, View::Public, &[0, 10, 3], &[5, -10, 7], 0.5);
        assert_eq!(half[..3], [2.5, 0.0, 3.0]);
        assert_eq!(between(&kind, View::Public, &[0, 10, 3], &[5, -10, 7], 1.0)[..3], [5.0, -10.0, 7.0]);
        // Beyond the later state it goes on, but not out of its range.
        assert_eq!(between(&kind, View::Public, &[0, 90, 3], &[5, 99, 7], 2.0)[..3], [10.0, 100.0, 7.0]);
        let [a, b] = [told(&[3, 4, 0]), told(&[0, 0, 0])];
        assert_eq!(distance(&kind, &a, &b), 2.5);
    }

    #[test]
    fn angles_turn_the_shorter_way() {
        let kind = kind(&[FieldClass::Angle { bits: 10 }]);
        let at = |from: i32, to: i32, share: f64| between(&kind, View::Public, &[from], &[to], share)[0];
        assert_eq!([at(1020, 4, 0.25), at(1020, 4, 0.75), at(4, 1020, 0.75)], [1022.0, 2.0, 1022.0]);
        let (shown, right) = (told(&[1020]), told(&[4]));
        let offset = offset(&kind, View::Public, &shown, &right);
        let mut state = right;
        ease(&kind, View::Public, &offset, 0.5, &mut state);
        assert_eq!(state[0], 0.0);
        ease(&kind, View::Public, &offset, 0.0, &mut state);
        assert_eq!(state[0], 0.0);
    }

    #[test]
    fn rotations_turn_evenly_across_every_change_of_the_dropped_component() {
        const BITS: u8 = 14;
        let kind = kind(&[FieldClass::Rotation { bits: BITS }]);
        let capture = |turn: f32| {
            let mut columns = [0; 4];
            let axis = Vec3::new(0.3, -0.7, 0.5).normalize();
            quantize::capture_rotation(Quat::from_axis_angle(axis, turn), BITS, &mut columns);
            columns
        };
        for step in 0..63 {
            let (from, to) = (capture(step as f32 * 0.1), capture(step as f32 * 0.1 + 0.2));
            for quarter in 0..=4_u8 {
                let share = f64::from(quarter) / 4.0;
                let columns = between(&kind, View::Public, &from, &to, share);
                let shown = quantize::restore_rotation(&columns[..4], BITS);
                let right = Quat::from_axis_angle(
                    Vec3::new(0.3, -0.7, 0.5).normalize(),
                    step as f32 * 0.1 + 0.2 * share as f32,
                );
                let off = shown.dot(right).abs();
                assert!(off > 0.999_999, "step {step}, {share}: {shown} is not {right}, {off}");
            }
        }
    }

    #[test]
    fn an_offset_of_full_weight_is_what_was_shown() {
        let kind = kind(&[POSITION, FieldClass::Angle { bits: 8 }, FieldClass::Rotation { bits: 10 }]);
        let shown = told(&[4, 5, 250, 1, 30, -200, 77]);
        let right = told(&[-4, 9, 3, 3, 0, 40, 7]);
        let offset = offset(&kind, View::Public, &shown, &right);
        let mut state = right;
        ease(&kind, View::Public, &offset, 1.0, &mut state);
        let off = state.iter().zip(&shown).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-3, "{state:?} is not {shown:?}");
    }
}
