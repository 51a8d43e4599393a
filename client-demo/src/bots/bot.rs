//! One bot: a session, a connection and a hand on the stick, in one task. It wakes when something arrives or is to be
//! pressed, and now and then to see what the swarm does.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand_pcg::Pcg32;
use tickwire_shared::arena::{Arena, ArenaEntity};
use tickwire_shared::client::link::Stall;
use tickwire_shared::client::{Happening, Identity, Session, SessionError, State};
use tickwire_shared::wire::message::AccessToken;
use tickwire_shared::{CloseCode, Micros};
use tokio::time::{Instant, sleep, sleep_until};

use super::board::{Board, Phase};
use super::style::{Hand, Sight, Style};
use super::tally::Tally;
use crate::comeback::Comeback;
use crate::endpoint::Endpoint;
use crate::time;
use crate::transport::{ConnectError, Connection, Ending, Event, Link, Traffic, connect};

/// How long the server may take to answer Hello.
const WELCOME_MICROS_MAX: u64 = 10_000_000;
/// How often a bot looks up although nothing happens.
const LOOK_MICROS: u64 = 100_000;
/// How long a bot that left stays away, at least and at most.
const AWAY_MICROS: std::ops::Range<u64> = 1_000_000..3_000_000;

/// Where a bot sits in its swarm, and what it is told to do besides playing.
pub(super) struct Seat {
    pub(super) index: usize,
    pub(super) endpoint: Endpoint,
    pub(super) link: Option<Link>,
    pub(super) room: String,
    pub(super) token: Option<AccessToken>,
    pub(super) style: Style,
    pub(super) changes_per_s: Option<f64>,
    /// Whether it reads whole frames, or only their heads.
    pub(super) decodes: bool,
    pub(super) cut_every: Option<Duration>,
    /// On average.
    pub(super) leave_every: Option<Duration>,
    pub(super) stall: Option<Stall>,
    /// Of the whole swarm.
    pub(super) clients: usize,
    pub(super) seed: u64,
    pub(super) board: Arc<Board>,
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
    /// It was told to leave.
    Leave,
    End(End),
}

/// Plays until the swarm leaves or something ends the session.
pub(super) async fn play(seat: Seat, connection: Option<Connection>) -> Outcome {
    let board = Arc::clone(&seat.board);
    let mut tally = Tally::default();
    let mut was_welcomed = false;
    let end = match Bot::enter(seat, connection).await {
        Ok(mut bot) => {
            let end = bot.run().await;
            was_welcomed = bot.was_welcomed;
            tally = bot.say_goodbye(&end).await;
            end
        }
        Err(end) => end,
    };
    board.count_end(was_welcomed);
    Outcome { end, was_welcomed, tally }
}

struct Bot {
    seat: Seat,
    session: Session<Arena>,
    hand: Hand,
    dice: Pcg32,
    /// When it came back from doing nothing: what was due before says nothing of how fast the swarm is.
    woke_at: Micros,
    /// A press that waits for the tick that it can be sent for.
    retry_due: Option<Micros>,
    cut_due: Option<Micros>,
    leave_due: Option<Micros>,
    stall_due: Option<Micros>,
    comeback: Comeback,
    /// None while it comes back.
    connection: Option<Connection>,
    /// When it began to connect.
    asked: Micros,
    /// Whether this session was welcomed before, and whether any was.
    session_was_welcomed: bool,
    was_welcomed: bool,
    measures: bool,
    /// Whether the session at hand is over and counted.
    is_counted: bool,
    /// What travelled over the connections before this one.
    before: Traffic,
    tally: Tally,
}

