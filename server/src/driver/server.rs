//! A server from its first port to its last byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tickwire_shared::{Close, Protocol};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::accept::{self, Port};
use super::arrival::Gate;
use super::board::Order;
use super::clock::Clock;
use super::crew::Packers;
use super::doorkeeper::Doorkeeper;
use super::drain::{Drained, Inside, StopSignal};
use super::http;
use super::hub::Hub;
use super::json::Dialect;
use super::options::{self, SocketOptions};
use super::recorder::Recordings;
use super::reload::{Live, Reload};
use super::rooms::{MakeTenant, Rooms, Settings};
use super::state_dir::{RoomsSaved, StateDir};
use super::tally::Tally;
use super::tenant::{Make, Tenancy};
use super::tls::Tls;
use super::trimming;
use super::visitors::Visitors;
use super::wanted::DEFAULT_ROOM;
use super::worker::Workers;
use crate::auth::{Authenticator, JwtAuthenticator};
use crate::config::{AuthMode, Config, ConfigError, Plaintext};
use crate::host::{GameError, Room, RoomConfig, check_game};
use crate::simulation::Game;

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing was opened.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The game cannot be run.
    #[error("the game is unusable: {0}")]
    Game(#[from] GameError),
    /// A port is taken, or not ours to open.
    #[error("cannot listen on {address} ({key}): {why}")]
    Listen {
        /// Of the configuration.
        key: &'static str,
        /// What it is set to.
        address: SocketAddr,
        /// The system's words.
        why: std::io::Error,
    },
    /// A second signal came before the end.
    #[error("stopped at once by a second signal: nothing was saved, nobody was waited for")]
    StoppedAtOnce,
    /// The disk did not take some rooms; the log names them.
    #[error("{rooms} rooms could not be saved: the log says which and why")]
    NotSaved {
        /// How many.
        rooms: usize,
    },
    /// No thread for the first room, or no signal handler.
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
}

/// What a program may bring besides its game.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Says who may play, in place of what is built in; `auth.mode` is `auto` or `hook` then.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// Reads the configuration again when the process is told to (SIGHUP).
    pub reload: Option<Arc<dyn Reload>>,
}

/// A server that runs. Dropping it ends it without waiting.
pub struct Running {
    public_addr: SocketAddr,
    admin_addr: SocketAddr,
    scheme: &'static str,
    pub(super) ending: watch::Sender<Option<Close>>,
    pub(super) retry_after_ms: u32,
    pub(super) drain_notice: Duration,
    pub(super) sessions_max: u32,
    pub(super) inside: Arc<dyn Inside>,
}

/// Runs a game's server until the process is told to stop: `make_game` makes the game of a room from its name
/// and a seed, `dialect` is how the game speaks JSON.
///
/// # Errors
/// [`RunError`] when it cannot begin.
pub async fn run<G: Game>(
    make_game: impl Fn(&str, u64) -> G + Send + Sync + 'static,
    dialect: impl Dialect<G::Protocol>,
    config: Config,
) -> Result<(), RunError> {
    run_with(make_game, dialect, config, Hooks::default()).await
}

/// As [`run`], with more of the program's own.
///
/// # Errors
/// [`RunError`] when it cannot begin.
pub async fn run_with<G: Game>(
    make_game: impl Fn(&str, u64) -> G + Send + Sync + 'static,
    dialect: impl Dialect<G::Protocol>,
    config: Config,
    hooks: Hooks,
) -> Result<(), RunError> {
    let mut stop = StopSignal::listen()?;
    let running = start_with(make_game, dialect, config, hooks).await?;
    let scheme = running.scheme();
    println!("Tickwire plays at {scheme}://{}/ (stop with Ctrl-C)", reachable(running.public_addr()));
    tracing::info!(public = %running.public_addr(), admin = %running.admin_addr(), "listening");
    tokio::select! {
        () = stop.received() => {}
        () = running.drain_asked() => {}
    }
    let drained = tokio::select! {
        drained = running.drain() => drained,
        () = stop.received() => return Err(RunError::StoppedAtOnce),
    };
    report(drained)
}

/// What the operator is told at the end.
fn report(Drained { sessions, sessions_left, rooms, took }: Drained) -> Result<(), RunError> {
    let RoomsSaved { saved, failed } = rooms;
    for (room, bytes) in &saved {
        tracing::info!(room, bytes, "saved");
    }
    for (room, error) in &failed {
        tracing::error!(room, %error, "NOT SAVED");
    }
    let bytes: usize = saved.iter().map(|(_, bytes)| bytes).sum();
    tracing::info!(sessions, sessions_left, rooms_saved = saved.len(), bytes, ?took, "gone");
    match failed.len() {
        0 => Ok(()),
        rooms => Err(RunError::NotSaved { rooms }),
    }
}

