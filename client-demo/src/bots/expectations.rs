//! What a script expects of a swarm; each one that fails has a sentence.

use clap::Args;

use super::report::Report;

/// Expectations; those that are `None` are not held.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq)]
#[command(next_help_heading = "Expectations (exit 1 when one fails)")]
pub struct Expectations {
    /// At least this many clients are welcomed
    #[arg(long = "expect-connected", value_name = "N")]
    pub connected: Option<usize>,
    /// At most this many connections are closed, lost or confused before the end, those cut on purpose not counted
    #[arg(long = "expect-closed", value_name = "N")]
    pub closed: Option<u64>,
    /// At most this many sessions begin anew after a connection was lost, and at least one was resumed
    #[arg(long = "expect-begun-anew", value_name = "N")]
    pub begun_anew: Option<u64>,
    /// 99 of 100 clients apply at least this share of the ticks, for example 0.97
    #[arg(long = "expect-snapshots-share-p1", value_name = "SHARE")]
    pub snapshots_share_p1: Option<f64>,
    /// At most this many checksums differ, and at least one was right
    #[arg(long = "expect-mismatches", value_name = "N")]
    pub mismatches: Option<u64>,
    /// 99 of 100 frames come at most this much later than the quickest ones, in milliseconds
    #[arg(long = "expect-lateness-p99-ms", value_name = "MS")]
    pub lateness_p99_ms: Option<f64>,
    /// 99 of 100 states are replaced before they are older than this, in milliseconds
    #[arg(long = "expect-staleness-p99-ms", value_name = "MS")]
    pub staleness_p99_ms: Option<f64>,
    /// Half of all inputs are visible within this, in milliseconds
    #[arg(long = "expect-input-p50-ms", value_name = "MS")]
    pub input_p50_ms: Option<f64>,
    /// The swarm itself is not at its limit, so that the other figures are the server's
    #[arg(long = "expect-rig-unsaturated")]
    pub rig_unsaturated: bool,
}

impl Expectations {
    /// A sentence for each expectation that the report does not meet.
    #[must_use]
    pub fn failures(&self, report: &Report) -> Vec<String> {
        let mut failures = Vec::new();
        if let Some(wanted) = self.connected.filter(|wanted| report.clients_connected < *wanted) {
            let got = report.clients_connected;
            failures.push(format!("--expect-connected {wanted}: only {got} clients were welcomed"));
        }
        if let Some(wanted) = self.closed.filter(|wanted| report.ended_early() > *wanted) {
            let got = report.ended_early();
            failures.push(format!("--expect-closed {wanted}: {got} ended early"));
        }
        if let Some(wanted) = self.begun_anew {
            let (anew, resumed) = (report.sessions_begun_anew, report.sessions_resumed);
            if anew > wanted || resumed == 0 {
                failures
                    .push(format!("--expect-begun-anew {wanted}: {anew} began anew, {resumed} were resumed"));
            }
        }
        if let Some(wanted) = self.snapshots_share_p1 {
            match report.frames_share_of_ticks.p1 {
                Some(share) if share >= wanted => {}
                Some(share) => failures.push(format!(
                    "--expect-snapshots-share-p1 {wanted}: the slowest of 100 clients applied {share} of the ticks"
                )),
                None => failures
                    .push(format!("--expect-snapshots-share-p1 {wanted}: no client could be measured")),
            }
        }
        if let Some(wanted) = self.mismatches {
            let got = report.state_mismatches;
            if got > wanted {
                failures.push(format!("--expect-mismatches {wanted}: {got} checksums differed"));
            } else if report.checksums_verified == 0 {
                failures.push(format!("--expect-mismatches {wanted}: no checksum arrived to be compared"));
            }
        }
        let times = [
            ("--expect-lateness-p99-ms", self.lateness_p99_ms, report.frame_lateness_ms.p99),
            ("--expect-staleness-p99-ms", self.staleness_p99_ms, report.staleness_ms.p99),
            ("--expect-input-p50-ms", self.input_p50_ms, report.input_to_visible_ms.p50),
        ];
        for (flag, wanted, got) in times {
            match (wanted, got) {
                (Some(wanted), Some(got)) if got > wanted => {
                    failures.push(format!("{flag} {wanted}: it is {got}"))
                }
                (Some(wanted), None) => failures.push(format!("{flag} {wanted}: nothing could be measured")),
                _ => {}
            }
        }
        if self.rig_unsaturated && report.rig.saturated {
            failures
                .push("--expect-rig-unsaturated: the swarm was at its limit; give it more cores".to_owned());
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bots::board::Board;
    use crate::bots::report::Run;

    #[test]
    fn each_failure_names_its_expectation() {
        let run = Run { clients: 5, tick_hz: 30, ticks: 300, micros: 10_000_000, ..Run::default() };
        let mut report = Report::new(&run, &Board::default(), Vec::new());
        assert_eq!(Expectations::default().failures(&report), [""; 0]);
        let all = Expectations {
            connected: Some(5),
            closed: Some(0),
            begun_anew: None,
            snapshots_share_p1: Some(0.97),
            mismatches: Some(0),
            staleness_p99_ms: Some(70.0),
            rig_unsaturated: true,
            ..Expectations::default()
        };
        let named = |report: &Report| -> Vec<String> {
            let failures = all.failures(report);
            failures.iter().filter_map(|words| Some(words.split_once(' ')?.0.to_owned())).collect()
        };
        let missing = [
            "--expect-connected",
            "--expect-snapshots-share-p1",
            "--expect-mismatches",
            "--expect-staleness-p99-ms",
        ];
        assert_eq!(named(&report), missing);

        report.clients_connected = 5;
        report.frames_share_of_ticks.p1 = Some(0.98);
        report.checksums_verified = 10;
        report.staleness_ms.p99 = Some(60.0);
        assert_eq!(named(&report), [""; 0]);

        report.clients_closed.insert(4008, 1);
        report.frames_share_of_ticks.p1 = Some(0.96);
        report.state_mismatches = 1;
        report.staleness_ms.p99 = Some(71.0);
        report.rig.saturated = true;
        let worse = [
            "--expect-closed",
            "--expect-snapshots-share-p1",
            "--expect-mismatches",
            "--expect-staleness-p99-ms",
            "--expect-rig-unsaturated:",
        ];
        assert_eq!(named(&report), worse);
    }
}
