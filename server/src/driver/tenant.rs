//! One room among those of a worker: it starts ticks on absolute deadlines, takes what connections have left for it, lets the
//! room step, and hands out what the room wants sent. It never waits for a peer. Without clients it falls asleep: no tick, and
//! nothing kept that the game does not need.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tickwire_shared::wire::message::{Hello, ResumeToken};
use tickwire_shared::{Close, CloseCode, Micros, Protocol};
use tokio::sync::{mpsc, oneshot};

use super::board::{Board, Command};
use super::clock::Clock;
use super::ladder::Ladder;
use super::lending::Lent;
use super::link::{Departure, Downlink, Link};
use super::pacer::{Pacer, Started};
use super::questions::Question;
use super::recorder::Recorder;
use super::rooms::Rooms;
use super::seats::{Heard, Seats};
use super::state_dir::StateDir;
use super::sweep::{Sweeper, sweeps_per_tick};
use super::timing::STAGES;
use super::worker::{Next, Tenant};
use crate::host::{Crew, Event, Output, Room, Status};
use crate::simulation::Game;

/// Joins that one room takes per second, and per tick at least.
const JOINS_PER_S: u16 = 960;
const JOINS_PER_TICK_MIN: usize = 8;
/// A tick that starts this much after its deadline counts as late.
const LATE_MICROS: u64 = 2_000;

/// A connection that said Hello.
pub(super) struct Newcomer<P: Protocol> {
    pub(super) link: Arc<Link<P>>,
    pub(super) downlink: Downlink,
    /// Where the connection lends the reading, if it can.
    pub(super) reader: Option<oneshot::Receiver<Lent>>,
    pub(super) hello: Hello,
    /// Who it is, where that was found out.
    pub(super) subject: Option<String>,
}

/// One on its way to its room.
pub(super) struct Join<P: Protocol> {
    pub(super) newcomer: Newcomer<P>,
    /// Its secret for coming back.
    pub(super) resume: ResumeToken,
    /// When it said so.
    pub(super) asked: Micros,
}

/// Makes a room.
pub(super) type Make<G> = Box<dyn FnOnce() -> Result<(Room<G>, Recorder), String> + Send>;

/// A room's place with its worker.
pub(super) struct Tenancy<G: Game> {
    board: Arc<Board>,
    rooms: Arc<Rooms<G::Protocol>>,
    state_dir: StateDir,
    stage: Stage<G>,
}

enum Stage<G: Game> {
    /// Nobody has come by yet: making a room may take its time, so its worker does it.
    Unmade {
        make: Make<G>,
        joins: mpsc::Receiver<Join<G::Protocol>>,
    },
    Made(Box<Runner<G>>),
    Ended,
}

/// A room and the connections in it.
struct Runner<G: Game> {
    room: Room<G>,
    seats: Seats<G::Protocol>,
    joins: mpsc::Receiver<Join<G::Protocol>>,
    board: Arc<Board>,
    clock: Clock,
    pacer: Pacer,
    ladder: Ladder,
    /// Since the last tick.
    sweeps: u32,
    /// The tick whose frames are being sent.
    turn: Turn,
    empty_since: Micros,
    asleep: bool,
    recorder: Recorder,
    state_dir: StateDir,
    /// Whether its clients know that the server goes away.
    told_draining: bool,
}

/// A tick on its way.
#[derive(Clone, Copy, Default)]
struct Turn {
    started: Started,
    /// What each of its stages took so far.
    stages: [u64; STAGES.len()],
    /// What it took until its step was made.
    simulated: u64,
}

impl<G: Game> Tenancy<G> {
    pub(super) fn new(
        make: Make<G>,
        joins: mpsc::Receiver<Join<G::Protocol>>,
        rooms: Arc<Rooms<G::Protocol>>,
        board: Arc<Board>,
        state_dir: StateDir,
    ) -> Self {
        Self { board, rooms, state_dir, stage: Stage::Unmade { make, joins } }
    }
}

