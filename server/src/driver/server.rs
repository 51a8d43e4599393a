//! A server from its first port to its last byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tickwire_shared::{Close, CloseCode, Protocol};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::accept::{self, Port};
use super::arrival::Gate;
use super::board::Order;
use super::clock::Clock;
use super::crew::Packers;
use super::doorkeeper::Doorkeeper;
use super::hub::Hub;
use super::json::Dialect;
use super::options::{self, SocketOptions};
use super::recorder::Recordings;
use super::reload::{Live, Reload};
use super::rooms::{MakeTenant, Rooms, Settings};
use super::tally::Tally;
use super::tenant::{Make, Tenancy};
use super::tls::Tls;
use super::visitors::Visitors;
use super::wanted::DEFAULT_ROOM;
use super::worker::Workers;
use super::{http, metrics};
use crate::auth::{Authenticator, JwtAuthenticator};
use crate::config::{AuthMode, Config, ConfigError, Plaintext};
use crate::host::{GameError, Room, RoomConfig, check_game};
use crate::simulation::Game;

/// How long the end of the server waits for connections to read their close frames.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(5);

/// And for the ends of recordings to be written.
const RECORDINGS_DEADLINE: Duration = Duration::from_secs(2);

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
    ending: watch::Sender<Option<Close>>,
    close: Close,
    sessions_max: u32,
    inside: Arc<dyn Inside>,
}

/// A server's inside, whatever its game.
trait Inside: Send + Sync {
    fn metrics(&self) -> String;
    fn options(&self) -> Option<SocketOptions>;
    fn sessions(&self) -> &Semaphore;
    fn recordings(&self) -> &Recordings;
    fn end_rooms(&self, close: &Close);
}

impl<P: Protocol> Inside for Hub<P> {
    fn metrics(&self) -> String {
        metrics::text(self)
    }

    fn options(&self) -> Option<SocketOptions> {
        *self.accepted_options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> &Semaphore {
        &self.sessions
    }

    fn recordings(&self) -> &Recordings {
        &self.recordings
    }

    fn end_rooms(&self, close: &Close) {
        self.rooms.end(close);
    }
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
    stop.received().await;
    tracing::info!("going away");
    running.shutdown().await;
    Ok(())
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
    let settings = Settings {
        tick_hz: config.tick_hz,
        capacity: config.room_capacity,
        seed: config.seed,
        suspend_after: config.room_suspend_after,
        rooms_max: config.rooms_max,
        empty_after: config.room_empty_after,
        joins_max: places.sessions,
        join_deadline: config.limits.hello_deadline,
        retry_after_ms: u32::try_from(config.retry_after.as_millis()).unwrap_or(u32::MAX),
        bytes_per_s: u32::try_from(config.limits.bytes_per_s).unwrap_or(u32::MAX),
    };
    let packers = Packers::new(config.replication.packing_threads);
    let workers = Workers::hire(config.room_workers, clock)?;
    let recordings = Recordings::open(&config.recording)?;
    let make = tenant_maker(make_game, room_template(&config), recordings.clone());
    let rooms = Rooms::open(settings, clock, (packers, workers), make);
    let (ending, ended) = watch::channel(None);
    let retry_after_ms = u32::try_from(config.retry_after.as_millis()).unwrap_or(u32::MAX);
    let sessions_max = u32::try_from(places.sessions).unwrap_or(u32::MAX);
    let hub = Arc::new(Hub {
        rooms,
        dialect: Arc::new(dialect),
        authenticator: doorkeeper.authenticator(),
        tally: Tally::default(),
        recordings,
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
    let close = Close::retry_after(CloseCode::GoingAway, retry_after_ms);
    Ok(Running { public_addr, admin_addr, scheme, ending, close, sessions_max, inside: hub })
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

    /// Closes every session with 1001 and waits until they are gone, or have had their time.
    pub async fn shutdown(self) {
        self.end();
        let all_gone = self.inside.sessions().acquire_many(self.sessions_max);
        if tokio::time::timeout(GOODBYE_DEADLINE, all_gone).await.is_err() {
            tracing::warn!("some connections did not say goodbye in time");
        }
        let all_written = async {
            while !self.inside.recordings().is_idle() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(RECORDINGS_DEADLINE, all_written).await.is_err() {
            tracing::warn!("the disk did not take the end of all recordings in time");
        }
    }

    fn end(&self) {
        self.ending.send_replace(Some(self.close.clone()));
        self.inside.end_rooms(&self.close);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
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
    recordings: Recordings,
) -> Box<MakeTenant<G::Protocol>> {
    let make_game = Arc::new(make_game);
    Box::new(move |rooms, board, joins| {
        let Order { name, capacity, tick_hz, seed, .. } = board.order().clone();
        let (make_game, template) = (Arc::clone(&make_game), template.clone());
        let recordings = recordings.clone();
        let make: Make<G> = Box::new(move || {
            let game = make_game(&name, seed);
            let room =
                Room::new(game, RoomConfig { name: name.clone(), capacity, tick_hz, seed, ..template });
            let mut room = room.map_err(|error| error.to_string())?;
            let recorder = recordings.begin(&name, &mut room);
            Ok((room, recorder))
        });
        Box::new(Tenancy::new(make, joins, rooms, board))
    })
}

/// An address that can be typed into a browser here.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let local = if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(local, address.port())
}

/// Ctrl-C, and where there is one, the signal to terminate.
struct StopSignal {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
