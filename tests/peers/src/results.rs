//! What a series found, as it is written to `results/`, and what is made of several runs: medians and ranges.

use serde::{Deserialize, Serialize};

use crate::board::Counted;
use crate::plan::{Cell, Inputs, Peer};

/// A whole series.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Series {
    /// When it began, UTC.
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// Seconds of each measurement.
    pub seconds: u64,
    /// What each server said it is.
    pub versions: Vec<(Peer, String)>,
    /// In the order in which they were made.
    pub runs: Vec<Run>,
    /// What could not be measured, and why.
    pub failures: Vec<Failure>,
}

/// What the system says of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many.
    pub cores: usize,
    /// Of Linux.
    pub kernel: String,
    /// Of one minute, before the series began.
    pub load: f64,
}

/// One measurement of one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Who.
    pub peer: Peer,
    /// At what.
    pub cell: Cell,
    /// How inputs changed.
    pub inputs: Inputs,
    /// Of the series, from 0: peers of one round were measured within a minute or two.
    pub round: u32,
    /// Load of one minute when it ended.
    pub load: f64,
    /// What was measured.
    pub figures: Figures,
}

/// A measurement that did not count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Who.
    pub peer: Peer,
    /// At what.
    pub cell: Cell,
    /// How inputs changed.
    pub inputs: Inputs,
    /// Why.
    pub why: String,
}

/// The figures of one measurement.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// CPU time of the server process per state that a client had, µs.
    pub cpu_us: f64,
    /// To each client, WebSocket framing included.
    pub bytes_per_s: f64,
    /// Of the client with the fewest but one in a hundred.
    pub updates_p1: f64,
    /// Of the client in the middle.
    pub updates_p50: f64,
    /// From a key press to the applied state that shows it, ms.
    pub visible_p50_ms: f64,
    /// Of a hundred presses 99 are seen sooner, ms.
    pub visible_p99_ms: f64,
    /// Presses.
    pub presses: usize,
    /// How long before its tick an input arrives that leaves at the last moment, ms; nothing where clients do not steer that.
    pub margin_ms: Option<f64>,
    /// Resident memory of the server.
    pub rss_mib: f64,
    /// Entities in view.
    pub in_view: f64,
    /// From each client.
    pub messages_per_s: f64,
    /// From each client.
    pub sent_bytes_per_s: f64,
    /// Entity states that were compared with the truth, all right.
    pub compared: u64,
    /// Of all in view, the share of which a state said nothing because the server held it back.
    pub held_back: f64,
}

impl Figures {
    /// Of what the swarm counted while the server used so much.
    #[must_use]
    pub fn new(counted: Counted, cpu_micros: f64, rss_mib: f64) -> Self {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let updates = sorted(counted.updates_per_s);
        let latencies = sorted(counted.latencies_ms);
        Self {
            cpu_us: rounded(cpu_micros / counted.updates.max(1) as f64),
            bytes_per_s: rounded(counted.bytes_per_client_s),
            updates_p1: rounded(quantile(&updates, 0.01)),
            updates_p50: rounded(quantile(&updates, 0.5)),
            visible_p50_ms: rounded(quantile(&latencies, 0.5)),
            visible_p99_ms: rounded(quantile(&latencies, 0.99)),
            presses: latencies.len(),
            margin_ms: counted.margin_ms.map(rounded),
            rss_mib: rounded(rss_mib),
            in_view: rounded(counted.visible),
            messages_per_s: rounded(counted.messages_per_client_s),
            sent_bytes_per_s: rounded(counted.sent_bytes_per_client_s),
            compared: counted.right,
            held_back: rounded(counted.waiting as f64 / (counted.right + counted.waiting).max(1) as f64),
        }
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// A figure over several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The least.
    pub low: f64,
    /// The median; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The most.
    pub high: f64,
}

impl Spread {
    /// Of one or more values.
    #[must_use]
    pub fn of(values: Vec<f64>) -> Self {
        let values = sorted(values);
        let (Some(low), Some(high)) = (values.first(), values.last()) else { return Self::default() };
        let middle = |index: usize| values.get(index).copied().unwrap_or_default();
        let median = (middle((values.len() - 1) / 2) + middle(values.len() / 2)) / 2.0;
        Self { low: *low, median, high: *high }
    }
}

impl Series {
    /// The runs of one peer at one workload.
    pub fn runs(&self, peer: Peer, cell: Cell, inputs: Inputs) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| (run.peer, run.cell, run.inputs) == (peer, cell, inputs))
    }

    /// A figure of one peer at one workload, if it was measured.
    #[must_use]
    pub fn spread(
        &self,
        peer: Peer,
        cell: Cell,
        inputs: Inputs,
        figure: impl Fn(&Figures) -> f64,
    ) -> Option<Spread> {
        let values: Vec<f64> = self.runs(peer, cell, inputs).map(|run| figure(&run.figures)).collect();
        (!values.is_empty()).then(|| Spread::of(values))
    }
}

impl Machine {
    /// The one that this runs on.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let cpu = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
        Self {
            cpu: cpu.unwrap_or_default().trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load(),
        }
    }
}

/// Of the last minute.
#[must_use]
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ranges() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { low: 1.0, median: 2.0, high: 3.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0]), Spread { low: 1.0, median: 2.5, high: 4.0 });
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.99), 3.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
