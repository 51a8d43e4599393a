//! From the bots' tallies to one report: a JSON object for scripts, a table for people.
//!
//! Rates are of the measured interval, counts (closes, mismatches, resyncs, checksums) of the whole session.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tickwire_shared::client::Stats;

use super::bot::{End, Outcome};
use super::figures::{Histogram, mean, quantile};
use super::tally::{Interval, Tally};
use crate::transport::Traffic;

/// What the swarm as a whole did.
pub(super) struct Run {
    pub(super) clients: usize,
    pub(super) tick_hz: u32,
    /// Ticks that the server went on in the measured interval.
    pub(super) ticks: u64,
    /// Length of the measured interval.
    pub(super) micros: u64,
}

/// What a swarm measured. A figure without a sample is `None`, in JSON `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How many were asked for.
    pub clients: usize,
    /// How many were welcomed.
    pub clients_connected: usize,
    /// How many were not even connected, or got no answer to Hello.
    pub clients_failed: usize,
    /// Connections that were closed by the server or lost, by close code, whether or not the client came back; 1006 is one
    /// that broke.
    pub clients_closed: BTreeMap<u16, u64>,
    /// Connections that clients cut because they were told to.
    pub connections_cut: u64,
    /// Sessions that went on over another connection.
    pub sessions_resumed: u64,
    /// Sessions that could not go on and began anew.
    pub sessions_begun_anew: u64,
    /// How many sessions ended because the client refused what the server sent.
    pub session_errors: u64,
    /// What happened to the first client that did not finish.
    pub first_problem: Option<String>,
    /// Length of the measured interval.
    pub seconds: f64,
    /// What Welcome says.
    pub tick_hz: u32,
    /// What the server did.
    pub ticks_per_s: f64,
    /// Frames that all clients applied in the interval.
    pub frames_applied: u64,
    /// Per client: applied frames by ticks that passed while it was connected. Above 1 where more were on their
    /// way at the beginning of the interval than at its end.
    pub frames_share_of_ticks: Spread,
    /// Ticks from one frame to the next.
    pub snapshot_gap_ticks: Tail,
    /// The longest such gap.
    pub snapshot_gap_ticks_max: Option<u64>,
    /// Per client.
    pub snapshots_per_client_s: Spread,
    /// From the server, mean of all clients.
    pub bytes_per_client_s: Bandwidth,
    /// To the server, mean of all clients.
    pub sent_bytes_per_client_s: Bandwidth,
    /// The own avatar not counted.
    pub entities_visible: Median,
    /// Bits of all updates, those that say "unchanged" included, by the changed ones.
    pub bits_per_entity_update: Option<f64>,
    /// From an input's change to the frame that shows it.
    pub input_to_visible_ms: Tail,
    /// Smoothed, time at the server not counted.
    pub rtt_ms: Tail,
    /// Checksums that differed.
    pub state_mismatches: u64,
    /// Frames that caught up after a pause.
    pub resyncs: u64,
    /// Checksums that were right.
    pub checksums_verified: u64,
}

/// The worst client but one in a hundred, and the median.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// 99 of 100 clients have at least this.
    pub p1: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
}

/// The median, and the worst sample but one in a hundred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tail {
    /// The median.
    pub p50: Option<f64>,
    /// 99 of 100 samples are at most this.
    pub p99: Option<f64>,
}

/// The median alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Median {
    /// The median.
    pub p50: Option<f64>,
}

/// Bytes of binary messages, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bandwidth {
    /// Payload of the WebSocket messages.
    pub payload: Option<f64>,
    /// With the heads of the WebSocket frames; TCP and IP not counted.
    pub framed: Option<f64>,
}

