//! Floating point to integer columns and back. Called by derived code; every rounding happens here.
//!
//! Values that make no sense (NaN, infinite, out of range) become the nearest value of the range, so a column
//! read back from the wire always restores.

use glam::{Quat, Vec2, Vec3};

/// A vector of two or three coordinates.
pub trait PositionValue: Copy {
    /// 2 or 3.
    const DIMS: u8;
    /// One coordinate.
    fn coordinate(self, axis: usize) -> f32;
    /// From a function of the axis.
    fn from_axes(axis: impl FnMut(usize) -> f32) -> Self;
}

impl PositionValue for Vec2 {
    const DIMS: u8 = 2;

    fn coordinate(self, axis: usize) -> f32 {
        self[axis]
    }

    fn from_axes(mut axis: impl FnMut(usize) -> f32) -> Self {
        Self::new(axis(0), axis(1))
    }
}

impl PositionValue for Vec3 {
    const DIMS: u8 = 3;

    fn coordinate(self, axis: usize) -> f32 {
        self[axis]
    }

    fn from_axes(mut axis: impl FnMut(usize) -> f32) -> Self {
        Self::new(axis(0), axis(1), axis(2))
    }
}

/// A number that fits an `f64` exactly.
pub trait NumberValue: Copy {
    /// As `f64`.
    fn to_f64(self) -> f64;
    /// From the nearest `f64`, saturating.
    fn from_f64(value: f64) -> Self;
}

macro_rules! number_value {
    ($($type:ty),*) => {$(
        impl NumberValue for $type {
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn from_f64(value: f64) -> Self {
                value as Self
            }
        }
    )*};
}

number_value!(u8, i8, u16, i16, u32, i32, f32);

/// Independent bits: `bool` or an unsigned integer.
pub trait BitsValue: Copy {
    /// As bits.
    fn to_bits(self) -> u32;
    /// From bits; those that do not fit are dropped.
    fn from_bits(bits: u32) -> Self;
}

impl BitsValue for bool {
    fn to_bits(self) -> u32 {
        u32::from(self)
    }

    fn from_bits(bits: u32) -> Self {
        bits & 1 == 1
    }
}

macro_rules! bits_value {
    ($($type:ty),*) => {$(
        impl BitsValue for $type {
            fn to_bits(self) -> u32 {
                u32::from(self)
            }

            fn from_bits(bits: u32) -> Self {
                bits as Self
            }
        }
    )*};
}

bits_value!(u8, u16, u32);

/// What a value is restored from: quanta as they travel, or shares of them, as a view between two states has them.
pub trait Column: Copy + Into<f64> {}

impl Column for i32 {}

impl Column for f64 {}

/// `value` in quanta, rounded half away from zero, inside `min..=max`.
#[must_use]
pub fn to_quanta(value: f64, quantum: f32, min: i32, max: i32) -> i32 {
    // A cast saturates and takes NaN to zero.
    ((value / f64::from(quantum)).round() as i32).clamp(min, max)
}

/// The inverse of [`to_quanta`], also of what lies between two quanta.
#[must_use]
pub fn from_quanta<C: Column>(quanta: C, quantum: f32) -> f64 {
    quanta.into() * f64::from(quantum)
}

/// A vector to one column per axis.
pub fn capture_position<V: PositionValue>(value: V, quantum: f32, min: i32, max: i32, columns: &mut [i32]) {
    for (axis, column) in columns.iter_mut().enumerate() {
        *column = to_quanta(f64::from(value.coordinate(axis)), quantum, min, max);
    }
}

/// The inverse of [`capture_position`].
#[must_use]
pub fn restore_position<V: PositionValue, C: Column>(columns: &[C], quantum: f32) -> V {
    V::from_axes(|axis| from_quanta(columns[axis], quantum) as f32)
}

/// A number to its column.
#[must_use]
pub fn capture_number<N: NumberValue>(value: N, quantum: f32, min: i32, max: i32) -> i32 {
    to_quanta(value.to_f64(), quantum, min, max)
}

/// The inverse of [`capture_number`].
#[must_use]
pub fn restore_number<N: NumberValue, C: Column>(column: C, quantum: f32) -> N {
    N::from_f64(from_quanta(column, quantum))
}

/// An angle in radians to `0..2^bits`.
#[must_use]
pub fn capture_angle(radians: f32, bits: u8) -> i32 {
    let steps = f64::from(1_u32 << bits);
    let turns = f64::from(radians) / std::f64::consts::TAU;
    let step = ((turns - turns.floor()) * steps).round() as i32;
    step & ((1 << bits) - 1)
}

