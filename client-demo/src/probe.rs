//! The probe: one session for a moment, and whether it is healthy.

use std::fmt;
use std::time::Duration;

use tickwire_shared::arena::{Arena, Own};
use tickwire_shared::client::{Happening, Identity, Session, SessionError, Stats};
use tickwire_shared::wire::message::{AccessToken, Welcome};
use tickwire_shared::{CloseCode, Micros};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::endpoint::Endpoint;
use crate::time;
use crate::transport::{ConnectError, Connection, Ending, Event, Traffic, connect};

/// How long the server may take to answer Hello.
const WELCOME_DEADLINE: Duration = Duration::from_secs(5);
/// From a cut to the next connection: so long that the server has noticed, else the session would only be taken over.
const ABSENCE: Duration = Duration::from_millis(300);
/// How often the session is asked whether an input is due.
const TIMER: Duration = Duration::from_millis(20);

/// What a probe does.
#[derive(Clone, Debug)]
pub struct ProbeConfig {
    /// Where.
    pub endpoint: Endpoint,
    /// Room; empty means the default one.
    pub room: String,
    /// Proof of who this is, where the server asks for one.
    pub token: Option<AccessToken>,
    /// How long it looks, after Welcome.
    pub duration: Duration,
    /// What it does then.
    pub afterwards: Afterwards,
}

/// What a probe does when it has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It says goodbye.
    Leave,
    /// It cuts its connection, comes back to its session, and looks for as long again.
    ComeBack,
}

/// What a probe saw.
#[derive(Clone, Debug)]
pub struct Finding {
    endpoint: Endpoint,
    connect_micros: u64,
    welcome_micros: u64,
    welcome: Welcome,
    seconds: f64,
    stats: Stats,
    traffic: Traffic,
    rtt_micros: Option<u64>,
    entities: usize,
    first_private: Option<Own>,
    /// From the cut to the Welcome that the session goes on with.
    comeback_micros: Option<u64>,
}

/// Why a server is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended.
    #[error(transparent)]
    Ended(#[from] Ending),
    /// The server sent what the session refuses.
    #[error(transparent)]
    Refused(#[from] SessionError),
    /// Nobody answered Hello.
    #[error("no Welcome in {} s", WELCOME_DEADLINE.as_secs())]
    NoWelcome,
    /// Welcome, and then nothing.
    #[error("no snapshot in {0} s after Welcome")]
    NoSnapshot(f64),
    /// It came back and was somebody else.
    #[error("after a cut the server began another session: it holds none (session_grace), or was restarted")]
    BegunAnew,
    /// The replica is not what the server thinks it is.
    #[error("{0} of {1} checksums differ: client and server do not hold the same state")]
    Mismatch(u64, u64),
}

/// Plays one session with its hands in its lap.
///
/// # Errors
/// [`ProbeError`], the reason why the server is not healthy.
pub async fn run(config: &ProbeConfig) -> Result<Finding, ProbeError> {
    let began = time::now();
    let connection = connect(&config.endpoint, None).await?;
    let connect_micros = time::now().since(began);
    let identity = Identity {
        name: "probe".to_owned(),
        room: config.room.clone(),
        token: config.token.clone(),
        ..Identity::default()
    };
    let session = Session::new(identity)?;
    let mut probe =
        Probe { session, connection, first_private: None, welcomed: false, comeback_micros: None };
    let hello = time::now();
    probe.be_welcomed().await?;
    let welcomed = time::now();
    probe.look(config.duration).await?;
    if config.afterwards == Afterwards::ComeBack {
        probe = probe.come_back(&config.endpoint).await?;
        probe.look(config.duration).await?;
    }
    let finding = probe.finding(config, connect_micros, [hello, welcomed])?;
    probe.connection.close(CloseCode::Normal).await;
    finding.judge()
}

struct Probe {
    session: Session<Arena>,
    connection: Connection,
    first_private: Option<Own>,
    welcomed: bool,
    comeback_micros: Option<u64>,
}

impl Probe {
    async fn be_welcomed(&mut self) -> Result<(), ProbeError> {
        timeout(WELCOME_DEADLINE, self.play_until(None)).await.map_err(|_| ProbeError::NoWelcome)?
    }

    /// Plays for so long, and must be told something.
    async fn look(&mut self, duration: Duration) -> Result<(), ProbeError> {
        let frames = self.session.stats().frames;
        self.play_until(Some(Instant::now() + duration)).await?;
        if self.session.stats().frames == frames {
            return Err(ProbeError::NoSnapshot((duration.as_secs_f64() * 10.0).round() / 10.0));
        }
        Ok(())
    }

    /// Cuts the connection without a word, and goes on with the session over another one.
    async fn come_back(self, endpoint: &Endpoint) -> Result<Self, ProbeError> {
        let Self { mut session, connection, first_private, .. } = self;
        let (cut, avatar) = (time::now(), session.avatar());
        drop(connection);
        sleep(ABSENCE).await;
        session.resume();
        let connection = connect(endpoint, None).await?;
        let mut probe = Self { session, connection, first_private, welcomed: false, comeback_micros: None };
        probe.be_welcomed().await?;
        if !probe.session.welcome().is_some_and(|welcome| welcome.resumed) || probe.session.avatar() != avatar
        {
            return Err(ProbeError::BegunAnew);
        }
        probe.comeback_micros = Some(time::now().since(cut));
        Ok(probe)
    }

    /// Plays until then, or until Welcome.
    async fn play_until(&mut self, end: Option<Instant>) -> Result<(), ProbeError> {
        let mut timer = interval(TIMER);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            while let Some(bytes) = self.session.poll_transmit(time::now()) {
                self.connection.send(bytes).await;
            }
            tokio::select! {
                event = self.connection.next() => match event {
                    Event::Message { bytes, at } => self.session.handle_message(&bytes, at)?,
                    Event::Ended(ending) => return Err(ending.into()),
                },
                _ = timer.tick() => {}
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
            }
            self.note_happenings();
            if self.welcomed && end.is_none() {
                return Ok(());
            }
        }
    }

    fn note_happenings(&mut self) {
        while let Some(happening) = self.session.poll_happening() {
            match happening {
                Happening::Welcomed | Happening::Resumed => self.welcomed = true,
                Happening::Frame(_) if self.first_private.is_none() => {
                    self.first_private = self.session.private();
                }
                _ => {}
            }
        }
    }

    fn finding(
        &self,
        config: &ProbeConfig,
        connect_micros: u64,
        [hello, welcomed]: [Micros; 2],
    ) -> Result<Finding, ProbeError> {
        let session = &self.session;
        Ok(Finding {
            endpoint: config.endpoint.clone(),
            connect_micros,
            welcome_micros: welcomed.since(hello),
            welcome: session.welcome().ok_or(ProbeError::NoWelcome)?.clone(),
            seconds: time::now().since(welcomed) as f64 / 1e6,
            stats: *session.stats(),
            traffic: self.connection.traffic(),
            rtt_micros: session.rtt_micros(),
            entities: session.replica().map_or(0, |replica| replica.slots().len()),
            first_private: self.first_private.clone(),
            comeback_micros: self.comeback_micros,
        })
    }
}

