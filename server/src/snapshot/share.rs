//! How one client's bandwidth is shared among what it sees. While there is enough, every slot is told of as often as
//! the game says; when there is not, the farthest are told of less often, and if that is not enough, the farthest are
//! parked and take turns. Works on averages of what was sent; the hard bound is kept where the frame is packed.

use tickwire_shared::wire::cadence::{Cadences, TIERS, Tier};

use super::capture::Capture;
use super::roster::{RosterSlot, Source};

/// What is planned for, as a share of the budget: the rest is for what averages do not foresee.
const TARGET: f32 = 0.98;
/// A slot is told of more often only where this share of the plan would be enough for it.
const CALM: f32 = 0.97;
/// Share of the budget that is kept for taking turns while some are parked.
const TURNS: f32 = 0.25;
const TURNS_KEPT_TICKS: f32 = 12.0;
/// Enters and moves are planned for with this share of the budget at most.
const EDITS: f32 = 0.25;
/// Those that wait to enter should be in within a second, if that takes no more than this share of the budget.
const ENTERS: f32 = 0.5;
const ENTER_BITS: f32 = 160.0;
/// How fast averages follow: the weight of a second.
const FOLLOW: f32 = 0.5;
/// What a sample of each tier takes until it is known, in bits: the longer ago the last one, the less is foreseen.
const SAMPLE_BITS: [f32; TIERS] = [10.0, 16.0, 22.0];
/// When this share of the roster is parked for so long, radii shrink by a step.
const CROWDED: f32 = 0.25;
const CROWDED_SECONDS: u64 = 2;
const REACH_STEP: f32 = 0.8;
/// Radii never shrink below this share of what the game says.
const REACH_MIN: f32 = 0.25;
/// Without anything parked, radii grow again by a step this often.
const RELAXED_SECONDS: u64 = 4;

/// What one frame took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// Slots that were due, by tier.
    pub(super) samples: [u64; TIERS],
    /// Bits of these.
    pub(super) sample_bits: [u64; TIERS],
    /// Bits of leaves, moves and enters.
    pub(super) edit_bits: u64,
    /// Bits of slots that were parked or came back from there.
    pub(super) turn_bits: u64,
    /// Bits of the whole frame.
    pub(super) bits: u64,
}

impl Spent {
    /// Once all slots' samples are counted as those of the first tier: says which were of which.
    pub(super) fn split_by_tier(&mut self, capture: &Capture, sources: &[Source]) {
        // Counts above sums, in one number: which slot is due is as good as random, so nothing here branches on it.
        const COUNT: u32 = 40;
        let (schedule, updates) = (*capture.schedule(), capture.updates());
        let mut told = [0_u64; TIERS];
        for source in sources {
            let bits = updates.of(source.lane)[source.row as usize].bits() as u64;
            let due = u64::from(schedule.is_due(source.section));
            told[source.lane.tier_index()] += due * ((1 << COUNT) + bits);
        }
        for tier in 1..TIERS {
            let (samples, bits) = (told[tier] >> COUNT, told[tier] & ((1 << COUNT) - 1));
            self.samples[tier] += samples;
            self.sample_bits[tier] += bits;
            self.samples[0] -= samples;
            self.sample_bits[0] -= bits;
        }
    }

    fn add(&mut self, other: &Self) {
        for tier in 0..TIERS {
            self.samples[tier] += other.samples[tier];
            self.sample_bits[tier] += other.sample_bits[tier];
        }
        self.edit_bits += other.edit_bits;
        self.turn_bits += other.turn_bits;
        self.bits += other.bits;
    }
}

/// What becomes of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Its index in the roster.
    pub(super) index: usize,
    /// Where it should go; `None` is parked.
    pub(super) to: Option<Tier>,
    /// Whether that saves bandwidth.
    pub(super) saves: bool,
}

/// How many slots, counted from the nearest, are told of at each tier or a slower one; those beyond the last are parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Levels([usize; TIERS]);

impl Levels {
    fn of(&self, rank: usize) -> usize {
        self.0.iter().filter(|count| rank >= **count).count()
    }
}

/// One client's averages, and how far it is told.
#[derive(Clone, Debug)]
pub(super) struct Share {
    sample_bits: [f32; TIERS],
    /// Of everything that is neither slots nor edits, in bytes per second.
    other: f32,
    edits: f32,
    /// What the plan is multiplied with, so that what comes of it is what was planned.
    fill: f32,
    /// What the slots should take by the last plan, in bits per second.
    planned: f32,
    spent: Spent,
    since: u64,
    /// What may be spent on turns, in bits, and the tick until which that is counted.
    turns: f32,
    turns_at: u64,
    crowded_at: Option<u64>,
    relaxed_at: u64,
    /// Whether any slot is told of less often than the game says.
    pub(super) strained: bool,
    /// Whether it is so and nobody is parked or waits to enter.
    full: bool,
    /// Whether slots are told of at several tiers.
    pub(super) mixed: bool,
    /// Whether some had to be parked in a frame since the last plan.
    pub(super) overflowed: bool,
    /// Share of every radius that is told.
    pub(super) reach: f32,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            sample_bits: SAMPLE_BITS,
            other: 0.0,
            edits: 0.0,
            fill: 1.0,
            planned: 0.0,
            spent: Spent::default(),
            since: 0,
            turns: 0.0,
            turns_at: 0,
            crowded_at: None,
            relaxed_at: 0,
            strained: false,
            full: false,
            mixed: false,
            overflowed: false,
            reach: 1.0,
        }
    }
}