impl<G: Game> Tenant for Tenancy<G> {
    fn visit(&mut self, now: Micros) -> Next {
        if matches!(self.stage, Stage::Unmade { .. }) {
            self.begin(now);
        }
        let Stage::Made(runner) = &mut self.stage else { return Next::Gone };
        match catch_unwind(AssertUnwindSafe(|| runner.visit_and_answer(&self.rooms, now))) {
            Ok(Next::Gone) => {}
            Ok(next) => return next,
            Err(_) => {
                tracing::error!(room = self.board.name(), "the room's loop panicked");
                runner.seats.close_all(&Close::new(CloseCode::Internal));
            }
        }
        if let Stage::Made(runner) = std::mem::replace(&mut self.stage, Stage::Ended) {
            self.rooms.bury(&self.board, runner.joins);
        }
        Next::Gone
    }

    fn moved(&mut self, worker: usize) {
        self.board.lives_with(worker);
    }
}

impl<G: Game> Tenancy<G> {
    fn begin(&mut self, now: Micros) {
        let Stage::Unmade { make, joins } = std::mem::replace(&mut self.stage, Stage::Ended) else { return };
        match catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok((room, recorder)) => {
                self.stage = Stage::Made(Box::new(Runner {
                    room,
                    seats: Seats::new(None),
                    joins,
                    board: Arc::clone(&self.board),
                    clock: self.rooms.clock(),
                    pacer: Pacer::new(now, self.board.tick_hz()),
                    ladder: self.rooms.ladder(),
                    sweeps: 0,
                    turn: Turn::default(),
                    empty_since: now,
                    asleep: true,
                    recorder,
                    state_dir: self.state_dir.clone(),
                    told_draining: false,
                }));
                if let Stage::Made(runner) = &mut self.stage {
                    runner.wake(&self.rooms, now);
                }
            }
            Err(why) => {
                tracing::error!(room = self.board.name(), why, "the room could not begin");
                self.rooms.bury(&self.board, joins);
            }
        }
    }
}

impl<G: Game> Runner<G> {
    /// Questions come last: what is due does not wait for them, and all clients are to stand at the same tick.
    fn visit_and_answer(&mut self, rooms: &Rooms<G::Protocol>, now: Micros) -> Next {
        let next = self.visit(rooms, now);
        if !self.room.is_telling() && self.board.questions().is_asked() {
            self.answer();
        }
        next
    }

    fn answer(&mut self) {
        let questions = self.board.questions();
        // One in a visit, so that a tick is held up by one at most; a room that sleeps is visited for these only.
        while let Some(Question { inquiry, reply }) = questions.next() {
            let begun = self.clock.now();
            // Whoever asked may have gone.
            let _ = reply.send(self.room.inspect(inquiry, begun));
            questions.answered(self.clock.now().since(begun));
            if !self.asleep {
                break;
            }
        }
    }

    fn visit(&mut self, rooms: &Rooms<G::Protocol>, now: Micros) -> Next {
        if self.asleep {
            if self.has_nothing_to_do(rooms) {
                return self.stay_empty(rooms, now);
            }
            self.wake(rooms, now);
        }
        if self.room.is_telling() {
            // Frames that are left out would cost more than late ones, so a tick waits for those of the one before. Others who
            // live here come in between.
            if self.sweep_due(rooms).is_some_and(|due| now >= due) {
                self.sweep(now);
                let [hear, ..] = &mut self.turn.stages;
                *hear += self.clock.now().since(now);
            }
            return self.tell(rooms, now);
        }
        if now < self.pacer.deadline() {
            self.sweep(now);
            return Next::At(self.next_visit(rooms));
        }
        let started = self.pacer.begin(now);
        self.board.timing(|timing| timing.started(started, LATE_MICROS));
        self.sweeps = 0;
        self.turn(rooms, started, now)
    }

    fn sweep(&mut self, now: Micros) {
        self.seats.sweep(now);
        self.sweeps += 1;
    }