impl Finding {
    fn judge(self) -> Result<Self, ProbeError> {
        let Stats { mismatches, checksums, .. } = self.stats;
        if mismatches > 0 {
            return Err(ProbeError::Mismatch(mismatches, mismatches + checksums));
        }
        Ok(self)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { welcome, stats, traffic, .. } = self;
        let millis = |micros: u64| micros as f64 / 1000.0;
        let per_second = |count: u64| count as f64 / self.seconds;
        let avatar = welcome.avatar.map_or("no avatar".to_owned(), |id| format!("avatar {:08x}", id.0));
        let rtt = self.rtt_micros.map_or("unknown".to_owned(), |micros| format!("{:.2} ms", millis(micros)));
        let bits = stats.update_bits as f64 / stats.updates.max(1) as f64;
        let mut row = |name: &str, value: String| writeln!(f, "{name:<12} {value}");
        row("server", self.endpoint.to_string())?;
        let (connect, hello) = (millis(self.connect_micros), millis(self.welcome_micros));
        row("handshake", format!("TCP and upgrade {connect:.2} ms, Hello to Welcome {hello:.2} ms"))?;
        row("welcome", format!("client {}, {avatar}, room {}", welcome.client.0, welcome.room))?;
        row("ticks", format!("{} Hz, joined at tick {}", welcome.tick_hz, welcome.tick.0))?;
        row(
            "snapshots",
            format!("{:.1}/s, {} in {:.1} s", per_second(stats.frames), stats.frames, self.seconds),
        )?;
        row("received", format!("{:.0} B/s", per_second(traffic.received_framed_bytes)))?;
        row("sent", format!("{:.0} B/s", per_second(traffic.sent_framed_bytes)))?;
        row("round trip", rtt)?;
        if let Some(micros) = self.comeback_micros {
            let back = format!("the same avatar {:.2} ms after a cut", millis(micros));
            row("came back", back)?;
        }
        row("in view", format!("{} entities, {bits:.1} bits per update", self.entities))?;
        row(
            "checksums",
            format!("{} right, {} differ, {} resyncs", stats.checksums, stats.mismatches, stats.resyncs),
        )?;
        match &self.first_private {
            Some(own) => row(
                "first state",
                format!(
                    "at ({:.2}, {:.2}) m, {} hit points, score {}",
                    own.position.x, own.position.y, own.hp, own.score
                ),
            ),
            None => row("first state", "none".to_owned()),
        }
    }
}