/// What the plan is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means<'a> {
    pub(super) bytes_per_s: u32,
    pub(super) tick_hz: u16,
    pub(super) tick: u64,
    pub(super) cadences: &'a Cadences,
}

impl Means<'_> {
    fn per_s(&self, tier: usize) -> f32 {
        f32::from(self.tick_hz) / self.cadences.period(Tier::ALL[tier]) as f32
    }
}

impl Share {
    /// A frame was packed.
    pub(super) fn note(&mut self, spent: &Spent) {
        self.spent.add(spent);
        self.turns -= spent.turn_bits as f32;
    }

    /// What may be spent on turns in a frame of this tick, in bits, whether or not anything is left over.
    pub(super) fn turn_bits(&mut self, tick: u64, bytes_per_s: u32, tick_hz: u16) -> i64 {
        let per_tick = TURNS * 8.0 * bytes_per_s as f32 / f32::from(tick_hz);
        let ticks = tick.saturating_sub(std::mem::replace(&mut self.turns_at, tick));
        // What was not spent for a while is gone.
        self.turns = (self.turns + per_tick * ticks as f32).min(per_tick * TURNS_KEPT_TICKS);
        self.turns as i64
    }

    /// What a sample takes on average, in bits.
    pub(super) fn sample_bits(&self, tier: Tier) -> f32 {
        self.sample_bits[tier.index()]
    }

    /// Takes in what was sent since the last time.
    fn follow(&mut self, means: &Means<'_>) {
        let ticks = means.tick.saturating_sub(self.since);
        let seconds = ticks as f32 / f32::from(means.tick_hz);
        if seconds < 0.1 {
            return;
        }
        let spent = std::mem::take(&mut self.spent);
        self.since = means.tick;
        let weight = (FOLLOW * seconds).min(1.0);
        let follow = |average: &mut f32, value: f32, weight: f32| *average += (value - *average) * weight;
        for tier in (0..TIERS).filter(|tier| spent.samples[*tier] > 0) {
            let bits = spent.sample_bits[tier] as f32 / spent.samples[tier] as f32;
            follow(&mut self.sample_bits[tier], bits, weight.max(0.1));
        }
        let told = spent.sample_bits.iter().sum::<u64>() + spent.edit_bits + spent.turn_bits;
        let other = spent.bits.saturating_sub(told);
        follow(&mut self.other, other as f32 / 8.0 / seconds, weight);
        follow(&mut self.edits, spent.edit_bits as f32 / 8.0 / seconds, weight);
        let sampled = spent.sample_bits.iter().sum::<u64>() as f32 / seconds;
        if std::mem::take(&mut self.overflowed) {
            self.fill *= 1.0 - 0.1 * weight;
        } else if self.full {
            // Nobody takes turns with what is left, so it is seen.
            let used = spent.bits as f32 / 8.0 / seconds / means.bytes_per_s as f32;
            self.fill *= 1.0 + weight * (TARGET - used).clamp(-0.2, 0.2);
        } else if self.strained && sampled > 0.0 {
            self.fill *= 1.0 + weight * (self.planned / sampled - 1.0).clamp(-0.2, 0.2);
        }
        self.fill = self.fill.clamp(0.5, 1.5);
    }

