//! A token bucket: how much of something a peer may do, in bursts and in the long run.
//!
//! Integer arithmetic on microseconds, so that a replay takes and refuses the same.

use tickwire_shared::Micros;

/// Parts of a token that are counted: refilling by microseconds at any whole rate is exact.
const PARTS: u64 = 1_000_000;

/// What is left of an allowance that refills steadily.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    rate_per_s: u32,
    full_parts: u64,
    left_parts: u64,
    filled_at: Micros,
}

impl Budget {
    /// A full one: `burst` at once, `rate_per_s` in the long run.
    #[must_use]
    pub fn new(rate_per_s: u32, burst: u32, now: Micros) -> Self {
        let full_parts = u64::from(burst) * PARTS;
        Self { rate_per_s, full_parts, left_parts: full_parts, filled_at: now }
    }

    /// Takes `n` if they are there, else nothing.
    #[must_use]
    pub fn take(&mut self, n: u32, now: Micros) -> bool {
        let refill = now.since(self.filled_at).saturating_mul(u64::from(self.rate_per_s));
        self.left_parts = self.left_parts.saturating_add(refill).min(self.full_parts);
        self.filled_at = self.filled_at.max(now);
        let wanted = u64::from(n) * PARTS;
        let enough = wanted <= self.left_parts;
        if enough {
            self.left_parts -= wanted;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut budget = Budget::new(10, 3, Micros(0));
        assert!((0..3).all(|_| budget.take(1, Micros(0))));
        assert!(!budget.take(1, Micros(99_999)), "a tenth of a second refills one");
        assert!(budget.take(1, Micros(100_000)));
        assert!(!budget.take(1, Micros(100_000)));
    }

    #[test]
    fn no_more_than_the_burst_is_saved_up() {
        let mut budget = Budget::new(10, 3, Micros(0));
        assert!(!budget.take(4, Micros(u64::MAX)));
        assert!(budget.take(3, Micros(u64::MAX)));
        assert!(!budget.take(1, Micros(u64::MAX)));
    }

    #[test]
    fn refusing_takes_nothing_and_time_may_stand_still_or_go_back() {
        let mut budget = Budget::new(1, 2, Micros(5_000_000));
        assert!(!budget.take(3, Micros(5_000_000)));
        assert!(budget.take(1, Micros(1_000_000)));
        assert!(budget.take(1, Micros(5_000_000)));
        assert!(!budget.take(1, Micros(5_000_000)));
    }

    #[test]
    fn small_steps_lose_nothing() {
        let mut budget = Budget::new(7, 1, Micros(0));
        let taken = (0..=1_000_000).step_by(13).filter(|at| budget.take(1, Micros(*at))).count();
        assert_eq!(taken, 1 + 6, "the first at once, then 7 per second with the last one not quite full");
    }
}