/// Whether the files that a configuration names can be used, and what the operator has to know of them all the same.
/// [`start`] looks too; this opens no port.
///
/// # Errors
/// [`ConfigError`] naming the key, the file and what is wrong with it.
pub fn check_files(config: &Config) -> Result<Vec<String>, ConfigError> {
    let tls = Tls::load(&config.tls, config.listen)?;
    if config.auth.resolved(config.is_public()) == Some(AuthMode::Jwt) {
        JwtAuthenticator::load(&config.auth)?;
    }
    Ok(tls.and_then(|tls| tls.warning()).into_iter().collect())
}

/// As [`run`], but returns as soon as the ports are open.
///
/// # Errors
/// [`RunError`] when it cannot begin.
pub async fn start<G: Game>(
    make_game: impl Fn(&str, u64) -> G + Send + Sync + 'static,
    dialect: impl Dialect<G::Protocol>,
    config: Config,
) -> Result<Running, RunError> {
    start_with(make_game, dialect, config, Hooks::default()).await
}

/// As [`start`], with more of the program's own.
///
/// # Errors
/// [`RunError`] when it cannot begin.
pub async fn start_with<G: Game>(
    make_game: impl Fn(&str, u64) -> G + Send + Sync + 'static,
    dialect: impl Dialect<G::Protocol>,
    mut config: Config,
    mut hooks: Hooks,
) -> Result<Running, RunError> {
    if hooks.authenticator.is_some() && config.auth.mode == AuthMode::Auto {
        config.auth.mode = AuthMode::Hook;
    }
    config.validate()?;
    let (live, reload) = (Arc::new(Live::new(config.clone())), hooks.reload.take());
    check_game(&make_game(DEFAULT_ROOM, config.seed))?;
    let tls = Tls::load(&config.tls, config.listen)?;
    let doorkeeper = Doorkeeper::of(&config, hooks)?;
    let (public, public_addr) = listen("listen", config.listen).await?;
    let (admin, admin_addr) = listen("admin_listen", config.admin_listen).await?;
    let file_limit = options::raise_file_limit();
    let places = options::places(file_limit, config.connections_max, config.limits.handshakes_max);
    if places.sessions < config.connections_max {
        tracing::warn!(
            file_limit,
            connections_max = config.connections_max,
            sessions = places.sessions,
            "too few open files allowed: raise the hard limit of the process"
        );
    }
    let clock = Clock::start();
    let retry_after_ms = u32::try_from(config.retry_after.as_millis()).unwrap_or(u32::MAX);
    let settings = Settings {
        tick_hz: config.tick_hz,
        capacity: config.room_capacity,
        seed: config.seed,
        suspend_after: config.room_suspend_after,
        rooms_max: config.rooms_max,
        empty_after: config.room_empty_after,
        joins_max: places.sessions,
        join_deadline: config.limits.hello_deadline,
        retry_after_ms,
        overload: config.overload,
        bytes_per_s: u32::try_from(config.limits.bytes_per_s).unwrap_or(u32::MAX),
    };
    let packers = Packers::new(config.replication.packing_threads);
    let workers = Workers::hire(config.room_workers, config.pin_room_workers, clock)?;
    let recordings = Recordings::open(&config.recording)?;
    let state_dir = StateDir::open(config.state_dir.as_deref())?;
    let kept = state_dir.load();
    let make = tenant_maker(make_game, room_template(&config), (recordings.clone(), state_dir.clone()));
    let rooms = Rooms::open(settings, clock, (packers, workers), kept, make);
    let (ending, ended) = watch::channel(None);
    let sessions_max = u32::try_from(places.sessions).unwrap_or(u32::MAX);
    let hub = Arc::new(Hub {
        rooms,
        dialect: Arc::new(dialect),
        authenticator: doorkeeper.authenticator(),
        tally: Tally::default(),
        recordings,
        state_dir,
        drain: watch::Sender::new(false),
        clock,
        sessions: Arc::new(Semaphore::new(places.sessions)),
        strangers: Arc::new(Semaphore::new(config.limits.unauthenticated_max)),
        visitors: Arc::new(Visitors::new(&config.limits, places.handshakes)),
        handshakes_max: places.handshakes,
        ending: ended,
        accepted_options: Mutex::new(None),
        config,
        live,
    });
    if let Some(tls) = &tls {
        if let Some(warning) = tls.warning() {
            tracing::error!("{warning}");
        }
        spawn_until_ended(&hub, Arc::clone(tls).keep_fresh());
    }
    spawn_until_ended(&hub, doorkeeper.keep_fresh(hub.config.auth.clone()));
    if let Some(source) = reload {
        spawn_until_ended(&hub, Arc::clone(&hub.live).keep_fresh(source));
    }
    spawn_until_ended(&hub, trimming::run(Arc::clone(&hub.rooms)));
    warn_of_plaintext(&hub.config, public_addr);
    if !hub.config.admin_listen.ip().is_loopback() {
        tracing::warn!(
            address = %admin_addr,
            "THE ADMIN PORT IS ON A PUBLIC ADDRESS: whoever reaches it sees and does what only the operator should; \
             let a firewall or a network of its own stand before it"
        );
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let gate = Gate::Public { tls };
    let public = Port { listener: public, gate, router: http::public(Arc::clone(&hub)) };
    let admin = Port { listener: admin, gate: Gate::Admin, router: http::admin(Arc::clone(&hub)) };
    tokio::spawn(accept::run(Arc::clone(&hub), public));
    tokio::spawn(accept::run(Arc::clone(&hub), admin));
    let drain_notice = hub.config.drain_notice;
    Ok(Running {
        public_addr,
        admin_addr,
        scheme,
        ending,
        retry_after_ms,
        drain_notice,
        sessions_max,
        inside: hub,
    })
}

impl Running {
    /// Where players connect.
    #[must_use]
    pub fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// What a browser calls the public port's protocol: `https`, or `http` without TLS.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Where the operator looks.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// The counters, as `GET /metrics` shows them.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.inside.metrics()
    }

    /// The options of the socket that was accepted last, as the kernel has them.
    #[must_use]
    pub fn accepted_options(&self) -> Option<SocketOptions> {
        self.inside.options()
    }
}