    /// Which slots should be told of at another tier than they are, while `waiting` others should enter. `natural` is for
    /// each slot the tier that the game says; `order` is scratch.
    pub(super) fn plan(
        &mut self,
        (slots, natural): (&[RosterSlot], &[Tier]),
        waiting: usize,
        means: &Means<'_>,
        order: &mut Vec<u32>,
        wishes: &mut Vec<Wish>,
    ) {
        self.follow(means);
        wishes.clear();
        self.full = false;
        self.mixed = slots.iter().any(|slot| slot.tier != Tier::FAST);
        let bytes = means.bytes_per_s as f32;
        let budget = 8.0 * (bytes * TARGET - self.other - self.edits.min(bytes * EDITS)).max(0.0);
        let counts = Tier::ALL.map(|tier| natural.iter().filter(|natural| **natural == tier).count() as f32);
        let costs = [0, 1, 2].map(|tier| self.sample_bits[tier] * means.per_s(tier) / self.fill);
        let full: f32 = (0..TIERS).map(|tier| counts[tier] * costs[tier]).sum();
        self.planned = full * self.fill;
        let waiting = (waiting as f32 * ENTER_BITS).min(budget * ENTERS);
        if full + waiting <= budget * CALM && !self.strained {
            self.crowd(0, slots.len(), means);
            if self.mixed || counts[0] < slots.len() as f32 {
                natural_wishes(slots, natural, wishes);
            }
            return;
        }
        let budget = budget - waiting;
        order.clear();
        order.extend(0..slots.len() as u32);
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&slots[*a as usize], &slots[*b as usize]);
            a.distance_squared.total_cmp(&b.distance_squared).then(a.id.cmp(&b.id))
        });
        let levels = |budget: f32| levels(order, natural, costs, budget);
        let (mut most, mut calm) = (levels(budget), levels(budget * CALM));
        let crowded = most.0[TIERS - 1] < slots.len();
        if crowded {
            let budget = budget - 8.0 * bytes * TURNS;
            (most, calm) = (levels(budget), levels(budget * CALM));
        }
        self.planned = 0.0;
        self.strained = crowded;
        for (rank, index) in order.iter().map(|index| *index as usize).enumerate() {
            let (slot, natural) = (&slots[index], natural[index].index());
            let now = if slot.is_parked() { TIERS } else { slot.tier.index() };
            let (least, wanted) = (natural.max(most.of(rank)), natural.max(calm.of(rank)));
            let to = now.clamp(least, wanted.max(least));
            self.strained |= to > natural;
            self.planned += costs.get(to).map_or(0.0, |cost| cost * self.fill);
            // Who is parked comes back when it is its turn.
            if to != now && now < TIERS {
                wishes.push(Wish { index, to: Tier::ALL.get(to).copied(), saves: to > now });
            }
        }
        self.full = self.strained && waiting == 0.0 && !slots.iter().any(RosterSlot::is_parked);
        self.crowd(slots.len() - most.0[TIERS - 1], slots.len(), means);
    }

    /// Radii shrink while too much is parked.
    fn crowd(&mut self, parked: usize, slots: usize, means: &Means<'_>) {
        let hz = u64::from(means.tick_hz);
        if parked as f32 > slots as f32 * CROWDED {
            let since = *self.crowded_at.get_or_insert(means.tick);
            if means.tick - since >= CROWDED_SECONDS * hz && self.reach > REACH_MIN {
                self.reach = (self.reach * REACH_STEP).max(REACH_MIN);
                self.crowded_at = Some(means.tick);
            }
            self.relaxed_at = means.tick;
        } else {
            self.crowded_at = None;
            if parked > 0 {
                self.relaxed_at = means.tick;
            } else if self.reach < 1.0 && means.tick - self.relaxed_at >= RELAXED_SECONDS * hz {
                self.reach = (self.reach / REACH_STEP).min(1.0);
                self.relaxed_at = means.tick;
            }
        }
    }
}

fn natural_wishes(slots: &[RosterSlot], natural: &[Tier], wishes: &mut Vec<Wish>) {
    for (index, (slot, natural)) in slots.iter().zip(natural).enumerate() {
        if slot.tier != *natural && !slot.is_parked() {
            wishes.push(Wish { index, to: Some(*natural), saves: slot.tier < *natural });
        }
    }
}

/// Slows the farthest down, tier by tier, and then parks them, until what is left costs no more than `budget`.
fn levels(order: &[u32], natural: &[Tier], costs: [f32; TIERS], budget: f32) -> Levels {
    let count = order.len();
    let mut levels = Levels([count; TIERS]);
    let tier_of = |rank: usize, floor: usize| natural[order[rank] as usize].index().max(floor);
    let mut cost: f32 = (0..count).map(|rank| costs[tier_of(rank, 0)]).sum();
    for level in 0..TIERS {
        let slower = |tier: usize| if tier < TIERS { costs[tier] } else { 0.0 };
        while cost > budget && levels.0[level] > 0 {
            levels.0[level] -= 1;
            let rank = levels.0[level];
            let now = tier_of(rank, level);
            cost -= costs[now] - slower(now.max(level + 1));
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: [f32; TIERS] = [300.0, 100.0, 50.0];

    #[test]
    fn the_farthest_give_way_first() {
        let (order, natural) = ((0..10).collect::<Vec<u32>>(), vec![Tier::FAST; 10]);
        let at = |budget: f32| levels(&order, &natural, COSTS, budget).0;
        assert_eq!(at(3000.0), [10, 10, 10]);
        assert_eq!(at(2600.0), [8, 10, 10]);
        assert_eq!(at(1000.0), [0, 10, 10]);
        assert_eq!(at(700.0), [0, 4, 10]);
        assert_eq!(at(250.0), [0, 0, 5]);
        assert_eq!(at(0.0), [0, 0, 0]);
    }

    #[test]
    fn what_is_slow_anyway_is_not_counted_twice() {
        let order = [0, 1, 2, 3];
        let natural = [Tier::FAST, Tier::FAST, Tier::SLOW, Tier::SLOW];
        let at = |budget: f32| levels(&order, &natural, COSTS, budget).0;
        assert_eq!(at(700.0), [4, 4, 4]);
        assert_eq!(at(500.0), [1, 4, 4]);
        assert_eq!(at(200.0), [0, 0, 4]);
        assert_eq!(at(110.0), [0, 0, 2]);
    }
}
