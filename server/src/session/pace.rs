//! How many bytes per second a client's link and program take: what it was granted, less while frames queue on the way.
//!
//! The rate falls to what is seen to arrive, at most by half at once, since a program that stood still for a moment looks
//! like a slow link; it rises by a twentieth each quiet second, and faster after a while of quiet.

use tickwire_shared::Micros;

use super::allowance::BUDGET_BYTES_MIN;

/// Share of what arrives that is sent while the queue drains.
const DRAIN_PERCENT: u64 = 85;
/// A quiet second raises the rate by so much; after `QUIET_MICROS` by more.
const RAISE_PERCENT: u64 = 5;
const RAISE_LATER_PERCENT: u64 = 25;
const RAISE_MICROS: u64 = 1_000_000;
const QUIET_MICROS: u64 = 6_000_000;

/// The present rate of one client.
#[derive(Clone, Debug)]
pub struct Pace {
    granted: u32,
    rate: u32,
    /// What is sent per second while anything may be sent, on average over about a second.
    offered: u64,
    cut_at: Micros,
    raised_at: Micros,
}

impl Pace {
    /// At the rate that was granted.
    #[must_use]
    pub fn new(granted: u32) -> Self {
        Self { granted, rate: granted, offered: 0, cut_at: Micros(0), raised_at: Micros(0) }
    }

    /// What the client is sent at most, in bytes per second.
    #[must_use]
    pub fn bytes_per_s(&self) -> u32 {
        self.rate
    }

    /// Whether the link takes less than was granted.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.rate < self.granted
    }

    /// In a tick in which it might have been sent anything, it was sent so many bytes.
    pub fn sent(&mut self, bytes: usize, ticks_per_s: u16) {
        let rate = bytes as u64 * u64::from(ticks_per_s);
        let weight = u64::from(ticks_per_s);
        self.offered = (self.offered * (weight - 1) + rate) / weight;
    }

    /// Frames queue on the way, and so many bytes per second arrive.
    pub fn congested(&mut self, arriving_bytes_per_s: u64, now: Micros) {
        let half = self.offered.min(u64::from(self.rate)) / 2;
        let wanted = (arriving_bytes_per_s * DRAIN_PERCENT / 100).max(half);
        let least = u64::from(BUDGET_BYTES_MIN.min(self.granted));
        self.rate = wanted.clamp(least, u64::from(self.rate).max(least)) as u32;
        (self.cut_at, self.raised_at) = (now, now);
    }

    /// Nothing queues.
    pub fn calm(&mut self, now: Micros) {
        if self.is_cut() && now.since(self.raised_at) >= RAISE_MICROS {
            let quiet = now.since(self.cut_at) >= QUIET_MICROS;
            let percent = if quiet { RAISE_LATER_PERCENT } else { RAISE_PERCENT };
            let raised = u64::from(self.rate) * (100 + percent) / 100 + 1;
            self.rate = raised.min(u64::from(self.granted)) as u32;
            self.raised_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_to_what_arrives_and_rises_again() {
        let mut pace = Pace::new(64_000);
        (0..300).for_each(|_| pace.sent(333, 30));
        pace.congested(4_000, Micros(0));
        assert!(
            (4_800..5_000).contains(&pace.bytes_per_s()),
            "half of what was sent: {}",
            pace.bytes_per_s()
        );
        pace.congested(4_000, Micros(1));
        assert_eq!(pace.bytes_per_s(), 3_400);
        pace.congested(9_000, Micros(2));
        assert_eq!(pace.bytes_per_s(), 3_400, "a cut raises nothing");
        for second in 1..=5 {
            pace.calm(Micros(2 + second * 1_000_000));
        }
        assert!((4_300..4_400).contains(&pace.bytes_per_s()), "{}", pace.bytes_per_s());
        for second in 6..40 {
            pace.calm(Micros(2 + second * 1_000_000));
        }
        assert_eq!(pace.bytes_per_s(), 64_000);
    }
}
