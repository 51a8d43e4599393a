//! One run: everybody joins, the world settles, all are measured over the same interval, all leave.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::client::SessionError;
use tickwire_shared::wire::message::AccessToken;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::board::Board;
use super::bot::{self, Outcome, Phase, Seat};
use super::report::{Report, Run};
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
    /// One line.
    EverySecond,
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
    let progress = (config.progress == Progress::EverySecond)
        .then(|| tokio::spawn(report_progress(Arc::clone(&board), config.clients)));
    let (phase, watched) = watch::channel(Phase::Joining);
    let mut bots = JoinSet::new();
    join(&config, first, &board, &watched, &mut bots).await;
    drop(watched);

    let (began, began_tick) = (time::now(), board.newest_tick());
    phase.send_replace(Phase::Measuring);
    sleep(config.duration).await;
    let (ended, ended_tick) = (time::now(), board.newest_tick());
    phase.send_replace(Phase::Leaving);

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
    let run = Run { clients: config.clients, tick_hz: board.tick_hz(), ticks, micros };
    Ok(Report::new(&run, outcomes))
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
async fn join(
    config: &BotsConfig,
    first: Connection,
    board: &Arc<Board>,
    phase: &watch::Receiver<Phase>,
    bots: &mut JoinSet<Outcome>,
) {
    let seat = |index: usize| Seat {
        index,
        endpoint: config.endpoint.clone(),
        link: link_of(config, index),
        room: room_of(config, index),
        token: config.token.clone(),
        cut_every: config.cut_every,
        clients: config.clients,
        seed: config.seed,
        board: Arc::clone(board),
        phase: phase.clone(),
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

async fn report_progress(board: Arc<Board>, clients: usize) {
    let began = time::now();
    let (mut before, mut frames, mut bytes) = (began, 0, 0);
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = time::now();
        let seconds = seconds(now.since(before));
        let (frames_now, bytes_now) = (board.frames(), board.framed_bytes());
        eprintln!(
            "{:4.0} s  {:5}/{clients} connected  {:8.0} snapshots/s  {:8.1} kB/s",
            self::seconds(now.since(began)),
            board.playing(),
            (frames_now - frames) as f64 / seconds,
            (bytes_now - bytes) as f64 / seconds / 1000.0,
        );
        (before, frames, bytes) = (now, frames_now, bytes_now);
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
