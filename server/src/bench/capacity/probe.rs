//! One number of clients: a server, a swarm, and what both say once everybody plays.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::verdict::{Broken, Side, side};
use super::{CapacityArgs, RAMP_PER_S};
use crate::bench::processes::{Addresses, Programs, Running};
use crate::bench::scrape::{self, Metrics, STAGES};
use crate::bench::{machine, now};

/// How long the last client may take to join after the ramp.
const JOINED_WITHIN: Duration = Duration::from_secs(25);
/// The swarm lets the world settle for a second, and measures then.
const SETTLE: Duration = Duration::from_millis(1100);
/// Of its measurement, what is left out at the end.
const BEFORE_END: Duration = Duration::from_millis(500);
/// How long leaving may take.
const LEFT_WITHIN: Duration = Duration::from_secs(20);
/// Other programs with more than this share of a core spoil a measurement.
const OTHERS_SHARE_MAX: f64 = 0.15;

/// A probe, fine or not.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Probe {
    pub(super) clients: usize,
    pub(super) broken: Vec<Broken>,
    /// Whose doing that is; `None` where nothing broke.
    pub(super) side: Option<Side>,
    pub(super) measured: Measured,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Measured {
    pub(super) tick_ms: TickTimes,
    /// From a tick's deadline to its beginning.
    pub(super) lateness_ms: Quantiles,
    /// Ticks given up.
    pub(super) skipped: u64,
    /// CPU time of the server, as a share of one core.
    pub(super) server_cores: f64,
    /// The same by clients and snapshots, in microseconds.
    pub(super) server_cpu_us_per_snapshot: f64,
    pub(super) server_resident_mib: f64,
    /// CPU time of the swarm, as a share of one core.
    pub(super) swarm_cores: f64,
    /// CPU time of everything else on the machine, as a share of one core.
    pub(super) other_cores: f64,
    pub(super) swarm: Swarm,
    /// All that the swarm said.
    pub(super) swarm_report: Value,
}

/// How long ticks took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct TickTimes {
    /// Hearing and the step.
    pub(super) simulated: Quantiles,
    pub(super) whole: Quantiles,
    /// In the order of [`STAGES`]: hear, step, pack, send.
    pub(super) stages: [Quantiles; STAGES.len()],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// What of the swarm's report is held against limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Swarm {
    pub(super) clients: usize,
    pub(super) connected: usize,
    pub(super) closed: u64,
    pub(super) snapshots_share_p1: f64,
    pub(super) staleness_p99_ms: f64,
    pub(super) mismatches: u64,
    pub(super) entities_visible: f64,
    pub(super) input_to_visible_p50_ms: f64,
    pub(super) saturated: bool,
}

/// Counts at one moment.
struct Moment {
    metrics: Metrics,
    server_s: f64,
    swarm_s: f64,
    busy_s: f64,
}

impl Probe {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When the programs cannot be started.
    pub(super) fn run(args: &CapacityArgs, programs: &Programs, clients: usize) -> Result<Self, String> {
        let at = Addresses::new(args.rig.port)?;
        let server = programs.start_server(&args.server_flags(clients), clients, at)?;
        let swarm =
            programs.start_bots(&args.rig.bots_flags(RAMP_PER_S, args.seconds), clients, at.public)?;
        let measured = measure(args, clients, (&server, swarm), at.admin);
        let (broken, measured) = match measured {
            Ok(measured) => (Broken::all(&args.limits(), &measured), measured),
            Err(why) => (vec![Broken::Nothing { why }], Measured::default()),
        };
        let side = (!broken.is_empty()).then(|| side(&broken, measured.swarm.saturated));
        Ok(Self { clients, broken, side, measured })
    }

    pub(super) fn is_fine(&self) -> bool {
        self.broken.is_empty()
    }

    /// Whether other programs took much of the machine meanwhile.
    pub(super) fn is_spoilt(&self) -> bool {
        self.measured.other_cores > OTHERS_SHARE_MAX
    }

    /// Whether it broke while other programs had the machine.
    pub(super) fn is_worth_again(&self) -> bool {
        !self.is_fine() && self.is_spoilt()
    }

