//! How long ticks took and how late they began. Written by a room's thread, read for the metrics.

use super::pacer::Started;
use crate::config::OverloadStep;

/// Upper bounds of the tick histograms, in microseconds: close enough to tell a p99 from them.
pub(super) const TICK_BUCKETS_MICROS: [u64; 20] = [
    100, 250, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_500, 8_000, 10_000, 12_500, 16_000,
    20_000, 25_000, 33_333, 50_000, 100_000,
];
/// The stages of a tick, in order.
pub(super) const STAGES: [&str; 4] = ["hear", "step", "pack", "send"];

const STEPS: usize = OverloadStep::ALL.len();

/// How a room's ticks went.
#[derive(Clone, Debug, Default)]
pub(super) struct Timing {
    /// Ticks that began after their deadline.
    pub(super) late: u64,
    /// Ticks given up.
    pub(super) skipped: u64,
    /// The latest start, in microseconds after the deadline.
    pub(super) late_micros_max: u64,
    /// How long after their deadlines ticks began.
    pub(super) lateness: Histogram,
    /// Per stage.
    pub(super) stages: [Histogram; STAGES.len()],
    /// Until the step is made.
    pub(super) simulated: Histogram,
    /// All stages together, with what was heard between packing and sending; without what other rooms took meanwhile.
    pub(super) whole: Histogram,
    /// Steps taken because there was more to do than time: onto each step from the one below, and back from it.
    pub(super) steps_up: [u64; STEPS],
    pub(super) steps_down: [u64; STEPS],
    /// Of late. Of one room: it is not summed.
    pub(super) recent: Recent,
}

/// The ticks of the last seconds, on average.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    /// What one took.
    pub(super) tick_micros: f64,
    /// What it sent.
    pub(super) tick_bytes: f64,
    sent_bytes: u64,
}

/// How much of the average one tick is.
const RECENT_PART: f64 = 1.0 / 64.0;

impl Recent {
    /// A tick is over; so many bytes were sent until now.
    fn tick(&mut self, micros: u64, sent_bytes: u64) {
        let micros = micros as f64;
        let bytes = sent_bytes.saturating_sub(std::mem::replace(&mut self.sent_bytes, sent_bytes)) as f64;
        self.tick_micros += (micros - self.tick_micros) * RECENT_PART;
        self.tick_bytes += (bytes - self.tick_bytes) * RECENT_PART;
    }
}

/// Durations by size.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Not cumulative; the last one is for all that is longer.
    pub(super) buckets: [u64; TICK_BUCKETS_MICROS.len() + 1],
    pub(super) sum_micros: u64,
}

impl Timing {
    /// A tick began; after `late_micros` it counts as late.
    pub(super) fn started(&mut self, started: Started, late_micros: u64) {
        self.late += u64::from(started.late_micros >= late_micros);
        self.skipped += started.skipped;
        self.late_micros_max = self.late_micros_max.max(started.late_micros);
        self.lateness.add(started.late_micros);
    }

    /// What the room gives up went from one place in [`OverloadStep::ALL`] to another.
    pub(super) fn stepped(&mut self, before: usize, after: usize) {
        self.steps_up.iter_mut().take(after + 1).skip(before + 1).for_each(|steps| *steps += 1);
        self.steps_down.iter_mut().take(before + 1).skip(after + 1).for_each(|steps| *steps += 1);
    }

    /// A tick took so long, and so long until its step was made; so many bytes were sent until now.
    pub(super) fn took(
        &mut self,
        stages_micros: [u64; STAGES.len()],
        simulated_micros: u64,
        sent_bytes: u64,
    ) {
        for (histogram, micros) in self.stages.iter_mut().zip(stages_micros) {
            histogram.add(micros);
        }
        self.simulated.add(simulated_micros);
        let micros = stages_micros.iter().sum();
        self.whole.add(micros);
        self.recent.tick(micros, sent_bytes);
    }

    /// Puts another room's ticks on top.
    pub(super) fn add(&mut self, other: &Self) {
        self.late += other.late;
        self.skipped += other.skipped;
        self.late_micros_max = self.late_micros_max.max(other.late_micros_max);
        self.lateness.add_all(&other.lateness);
        self.stages.iter_mut().zip(&other.stages).for_each(|(stage, more)| stage.add_all(more));
        self.simulated.add_all(&other.simulated);
        self.whole.add_all(&other.whole);
        let steps = self.steps_up.iter_mut().chain(&mut self.steps_down);
        steps.zip(other.steps_up.iter().chain(&other.steps_down)).for_each(|(sum, more)| *sum += more);
    }
}

impl Histogram {
    pub(super) fn add(&mut self, micros: u64) {
        let bucket = TICK_BUCKETS_MICROS.iter().position(|bound| micros <= *bound);
        self.buckets[bucket.unwrap_or(TICK_BUCKETS_MICROS.len())] += 1;
        self.sum_micros += micros;
    }

    fn add_all(&mut self, other: &Self) {
        self.sum_micros += other.sum_micros;
        self.buckets.iter_mut().zip(other.buckets).for_each(|(bucket, count)| *bucket += count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recent_follows_and_forgets() {
        let mut recent = Recent::default();
        (1..=1000).for_each(|tick| recent.tick(600, tick * 50));
        assert!((recent.tick_micros - 600.0).abs() < 1.0 && (recent.tick_bytes - 50.0).abs() < 1.0);
        (0..1000).for_each(|_| recent.tick(0, 50_000));
        assert!(recent.tick_micros < 1.0 && recent.tick_bytes < 1.0);
    }

    #[test]
    fn a_tick_is_all_of_its_stages() {
        let (mut timing, mut all) = (Timing::default(), Timing::default());
        timing.took([60, 30, 15, 5], 90, 0);
        timing.started(Started { late_micros: 300, skipped: 0 }, 200);
        all.add(&timing);
        all.add(&timing);
        assert_eq!((all.whole.buckets[1], all.whole.sum_micros), (2, 220));
        assert_eq!((all.simulated.buckets[0], all.simulated.sum_micros), (2, 180));
        assert_eq!((all.lateness.buckets[2], all.late), (2, 2));
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        [0, 100, 101, 1_000_000].into_iter().for_each(|micros| histogram.add(micros));
        assert_eq!((histogram.buckets[0], histogram.buckets[1]), (2, 1));
        assert_eq!((histogram.buckets[TICK_BUCKETS_MICROS.len()], histogram.sum_micros), (1, 1_000_201));
    }
}
