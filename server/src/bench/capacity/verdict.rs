//! What broke, if anything did, and whose fault it is: the server's, by stage, or that of whoever measures.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::probe::Measured;
use crate::bench::scrape::{STAGES, STAGES_SIMULATED};

/// Clients that apply fewer snapshots than this share of the ticks are not served.
const SNAPSHOTS_SHARE_P1_MIN: f64 = 0.95;

/// What of a tick is to be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// Hearing clients, the step, packing and sending.
    Whole,
    /// Hearing clients and the step: what comes before the first frame.
    Simulation,
}

impl Part {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Whole => "ticks",
            Self::Simulation => "hearing and the step",
        }
    }
}

/// What is held.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Limits {
    pub(super) part: Part,
    pub(super) tick_p99_ms: f64,
    pub(super) lateness_p99_ms: f64,
    pub(super) staleness_p99_ms: f64,
}

/// One limit that was broken.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub(super) enum Broken {
    /// Ticks take too long.
    Tick {
        p99_ms: f64,
        part: Part,
        /// The stage that takes most of them.
        stage: &'static str,
    },
    /// Ticks begin too late.
    Lateness { p99_ms: f64 },
    /// Ticks were given up.
    Skipped { ticks: u64 },
    /// States at the clients are too old.
    Staleness { p99_ms: f64 },
    /// Clients were not let in, or lost.
    Clients { connected: usize, closed: u64 },
    /// Clients applied too few snapshots.
    Snapshots { share_p1: f64 },
    /// States differed.
    Mismatches { count: u64 },
    /// There is no measurement.
    Nothing { why: String },
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    /// The server's.
    Server,
    /// The swarm was at its limit, and what broke may be its own doing.
    Measuring,
}

impl Broken {
    /// All that is broken.
    pub(super) fn all(limits: &Limits, measured: &Measured) -> Vec<Self> {
        let mut broken = Vec::new();
        let Measured { tick_ms, lateness_ms, skipped, swarm, .. } = measured;
        let (took, stages) = match limits.part {
            Part::Whole => (tick_ms.whole, STAGES.len()),
            Part::Simulation => (tick_ms.simulated, STAGES_SIMULATED),
        };
        if took.p99 > limits.tick_p99_ms {
            let stages = STAGES.iter().zip(&tick_ms.stages).take(stages);
            let most = stages.max_by(|(_, a), (_, b)| a.p99.total_cmp(&b.p99));
            let stage = most.map_or("", |(name, _)| name);
            broken.push(Self::Tick { p99_ms: took.p99, part: limits.part, stage });
        }
        if lateness_ms.p99 > limits.lateness_p99_ms {
            broken.push(Self::Lateness { p99_ms: lateness_ms.p99 });
        }
        if *skipped > 0 {
            broken.push(Self::Skipped { ticks: *skipped });
        }
        if swarm.staleness_p99_ms > limits.staleness_p99_ms {
            broken.push(Self::Staleness { p99_ms: swarm.staleness_p99_ms });
        }
        if swarm.connected < swarm.clients || swarm.closed > 0 {
            broken.push(Self::Clients { connected: swarm.connected, closed: swarm.closed });
        }
        if swarm.snapshots_share_p1 < SNAPSHOTS_SHARE_P1_MIN {
            broken.push(Self::Snapshots { share_p1: swarm.snapshots_share_p1 });
        }
        if swarm.mismatches > 0 {
            broken.push(Self::Mismatches { count: swarm.mismatches });
        }
        broken
    }

    /// Whether a swarm that is too slow can look like this.
    fn may_be_the_swarms(&self) -> bool {
        matches!(
            self,
            Self::Staleness { .. } | Self::Snapshots { .. } | Self::Clients { .. } | Self::Nothing { .. }
        )
    }
}

/// Whose doing it is that something broke.
pub(super) fn side(broken: &[Broken], swarm_is_saturated: bool) -> Side {
    if swarm_is_saturated && broken.iter().all(Broken::may_be_the_swarms) {
        Side::Measuring
    } else {
        Side::Server
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick { p99_ms, part, stage } => {
                let what = part.what();
                write!(f, "{what} take {p99_ms:.1} ms at p99, most of it in the stage `{stage}`")
            }
            Self::Lateness { p99_ms } => write!(f, "ticks begin {p99_ms:.1} ms late at p99"),
            Self::Skipped { ticks } => write!(f, "{ticks} ticks were given up"),
            Self::Staleness { p99_ms } => write!(f, "states at the clients are {p99_ms:.1} ms old at p99"),
            Self::Clients { connected, closed } => {
                write!(f, "only {connected} clients were let in, {closed} were closed")
            }
            Self::Snapshots { share_p1 } => {
                write!(f, "the slowest of 100 clients applied {:.0} % of the snapshots", share_p1 * 100.0)
            }
            Self::Mismatches { count } => write!(f, "{count} checksums differed"),
            Self::Nothing { why } => write!(f, "nothing was measured: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::{Quantiles, Swarm, TickTimes};
    use super::*;

    const LIMITS: Limits =
        Limits { part: Part::Whole, tick_p99_ms: 10.0, lateness_p99_ms: 10.0, staleness_p99_ms: 100.0 };

    fn measured() -> Measured {
        let at = |p99| Quantiles { p50: p99 / 2.0, p99 };
        Measured {
            tick_ms: TickTimes {
                simulated: at(4.0),
                whole: at(9.0),
                stages: [at(1.0), at(3.0), at(2.0), at(5.0)],
            },
            lateness_ms: at(0.5),
            swarm: Swarm {
                clients: 10,
                connected: 10,
                snapshots_share_p1: 1.0,
                staleness_p99_ms: 40.0,
                ..Swarm::default()
            },
            ..Measured::default()
        }
    }

    #[test]
    fn each_limit_is_held() {
        assert_eq!(Broken::all(&LIMITS, &measured()), []);
        let mut slow = measured();
        slow.tick_ms.whole.p99 = 12.0;
        assert_eq!(
            Broken::all(&LIMITS, &slow),
            [Broken::Tick { p99_ms: 12.0, part: Part::Whole, stage: "send" }]
        );
        let simulation = Limits { part: Part::Simulation, ..LIMITS };
        assert_eq!(Broken::all(&simulation, &slow), []);
        slow.tick_ms.simulated.p99 = 11.0;
        assert_eq!(
            Broken::all(&simulation, &slow),
            [Broken::Tick { p99_ms: 11.0, part: Part::Simulation, stage: "step" }]
        );
        let mut worse = measured();
        worse.lateness_ms.p99 = 11.0;
        worse.skipped = 1;
        worse.swarm = Swarm {
            clients: 10,
            connected: 9,
            closed: 1,
            snapshots_share_p1: 0.9,
            staleness_p99_ms: 101.0,
            mismatches: 1,
            ..Swarm::default()
        };
        assert_eq!(Broken::all(&LIMITS, &worse).len(), 6);
    }

    #[test]
    fn a_swarm_at_its_limit_is_blamed_for_what_it_can_cause_only() {
        let stale = [Broken::Staleness { p99_ms: 200.0 }];
        assert_eq!(side(&stale, true), Side::Measuring);
        assert_eq!(side(&stale, false), Side::Server);
        let slow = [
            Broken::Tick { p99_ms: 12.0, part: Part::Whole, stage: "send" },
            Broken::Staleness { p99_ms: 200.0 },
        ];
        assert_eq!(side(&slow, true), Side::Server);
    }
}
