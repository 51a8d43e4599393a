//! One run: everybody joins, the world settles, all are measured over the same interval, all leave.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::client::SessionError;
use tickwire_shared::client::link::Stall;
use tickwire_shared::wire::message::AccessToken;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::board::{Board, Phase};
use super::bot::{self, Outcome, Seat};
use super::live;
use super::report::{Report, Run};
use super::rig;
use super::style::Style;
use crate::endpoint::Endpoint;
use crate::link::LinkProfile;
use crate::time;
use crate::transport::{ConnectError, Connection, Link, connect};

/// Most clients of one swarm.
pub const CLIENTS_MAX: usize = 10_000;
/// How long the last client may take to join, after the ramp.
const JOIN_DEADLINE: Duration = Duration::from_secs(20);
/// Between the last join and the measurement: rosters fill, acknowledgement windows find their size.
const SETTLE: Duration = Duration::from_secs(1);
/// How long all clients together may take to leave, besides what an imitated link takes.
const LEAVE_DEADLINE: Duration = Duration::from_secs(10);

/// What a swarm does.
#[derive(Clone, Debug)]
pub struct BotsConfig {
    /// Where.
    pub endpoint: Endpoint,
    /// How many sessions, at most [`CLIENTS_MAX`].
    pub clients: usize,
    /// Length of the measurement, which begins when everybody has joined.
    pub duration: Duration,
    /// Room; empty means the default one.
    pub room: String,
    /// Rooms that the clients are spread over, called by `room` and a number; one is `room` itself.
    pub rooms: usize,
    /// Proof that the swarm may play, where the server asks for one; the same for all.
    pub token: Option<AccessToken>,
    /// A link to imitate, each client its own.
    pub profile: Option<LinkProfile>,
    /// Clients that join per second.
    pub ramp_per_second: f64,
    /// How they play, dealt out in turn.
    pub styles: Vec<Style>,
    /// How often each client's input changes, on average; `None` leaves it to its style.
    pub changes_per_s: Option<f64>,
    /// The share of clients that read whole frames and compare checksums; the others read the heads of frames only.
    pub decode_share: f64,
    /// Clients of the whole swarm that leave per second, each at any moment alike, and come back as somebody new.
    pub churn_per_s: Option<f64>,
    /// Each client does nothing for so long, so often.
    pub stall: Option<Stall>,
    /// Each client cuts its connection this often, one after the other, and comes back.
    pub cut_every: Option<Duration>,
    /// Decides every input.
    pub seed: u64,
    /// Whether to say on stderr how it goes.
    pub progress: Progress,
}

/// Whether to say on stderr how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing.
    Silent,
    /// A line per second; on a terminal a few that stay in place.
    Shown,
}