impl Bot {
    async fn enter(seat: Seat, connection: Option<Connection>) -> Result<Self, End> {
        let asked = time::now();
        let connection = match connection {
            Some(connection) => connection,
            None => connect(&seat.endpoint, seat.link).await?,
        };
        let (seed, index) = (seat.seed, seat.index as u64);
        let mut dice = Pcg32::new(seed ^ 0xB07, index);
        let cut_due = seat.cut_every.map(|every| {
            // Bots take turns.
            let turn = every.mul_f64(1.0 + seat.index as f64 / seat.clients.max(1) as f64);
            asked.plus(turn.as_micros() as u64)
        });
        let stall_due = seat.stall.map(|stall| asked.plus(dice.random_range(0..stall.period_micros.max(1))));
        Ok(Self {
            session: session(&seat)?,
            hand: Hand::new(seat.style, seat.changes_per_s, seed, index),
            woke_at: asked,
            retry_due: None,
            cut_due,
            leave_due: seat.leave_every.map(|every| asked.plus(exponential(every, &mut dice))),
            stall_due,
            comeback: Comeback::new(seat.endpoint.clone(), seat.link, (seed << 16) ^ index),
            connection: Some(connection),
            asked,
            session_was_welcomed: false,
            was_welcomed: false,
            measures: false,
            is_counted: false,
            before: Traffic::default(),
            tally: Tally::default(),
            dice,
            seat,
        })
    }