impl Report {
    pub(super) fn new(run: &Run, outcomes: Vec<Outcome>) -> Self {
        let ends = Ends::count(run.clients, &outcomes);
        let tallies: Vec<Tally> = outcomes.into_iter().map(|outcome| outcome.tally).collect();
        let intervals: Vec<Interval> = tallies.iter().filter_map(|tally| tally.interval).collect();
        let sum = |of: fn(&Stats) -> u64| tallies.iter().map(|tally| of(&tally.stats)).sum::<u64>();
        let (updates, update_bits) = intervals
            .iter()
            .fold((0, 0), |(updates, bits), one| (updates + one.updates, bits + one.update_bits));
        let gaps = merged(&tallies, |tally| &tally.gaps);
        let seconds = run.micros as f64 / 1e6;
        Self {
            clients: run.clients,
            clients_connected: ends.connected,
            clients_failed: ends.failed,
            clients_closed: ends.closed,
            connections_cut: tallies.iter().map(|tally| tally.cuts).sum(),
            sessions_resumed: tallies.iter().map(|tally| tally.resumed).sum(),
            sessions_begun_anew: tallies.iter().map(|tally| tally.begun_anew).sum(),
            session_errors: ends.session_errors,
            first_problem: ends.first_problem,
            seconds: rounded(seconds, 3),
            tick_hz: run.tick_hz,
            ticks_per_s: rounded(run.ticks as f64 / seconds, 2),
            frames_applied: intervals.iter().map(|one| one.frames).sum(),
            frames_share_of_ticks: spread(&intervals, |one| one.frames as f64 / one.ticks.max(1) as f64, 4),
            snapshot_gap_ticks: tail(&gaps, 1.0),
            snapshot_gap_ticks_max: gaps.max(),
            snapshots_per_client_s: spread(&intervals, |one| one.frames as f64 / one.seconds, 2),
            bytes_per_client_s: bandwidth(&intervals, |t| (t.received_bytes, t.received_framed_bytes)),
            sent_bytes_per_client_s: bandwidth(&intervals, |t| (t.sent_bytes, t.sent_framed_bytes)),
            entities_visible: Median { p50: merged(&tallies, |tally| &tally.entities).quantile(0.5) },
            bits_per_entity_update: (updates > 0).then(|| rounded(update_bits as f64 / updates as f64, 3)),
            input_to_visible_ms: tail(&merged(&tallies, |tally| &tally.input_to_visible), 1000.0),
            rtt_ms: tail(&merged(&tallies, |tally| &tally.rtt), 1000.0),
            state_mismatches: sum(|stats| stats.mismatches),
            resyncs: sum(|stats| stats.resyncs),
            checksums_verified: sum(|stats| stats.checksums),
        }
    }

    /// How many clients did not stay to the end after they were connected.
    #[must_use]
    pub fn ended_early(&self) -> u64 {
        self.clients_closed.values().sum::<u64>() + self.session_errors
    }
}

/// How the bots ended.
#[derive(Default)]
struct Ends {
    connected: usize,
    failed: usize,
    closed: BTreeMap<u16, u64>,
    session_errors: u64,
    first_problem: Option<String>,
}

impl Ends {
    fn count(clients: usize, outcomes: &[Outcome]) -> Self {
        // A task that did not answer in time is one that failed.
        let mut ends = Self { failed: clients.saturating_sub(outcomes.len()), ..Self::default() };
        for outcome in outcomes {
            ends.connected += usize::from(outcome.was_welcomed);
            for (code, count) in &outcome.tally.breaks {
                *ends.closed.entry(*code).or_default() += count;
            }
            match &outcome.end {
                End::Finished if outcome.was_welcomed => continue,
                End::Finished | End::NotConnected(_) | End::NoWelcome => ends.failed += 1,
                End::Ended(ending) => *ends.closed.entry(ending.code()).or_default() += 1,
                End::Refused(_) => ends.session_errors += 1,
            }
            ends.first_problem.get_or_insert_with(|| outcome.end.to_string());
        }
        ends
    }
}

fn merged(tallies: &[Tally], of: fn(&Tally) -> &Histogram) -> Histogram {
    tallies.iter().fold(Histogram::default(), |mut all, tally| {
        all.merge(of(tally));
        all
    })
}

fn tail(samples: &Histogram, unit: f64) -> Tail {
    let at = |share| samples.quantile(share).map(|value| rounded(value / unit, 3));
    Tail { p50: at(0.5), p99: at(0.99) }
}

fn spread(intervals: &[Interval], of: fn(&Interval) -> f64, digits: i32) -> Spread {
    let mut values: Vec<f64> = intervals.iter().map(of).collect();
    let mut at = |share| quantile(&mut values, share).map(|value| rounded(value, digits));
    Spread { p1: at(0.01), p50: at(0.5) }
}