    pub(super) fn line(&self) -> String {
        let Measured { tick_ms, server_cores, swarm_cores, other_cores, swarm, .. } = &self.measured;
        let [hear, step, pack, send] = tick_ms.stages.map(|stage| stage.p99);
        let verdict = match &self.broken[..] {
            [] => "fine".to_owned(),
            broken => {
                let all: Vec<_> = broken.iter().map(ToString::to_string).collect();
                let whose = match self.side {
                    Some(Side::Measuring) => "limited by the measuring side: ",
                    _ => "",
                };
                format!("{whose}{}", all.join("; "))
            }
        };
        format!(
            "tick {:.1} ms at p50, {:.1} at p99 (hear {hear:.1}, step {step:.1}, both {:.1}, pack {pack:.1}, send {send:.1}); states \
             {:.0} ms old at p99; cores: server {server_cores:.2}, swarm {swarm_cores:.2}, others {other_cores:.2}: {verdict}",
            tick_ms.whole.p50, tick_ms.whole.p99, tick_ms.simulated.p99, swarm.staleness_p99_ms
        )
    }
}

/// Once all clients play: over the middle of what the swarm measures itself.
fn measure(
    args: &CapacityArgs,
    clients: usize,
    (server, mut swarm): (&Running, Running),
    admin: SocketAddr,
) -> Result<Measured, String> {
    let began = now();
    let within = args.probe_time(clients) + JOINED_WITHIN;
    loop {
        let there = scrape::metrics(admin).map_err(|error| error.to_string())?.value("clients");
        if there >= clients as f64 {
            break;
        }
        if swarm.is_over() || began.elapsed() > within {
            return Err(format!("only {there} clients joined"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(SETTLE);
    let (start, before) = (now(), Moment::look(server, &swarm, admin)?);
    std::thread::sleep(Duration::from_secs(args.seconds).saturating_sub(BEFORE_END));
    let (after, seconds) = (Moment::look(server, &swarm, admin)?, start.elapsed().as_secs_f64());
    let resident = server.resident_mib().unwrap_or_default();
    let output = swarm.output(LEFT_WITHIN)?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("`tickwire-demo bots --json` said what is no report: {error}"))?;
    Ok(after.since(&before, seconds, report, resident))
}

impl Moment {
    fn look(server: &Running, swarm: &Running, admin: SocketAddr) -> Result<Self, String> {
        Ok(Self {
            metrics: scrape::metrics(admin).map_err(|error| error.to_string())?,
            server_s: server.cpu_s().unwrap_or_default(),
            swarm_s: swarm.cpu_s().unwrap_or_default(),
            busy_s: machine::busy_s().unwrap_or_default(),
        })
    }

    fn since(&self, before: &Self, seconds: f64, report: Value, resident: f64) -> Measured {
        let metrics = self.metrics.since(&before.metrics);
        let quantiles = |name: &str, labels: &str| {
            let at = |share| metrics.quantile_ms(name, labels, share).unwrap_or_default();
            Quantiles { p50: at(0.5), p99: at(0.99) }
        };
        let server_s = self.server_s - before.server_s;
        let swarm_s = self.swarm_s - before.swarm_s;
        let busy_s = self.busy_s - before.busy_s;
        Measured {
            tick_ms: TickTimes {
                simulated: quantiles("tick_simulated_seconds", ""),
                whole: quantiles("tick_whole_seconds", ""),
                stages: STAGES
                    .map(|stage| quantiles("tick_duration_seconds", &format!("stage=\"{stage}\","))),
            },
            lateness_ms: quantiles("tick_lateness_seconds", ""),
            skipped: metrics.value("tick_skipped_total") as u64,
            server_cores: rounded(server_s / seconds),
            server_cpu_us_per_snapshot: rounded(server_s * 1e6 / metrics.value("snapshots_total").max(1.0)),
            server_resident_mib: rounded(resident),
            swarm_cores: rounded(swarm_s / seconds),
            other_cores: rounded(((busy_s - server_s - swarm_s) / seconds).max(0.0)),
            swarm: Swarm::read(&report),
            swarm_report: report,
        }
    }
}

impl Swarm {
    fn read(report: &Value) -> Self {
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
        let closed = report["clients_closed"].as_object();
        Self {
            clients: number("/clients").unwrap_or_default() as usize,
            connected: number("/clients_connected").unwrap_or_default() as usize,
            closed: closed.map_or(0, |codes| codes.values().filter_map(Value::as_u64).sum())
                + number("/session_errors").unwrap_or_default() as u64,
            snapshots_share_p1: number("/frames_share_of_ticks/p1").unwrap_or_default(),
            // What was not measured is not fine.
            staleness_p99_ms: number("/staleness_ms/p99").unwrap_or(f64::MAX),
            mismatches: number("/state_mismatches").unwrap_or_default() as u64,
            entities_visible: number("/entities_visible/p50").unwrap_or_default(),
            input_to_visible_p50_ms: number("/input_to_visible_ms/p50").unwrap_or_default(),
            saturated: report.pointer("/rig/saturated").and_then(Value::as_bool).unwrap_or_default(),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