    /// Plays, and comes back as long as that makes sense.
    async fn run(&mut self) -> End {
        loop {
            let (ending, on_purpose) = match self.play().await {
                Stop::Cut => (Ending::Lost("cut on purpose".to_owned()), true),
                Stop::Leave => match self.leave_for_a_while().await {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
                Stop::End(End::Ended(ending)) if self.session.welcome().is_some() => (ending, false),
                Stop::End(end) => return end,
            };
            self.before = self.traffic();
            self.connection = None;
            if let Err(end) = self.come_back(ending.clone()).await {
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

    async fn play(&mut self) -> Stop {
        let welcome_due = time::now().plus(WELCOME_MICROS_MAX);
        self.transmit().await;
        let mut alarm_due = time::now().plus(LOOK_MICROS);
        let mut alarm = pin!(sleep_until(instant(alarm_due)));
        loop {
            let mut rings = false;
            tokio::select! {
                biased;
                event = next(&mut self.connection) => match event {
                    Event::Message { bytes, at } => {
                        if let Err(error) = self.session.handle_message(&bytes, at) {
                            return Stop::End(End::Refused(error));
                        }
                        self.note_happenings(at);
                    }
                    Event::Ended(ending) => return Stop::End(End::Ended(ending)),
                },
                () = &mut alarm => rings = true,
            }
            let now = time::now();
            if let Some(end) = self.look_up() {
                return Stop::End(end);
            }
            if self.session.welcome().is_none() && now > welcome_due {
                return Stop::End(End::NoWelcome);
            }
            if let Some(stop) = self.is_told_to_go(now) {
                return stop;
            }
            self.stall_if_due(now).await;
            self.press_if_due(now);
            self.transmit().await;
            let due = self.due(now);
            if rings || due < alarm_due {
                alarm_due = due;
                alarm.as_mut().reset(instant(due));
            }
        }
    }

    /// When it has to wake at the latest.
    fn due(&self, now: Micros) -> Micros {
        let hand = self.session.welcome().and_then(|_| self.hand.due());
        [hand, self.retry_due, self.cut_due, self.leave_due, self.stall_due]
            .into_iter()
            .flatten()
            .fold(now.plus(LOOK_MICROS), Micros::min)
            .max(now)
    }

    fn is_told_to_go(&mut self, now: Micros) -> Option<Stop> {
        let is_due = |due: Option<Micros>| due.is_some_and(|due| now >= due);
        if is_due(self.cut_due) {
            let every = self.seat.cut_every.map_or(0, |every| every.as_micros() as u64);
            self.cut_due = Some(now.plus(every));
            if self.session.state(now) == State::Live {
                return Some(Stop::Cut);
            }
        }
        if is_due(self.leave_due) && self.session.state(now) == State::Live {
            return Some(Stop::Leave);
        }
        None
    }

    /// Neither reads nor writes for a while, as a program does that hangs.
    async fn stall_if_due(&mut self, now: Micros) {
        let (Some(stall), Some(due)) = (self.seat.stall, self.stall_due) else { return };
        if now < due || self.session.welcome().is_none() {
            return;
        }
        let until = now.plus(stall.length_micros);
        while time::now() < until && self.seat.board.phase() != Phase::Leaving {
            sleep(Duration::from_micros(until.since(time::now()).min(LOOK_MICROS))).await;
        }
        self.tally.stalls += 1;
        self.woke_at = time::now();
        self.stall_due = Some(now.plus(stall.period_micros.max(stall.length_micros + LOOK_MICROS)));
    }

    fn press_if_due(&mut self, now: Micros) {
        let Some(due) = self.hand.due().filter(|due| now >= *due && self.session.welcome().is_some()) else {
            return;
        };
        if self.tally.is_measuring() && due > self.woke_at {
            self.seat.board.figures.timer_late.record(now.since(due));
        }
        let sight = if self.hand.wants_sight(now) { self.sight() } else { Sight::default() };
        self.session.set_input(self.hand.input(now, sight), now);
        self.retry_due = None;
    }

    fn sight(&self) -> Sight {
        let size_m = self.session.setup().map_or(0.0, |setup| f32::from(setup.size_m));
        let own = match (self.seat.decodes, self.session.avatar(), self.session.private()) {
            (true, Some(_), Some(own)) => own.position,
            _ => return Sight { size_m, ..Sight::default() },
        };
        let players = self.session.entities().filter_map(|(_, entity)| match entity {
            ArenaEntity::Player(player) => Some(player.position),
            _ => None,
        });
        let nearest = players.min_by(|a, b| a.distance_squared(own).total_cmp(&b.distance_squared(own)));
        Sight { own: Some(own), nearest, size_m }
    }

    /// Another connection, unless the swarm leaves before.
    async fn come_back(&mut self, ending: Ending) -> Result<(), End> {
        // Taken out, so that the bot goes on noticing what the swarm does.
        let mut comeback = self.comeback.clone();
        let found = {
            let mut again = pin!(comeback.again(&ending));
            loop {
                tokio::select! {
                    connection = &mut again => break connection,
                    () = sleep(Duration::from_micros(LOOK_MICROS)) => if let Some(end) = self.look_up() {
                        return Err(end);
                    },
                }
            }
        };
        self.comeback = comeback;
        self.connection = Some(found.ok_or(End::Ended(ending))?);
        self.woke_at = time::now();
        Ok(())
    }

    /// Says goodbye, and is somebody new after a while.
    async fn leave_for_a_while(&mut self) -> Result<(), End> {
        self.end_stretch();
        self.tally.leaves += 1;
        self.seat.board.count_leave();
        if let Some(connection) = self.connection.take() {
            connection.close(CloseCode::Normal).await;
        }
        let until = time::now().plus(self.dice.random_range(AWAY_MICROS));
        while time::now() < until {
            sleep(Duration::from_micros(until.since(time::now()).min(LOOK_MICROS))).await;
            if let Some(end) = self.look_up() {
                return Err(end);
            }
        }
        self.session = session(&self.seat)?;
        (self.asked, self.session_was_welcomed, self.is_counted) = (time::now(), false, false);
        self.connection = Some(connect(&self.seat.endpoint, self.seat.link).await?);
        let every = self.seat.leave_every.unwrap_or(Duration::MAX);
        self.woke_at = time::now();
        // Who is cut before it has spoken is nobody to the server.
        self.cut_due = self.seat.cut_every.map(|every| self.woke_at.plus(every.as_micros() as u64));
        self.leave_due = Some(self.woke_at.plus(exponential(every, &mut self.dice)));
        Ok(())
    }

    /// Notices what the swarm does.
    fn look_up(&mut self) -> Option<End> {
        match self.seat.board.phase() {
            Phase::Joining => {}
            Phase::Measuring if !self.measures => {
                self.measures = true;
                self.begin_stretch();
            }
            Phase::Measuring => {}
            Phase::Leaving => return Some(End::Finished),
        }
        None
    }

    fn begin_stretch(&mut self) {
        let (traffic, newest) = (self.traffic(), self.seat.board.newest_tick());
        self.tally.begin(&self.session, traffic, newest, time::now());
    }

    fn end_stretch(&mut self) {
        let (traffic, newest) = (self.traffic(), self.seat.board.newest_tick());
        self.tally.finish(&self.session, traffic, newest, time::now());
        // The next connection counts from nothing.
        (self.before, self.is_counted) = (traffic, true);
    }

    fn traffic(&self) -> Traffic {
        self.before.plus(self.connection.as_ref().map(Connection::traffic).unwrap_or_default())
    }

    /// What arrived at `at` has brought about.
    fn note_happenings(&mut self, at: Micros) {
        while let Some(happening) = self.session.poll_happening() {
            match happening {
                Happening::Welcomed => self.note_welcome(at),
                Happening::Frame(summary) => {
                    self.seat.board.count_frame(summary.tick);
                    let traffic = self.traffic();
                    let figures = &self.seat.board.figures;
                    let fresh = self.tally.frame(&self.session, traffic, (&summary, at), figures);
                    self.seat.board.count_bytes(fresh);
                    if let (true, true, Some(replica)) =
                        (self.seat.decodes, self.tally.is_measuring(), self.session.replica())
                    {
                        figures.entities.record(replica.slots().len() as u64);
                    }
                }
                Happening::InputSeen(micros) => {
                    if self.tally.is_measuring() {
                        self.seat.board.figures.input_to_visible.record(micros);
                    }
                }
                Happening::Resumed => {
                    self.comeback.welcomed();
                    self.tally.resumed += 1;
                }
                Happening::Mismatch => self.seat.board.count_mismatch(),
                Happening::Game(..) | Happening::Draining(_) => {}
            }
        }
    }

    fn note_welcome(&mut self, at: Micros) {
        let Some(welcome) = self.session.welcome() else { return };
        self.comeback.welcomed();
        if std::mem::replace(&mut self.session_was_welcomed, true) {
            self.tally.begun_anew += 1;
            return;
        }
        self.seat.board.figures.joining.record(at.since(self.asked));
        if std::mem::replace(&mut self.was_welcomed, true) {
            self.seat.board.count_return();
            if self.measures {
                self.begin_stretch();
            }
            return;
        }
        self.seat.board.count_welcome(welcome.tick, welcome.tick_hz);
        if let Some(clock) = self.session.clock() {
            self.seat.board.note_margin(clock.margin_wanted_micros());
        }
    }

    async fn transmit(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some(bytes) = self.session.poll_transmit(time::now()) {
            connection.send(bytes).await;
        }
        // An input of this tick has left already, so a press waits for the next one.
        let now = time::now();
        self.retry_due = match (self.session.is_input_waiting(), self.session.clock()) {
            (true, Some(clock)) => {
                let into_micros = clock.input_time(now).1;
                Some(now.plus(clock.tick_micros().saturating_sub(into_micros).max(1)))
            }
            _ => None,
        };
    }

    async fn say_goodbye(mut self, end: &End) -> Tally {
        if !self.is_counted {
            self.end_stretch();
        }
        let Some(connection) = self.connection.take() else { return self.tally };
        match end {
            End::Refused(_) => connection.close(CloseCode::BadMessage).await,
            End::Finished | End::NoWelcome => connection.close(CloseCode::Normal).await,
            End::Ended(_) | End::NotConnected(_) => {}
        }
        self.tally
    }
}

fn session(seat: &Seat) -> Result<Session<Arena>, SessionError> {
    let name = format!("swarm {}", seat.index);
    let (room, token) = (seat.room.clone(), seat.token.clone());
    let mut session = Session::new(Identity { name, room, token, ..Identity::default() })?;
    if !seat.decodes {
        session.skim();
    }
    Ok(session)
}

async fn next(connection: &mut Option<Connection>) -> Event {
    match connection {
        Some(connection) => connection.next().await,
        None => Event::Ended(Ending::Lost("there is no connection".to_owned())),
    }
}

/// A time to wait for what happens this often on average, at any moment alike, in microseconds.
fn exponential(every: Duration, dice: &mut Pcg32) -> u64 {
    let share: f64 = dice.random_range(f64::EPSILON..1.0);
    (every.as_micros() as f64 * -share.ln()).min(1e15) as u64
}

fn instant(due: Micros) -> Instant {
    Instant::now() + Duration::from_micros(due.since(time::now()))
}
