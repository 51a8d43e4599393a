//! From the bots' tallies to one report: a JSON object for scripts, a table for people.
//!
//! Rates are of the measured interval, counts (closes, mismatches, resyncs, checksums) of the whole session.

use std::collections::BTreeMap;

use serde::Serialize;
use tickwire_shared::client::Stats;

use super::board::Board;
use super::bot::{End, Outcome};
use super::figures::{Histogram, mean, quantile};
use super::rig::Rig;
use super::tally::{Interval, Tally};
use crate::transport::Traffic;

/// What the swarm as a whole did.
#[derive(Default)]
pub(super) struct Run {
    pub(super) clients: usize,
    /// How many of them read whole frames.
    pub(super) clients_decoding: usize,
    pub(super) tick_hz: u32,
    /// Ticks that the server went on in the measured interval.
    pub(super) ticks: u64,
    /// Length of the measured interval.
    pub(super) micros: u64,
    /// Frames that arrived in it.
    pub(super) frames: u64,
    /// CPU time of the swarm in it, where the system says it.
    pub(super) cpu_micros: Option<u64>,
}

/// What a swarm measured. A figure without a sample is `None`, in JSON `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How many were asked for.
    pub clients: usize,
    /// How many of those read whole frames and compared checksums; the others read the heads of frames only.
    pub clients_decoding: usize,
    /// How many were welcomed.
    pub clients_connected: usize,
    /// How many were not even connected, or got no answer to Hello.
    pub clients_failed: usize,
    /// Connections that were closed by the server or lost, by close code, whether or not the client came back; 1006 is one
    /// that broke.
    pub clients_closed: BTreeMap<u16, u64>,
    /// Clients that left and came back as somebody new, because they were told to.
    pub clients_left: u64,
    /// Times that clients did nothing for, because they were told to.
    pub clients_stalled: u64,
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
    /// From an input's change, at any moment of a tick, to the applied frame that says that it took part in a step.
    pub input_to_visible_ms: Tail,
    /// What that would be if nothing took time: half a tick that a press waits for on average, and the margin that clients
    /// plan with.
    pub input_to_visible_ideal_ms: f64,
    /// The margin in there: how early a client means its inputs to come.
    pub input_margin_ms: f64,
    /// How early inputs came before their step, as the server says (0 for those that came late).
    pub input_early_ms: Tail,
    /// How much later than the quickest frame of the last seconds each one came.
    pub frame_lateness_ms: Distribution,
    /// How old the newest state had become when the next one came: a tick and the lateness, if nothing is left out.
    pub staleness_ms: Distribution,
    /// From the attempt to connect to Welcome; of all the run.
    pub join_ms: Tail,
    /// Smoothed, time at the server not counted.
    pub rtt_ms: Tail,
    /// Checksums that differed.
    pub state_mismatches: u64,
    /// Frames that caught up after a pause.
    pub resyncs: u64,
    /// Checksums that were right.
    pub checksums_verified: u64,
    /// Checksums that nobody compared, because their clients read the heads of frames only.
    pub checksums_skipped: u64,
    /// What the measuring took.
    pub rig: Rig,
}

/// Times as quantiles and counted by size.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// The median.
    pub p50: Option<f64>,
    /// 9 of 10 samples are at most this.
    pub p90: Option<f64>,
    /// 99 of 100 samples are at most this.
    pub p99: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Upper bounds, `null` for none, and how many samples lie at most there and above the bound before.
    pub histogram: Vec<(Option<u64>, u64)>,
}

