//! One direction of a link, without a clock: items go in with the time, and come out when they are due.

use std::collections::VecDeque;

use super::profile::LinkProfile;
use crate::tick::Micros;

/// Bytes on their way at which the link takes no more, as a socket's buffers would.
const QUEUED_BYTES_MAX: usize = 128 * 1024;
/// Items on their way at which the link takes no more.
const QUEUED_ITEMS_MAX: usize = 1024;

/// Which way the items of a conditioner go. The two ways have their own jitter and the same stalls, because a
/// radio that is gone is gone for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server.
    Inwards,
    /// To the server.
    Outwards,
}

/// Delays items of one direction.
#[derive(Clone, Debug)]
pub struct LinkConditioner<T> {
    profile: LinkProfile,
    dice: Dice,
    seed: u64,
    /// The beginning of some stall; others lie whole periods later.
    stall_began: Micros,
    /// When the wire has carried all that was put on it.
    wire_free: Micros,
    /// When the newest item is due: none comes before it.
    last_due: Micros,
    queue: VecDeque<Queued<T>>,
    queued_bytes: usize,
}

#[derive(Clone, Debug)]
struct Queued<T> {
    due: Micros,
    bytes: usize,
    item: T,
}

impl<T> LinkConditioner<T> {
    /// A link that begins `now`. The seed decides jitter and when in its period the first stall comes.
    #[must_use]
    pub fn new(profile: LinkProfile, seed: u64, direction: Direction, now: Micros) -> Self {
        let dice = Dice(seed ^ (direction as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self {
            profile,
            dice,
            seed,
            stall_began: first_stall(profile, seed, now),
            wire_free: now,
            last_due: now,
            queue: VecDeque::new(),
            queued_bytes: 0,
        }
    }

    /// Another connection over the same link: nothing is on its way.
    #[must_use]
    pub fn anew(&self, now: Micros) -> Self {
        let Self { profile, dice, seed, stall_began, .. } = *self;
        let (wire_free, last_due, queue) = (now, now, VecDeque::new());
        Self { profile, dice, seed, stall_began, wire_free, last_due, queue, queued_bytes: 0 }
    }

    /// What the link is like from now on. What is on its way stays as late as it was, and nothing overtakes it.
    pub fn set_profile(&mut self, profile: LinkProfile, now: Micros) {
        if profile.stall != self.profile.stall {
            self.stall_began = first_stall(profile, self.seed, now);
        }
        self.profile = profile;
    }

    /// What the link is like.
    #[must_use]
    pub fn profile(&self) -> LinkProfile {
        self.profile
    }

    /// Items on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How long the wire is busy with what was put on it: what would wait in a socket's buffer.
    #[must_use]
    pub fn backlog_micros(&self, now: Micros) -> u64 {
        self.wire_free.since(now)
    }

    /// Whether the link takes another item. Whoever brings one waits as long as it does not.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queued_bytes < QUEUED_BYTES_MAX && self.queue.len() < QUEUED_ITEMS_MAX
    }

    /// Puts an item on the wire, where it takes `bytes`, headers included.
    pub fn push(&mut self, item: T, bytes: usize, now: Micros) {
        let bits = bytes as u64 * 8;
        let carrying = self.profile.rate_bits.map_or(0, |rate| bits * 1_000_000 / rate);
        self.wire_free = self.wire_free.max(now).plus(carrying);
        let jitter = self.dice.up_to(self.profile.jitter_micros);
        let arrival = self.wire_free.plus(self.profile.delay_micros + jitter).max(self.last_due);
        self.last_due = self.after_stall(arrival);
        self.queued_bytes += bytes;
        self.queue.push_back(Queued { due: self.last_due, bytes, item });
    }

    /// The next item that is due by `now`. To be called until it gives none.
    pub fn poll(&mut self, now: Micros) -> Option<T> {
        if self.due()? > now {
            return None;
        }
        let Queued { bytes, item, .. } = self.queue.pop_front()?;
        self.queued_bytes -= bytes;
        Some(item)
    }

    /// When the next item is due.
    #[must_use]
    pub fn due(&self) -> Option<Micros> {
        self.queue.front().map(|queued| queued.due)
    }

    fn after_stall(&self, arrival: Micros) -> Micros {
        let Some(stall) = self.profile.stall else { return arrival };
        if arrival < self.stall_began {
            return arrival;
        }
        let into = arrival.since(self.stall_began) % stall.period_micros;
        arrival.plus(stall.length_micros.saturating_sub(into))
    }
}

/// When in its period the first stall comes is the same for both directions.
fn first_stall(profile: LinkProfile, seed: u64, now: Micros) -> Micros {
    let period = profile.stall.map_or(0, |stall| stall.period_micros);
    now.plus(Dice(seed).up_to(period.saturating_sub(1)))
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for jitter, and the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ z >> 31) * (u128::from(most) + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stall;
    use super::*;

    /// When each of the items that were pushed every `every` micros came out.
    fn arrivals(profile: LinkProfile, seed: u64, every: u64, count: u64) -> Vec<(u64, u64)> {
        let mut link = LinkConditioner::new(profile, seed, Direction::Inwards, Micros(0));
        for item in 0..count {
            link.push(item, 125, Micros(item * every));
        }
        let mut out = Vec::new();
        while let Some(due) = link.due() {
            assert!(due.0 == 0 || link.poll(Micros(due.0 - 1)).is_none());
            out.push((link.poll(due).expect("it is due"), due.0));
        }
        out
    }

    #[test]
    fn without_a_profile_nothing_is_late() {
        for (item, due) in arrivals(LinkProfile::default(), 1, 1000, 50) {
            assert_eq!(due, item * 1000);
        }
    }

    #[test]
    fn late_within_bounds_and_never_out_of_order() {
        let profile: LinkProfile = "delay=10ms,jitter=30ms".parse().expect("a profile");
        let arrived = arrivals(profile, 7, 1000, 500);
        assert!(arrived.is_sorted_by_key(|(item, _)| *item));
        assert!(arrived.is_sorted_by_key(|(_, due)| *due));
        for (item, due) in &arrived {
            assert!((item * 1000 + 10_000..=item * 1000 + 40_000).contains(due), "{item} {due}");
        }
        assert_eq!(arrived, arrivals(profile, 7, 1000, 500));
        assert_ne!(arrived, arrivals(profile, 8, 1000, 500));
    }

    #[test]
    fn a_capped_wire_carries_one_after_the_other() {
        let arrived = arrivals("rate=100kbit".parse().expect("a profile"), 1, 0, 10);
        assert_eq!(arrived.last(), Some(&(9, 100_000)));
    }

    #[test]
    fn a_stall_ends_in_a_burst() {
        let profile: LinkProfile = "stall=2s/5s".parse().expect("a profile");
        let arrived = arrivals(profile, 3, 10_000, 2_000);
        let Some(Stall { length_micros, period_micros }) = profile.stall else { panic!("no stall") };
        let gaps: Vec<_> = arrived.windows(2).filter(|pair| pair[1].1 - pair[0].1 > 1_900_000).collect();
        assert!((3..=4).contains(&gaps.len()), "{} stalls in 20 s", gaps.len());
        for pair in gaps.windows(2) {
            assert_eq!(pair[1][1].1 - pair[0][1].1, period_micros);
        }
        let end = gaps[0][1].1;
        let burst = arrived.iter().filter(|(_, due)| *due == end).count() as u64;
        assert!(burst.abs_diff(length_micros / 10_000) <= 1, "{burst} in the burst");
    }

    #[test]
    fn both_ways_stall_together_and_jitter_apart() {
        let link = |direction| {
            let profile = "stall=2s/5s,jitter=1ms".parse().expect("a profile");
            LinkConditioner::<()>::new(profile, 5, direction, Micros(0))
        };
        let (inwards, outwards) = (link(Direction::Inwards), link(Direction::Outwards));
        assert_eq!(inwards.stall_began, outwards.stall_began);
        assert_ne!(inwards.dice, outwards.dice);
    }

    #[test]
    fn a_full_link_says_so() {
        let mut link =
            LinkConditioner::new("delay=1s".parse().expect("a profile"), 1, Direction::Inwards, Micros(0));
        while link.has_room() {
            link.push((), 1000, Micros(0));
        }
        assert_eq!(link.queue.len(), QUEUED_BYTES_MAX.div_ceil(1000));
        assert_eq!(link.poll(Micros(2_000_000)), Some(()));
        assert!(link.has_room());
    }
}
