//! A state between two others, in quantized columns: what is shown at a moment between two samples. Runs for each entity
//! that a shot may hit. Knows nothing of clients.

use tickwire_shared::schema::{FieldClass, KindPlan};
use tickwire_shared::wire::quantize;

/// How much of the way from the older state to the newer one has passed, in one unit of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Not negative.
    pub(super) passed: i64,
    /// More than that.
    pub(super) way: i64,
}

impl Share {
    /// This share of a difference, half away from zero.
    fn of(self, difference: i32) -> i32 {
        let product = i64::from(difference) * self.passed;
        ((product + product.signum() * (self.way / 2)) / self.way) as i32
    }
}

/// Moves `state` towards `newer`: positions straight, angles and rotations the shorter way round; everything else stays.
pub(super) fn towards(kind: &KindPlan, newer: &[i32], share: Share, state: &mut [i32]) {
    for field in &kind.fields {
        let (newer, state) = (field.of(newer), &mut state[field.first..field.first + field.columns]);
        match field.class {
            FieldClass::Position { .. } => {
                for (column, newer) in state.iter_mut().zip(newer) {
                    *column += share.of(newer - *column);
                }
            }
            FieldClass::Angle { bits } => {
                let unused = 32 - u32::from(bits);
                let shorter = ((newer[0] - state[0]) << unused) >> unused;
                state[0] = (state[0] + share.of(shorter)) & ((1 << bits) - 1);
            }
            FieldClass::Rotation { bits } => {
                let [from, to] = [&*state, newer].map(|columns| quantize::restore_rotation(columns, bits));
                let way = share.passed as f32 / share.way as f32;
                quantize::capture_rotation(from.lerp(to, way), bits, state);
            }
            FieldClass::Number { .. } | FieldClass::Flags { .. } | FieldClass::Opaque { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_half_away_from_zero() {
        let half = Share { passed: 128, way: 256 };
        assert_eq!([3, -3, 4, 0, i32::MAX].map(|difference| half.of(difference)), [2, -2, 2, 0, 1 << 30]);
        assert_eq!(Share { passed: 0, way: 768 }.of(99), 0);
        assert_eq!(Share { passed: 767, way: 768 }.of(-768), -767);
    }
}