impl Default for BotsConfig {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::default(),
            clients: 10,
            duration: Duration::from_secs(10),
            room: String::new(),
            rooms: 1,
            token: None,
            profile: None,
            ramp_per_second: 100.0,
            styles: vec![Style::Wander],
            changes_per_s: None,
            decode_share: 1.0,
            churn_per_s: None,
            stall: None,
            cut_every: None,
            seed: 1,
            progress: Progress::Silent,
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BotsError {
    /// Already the first client found no server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Our own game is unusable.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Runs a swarm to its end.
///
/// # Errors
/// [`BotsError`] when no client can play at all; what happens to single clients is in the report.
pub async fn run(config: BotsConfig) -> Result<Report, BotsError> {
    let first = connect(&config.endpoint, link_of(&config, 0)).await?;
    let board = Arc::new(Board::default());
    let shown = live::Plan { clients: config.clients, seconds: config.duration.as_secs_f64() };
    let progress =
        (config.progress == Progress::Shown).then(|| tokio::spawn(live::show(Arc::clone(&board), shown)));
    let mut bots = JoinSet::new();
    join(&config, first, &board, &mut bots).await;

    let (began, began_tick, cpu_before) = (time::now(), board.newest_tick(), rig::cpu_micros());
    let frames_before = board.frames();
    board.enter(Phase::Measuring);
    sleep(config.duration).await;
    let (ended, ended_tick, cpu_after) = (time::now(), board.newest_tick(), rig::cpu_micros());
    let frames = board.frames() - frames_before;
    board.enter(Phase::Leaving);

    let outcomes = leave(bots, config.profile).await;
    if let Some(progress) = progress {
        progress.abort();
    }
    let micros = ended.since(began);
    let ticks = match config.rooms {
        0 | 1 => ended_tick.since(began_tick).max(0) as u64,
        // Each room counts its own.
        _ => micros * u64::from(board.tick_hz()) / 1_000_000,
    };
    let run = Run {
        clients: config.clients,
        clients_decoding: (0..config.clients).filter(|index| decodes(&config, *index)).count(),
        tick_hz: board.tick_hz(),
        ticks,
        micros,
        frames,
        cpu_micros: cpu_before.zip(cpu_after).map(|(before, after)| after - before),
    };
    Ok(Report::new(&run, &board, outcomes))
}

/// Whether a client reads whole frames: as many as the share says, spread evenly over the swarm.
fn decodes(config: &BotsConfig, index: usize) -> bool {
    let before = |index: usize| (index as f64 * config.decode_share).ceil() as u64;
    before(index + 1) > before(index)
}

/// The room of one client.
fn room_of(config: &BotsConfig, index: usize) -> String {
    match config.rooms {
        0 | 1 => config.room.clone(),
        rooms => format!("{}-{}", if config.room.is_empty() { "room" } else { &config.room }, index % rooms),
    }
}

/// Lets everybody in at the ramp's pace; returns when each has been welcomed or has failed, and the world has
/// settled.
async fn join(config: &BotsConfig, first: Connection, board: &Arc<Board>, bots: &mut JoinSet<Outcome>) {
    let seat = |index: usize| Seat {
        index,
        endpoint: config.endpoint.clone(),
        link: link_of(config, index),
        room: room_of(config, index),
        token: config.token.clone(),
        style: config.styles.get(index % config.styles.len().max(1)).copied().unwrap_or_default(),
        changes_per_s: config.changes_per_s,
        decodes: decodes(config, index),
        leave_every: config.churn_per_s.map(|rate| Duration::from_secs_f64(config.clients as f64 / rate)),
        stall: config.stall,
        cut_every: config.cut_every,
        clients: config.clients,
        seed: config.seed,
        board: Arc::clone(board),
    };
    bots.spawn(bot::play(seat(0), Some(first)));
    let mut pace = interval(Duration::from_secs_f64(1.0 / config.ramp_per_second));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for index in 1..config.clients.min(CLIENTS_MAX) {
        pace.tick().await;
        bots.spawn(bot::play(seat(index), None));
    }
    let everybody = async {
        while board.decided() < config.clients.min(CLIENTS_MAX) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // Those who are not there by then are missing from the report.
    drop(timeout(JOIN_DEADLINE, everybody).await);
    sleep(SETTLE).await;
}

async fn leave(mut bots: JoinSet<Outcome>, profile: Option<LinkProfile>) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(bots.len());
    let everybody = async {
        while let Some(outcome) = bots.join_next().await {
            outcomes.extend(outcome);
        }
    };
    let way_and_back = profile.map_or(Duration::ZERO, |profile| profile.latency_max() * 2);
    // Dropping the set hangs up for those who are still there.
    drop(timeout(LEAVE_DEADLINE + way_and_back, everybody).await);
    outcomes
}

fn link_of(config: &BotsConfig, index: usize) -> Option<Link> {
    config.profile.map(|profile| Link { profile, seed: (config.seed << 16) ^ index as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_decodes_is_spread() {
        for (share, wanted) in [(1.0, 100), (0.25, 25), (0.01, 1), (0.0, 0)] {
            let config = BotsConfig { decode_share: share, ..BotsConfig::default() };
            let decoding: Vec<_> = (0..100).filter(|index| decodes(&config, *index)).collect();
            assert_eq!(decoding.len(), wanted);
            assert!(decoding.first().is_none_or(|first| *first == 0), "the first one decodes if any does");
        }
    }
}