fn bandwidth(intervals: &[Interval], of: fn(&Traffic) -> (u64, u64)) -> Bandwidth {
    let rate = |framed: bool| {
        let rates: Vec<f64> = intervals
            .iter()
            .map(|one| {
                let (payload_bytes, framed_bytes) = of(&one.traffic);
                (if framed { framed_bytes } else { payload_bytes }) as f64 / one.seconds
            })
            .collect();
        mean(&rates).map(|rate| rounded(rate, 1))
    };
    Bandwidth { payload: rate(false), framed: rate(true) }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<24} {value}");
        let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        let spread = |of: Spread| format!("p1 {}   p50 {}", or_dash(of.p1), or_dash(of.p50));
        let tail = |of: Tail| format!("p50 {}   p99 {}", or_dash(of.p50), or_dash(of.p99));
        let bandwidth =
            |of: Bandwidth| format!("payload {}   framed {}", or_dash(of.payload), or_dash(of.framed));
        let closed = match self.clients_closed.is_empty() {
            true => "none".to_owned(),
            false => self.clients_closed.iter().map(|(code, count)| format!("{code} × {count}  ")).collect(),
        };
        row("clients connected", format!("{} of {}", self.clients_connected, self.clients))?;
        row("clients failed", self.clients_failed.to_string())?;
        row("clients closed", closed)?;
        let (cut, resumed, anew) = (self.connections_cut, self.sessions_resumed, self.sessions_begun_anew);
        if cut + resumed + anew > 0 {
            row("came back", format!("{resumed} resumed, {anew} anew, {cut} cuts on purpose"))?;
        }
        row("session errors", self.session_errors.to_string())?;
        if let Some(problem) = &self.first_problem {
            row("first problem", problem.clone())?;
        }
        row("measured", format!("{} s, {} of {} ticks/s", self.seconds, self.ticks_per_s, self.tick_hz))?;
        row("snapshots/s per client", spread(self.snapshots_per_client_s))?;
        row("frames by ticks", spread(self.frames_share_of_ticks))?;
        let gap_max = self.snapshot_gap_ticks_max.map_or("-".to_owned(), |max| max.to_string());
        row("ticks between frames", format!("{}   max {gap_max}", tail(self.snapshot_gap_ticks)))?;
        row("received B/s per client", bandwidth(self.bytes_per_client_s))?;
        row("sent B/s per client", bandwidth(self.sent_bytes_per_client_s))?;
        row("entities in view", format!("p50 {}", or_dash(self.entities_visible.p50)))?;
        row("bits per entity update", or_dash(self.bits_per_entity_update))?;
        row("input to visible, ms", tail(self.input_to_visible_ms))?;
        row("round trip, ms", tail(self.rtt_ms))?;
        row("state mismatches", self.state_mismatches.to_string())?;
        row("checksums verified", self.checksums_verified.to_string())?;
        row("resyncs", self.resyncs.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Ending;

    fn outcome(end: End, frames: u64) -> Outcome {
        let mut tally = Tally::default();
        tally.input_to_visible.record(40_000);
        tally.interval = Some(Interval {
            seconds: 10.0,
            ticks: 300,
            frames,
            updates: 1000,
            update_bits: 4000,
            traffic: Traffic { received_bytes: 1000, received_framed_bytes: 1200, ..Traffic::default() },
        });
        Outcome { end, was_welcomed: true, tally }
    }

    #[test]
    fn figures_of_a_small_swarm() {
        let lost = End::Ended(Ending::Lost("reset".to_owned()));
        let outcomes = vec![outcome(End::Finished, 300), outcome(End::Finished, 300), outcome(lost, 150)];
        let run = Run { clients: 4, tick_hz: 30, ticks: 300, micros: 10_000_000 };
        let report = Report::new(&run, outcomes);
        assert_eq!((report.clients_connected, report.clients_failed), (3, 1));
        assert_eq!(report.clients_closed, BTreeMap::from([(1006, 1)]));
        assert_eq!(report.ended_early(), 1);
        assert_eq!(report.first_problem.as_deref(), Some("the connection broke: reset"));
        assert_eq!(report.frames_share_of_ticks, Spread { p1: Some(0.5), p50: Some(1.0) });
        assert_eq!(report.snapshots_per_client_s, Spread { p1: Some(15.0), p50: Some(30.0) });
        assert_eq!(report.bytes_per_client_s, Bandwidth { payload: Some(100.0), framed: Some(120.0) });
        assert_eq!(report.bits_per_entity_update, Some(4.0));
        assert!((39.0..41.0).contains(&report.input_to_visible_ms.p50.unwrap()));
        assert_eq!(report.rtt_ms.p50, None);
        assert!(report.to_string().contains("1006 × 1"));
    }

    #[test]
    fn json_has_what_scripts_read() {
        let run = Run { clients: 1, tick_hz: 30, ticks: 300, micros: 10_000_000 };
        let lost = End::Ended(Ending::Closed { code: 4003, reason: "full".to_owned() });
        let report = serde_json::to_value(Report::new(&run, vec![outcome(lost, 10)])).unwrap();
        assert_eq!(report["clients_closed"], serde_json::json!({"4003": 1}));
        for (key, part) in [
            ("snapshots_per_client_s", "p1"),
            ("bytes_per_client_s", "framed"),
            ("entities_visible", "p50"),
            ("input_to_visible_ms", "p99"),
            ("rtt_ms", "p50"),
            ("frames_share_of_ticks", "p1"),
        ] {
            assert!(report[key].get(part).is_some(), "{key}.{part}");
        }
        for key in ["clients_connected", "state_mismatches", "resyncs", "checksums_verified"] {
            assert!(report[key].is_number(), "{key}");
        }
    }
}
