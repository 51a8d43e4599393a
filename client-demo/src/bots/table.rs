//! A report as a table for people.

use std::fmt;

use super::report::{Bandwidth, Distribution, Report, Spread, Tail};
use super::rig::Rig;

/// Length of the longest bar.
const BAR: f64 = 40.0;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<24} {value}");
        let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        let spread = |of: Spread| format!("p1 {}   p50 {}", or_dash(of.p1), or_dash(of.p50));
        let tail = |of: Tail| format!("p50 {}   p99 {}", or_dash(of.p50), or_dash(of.p99));
        let distribution = |of: &Distribution| {
            let at = [of.p50, of.p90, of.p99, of.max].map(or_dash);
            format!("p50 {}   p90 {}   p99 {}   max {}", at[0], at[1], at[2], at[3])
        };
        let bandwidth =
            |of: Bandwidth| format!("payload {}   framed {}", or_dash(of.payload), or_dash(of.framed));
        let closed = match self.clients_closed.is_empty() {
            true => "none".to_owned(),
            false => self.clients_closed.iter().map(|(code, count)| format!("{code} × {count}  ")).collect(),
        };
        row("clients connected", format!("{} of {}", self.clients_connected, self.clients))?;
        if self.clients_decoding < self.clients {
            let note = "reading whole frames; the others read heads only and compare nothing";
            row("clients decoding", format!("{} of {}, {note}", self.clients_decoding, self.clients))?;
        }
        row("clients failed", self.clients_failed.to_string())?;
        row("clients closed", closed)?;
        if self.clients_left + self.clients_stalled > 0 {
            row(
                "told to",
                format!("leave {} times, stall {} times", self.clients_left, self.clients_stalled),
            )?;
        }
        row("joining, ms", tail(self.join_ms))?;
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
        let (ideal, margin) = (self.input_to_visible_ideal_ms, self.input_margin_ms);
        let input = tail(self.input_to_visible_ms);
        row("input to visible, ms", format!("{input}   ideal {ideal}: half a tick, margin {margin}"))?;
        row("inputs early, ms", tail(self.input_early_ms))?;
        row("frames late, ms", distribution(&self.frame_lateness_ms))?;
        row("states old, ms", distribution(&self.staleness_ms))?;
        row("round trip, ms", tail(self.rtt_ms))?;
        row("state mismatches", self.state_mismatches.to_string())?;
        let skipped = match self.checksums_skipped {
            0 => String::new(),
            skipped => format!(", {skipped} not compared"),
        };
        row("checksums verified", format!("{}{skipped}", self.checksums_verified))?;
        row("resyncs", self.resyncs.to_string())?;
        let Rig { cores, busy_share, cpu_us_per_frame, timer_late_ms, saturated, .. } = self.rig;
        let busy = busy_share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0));
        let verdict =
            if saturated { "; AT ITS LIMIT: these figures are the swarm's, not the server's" } else { "" };
        row(
            "the swarm itself",
            format!(
                "{busy} of {cores} cores, {} µs per frame, timers late by {} ms{verdict}",
                or_dash(cpu_us_per_frame),
                tail(timer_late_ms)
            ),
        )?;
        bars(f, "frames by lateness, ms", &self.frame_lateness_ms)?;
        bars(f, "states by age, ms", &self.staleness_ms)
    }
}

/// How samples lie, as bars; bounds without a sample are left out.
fn bars(f: &mut fmt::Formatter<'_>, name: &str, of: &Distribution) -> fmt::Result {
    let total: u64 = of.histogram.iter().map(|(_, count)| count).sum();
    if total == 0 {
        return Ok(());
    }
    writeln!(f, "{name}")?;
    let mut below = 0;
    for (bound, count) in &of.histogram {
        let range = bound.map_or(format!("over {below}"), |bound| format!("{below} to {bound}"));
        below = bound.unwrap_or(below);
        if *count > 0 {
            let share = *count as f64 / total as f64;
            let bar = "█".repeat((share * BAR).ceil() as usize);
            writeln!(f, "  {range:>14} {:>7.3} % {bar}", share * 100.0)?;
        }
    }
    Ok(())
}