/// Bounds of [`Distribution::histogram`], in milliseconds.
const BOUNDS_MS: [u64; 14] = [1, 2, 5, 10, 20, 34, 50, 67, 100, 150, 250, 500, 1000, 2000];

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
    pub(super) fn new(run: &Run, board: &Board, outcomes: Vec<Outcome>) -> Self {
        let figures = &board.figures;
        let ends = Ends::count(run.clients, &outcomes);
        let tallies: Vec<Tally> = outcomes.into_iter().map(|outcome| outcome.tally).collect();
        let intervals: Vec<Interval> = tallies.iter().filter_map(|tally| tally.interval).collect();
        let sum = |of: fn(&Stats) -> u64| tallies.iter().map(|tally| of(&tally.stats)).sum::<u64>();
        let (updates, update_bits) = intervals
            .iter()
            .fold((0, 0), |(updates, bits), one| (updates + one.updates, bits + one.update_bits));
        let ideal_micros = board.margin_micros() + 500_000 / u64::from(run.tick_hz.max(1));
        let timer_late_ms = tail(&figures.timer_late, 1000.0);
        let seconds = run.micros as f64 / 1e6;
        Self {
            clients: run.clients,
            clients_decoding: run.clients_decoding,
            clients_connected: ends.connected,
            clients_failed: ends.failed,
            clients_closed: ends.closed,
            clients_left: tallies.iter().map(|tally| tally.leaves).sum(),
            clients_stalled: tallies.iter().map(|tally| tally.stalls).sum(),
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
            snapshot_gap_ticks: tail(&figures.gaps, 1.0),
            snapshot_gap_ticks_max: figures.gaps.max(),
            snapshots_per_client_s: spread(&intervals, |one| one.frames as f64 / one.seconds, 2),
            bytes_per_client_s: bandwidth(&intervals, |t| (t.received_bytes, t.received_framed_bytes)),
            sent_bytes_per_client_s: bandwidth(&intervals, |t| (t.sent_bytes, t.sent_framed_bytes)),
            entities_visible: Median { p50: figures.entities.quantile(0.5) },
            bits_per_entity_update: (updates > 0).then(|| rounded(update_bits as f64 / updates as f64, 3)),
            input_to_visible_ms: tail(&figures.input_to_visible, 1000.0),
            input_to_visible_ideal_ms: rounded(ideal_micros as f64 / 1e3, 2),
            input_margin_ms: rounded(board.margin_micros() as f64 / 1e3, 2),
            input_early_ms: tail(&figures.input_early, 1000.0),
            frame_lateness_ms: Distribution::new(&figures.lateness),
            staleness_ms: Distribution::new(&figures.staleness),
            join_ms: tail(&figures.joining, 1000.0),
            rtt_ms: tail(&figures.rtt, 1000.0),
            state_mismatches: sum(|stats| stats.mismatches),
            resyncs: sum(|stats| stats.resyncs),
            checksums_verified: sum(|stats| stats.checksums),
            checksums_skipped: sum(|stats| stats.checksums_skipped),
            rig: Rig::new(run.cpu_micros, run.micros, (run.frames, ends.connected), timer_late_ms),
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

impl Distribution {
    fn new(samples: &Histogram) -> Self {
        let ms = |micros: f64| rounded(micros / 1e3, 3);
        let at = |share| samples.quantile(share).map(ms);
        let bounds = BOUNDS_MS.map(|ms| ms * 1000);
        let above = BOUNDS_MS.iter().copied().map(Some).chain([None]);
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: samples.max().map(|max| ms(max as f64)),
            histogram: above.zip(samples.shares(&bounds)).collect(),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Ending;

    fn outcome(end: End, frames: u64) -> Outcome {
        let mut tally = Tally::default();
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
        let run = Run {
            clients: 4,
            clients_decoding: 4,
            tick_hz: 30,
            ticks: 300,
            micros: 10_000_000,
            ..Run::default()
        };
        let board = Board::default();
        board.note_margin(8_333);
        board.figures.input_to_visible.record(40_000);
        [500, 40_000, 3_000_000].into_iter().for_each(|micros| board.figures.staleness.record(micros));
        let report = Report::new(&run, &board, outcomes);
        assert_eq!((report.clients_connected, report.clients_failed), (3, 1));
        assert_eq!(report.clients_closed, BTreeMap::from([(1006, 1)]));
        assert_eq!(report.ended_early(), 1);
        assert_eq!(report.first_problem.as_deref(), Some("the connection broke: reset"));
        assert_eq!(report.frames_share_of_ticks, Spread { p1: Some(0.5), p50: Some(1.0) });
        assert_eq!(report.snapshots_per_client_s, Spread { p1: Some(15.0), p50: Some(30.0) });
        assert_eq!(report.bytes_per_client_s, Bandwidth { payload: Some(100.0), framed: Some(120.0) });
        assert_eq!(report.bits_per_entity_update, Some(4.0));
        assert!((39.0..41.0).contains(&report.input_to_visible_ms.p50.unwrap()));
        assert_eq!(report.input_to_visible_ideal_ms, 25.0);
        let counted: Vec<_> = report.staleness_ms.histogram.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [&(Some(1), 1), &(Some(50), 1), &(None, 1)]);
        assert_eq!(report.rtt_ms.p50, None);
        assert!(report.to_string().contains("1006 × 1"));
    }

    #[test]
    fn json_has_what_scripts_read() {
        let run = Run { clients: 1, tick_hz: 30, ticks: 300, micros: 10_000_000, ..Run::default() };
        let lost = End::Ended(Ending::Closed { code: 4003, reason: "full".to_owned() });
        let report =
            serde_json::to_value(Report::new(&run, &Board::default(), vec![outcome(lost, 10)])).unwrap();
        assert_eq!(report["clients_closed"], serde_json::json!({"4003": 1}));
        for (key, part) in [
            ("snapshots_per_client_s", "p1"),
            ("bytes_per_client_s", "framed"),
            ("entities_visible", "p50"),
            ("input_to_visible_ms", "p99"),
            ("rtt_ms", "p50"),
            ("frames_share_of_ticks", "p1"),
            ("staleness_ms", "p99"),
            ("frame_lateness_ms", "histogram"),
            ("rig", "saturated"),
        ] {
            assert!(report[key].get(part).is_some(), "{key}.{part}");
        }
        for key in ["clients_connected", "state_mismatches", "resyncs", "checksums_verified"] {
            assert!(report[key].is_number(), "{key}");
        }
    }
}