    /// Whether it goes on ticking, falls asleep or is disposed of.
    fn stay_empty(&mut self, rooms: &Rooms<G::Protocol>, now: Micros) -> Next {
        let empty_micros = now.since(self.empty_since);
        let stale_at = rooms.stale_at(&self.board, self.empty_since);
        if stale_at.is_some_and(|at| now >= at) && rooms.retire(&self.board, &self.joins) {
            tracing::info!(room = self.board.name(), "empty room disposed of");
            self.state_dir.forget(self.board.name());
            return Next::Gone;
        }
        if !self.asleep && empty_micros >= rooms.suspend_after_micros() {
            self.board.publish_still(self.room.status(), self.room.counters());
            self.board.falls_asleep();
            // Whoever asks to join from now on wakes it; who did before is here already.
            self.asleep = self.has_nothing_to_do(rooms);
            if self.asleep {
                self.give_nothing_up(rooms, now);
                self.room.rest();
                self.recorder.rests(&mut self.room);
                self.seats = Seats::new(None);
                rooms.note_rest();
                tracing::debug!(room = self.board.name(), "room sleeps");
            } else {
                self.board.wakes();
            }
        }
        match stale_at {
            _ if !self.asleep => Next::At(self.next_visit(rooms)),
            Some(at) => Next::At(at),
            None => Next::Woken,
        }
    }

    fn has_nothing_to_do(&self, rooms: &Rooms<G::Protocol>) -> bool {
        self.joins.is_empty() && rooms.closing().is_none() && !self.board.is_commanded()
    }

    fn wake(&mut self, rooms: &Rooms<G::Protocol>, now: Micros) {
        self.board.wakes();
        self.asleep = false;
        self.empty_since = now;
        self.seats = Seats::new(Sweeper::new(rooms.bytes_per_s(), self.board.tick_hz()).ok());
        // What was not simulated is not made up for.
        self.pacer = Pacer::in_place(self.board.number(), now, self.board.tick_hz());
    }

    /// The next tick, or a sweep before it.
    fn next_visit(&self, rooms: &Rooms<G::Protocol>) -> Micros {
        self.sweep_due(rooms).unwrap_or(self.pacer.deadline())
    }

    /// The next sweep before the next tick, which begins with one.
    fn sweep_due(&self, rooms: &Rooms<G::Protocol>) -> Option<Micros> {
        let swept = self.seats.swept();
        let sweeps = sweeps_per_tick(swept, rooms.load_beside(&self.board));
        let left = sweeps.saturating_sub(1 + self.sweeps);
        if left == 0 || swept == 0 {
            return None;
        }
        let before = self.pacer.tick_micros() * u64::from(left) / u64::from(sweeps);
        Some(Micros(self.pacer.deadline().0.saturating_sub(before)))
    }

    /// What is said, a step, and the first of the frames.
    fn turn(&mut self, rooms: &Rooms<G::Protocol>, started: Started, now: Micros) -> Next {
        let begun = self.clock.now();
        self.admit(rooms);
        self.hear_connections();
        let heard = self.clock.now();
        if !self.board.hold().lets_tick() {
            self.hand_out(rooms.packers());
            self.seats.send_held();
            self.ladder.pauses();
            let status = self.room.status();
            self.board.publish_still(status, self.room.counters());
            return self.go_on(rooms, status, now);
        }
        self.room.step(heard);
        let stepped = self.clock.now();
        let stages = [heard.since(begun), stepped.since(heard), 0, 0];
        self.turn = Turn { started, stages, simulated: stepped.since(begun) };
        self.tell(rooms, now)
    }

    /// Packs and sends frames of the last step: some, if there is time until the next one, so that others have their turn, or else all.
    fn tell(&mut self, rooms: &Rooms<G::Protocol>, now: Micros) -> Next {
        loop {
            let begun = self.clock.now();
            let more = self.room.tell(begun, rooms.packers());
            let packed = self.clock.now();
            self.hand_out(rooms.packers());
            let sent = self.clock.now();
            let [.., pack, send] = &mut self.turn.stages;
            *pack += packed.since(begun);
            *send += sent.since(packed);
            if !more {
                let status = self.end_turn(sent);
                return self.go_on(rooms, status, now);
            }
            if sent < self.pacer.deadline() {
                return Next::At(now);
            }
        }
    }

    /// Everybody was told.
    fn end_turn(&mut self, now: Micros) -> Status {
        let Turn { started, stages, simulated } = self.turn;
        self.seats.end_turn();
        self.recorder.ticked(&mut self.room, now);
        let status = self.room.status();
        self.board.publish(status, self.room.counters(), stages, simulated);
        if self.ladder.ticked(started, stages.iter().sum(), self.pacer.tick_micros(), now) {
            self.step(now);
        }
        status
    }

