//! Many numbers into few: a histogram with a bounded relative error, and quantiles of short lists.

/// Buckets per power of two; a quantile is at most 1/128 off.
const STEPS: u64 = 128;
const STEPS_LOG2: u32 = STEPS.trailing_zeros();
/// Larger values count as this one.
const VALUE_MAX: u64 = 1 << 40;

/// Counts of values, in buckets that grow with the value.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u32>,
    total: u64,
    max: Option<u64>,
}

impl Histogram {
    pub(super) fn record(&mut self, value: u64) {
        let value = value.min(VALUE_MAX);
        let bucket = bucket(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max = self.max.max(Some(value));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// The value that this share of all values does not exceed, to within 1/128.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.total as f64).ceil() as u64).max(1);
        let mut below = 0;
        self.counts.iter().enumerate().find_map(|(bucket, count)| {
            below += u64::from(*count);
            (below >= rank).then(|| middle(bucket))
        })
    }

    pub(super) fn max(&self) -> Option<u64> {
        self.max
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
        let mut histogram = Histogram::default();
        let mut halves = [Histogram::default(), Histogram::default()];
        let mut list: Vec<f64> = Vec::new();
        for index in 0..5_000_u64 {
            let value = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            histogram.record(value);
            halves[index as usize % 2].record(value);
            list.push(value as f64);
        }
        let [mut merged, other] = halves;
        merged.merge(&other);
        for share in [0.0, 0.01, 0.5, 0.99, 1.0] {
            let exact = quantile(&mut list, share).unwrap();
            let near = histogram.quantile(share).unwrap();
            assert!((near - exact).abs() <= exact / 128.0 + 0.5, "{share}: {near} for {exact}");
            assert_eq!(merged.quantile(share), Some(near));
        }
        assert_eq!(merged.max().map(|max| max as f64), list.last().copied());
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
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
    }
}
