//! One bot: a session, a connection and a hand on the stick, in one task.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::CloseCode;
use tickwire_shared::arena::Arena;
use tickwire_shared::client::{Happening, Identity, Session, SessionError};
use tickwire_shared::wire::message::AccessToken;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::board::Board;
use super::tally::Tally;
use super::wanderer::Wanderer;
use crate::endpoint::Endpoint;
use crate::time;
use crate::transport::{ConnectError, Connection, Ending, Event, Link, connect};

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
    let Seat { index, endpoint, link, room, token, seed, board, phase } = seat;
    let connection = match connection {
        Some(connection) => connection,
        None => connect(&endpoint, link).await?,
    };
    let identity = Identity { name: format!("swarm {index}"), room, token, ..Identity::default() };
    let bot = Bot {
        session: Session::new(identity)?,
        wanderer: Wanderer::new(seed, index as u64),
        timer: timer(TIMER_BEFORE_WELCOME),
        connection,
        board,
        tally: Tally::default(),
    };
    Ok((bot, phase))
}

struct Bot {
    session: Session<Arena>,
    wanderer: Wanderer,
    timer: Interval,
    connection: Connection,
    board: Arc<Board>,
    tally: Tally,
}

impl Bot {
    async fn run(&mut self, mut phase: watch::Receiver<Phase>) -> End {
        let welcome_due = time::now().plus(WELCOME_MICROS_MAX);
        self.transmit().await;
        loop {
            tokio::select! {
                event = self.connection.next() => match event {
                    Event::Message { bytes, at } => {
                        if let Err(error) = self.session.handle_message(&bytes, at) {
                            return End::Refused(error);
                        }
                    }
                    Event::Ended(ending) => return End::Ended(ending),
                },
                _ = self.timer.tick() => {
                    let now = time::now();
                    if self.session.welcome().is_none() && now > welcome_due {
                        return End::NoWelcome;
                    }
                    self.session.set_input(self.wanderer.input(now), now);
                }
                changed = phase.changed() => match (changed.is_ok(), *phase.borrow_and_update()) {
                    (true, Phase::Joining) => {}
                    (true, Phase::Measuring) => {
                        let (traffic, newest) = (self.connection.traffic(), self.board.newest_tick());
                        self.tally.begin(&self.session, traffic, newest, time::now());
                    }
                    (false, _) | (true, Phase::Leaving) => return End::Finished,
                },
            }
            self.note_happenings();
            self.transmit().await;
        }
    }

    fn note_happenings(&mut self) {
        while let Some(happening) = self.session.poll_happening() {
            match happening {
                Happening::Welcomed => {
                    let Some(welcome) = self.session.welcome() else { continue };
                    self.board.count_welcome(welcome.tick, welcome.tick_hz);
                    self.timer = timer(Duration::from_secs(1) / u32::from(welcome.tick_hz.max(1)));
                }
                Happening::Frame(summary) => {
                    self.board.count_frame(summary.tick);
                    self.board.count_bytes(self.tally.frame(
                        &self.session,
                        self.connection.traffic(),
                        &summary,
                    ));
                }
                Happening::InputSeen(micros) => self.tally.input_seen(micros),
                Happening::Game(..) | Happening::Mismatch | Happening::Resumed => {}
            }
        }
    }

    async fn transmit(&mut self) {
        while let Some(bytes) = self.session.poll_transmit(time::now()) {
            self.connection.send(bytes).await;
        }
    }

    async fn leave(mut self, end: &End) -> Tally {
        let traffic = self.connection.traffic();
        self.tally.finish(&self.session, traffic, self.board.newest_tick(), time::now());
        match end {
            End::Refused(_) => self.connection.close(CloseCode::BadMessage).await,
            End::Finished | End::NoWelcome => self.connection.close(CloseCode::Normal).await,
            End::Ended(_) | End::NotConnected(_) => {}
        }
        self.tally
    }
}

fn timer(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    timer
}
