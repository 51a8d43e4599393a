//! All probes, the answer, and where they go: sentences, JSON, a plot.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::probe::Probe;
use super::verdict::{Limits, Side};
use super::{CapacityArgs, plot};
use crate::bench::machine::Machine;

/// What is written with `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    bench: &'static str,
    version: &'static str,
    machine: Machine,
    settings: Settings,
    limits: Limits,
    /// The largest number of clients that was fine.
    pub(super) clients_max: usize,
    /// What broke beyond, and whose limit that is.
    limited_by: String,
    /// Whether it was the swarm that could not do more.
    measuring_side: bool,
    /// Whether no other program took much of the machine.
    quiet: bool,
    at_least: Option<usize>,
    passed: bool,
    /// Probes that were made again because other programs had the machine.
    pub(super) again: usize,
    seconds: f64,
    pub(super) probes: Vec<Probe>,
    #[serde(skip)]
    single: Option<usize>,
    /// What was still to be tried when the time was over.
    cut_short_at: Option<usize>,
}

/// What all probes have in common.
#[derive(Debug, Serialize)]
struct Settings {
    tick_hz: u16,
    visible: u16,
    input_changes_per_s: f64,
    decode_share: f64,
    seconds_per_probe: u64,
    server_core: Option<usize>,
}

impl Results {
    pub(super) fn new(args: &CapacityArgs) -> Self {
        Self {
            bench: "capacity",
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::look(),
            settings: Settings {
                tick_hz: args.tick_hz,
                visible: args.visible,
                input_changes_per_s: args.rig.input_rate,
                decode_share: args.rig.decode_share,
                seconds_per_probe: args.seconds,
                server_core: args.rig.pin,
            },
            limits: args.limits(),
            clients_max: 0,
            limited_by: String::new(),
            measuring_side: false,
            quiet: true,
            at_least: args.at_least,
            passed: false,
            again: 0,
            seconds: 0.0,
            probes: Vec::new(),
            single: args.clients,
            cut_short_at: None,
        }
    }

    /// What is measured, on what.
    pub(super) fn conditions(&self) -> String {
        let Settings { tick_hz, visible, input_changes_per_s, server_core, .. } = &self.settings;
        let core = server_core.map_or("not pinned".to_owned(), |core| format!("pinned to core {core}"));
        let Limits { part, tick_p99_ms, lateness_p99_ms, staleness_p99_ms } = self.limits;
        let ticks = part.what();
        format!(
            "{tick_hz} Hz, {visible} entities in view, {input_changes_per_s} inputs per second; the server is {core}; \
             fine is: {ticks} up to {tick_p99_ms} ms, begun up to {lateness_p99_ms} ms late, states up to {staleness_p99_ms} ms old, \
             all at p99\n{}, {} cores, load {}",
            self.machine.cpu, self.machine.cores, self.machine.load
        )
    }

    pub(super) fn take(&mut self, probe: Probe) {
        self.probes.push(probe);
    }

    pub(super) fn cut_short(&mut self, clients: usize) {
        self.cut_short_at = Some(clients);
    }

    /// The answer is known.
    pub(super) fn finish(&mut self, fine: usize, took: Duration) {
        self.clients_max = fine;
        self.seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        let beyond = self.probes.iter().filter(|probe| !probe.is_fine()).min_by_key(|probe| probe.clients);
        self.quiet = !self.probes.iter().any(Probe::is_spoilt);
        self.measuring_side = beyond.is_some_and(|probe| probe.side == Some(Side::Measuring));
        self.limited_by = match (beyond, self.cut_short_at) {
            (Some(probe), _) => {
                let all: Vec<_> = probe.broken.iter().map(ToString::to_string).collect();
                let whose = if self.measuring_side { "the measuring side" } else { "the server" };
                let note = if probe.is_spoilt() {
                    let cores = probe.measured.other_cores;
                    format!(
                        " (other programs took {cores:.2} cores meanwhile: measure again on a quiet machine)"
                    )
                } else {
                    String::new()
                };
                format!("{whose}: with {} clients {}{note}", probe.clients, all.join("; "))
            }
            (None, Some(clients)) => format!("the time: {clients} clients were not tried"),
            (None, None) => "nothing: more was not tried (--most)".to_owned(),
        };
        let wanted = self.at_least.or(self.single).unwrap_or(1);
        self.passed = fine >= wanted;
    }

    pub(super) fn passed(&self) -> bool {
        self.passed
    }

    /// To where it was asked for.
    pub(super) fn write(&self, args: &CapacityArgs) -> Result<(), String> {
        let written = |path: &std::path::Path, text: String| {
            std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        if let Some(path) = &args.json {
            written(path, serde_json::to_string_pretty(self).map_err(|error| error.to_string())?)?;
        }
        if let Some(path) = &args.plot {
            written(path, plot::draw(&self.probes, &self.limits, &self.settings_line()))?;
        }
        Ok(())
    }

    fn settings_line(&self) -> String {
        let Settings { tick_hz, visible, input_changes_per_s, .. } = &self.settings;
        format!("{tick_hz} Hz, {visible} in view, {input_changes_per_s} inputs/s, {}", self.machine.cpu)
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fine =
            self.probes.iter().filter(|probe| probe.clients == self.clients_max && probe.is_fine());
        writeln!(f, "{} clients are fine; limited by {}", self.clients_max, self.limited_by)?;
        if let Some(probe) = fine.next_back() {
            let measured = &probe.measured;
            writeln!(
                f,
                "with {}: {}\n  {:.1} µs of the server's CPU per client and snapshot, {:.0} MiB, {} in view, input to visible \
                 {} ms at p50",
                probe.clients,
                probe.line(),
                measured.server_cpu_us_per_snapshot,
                measured.server_resident_mib,
                measured.swarm.entities_visible,
                measured.swarm.input_to_visible_p50_ms
            )?;
        }
        if let Some(wanted) = self.at_least {
            let verdict = match (self.passed, self.measuring_side) {
                (true, _) => "passed",
                (false, false) => "FAILED",
                (false, true) => "FAILED, but it was the measuring side that could do no more",
            };
            writeln!(f, "at least {wanted}: {verdict}")?;
        }
        writeln!(f, "{} probes in {} s", self.probes.len() + self.again, self.seconds)
    }
}
