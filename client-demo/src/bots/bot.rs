//! One bot: a session, a connection and a hand on the stick, in one task.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::CloseCode;
use tickwire_shared::arena::Arena;
use tickwire_shared::client::{Happening, Identity, Session, SessionError, State};
use tickwire_shared::wire::message::AccessToken;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};

use super::board::Board;
use super::tally::Tally;
use super::wanderer::Wanderer;
use crate::comeback::Comeback;
use crate::endpoint::Endpoint;
use crate::time;
use crate::transport::{ConnectError, Connection, Ending, Event, Link, Traffic, connect};

/// How long the server may take to answer Hello.
const WELCOME_MICROS_MAX: u64 = 10_000_000;
/// How often a bot looks at its stick before it knows the tick rate.
const TIMER_BEFORE_WELCOME: Duration = Duration::from_millis(33);

/// What the whole swarm is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not everybody is there.
    Joining,
    /// All are measured.
    Measuring,
    /// Everybody says goodbye.
    Leaving,
}

/// Where a bot sits in its swarm.
pub(super) struct Seat {
    pub(super) index: usize,
    pub(super) endpoint: Endpoint,
    pub(super) link: Option<Link>,
    pub(super) room: String,
    pub(super) token: Option<AccessToken>,
    pub(super) cut_every: Option<Duration>,
    /// Of the whole swarm.
    pub(super) clients: usize,
    pub(super) seed: u64,
    pub(super) board: Arc<Board>,
    pub(super) phase: watch::Receiver<Phase>,
}

/// How a bot fared.
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) was_welcomed: bool,
    pub(super) tally: Tally,
}

