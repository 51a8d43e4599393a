//! Seeds of random tests: printed on failure, and enough to run the same again.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// Runs `test` for `count` seeds from 1 on, or for the one in `TICKWIRE_SEED`. A panic names its seed.
///
/// # Panics
/// When `test` does.
pub fn for_seeds(count: u64, test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let one = std::env::var("TICKWIRE_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in one.map_or(1..=count, |seed: u64| seed..=seed) {
        if let Err(panic) = std::panic::catch_unwind(|| test(seed)) {
            eprintln!("failed with seed {seed}; TICKWIRE_SEED={seed} runs it alone");
            std::panic::resume_unwind(panic);
        }
    }
}

/// How many seeds a random test runs: `fast` by default, `slow` when `TICKWIRE_SLOW=1`.
#[must_use]
pub fn seed_count(fast: u64, slow: u64) -> u64 {
    if std::env::var("TICKWIRE_SLOW").is_ok_and(|value| value == "1") { slow } else { fast }
}

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Dice(Pcg32);

impl Dice {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// Any number.
    pub fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `0..count`.
    pub fn below(&mut self, count: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(count)) >> 32) as u32
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.word() >> 8) as f32 / (1 << 24) as f32)
    }
}
