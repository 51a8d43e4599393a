//! Many numbers into few: a histogram with a bounded relative error, and quantiles of short lists.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Buckets per power of two; a quantile is at most 1/128 off.
const STEPS: u64 = 128;
const STEPS_LOG2: u32 = STEPS.trailing_zeros();
/// Larger values count as this one.
const VALUE_MAX: u64 = 1 << 40;

/// Buckets of all values that there can be.
const BUCKETS: usize = ((VALUE_MAX.ilog2() - STEPS_LOG2 + 2) as usize) * STEPS as usize;

/// Counts of values, in buckets that grow with the value. All bots of a swarm write on the same one.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: Box<[AtomicU32]>,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(super) fn record(&self, value: u64) {
        let value = value.min(VALUE_MAX);
        self.counts[bucket(value)].fetch_add(1, Relaxed);
        if value > self.max.load(Relaxed) {
            self.max.fetch_max(value, Relaxed);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(count.load(Relaxed))).sum()
    }

    /// The value that this share of all values does not exceed, to within 1/128.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.total() as f64).ceil() as u64).max(1);
        let mut below = 0;
        self.counts.iter().enumerate().find_map(|(bucket, count)| {
            below += u64::from(count.load(Relaxed));
            (below >= rank).then(|| middle(bucket))
        })
    }

    pub(super) fn max(&self) -> Option<u64> {
        (self.total() > 0).then(|| self.max.load(Relaxed))
    }

    /// How many values lie at most at each bound and above the one before; the last one is for all above.
    pub(super) fn shares(&self, bounds: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len() + 1];
        for (bucket, count) in self.counts.iter().enumerate() {
            let place = bounds.iter().position(|bound| middle(bucket) <= *bound as f64);
            counts[place.unwrap_or(bounds.len())] += u64::from(count.load(Relaxed));
        }
        counts
    }
}

fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let exponent = value.ilog2() - STEPS_LOG2;
    (u64::from(exponent + 1) * STEPS + (value >> exponent) - STEPS) as usize
}

fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket as f64;
    }
    let exponent = bucket / STEPS - 1;
    let low = (bucket % STEPS + STEPS) << exponent;
    low as f64 + ((1_u64 << exponent) - 1) as f64 / 2.0
}

/// The value that this share of the values does not exceed. Sorts them.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = ((share * values.len() as f64).ceil() as usize).max(1);
    values.get(rank - 1).copied()
}

/// The mean.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_a_sorted_list() {
        let histogram = Histogram::default();
        let mut list: Vec<f64> = Vec::new();
        for index in 0..5_000_u64 {
            let value = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            histogram.record(value);
            list.push(value as f64);
        }
        for share in [0.0, 0.01, 0.5, 0.99, 1.0] {
            let exact = quantile(&mut list, share).unwrap();
            let near = histogram.quantile(share).unwrap();
            assert!((near - exact).abs() <= exact / 128.0 + 0.5, "{share}: {near} for {exact}");
        }
        assert_eq!(histogram.max().map(|max| max as f64), list.last().copied());
    }

    #[test]
    fn shares_by_bounds() {
        let histogram = Histogram::default();
        [1, 2, 10, 11, 5_000].into_iter().for_each(|value| histogram.record(value));
        assert_eq!(histogram.shares(&[2, 10, 1_000]), [2, 1, 1, 1]);
    }

    #[test]
    fn small_values_are_exact_and_buckets_have_no_gap() {
        let mut before = 0;
        for value in 0..100_000 {
            let bucket = bucket(value);
            assert!(bucket == before || bucket == before + 1);
            before = bucket;
            assert!((middle(bucket) - value as f64).abs() <= value as f64 / 128.0);
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(bucket(VALUE_MAX), BUCKETS - STEPS as usize);
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
    }
}
