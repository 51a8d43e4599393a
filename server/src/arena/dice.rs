//! The arena's randomness: seeded, part of the saved state.

use glam::Vec2;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

/// A seeded generator with the few throws that the arena needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dice(Pcg32);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// Uniform in `0.0..1.0`.
    pub(super) fn fraction(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.fraction()
    }

    /// Uniform in `0..count`.
    pub(super) fn index(&mut self, count: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(count)) >> 32) as u32
    }

    /// A place in the square of `half` metres around the origin.
    pub(super) fn place(&mut self, half: f32) -> Vec2 {
        Vec2::new(self.between(-half, half), self.between(-half, half))
    }
}
