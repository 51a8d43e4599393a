//! What a field is expected to become, and the contexts that follow from how it moved.

use tickwire_shared::schema::FieldClass;

use super::update::{Field, Seen, Window};

/// One value over time: S1, S2, S3, S4.
type History = [i64; 4];

fn history(window: &Window, column: usize) -> History {
    [0, 1, 2, 3].map(|age| window[age][column])
}

/// d1, d2, d3: plain differences, of an angle the shorter way round.
fn steps(class: FieldClass, [s1, s2, s3, s4]: History) -> [i64; 3] {
    [s1 - s2, s2 - s3, s3 - s4].map(|step| match class {
        FieldClass::Angle { bits } => shorter(step, bits),
        _ => step,
    })
}

/// The shorter way round a circle of `2^bits` steps; half a turn is negative.
pub(super) fn shorter(step: i64, bits: u8) -> i64 {
    let turn = 1 << bits;
    (step + turn / 2).rem_euclid(turn) - turn / 2
}

/// To the nearest, halves away from zero.
fn mean(sum: i64, count: i64) -> i64 {
    (2 * sum + sum.signum() * count) / (2 * count)
}

/// What the field's columns are expected to be.
pub(super) fn predict(field: &Field, window: &Window) -> Vec<i64> {
    let column = |column: usize| {
        let history = history(window, column);
        let [d1, d2, d3] = steps(field.class, history);
        if (d1 - d2).abs() > 1 {
            history[0] + d1
        } else if (d2 - d3).abs() > 1 {
            history[0] + mean(d1 + d2, 2)
        } else {
            history[0] + mean(d1 + d2 + d3, 3)
        }
    };
    match field.class {
        FieldClass::Position { min, max, .. } => {
            field.columns().map(|at| column(at).clamp(min.into(), max.into())).collect()
        }
        FieldClass::Angle { bits } => field.columns().map(|at| column(at).rem_euclid(1 << bits)).collect(),
        FieldClass::Rotation { bits } => predict_rotation(field, half(bits), window),
        FieldClass::Number { .. } | FieldClass::Flags { .. } | FieldClass::Opaque { .. } => {
            window[0][field.columns()].to_vec()
        }
    }
}

/// The largest magnitude of a rotation's component.
pub(super) fn half(bits: u8) -> i64 {
    (1 << (bits - 1)) - 1
}

fn predict_rotation(field: &Field, half: i64, window: &Window) -> Vec<i64> {
    let (s1, s2) = (&window[0][field.columns()], &window[1][field.columns()]);
    if s1[0] != s2[0] {
        return s1.to_vec();
    }
    let whole = 2 * half * half;
    let dropped = |state: &[i64]| {
        let kept: i64 = state[1..].iter().map(|part| part * part).sum();
        (whole - kept).max(0).isqrt()
    };
    let squared: i64 =
        (1..4).map(|part| (s1[part] - s2[part]).pow(2)).sum::<i64>() + (dropped(s1) - dropped(s2)).pow(2);
    let mut predicted = s1.to_vec();
    for part in 1..4 {
        let bend = (squared * s1[part] + s1[part].signum() * whole / 2) / whole.max(1);
        predicted[part] = (s1[part] + (s1[part] - s2[part]) - bend).clamp(-half, half);
    }
    predicted
}

/// The context of a miss mask.
pub(super) fn mask_context(seen: &Seen, window: &Window) -> usize {
    let (mut last_miss, mut older_miss, mut moves, mut moved, mut turning) = (0, 0, 0, 0, 0);
    let position = seen.fields.iter().find(|field| matches!(field.class, FieldClass::Position { .. }));
    for column in position.iter().flat_map(|field| field.columns()) {
        let [d1, d2, d3] = steps(FieldClass::Flags { bits: 1 }, history(window, column));
        last_miss = last_miss.max((d1 - d2).abs());
        older_miss = older_miss.max((d2 - d3).abs());
        moves |= usize::from(d1 != 0);
        moved |= usize::from(d2 != 0);
    }
    if let Some(field) = seen.fields.iter().find(|field| matches!(field.class, FieldClass::Angle { .. })) {
        let [d1, d2, _] = steps(field.class, history(window, field.first));
        turning = match (d1, d2) {
            (0, 0) => 0,
            _ if (d1 - d2).abs() > 1 => 2,
            _ => 1,
        };
    }
    let class = |miss: i64| match miss {
        0 => 0,
        1 | 2 => 1,
        _ => 2,
    };
    (((class(last_miss) * 3 + class(older_miss)) * 2 + moves) * 2 + moved) * 3 + turning
}

/// class(u) of a column.
pub(super) fn unrest_class(class: FieldClass, window: &Window, column: usize) -> usize {
    let [d1, d2, d3] = steps(class, history(window, column));
    let unrest = 3 * (d1 - d2).abs().min(1 << 20) + (d2 - d3).abs().min(1 << 20);
    (bits_of(unrest) as usize).min(7)
}

/// n of a residual just before.
pub(super) fn neighbour_class(residual: i64) -> usize {
    match residual.abs() {
        0 => 0,
        1 | 2 => 1,
        3..=12 => 2,
        _ => 3,
    }
}

/// Length of a number in binary, 0 for 0.
pub(super) fn bits_of(value: i64) -> u32 {
    value.checked_ilog2().map_or(0, |log| log + 1)
}
