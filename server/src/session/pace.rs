//! How many bytes per second a client's link and program take: what it was granted, less while frames queue on the way.
//!
//! A session begins slowly and doubles its rate while nothing queues. The rate falls to what is seen to arrive, at most by
//! half at once, since a program that stood still for a moment looks like a slow link; near the rate at which frames
//! queued the last time it rises slowly, far from it faster.

use tickwire_shared::Micros;

use super::allowance::BUDGET_BYTES_MIN;

/// What a session begins with, in bytes per second, until its link is known.
const START_BYTES_PER_S: u32 = 8 * 1024;
/// Share of what arrives that is sent while the queue drains.
const DRAIN_PERCENT: u64 = 82;
/// After a cut, the queue is given so long to drain before another one.
const DRAIN_MICROS: u64 = 1_000_000;
/// A quiet second raises the rate by so much near the last known limit, and well below it. Beyond the limit it is a little
/// more each second, for as long as nothing queues.
const RAISE_NEAR_PERCENT: u64 = 1;
const RAISE_FAR_PERCENT: u64 = 12;
/// Well below is below this share of the limit.
const NEAR_PERCENT: u64 = 88;
/// Beyond the limit, it rises only while so much of it is used.
const USED_PERCENT: u64 = 80;
const RAISE_MICROS: u64 = 1_000_000;

/// The present rate of one client.
#[derive(Clone, Debug)]
pub struct Pace {
    granted: u32,
    rate: u32,
    /// What arrived when frames queued the last time; 0 while they never did.
    limit: u64,
    /// Quiet seconds since then with more than that.
    beyond: u64,
    /// What is sent per second while anything may be sent, on average over about a second.
    offered: u64,
    cut_at: Option<Micros>,
    raised_at: Micros,
    /// Rate and limit from before the first of the cuts since frames began to queue.
    before: Option<(u32, u64)>,
}

impl Pace {
    /// Before anything is known of the link.
    #[must_use]
    pub fn new(granted: u32, now: Micros) -> Self {
        let rate = granted.min(START_BYTES_PER_S);
        Self { granted, rate, limit: 0, beyond: 0, offered: 0, cut_at: None, raised_at: now, before: None }
    }

    /// What it was granted.
    #[must_use]
    pub fn granted_bytes_per_s(&self) -> u32 {
        self.granted
    }

    /// What the client is sent at most, in bytes per second.
    #[must_use]
    pub fn bytes_per_s(&self) -> u32 {
        self.rate
    }

    /// What it is sent, in bytes per second, on average over about a second.
    #[must_use]
    pub fn offered_bytes_per_s(&self) -> u64 {
        self.offered
    }

    /// In a tick in which it might have been sent anything, it was sent so many bytes.
    pub fn sent(&mut self, bytes: usize, ticks_per_s: u16) {
        let weight = u64::from(ticks_per_s);
        self.offered = (self.offered * (weight - 1) + bytes as u64 * weight) / weight;
    }

    /// Frames queue on the way, and so many bytes per second arrive. Says whether that changed the rate.
    pub fn congested(&mut self, arriving_bytes_per_s: u64, now: Micros) -> bool {
        if self.cut_at.is_some_and(|at| now.since(at) < DRAIN_MICROS) {
            return false;
        }
        let half = self.offered.min(u64::from(self.rate)) / 2;
        let arriving = arriving_bytes_per_s.max(half);
        let least = u64::from(BUDGET_BYTES_MIN.min(self.granted));
        self.before.get_or_insert((self.rate, self.limit));
        // A while is short: what it says is believed by half where more was said before.
        (self.limit, self.beyond) = (arriving.max((self.limit + arriving) / 2), 0);
        self.rate = (arriving * DRAIN_PERCENT / 100).clamp(least, u64::from(self.rate).max(least)) as u32;
        (self.cut_at, self.raised_at) = (Some(now), now);
        true
    }

    /// Nothing queued: the cuts were for nothing.
    pub fn longer(&mut self, now: Micros) {
        if let Some((rate, limit)) = self.before.take() {
            (self.rate, self.limit, self.beyond) = (rate, limit, 0);
            (self.cut_at, self.raised_at) = (None, now);
        }
    }

    /// Nothing queues.
    pub fn calm(&mut self, now: Micros) {
        self.before = None;
        let (rate, granted) = (u64::from(self.rate), u64::from(self.granted));
        if rate >= granted {
            return;
        }
        let raised = if self.limit == 0 {
            rate * 2
        } else if now.since(self.raised_at) < RAISE_MICROS {
            return;
        } else if rate > self.limit && self.offered * 100 < rate * USED_PERCENT {
            // What is not used was not tried.
            return;
        } else {
            self.beyond += u64::from(rate > self.limit);
            let far = rate * 100 < self.limit * NEAR_PERCENT;
            let near = (RAISE_NEAR_PERCENT + self.beyond / 4).min(RAISE_FAR_PERCENT);
            rate * (100 + if far { RAISE_FAR_PERCENT } else { near }) / 100 + 1
        };
        self.rate = raised.min(granted) as u32;
        self.raised_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn begins_slowly_and_doubles() {
        let mut pace = Pace::new(64 * 1024, Micros(0));
        let rates = [(); 4].map(|()| {
            pace.calm(Micros(1));
            pace.bytes_per_s() / 1024
        });
        assert_eq!(rates, [16, 32, 64, 64]);
        assert_eq!(Pace::new(2000, Micros(0)).bytes_per_s(), 2000);
    }

    #[test]
    fn falls_to_what_arrives_and_rises_again() {
        let mut pace = Pace::new(8_000, Micros(0));
        let send = |pace: &mut Pace, bytes: usize| (0..300).for_each(|_| pace.sent(bytes, 30));
        send(&mut pace, 266);
        assert!(pace.congested(3_000, Micros(0)));
        let rate = pace.bytes_per_s();
        assert!((3_000..3_500).contains(&rate), "82 % of half of what was sent: {rate}");
        assert!(!pace.congested(1_000, Micros(SECOND / 2)), "it drains");
        send(&mut pace, 115);
        assert!(pace.congested(3_300, Micros(SECOND)));
        assert_eq!(pace.bytes_per_s(), 2_706);
        for second in 2..=6 {
            pace.calm(Micros(second * SECOND));
        }
        // Before, 4,000 arrived; what is between the two is the limit, and until near it, the way is short.
        let rate = pace.bytes_per_s();
        assert!((3_300..3_600).contains(&rate), "slowly near the limit: {rate}");
        send(&mut pace, 60);
        for second in 7..40 {
            pace.calm(Micros(second * SECOND));
        }
        assert!(pace.bytes_per_s() < 3_900, "what nobody uses was not tried");
        for second in 40..80 {
            send(&mut pace, 300);
            pace.calm(Micros(second * SECOND));
        }
        assert_eq!(pace.bytes_per_s(), 8_000);
    }
}