    /// After a tick.
    fn go_on(&mut self, rooms: &Rooms<G::Protocol>, status: Status, now: Micros) -> Next {
        if status.ended {
            tracing::info!(room = self.board.name(), "room ended");
            if rooms.closing().is_none() {
                self.state_dir.forget(self.board.name());
            }
            return Next::Gone;
        }
        if status.clients + status.away_clients > 0 {
            self.empty_since = now;
        }
        self.stay_empty(rooms, now)
    }

    /// There is all the time in the world, and nobody who misses anything.
    fn give_nothing_up(&mut self, rooms: &Rooms<G::Protocol>, now: Micros) {
        let before = std::mem::replace(&mut self.ladder, rooms.ladder());
        if before.step() != self.ladder.step() {
            self.step(now);
        }
    }

    /// Gives up more, or less, for lack of time.
    fn step(&mut self, now: Micros) {
        let (step, pace) = (self.ladder.step(), self.ladder.pace());
        let is_more = step > self.board.step() || pace < self.pacer.pace();
        self.pacer.catch_up(self.ladder.catches_up());
        self.pacer.go_at(pace);
        let frame_ticks = self.room.capture().schedule().cadences().frame_ticks();
        self.seats.pair_frames(self.ladder.halves_rate().then_some(frame_ticks));
        self.room.handle(Event::Relieve(self.ladder.relief()), now);
        self.board.steps(step);
        let (room, step, percent) = (self.board.name(), step.name(), pace.get());
        if is_more {
            tracing::warn!(room, step, percent, "a room has more to do than time and gives something up");
        } else {
            tracing::info!(room, step, percent, "a room has time again");
        }
    }

    fn admit(&mut self, rooms: &Rooms<G::Protocol>) {
        for _ in 0..self.joins_per_tick() {
            let Ok(Join { newcomer, resume, asked }) = self.joins.try_recv() else { break };
            let Newcomer { link, downlink, reader, hello, subject } = newcomer;
            if link.gone().is_some() {
                continue;
            }
            if let Some(close) = rooms.turned_away() {
                downlink.close(&close);
                continue;
            }
            if self.clock.now().since(asked) > rooms.join_deadline_micros() {
                downlink.close(&rooms.too_many_join());
                continue;
            }
            let client = link.client();
            self.seats.take(link, downlink, reader);
            self.room.handle(Event::Join { client, hello, resume, subject }, self.clock.now());
        }
        // Before anything is heard: who came back has another number from now on.
        self.hand_out(rooms.packers());
        for command in self.board.take_commands() {
            let event = match command {
                Command::End(close) => Event::End { close },
                Command::Kick { client, close } => Event::Kick { client, close },
            };
            self.room.handle(event, self.clock.now());
        }
        if let Some(draining) = rooms.draining().filter(|_| !self.told_draining) {
            self.told_draining = true;
            self.room.handle(Event::Draining(*draining), self.clock.now());
        }
        if let Some(close) = rooms.closing() {
            self.state_dir.write(self.board.order(), || self.room.save());
            self.room.handle(Event::End { close: close.clone() }, self.clock.now());
        }
    }

    /// A burst of joins is spread over ticks, so that those who play on notice nothing.
    fn joins_per_tick(&self) -> usize {
        usize::from(JOINS_PER_S / self.board.tick_hz()).max(JOINS_PER_TICK_MIN)
    }

    fn hear_connections(&mut self) {
        let now = self.clock.now();
        self.seats.sweep(now);
        let Self { room, seats, .. } = self;
        seats.hear(|client, heard| match heard {
            Heard::Left(Departure::Lost) => room.handle(Event::Lost { client }, now),
            Heard::Left(Departure::ForGood) => room.handle(Event::Leave { client }, now),
            Heard::Writable(writable) => room.handle(Event::Writable { client, writable }, now),
            Heard::Message(arrived, message) => room.handle(Event::Message { client, message }, arrived),
        });
    }

    fn hand_out(&mut self, crew: &dyn Crew) {
        loop {
            self.seats.send_all(&self.room.poll_sends(), crew);
            let Some(output) = self.room.poll_output() else { break };
            match output {
                Output::Send { client, bytes } => self.seats.send(client, bytes),
                Output::Close { client, close } => self.seats.close(client, &close),
                // The one before is closed already, or was lost.
                Output::Resumed { client, connection } => self.seats.rename(connection, client),
            }
        }
    }
}
