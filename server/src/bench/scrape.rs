//! What the server says of itself: its metrics, read before and after, and what lies between.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use crate::commands::healthcheck::get;

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The stages of a tick, as the metrics name them.
pub(super) const STAGES: [&str; 4] = ["hear", "step", "pack", "send"];
/// Those before the first frame.
pub(super) const STAGES_SIMULATED: usize = 2;

/// All metrics at one moment, by name and labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics(BTreeMap<String, f64>);

/// Asks for them.
pub(super) fn metrics(admin: SocketAddr) -> std::io::Result<Metrics> {
    let mut answer = String::new();
    get(admin, &admin.to_string(), "metrics", DEADLINE)?.read_to_string(&mut answer)?;
    Ok(Metrics::parse(&answer))
}

impl Metrics {
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (name, value) = line.strip_prefix("tickwire_")?.rsplit_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    pub(super) fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// What has happened since.
    pub(super) fn since(&self, before: &Self) -> Self {
        let grown = |(name, value): (&String, &f64)| (name.clone(), value - before.value(name));
        Self(self.0.iter().map(grown).collect())
    }

    /// Of a histogram of seconds: the time in milliseconds that this share does not exceed, by the bounds of its buckets;
    /// in between evenly. `labels` as they stand before `le`, with a comma at their end.
    pub(super) fn quantile_ms(&self, name: &str, labels: &str, share: f64) -> Option<f64> {
        let prefix = format!("{name}_bucket{{{labels}le=\"");
        let mut buckets: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter_map(|(key, count)| {
                let bound = key.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? }, *count))
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = buckets.last().map(|(_, count)| *count).filter(|total| *total > 0.0)?;
        let wanted = share * total;
        let mut below = (0.0, 0.0);
        for (bound, count) in buckets {
            if count >= wanted {
                let part = if count > below.1 { (wanted - below.1) / (count - below.1) } else { 1.0 };
                // Beyond the last bound nothing more is known.
                let bound = if bound.is_finite() { bound } else { below.0 };
                return Some((below.0 + (bound - below.0) * part) * 1e3);
            }
            below = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "HTTP/1.1 200 OK\r\n\r\n# HELP tickwire_clients Clients.\ntickwire_clients 7\n\
        tickwire_t_bucket{stage=\"a\",le=\"0.001\"} 50\ntickwire_t_bucket{stage=\"a\",le=\"0.01\"} 98\n\
        tickwire_t_bucket{stage=\"a\",le=\"+Inf\"} 100\ntickwire_w_bucket{le=\"0.01\"} 10\ntickwire_w_bucket{le=\"+Inf\"} 10\n";

    #[test]
    fn quantiles_come_from_buckets() {
        let metrics = Metrics::parse(TEXT);
        assert_eq!(metrics.value("clients"), 7.0);
        assert_eq!(metrics.quantile_ms("t", "stage=\"a\",", 0.5), Some(1.0));
        assert_eq!(metrics.quantile_ms("t", "stage=\"a\",", 0.99), Some(10.0));
        let between = metrics.quantile_ms("t", "stage=\"a\",", 0.74).unwrap();
        assert!((between - 5.5).abs() < 1e-9, "{between}");
        assert_eq!(metrics.quantile_ms("w", "", 0.5), Some(5.0));
        assert_eq!(metrics.quantile_ms("nothing", "", 0.5), None);
        assert_eq!(metrics.since(&metrics).quantile_ms("w", "", 0.5), None);
    }
}