/// Why a bot stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The swarm left.
    #[error("finished")]
    Finished,
    /// It never got in.
    #[error(transparent)]
    NotConnected(#[from] ConnectError),
    /// Nobody answered its Hello.
    #[error("no Welcome in {} s", WELCOME_MICROS_MAX / 1_000_000)]
    NoWelcome,
    /// The connection ended.
    #[error(transparent)]
    Ended(#[from] Ending),
    /// The server sent what the session refuses.
    #[error(transparent)]
    Refused(#[from] SessionError),
}

/// Why a bot stopped playing over one connection.
enum Stop {
    /// It was told to cut it.
    Cut,
    End(End),
}

/// Plays until the swarm leaves or something ends the session.
pub(super) async fn play(seat: Seat, connection: Option<Connection>) -> Outcome {
    let board = Arc::clone(&seat.board);
    let mut tally = Tally::default();
    let mut was_welcomed = false;
    let end = match enter(seat, connection).await {
        Ok((mut bot, phase)) => {
            let end = bot.run(phase).await;
            was_welcomed = bot.session.welcome().is_some();
            tally = bot.leave(&end).await;
            end
        }
        Err(end) => end,
    };
    board.count_end(was_welcomed);
    Outcome { end, was_welcomed, tally }
}

async fn enter(seat: Seat, connection: Option<Connection>) -> Result<(Bot, watch::Receiver<Phase>), End> {
    let Seat { index, endpoint, link, room, token, seed, cut_every, clients, board, phase } = seat;
    let connection = match connection {
        Some(connection) => connection,
        None => connect(&endpoint, link).await?,
    };
    let identity = Identity { name: format!("swarm {index}"), room, token, ..Identity::default() };
    let bot = Bot {
        session: Session::new(identity)?,
        wanderer: Wanderer::new(seed, index as u64),
        timer: timer(TIMER_BEFORE_WELCOME),
        cutter: cut_every.map(|every| cutter(every, index, clients)),
        comeback: Comeback::new(endpoint, link, (seed << 16) ^ index as u64),
        connection: Some(connection),
        was_welcomed: false,
        before: Traffic::default(),
        board,
        tally: Tally::default(),
    };
    Ok((bot, phase))
}

struct Bot {
    session: Session<Arena>,
    wanderer: Wanderer,
    timer: Interval,
    cutter: Option<Interval>,
    comeback: Comeback,
    /// None while it comes back.
    connection: Option<Connection>,
    was_welcomed: bool,
    /// What travelled over the connections before this one.
    before: Traffic,
    board: Arc<Board>,
    tally: Tally,
}

impl Bot {
    /// Plays, and comes back as long as that makes sense.
    async fn run(&mut self, mut phase: watch::Receiver<Phase>) -> End {
        loop {
            let (ending, on_purpose) = match self.play(&mut phase).await {
                Stop::Cut => (Ending::Lost("cut on purpose".to_owned()), true),
                Stop::End(End::Ended(ending)) if self.session.welcome().is_some() => (ending, false),
                Stop::End(end) => return end,
            };
            self.before = self.traffic();
            self.connection = None;
            if let Err(end) = self.come_back(ending.clone(), &mut phase).await {
                return end;
            }
            if on_purpose {
                self.tally.cuts += 1;
            } else {
                *self.tally.breaks.entry(ending.code()).or_default() += 1;
            }
            self.session.resume();
        }
    }

    async fn play(&mut self, phase: &mut watch::Receiver<Phase>) -> Stop {
        let welcome_due = time::now().plus(WELCOME_MICROS_MAX);
        self.transmit().await;
        loop {
            tokio::select! {
                event = next(&mut self.connection) => match event {
                    Event::Message { bytes, at } => {
                        if let Err(error) = self.session.handle_message(&bytes, at) {
                            return Stop::End(End::Refused(error));
                        }
                    }
                    Event::Ended(ending) => return Stop::End(End::Ended(ending)),
                },
                _ = self.timer.tick() => {
                    let now = time::now();
                    if self.session.welcome().is_none() && now > welcome_due {
                        return Stop::End(End::NoWelcome);
                    }
                    self.session.set_input(self.wanderer.input(now), now);
                }
                () = due(&mut self.cutter) => if self.session.state(time::now()) == State::Live {
                    return Stop::Cut;
                },
                changed = phase.changed() => if let Some(end) = self.enter_phase(changed.is_ok(), phase) {
                    return Stop::End(end);
                },
            }
            self.note_happenings();
            self.transmit().await;
        }
    }

    /// Another connection, unless the swarm leaves before.
    async fn come_back(&mut self, ending: Ending, phase: &mut watch::Receiver<Phase>) -> Result<(), End> {
        // Taken out, so that the bot goes on noticing what the swarm does.
        let mut comeback = self.comeback.clone();
        let found = {
            let again = comeback.again(&ending);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    connection = &mut again => break connection,
                    changed = phase.changed() => if let Some(end) = self.enter_phase(changed.is_ok(), phase) {
                        return Err(end);
                    },
                }
            }
        };
        self.comeback = comeback;
        self.connection = Some(found.ok_or(End::Ended(ending))?);
        Ok(())
    }

    fn enter_phase(&mut self, exists: bool, phase: &mut watch::Receiver<Phase>) -> Option<End> {
        match (exists, *phase.borrow_and_update()) {
            (true, Phase::Joining) => {}
            (true, Phase::Measuring) => {
                let (traffic, newest) = (self.traffic(), self.board.newest_tick());
                self.tally.begin(&self.session, traffic, newest, time::now());
            }
            (false, _) | (true, Phase::Leaving) => return Some(End::Finished),
        }
        None
    }

    fn traffic(&self) -> Traffic {
        self.before.plus(self.connection.as_ref().map(Connection::traffic).unwrap_or_default())
    }

    fn note_happenings(&mut self) {
        while let Some(happening) = self.session.poll_happening() {
            match happening {
                Happening::Welcomed => {
                    let Some(welcome) = self.session.welcome() else { continue };
                    self.comeback.welcomed();
                    if std::mem::replace(&mut self.was_welcomed, true) {
                        self.tally.begun_anew += 1;
                        continue;
                    }
                    self.board.count_welcome(welcome.tick, welcome.tick_hz);
                    self.timer = timer(Duration::from_secs(1) / u32::from(welcome.tick_hz.max(1)));
                }
                Happening::Frame(summary) => {
                    self.board.count_frame(summary.tick);
                    let traffic = self.traffic();
                    self.board.count_bytes(self.tally.frame(&self.session, traffic, &summary));
                }
                Happening::InputSeen(micros) => self.tally.input_seen(micros),
                Happening::Resumed => {
                    self.comeback.welcomed();
                    self.tally.resumed += 1;
                }
                Happening::Game(..) | Happening::Mismatch | Happening::Draining(_) => {}
            }
        }
    }

    async fn transmit(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some(bytes) = self.session.poll_transmit(time::now()) {
            connection.send(bytes).await;
        }
    }

    async fn leave(mut self, end: &End) -> Tally {
        let traffic = self.traffic();
        self.tally.finish(&self.session, traffic, self.board.newest_tick(), time::now());
        let Some(connection) = self.connection.take() else { return self.tally };
        match end {
            End::Refused(_) => connection.close(CloseCode::BadMessage).await,
            End::Finished | End::NoWelcome => connection.close(CloseCode::Normal).await,
            End::Ended(_) | End::NotConnected(_) => {}
        }
        self.tally
    }
}

async fn next(connection: &mut Option<Connection>) -> Event {
    match connection {
        Some(connection) => connection.next().await,
        None => Event::Ended(Ending::Lost("there is no connection".to_owned())),
    }
}

/// When it is time to cut; never without a cutter.
async fn due(cutter: &mut Option<Interval>) {
    match cutter {
        Some(cutter) => drop(cutter.tick().await),
        None => std::future::pending().await,
    }
}

/// Bots take turns.
fn cutter(every: Duration, index: usize, clients: usize) -> Interval {
    let turn = every.mul_f64(1.0 + index as f64 / clients.max(1) as f64);
    let mut cutter = interval_at(Instant::now() + turn, every);
    cutter.set_missed_tick_behavior(MissedTickBehavior::Skip);
    cutter
}

fn timer(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    timer
}