/// The inverse of [`capture_angle`], in `-π..π`.
#[must_use]
pub fn restore_angle<C: Column>(column: C, bits: u8) -> f32 {
    let (column, steps): (f64, f64) = (column.into(), f64::from(1_i32 << bits));
    let signed = if column * 2.0 >= steps { column - steps } else { column };
    (signed / steps * std::f64::consts::TAU) as f32
}

/// A unit quaternion to the index of its largest component and the three others; the sign is chosen so that
/// the dropped one is not negative.
pub fn capture_rotation(value: Quat, bits: u8, columns: &mut [i32]) {
    let parts = value.to_array();
    let mut dropped = 0;
    for index in 1..4 {
        if parts[index].abs() > parts[dropped].abs() {
            dropped = index;
        }
    }
    let sign = if parts[dropped] < 0.0 { -1.0 } else { 1.0 };
    let half = rotation_half(bits);
    columns[0] = dropped as i32;
    let others = (0..4).filter(|index| *index != dropped);
    for (column, index) in columns[1..4].iter_mut().zip(others) {
        let scaled = f64::from(sign * parts[index]) * std::f64::consts::SQRT_2 * f64::from(half);
        *column = (scaled.round() as i32).clamp(-half, half);
    }
}

/// The inverse of [`capture_rotation`].
#[must_use]
pub fn restore_rotation<C: Column>(columns: &[C], bits: u8) -> Quat {
    let half = f64::from(rotation_half(bits)) * std::f64::consts::SQRT_2;
    let dropped = (columns[0].into() as i64 & 3) as usize;
    let mut parts = [0.0_f32; 4];
    let mut rest = 1.0_f64;
    let others = (0..4).filter(|index| *index != dropped);
    for (column, index) in columns[1..4].iter().zip(others) {
        let part = (*column).into() / half;
        rest -= part * part;
        parts[index] = part as f32;
    }
    parts[dropped] = rest.max(0.0).sqrt() as f32;
    Quat::from_array(parts).normalize()
}

/// The largest magnitude of a rotation's component, in quanta: three smallest components lie within 1/√2.
#[must_use]
pub const fn rotation_half(bits: u8) -> i32 {
    (1 << (bits - 1)) - 1
}

/// Bits to their column.
#[must_use]
pub fn capture_bits<B: BitsValue>(value: B, bits: u8) -> i32 {
    (value.to_bits() & low_mask(bits)) as i32
}

/// The inverse of [`capture_bits`].
#[must_use]
pub fn restore_bits<B: BitsValue, C: Column>(column: C) -> B {
    B::from_bits(column.into() as i64 as u32)
}

/// `bits` ones.
#[must_use]
pub const fn low_mask(bits: u8) -> u32 {
    if bits >= 32 { u32::MAX } else { (1 << bits) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_becomes_the_nearest_sense() {
        assert_eq!(to_quanta(f64::NAN, 0.01, -10, 10), 0);
        assert_eq!(to_quanta(f64::INFINITY, 0.01, -10, 10), 10);
        assert_eq!(to_quanta(-1e30, 0.01, -10, 10), -10);
        assert_eq!(capture_angle(f32::NAN, 10), 0);
    }

    #[test]
    fn angles_come_back_and_wrap() {
        for step in 0..1024 {
            assert_eq!(capture_angle(restore_angle(step, 10), 10), step);
        }
        assert_eq!(capture_angle(-0.000_1, 10), 0);
        assert_eq!(capture_angle(std::f32::consts::TAU * 3.0, 10), 0);
    }

    #[test]
    fn rotations_come_back() {
        for step in 0..64 {
            let turn = step as f32 * 0.1;
            let rotation = Quat::from_rotation_x(turn) * Quat::from_rotation_y(1.7 * turn);
            let mut columns = [0; 4];
            capture_rotation(rotation, 11, &mut columns);
            let back = restore_rotation(&columns, 11);
            assert!(back.dot(rotation).abs() > 0.999_99, "step {step}: {rotation} came back as {back}");
            let mut again = [0; 4];
            capture_rotation(back, 11, &mut again);
            assert!(columns[0] != again[0] || columns.iter().zip(again).all(|(a, b)| (a - b).abs() <= 1));
        }
    }
}