/// Runs something beside the connections, until the server goes away.
fn spawn_until_ended<P: Protocol>(hub: &Arc<Hub<P>>, task: impl Future<Output = ()> + Send + 'static) {
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        tokio::select! {
            () = task => {}
            _ = hub.ended() => {}
        }
    });
}

/// A public port in plain text is allowed only on demand, and never quietly.
fn warn_of_plaintext(config: &Config, address: SocketAddr) {
    if config.listen.ip().is_loopback() {
        return;
    }
    match config.plaintext() {
        Plaintext::Everybody => tracing::warn!(
            %address,
            "PLAIN TEXT ON A PUBLIC ADDRESS: everybody on the way can read and change what players send and see; \
             set --tls-cert and --tls-key, or put a proxy that ends TLS in front"
        ),
        Plaintext::TrustedProxies => {
            tracing::warn!(%address, "plain text, for the proxies in proxy.trusted only");
        }
        Plaintext::TlsOnly | Plaintext::Refused => {}
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let open = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    open.await.map_err(|why| RunError::Listen { key, address, why })
}

/// What all rooms have in common.
fn room_template(config: &Config) -> RoomConfig {
    let replication = &config.replication;
    let bytes = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    RoomConfig {
        name: DEFAULT_ROOM.to_owned(),
        tick_hz: config.tick_hz,
        capacity: config.room_capacity,
        seed: config.seed,
        // The configuration was validated.
        cadences: replication.cadences().unwrap_or_default(),
        budget_bytes_per_s: bytes(replication.budget_bytes_per_s),
        budget_bytes_per_s_max: bytes(replication.budget_bytes_per_s_max),
        grace_micros: u64::try_from(config.session_grace.as_micros()).unwrap_or(u64::MAX),
        rewind_micros: u64::try_from(config.lag_compensation_max.as_micros()).unwrap_or(u64::MAX),
    }
}

/// Makes rooms for their workers.
fn tenant_maker<G: Game>(
    make_game: impl Fn(&str, u64) -> G + Send + Sync + 'static,
    template: RoomConfig,
    (recordings, state_dir): (Recordings, StateDir),
) -> Box<MakeTenant<G::Protocol>> {
    let make_game = Arc::new(make_game);
    Box::new(move |rooms, board, joins, saved| {
        let Order { name, capacity, tick_hz, seed, .. } = board.order().clone();
        let (make_game, template) = (Arc::clone(&make_game), template.clone());
        let (recordings, state_dir) = (recordings.clone(), state_dir.clone());
        let outlives = state_dir.clone();
        let make: Make<G> = Box::new(move || {
            let config = RoomConfig { name: name.clone(), capacity, tick_hz, seed, ..template };
            let restored = saved.and_then(|saved| restore(&saved, &config, &state_dir));
            let made = || Room::new(make_game(&name, seed), config).map_err(|error| error.to_string());
            let mut room = restored.map_or_else(made, Ok)?;
            let recorder = recordings.begin(&name, &mut room);
            Ok((room, recorder))
        });
        Box::new(Tenancy::new(make, joins, rooms, board, outlives))
    })
}

/// A room of the last run. One that this game cannot read is set aside, and begins anew.
fn restore<G: Game>(saved: &[u8], config: &RoomConfig, state_dir: &StateDir) -> Option<Room<G>> {
    let room = Room::restore(saved, config.clone());
    match &room {
        Ok(room) => tracing::info!(room = config.name, tick = room.status().tick.0, "restored"),
        Err(why) => {
            tracing::error!(room = config.name, %why, "a saved room cannot be restored: it begins anew");
            state_dir.refuse(&config.name);
        }
    }
    room.ok()
}

/// An address that can be typed into a browser here.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let local = if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(local, address.port())
}
