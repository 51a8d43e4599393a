//! How many bytes a client may be sent: a bucket that fills at the client's budget and holds an eighth of a second. So in
//! any two seconds a client is sent no more than two seconds' budget and one frame.

use tickwire_shared::Micros;

/// The bucket holds the budget of so many microseconds.
const BURST_MICROS: u64 = 100_000;
/// The bucket of the smallest budgets holds this much, so that one frame fits.
const BURST_BYTES_MIN: i64 = 160;
/// Nobody is sent less than this, in bytes per second.
pub const BUDGET_BYTES_MIN: u32 = 1024;

/// A bucket of bytes.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// What may be sent now, in millionths of a byte; negative after a frame that had to be larger.
    level: i64,
    filled_at: Micros,
    /// It was overdrawn and is not nearly full again yet: one frame that has room is better than some that do not.
    dry: bool,
}

impl Allowance {
    /// A full one.
    #[must_use]
    pub fn new(bytes_per_s: u32, now: Micros) -> Self {
        Self { level: capacity(bytes_per_s), filled_at: now, dry: false }
    }

    /// What may be sent at `now`, in bytes. Zero or less: nothing.
    pub fn available(&mut self, bytes_per_s: u32, now: Micros) -> i64 {
        let filled = now.since(self.filled_at).min(10_000_000) as i64 * i64::from(bytes_per_s);
        self.filled_at = now;
        self.level = (self.level + filled).min(capacity(bytes_per_s));
        self.dry &= self.level < capacity(bytes_per_s) / 2;
        if self.dry { 0 } else { self.level / 1_000_000 }
    }

    /// So many bytes were sent.
    pub fn spend(&mut self, bytes: usize) {
        self.level -= bytes as i64 * 1_000_000;
        self.dry |= self.level < 0;
    }
}

fn capacity(bytes_per_s: u32) -> i64 {
    (i64::from(bytes_per_s) * BURST_MICROS as i64).max(BURST_BYTES_MIN * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_seconds_exceed_the_budget_by_more_than_a_frame() {
        let mut allowance = Allowance::new(10_000, Micros(0));
        let mut sent = Vec::new();
        for tick in 0..300_u64 {
            let now = Micros(tick * 33_333);
            // After a pause, and greedy ever since.
            let available = allowance.available(10_000, now).max(0) as usize;
            let take = if (60..90).contains(&tick) { 0 } else { available };
            allowance.spend(take);
            sent.push(take);
        }
        let worst = sent.windows(60).map(|window| window.iter().sum::<usize>()).max().expect("windows");
        assert!(worst <= 20_000 + 1_250, "{worst} bytes in two seconds");
        assert!(sent[90..].iter().sum::<usize>() >= 69_000, "the budget is not used");
    }

    #[test]
    fn a_frame_that_was_too_large_is_made_up_for() {
        let mut allowance = Allowance::new(8_000, Micros(0));
        allowance.spend(3_000);
        assert_eq!(allowance.available(8_000, Micros(0)), 0);
        assert_eq!(allowance.available(8_000, Micros(300_000)), 0, "not yet");
        assert_eq!(allowance.available(8_000, Micros(350_000)), 800);
        allowance.spend(700);
        assert_eq!(allowance.available(8_000, Micros(350_000)), 100, "not overdrawn");
    }
}
