//! One room's thread: it starts ticks on absolute deadlines, takes what connections have left for it, lets the
//! room step, and hands out what the room wants sent. It never waits for a peer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::wire::message::{Hello, ResumeToken};
use tickwire_shared::{Close, CloseCode, Micros, Protocol};
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::lending::Lent;
use super::link::{Departure, Downlink, Link};
use super::recorder::Recorder;
use super::rooms::{Board, Rooms};
use super::seats::{Heard, Seats};
use super::sweep::{SWEEPS_PER_TICK, Sweeper};
use crate::host::{Crew, Event, Output, Room, Status};
use crate::simulation::Game;

/// Ticks that are made up for, back to back, before the rest is skipped.
const CATCH_UP_TICKS_MAX: u64 = 3;
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

/// When the next tick is due. No clock of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    start: Micros,
    tick_hz: u64,
    /// Ticks begun or skipped.
    count: u64,
}

/// How a tick started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Started {
    /// After its deadline, in microseconds.
    pub(super) late_micros: u64,
    /// Ticks given up before it.
    pub(super) skipped: u64,
}

impl Pacer {
    pub(super) fn new(start: Micros, tick_hz: u16) -> Self {
        Self { start, tick_hz: u64::from(tick_hz), count: 0 }
    }

    /// The deadline of the next tick: counted from the start, so that nothing adds up.
    pub(super) fn deadline(&self) -> Micros {
        self.start.plus(self.count * 1_000_000 / self.tick_hz)
    }

    fn tick_micros(&self) -> u64 {
        1_000_000 / self.tick_hz
    }

    /// The tick that is due starts now.
    pub(super) fn begin(&mut self, now: Micros) -> Started {
        let late_micros = now.since(self.deadline());
        let behind = late_micros * self.tick_hz / 1_000_000;
        let skipped = if behind > CATCH_UP_TICKS_MAX { behind } else { 0 };
        self.count += skipped + 1;
        Started { late_micros, skipped }
    }
}

/// A room and the connections in it.
struct Runner<G: Game> {
    room: Room<G>,
    seats: Seats<G::Protocol>,
    joins: mpsc::Receiver<Join<G::Protocol>>,
    board: Arc<Board>,
    clock: Clock,
    recorder: Recorder,
}

/// Runs a room until it ends. To be called on a thread of its own.
pub(super) fn run<G: Game>(
    make: impl FnOnce() -> Result<(Room<G>, Recorder), String>,
    joins: mpsc::Receiver<Join<G::Protocol>>,
    rooms: &Rooms<G::Protocol>,
    board: &Arc<Board>,
) {
    let clock = rooms.clock();
    let room = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| Err("it panicked".to_owned()));
    let mut runner = match room {
        Ok((room, recorder)) => Runner {
            room,
            seats: Seats::new(Sweeper::new(rooms.bytes_per_s(), board.tick_hz()).ok()),
            joins,
            board: Arc::clone(board),
            clock,
            recorder,
        },
        Err(why) => {
            tracing::error!(room = board.name(), why, "the room could not begin");
            return rooms.bury(board, joins);
        }
    };
    let mut pacer = Pacer::new(clock.now(), board.tick_hz());
    let mut empty_since = clock.now();
    loop {
        runner.sweep_until(&pacer);
        let now = clock.now();
        let started = pacer.begin(now);
        board.timing(|timing| timing.started(started, LATE_MICROS));
        let status = match catch_unwind(AssertUnwindSafe(|| runner.turn(rooms))) {
            Ok(status) => status,
            Err(_) => {
                tracing::error!(room = board.name(), "the room's loop panicked");
                runner.seats.close_all(&Close::new(CloseCode::Internal));
                break;
            }
        };
        if status.ended {
            break;
        }
        if status.clients + status.away_clients > 0 {
            empty_since = now;
        }
        if rooms.is_stale(board, now.since(empty_since)) && rooms.retire(board, &runner.joins) {
            tracing::info!(room = board.name(), "empty room disposed of");
            return;
        }
    }
    tracing::info!(room = board.name(), "room ended");
    rooms.bury(board, runner.joins);
}

fn sleep_until(deadline: Micros, clock: &Clock) {
    let left = deadline.since(clock.now());
    if left > 0 {
        std::thread::sleep(Duration::from_micros(left));
    }
}

impl<G: Game> Runner<G> {
    /// Sleeps until the next tick is due, and sweeps now and then.
    fn sweep_until(&mut self, pacer: &Pacer) {
        let deadline = pacer.deadline();
        if self.seats.is_swept() {
            for left in (1..SWEEPS_PER_TICK).rev() {
                let before = pacer.tick_micros() * u64::from(left) / u64::from(SWEEPS_PER_TICK);
                let at = Micros(deadline.0.saturating_sub(before));
                if at > self.clock.now() {
                    sleep_until(at, &self.clock);
                    self.seats.sweep(self.clock.now());
                }
            }
        }
        sleep_until(deadline, &self.clock);
    }

    /// Everything between two deadlines.
    fn turn(&mut self, rooms: &Rooms<G::Protocol>) -> Status {
        let begun = self.clock.now();
        self.admit(rooms);
        self.hear_connections();
        let heard = self.clock.now();
        self.room.tick_with(heard, rooms.packers());
        let stepped = self.clock.now();
        self.hand_out(rooms.packers());
        let sent = self.clock.now();
        self.recorder.ticked(&mut self.room, sent);
        let status = self.room.status();
        let stages = [heard.since(begun), stepped.since(heard), sent.since(stepped)];
        self.board.publish(status, self.room.counters(), stages);
        status
    }

    fn admit(&mut self, rooms: &Rooms<G::Protocol>) {
        for _ in 0..self.joins_per_tick() {
            let Ok(Join { newcomer, resume, asked }) = self.joins.try_recv() else { break };
            let Newcomer { link, downlink, reader, hello, subject } = newcomer;
            if link.gone().is_some() {
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
        if let Some(close) = rooms.closing() {
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

#[cfg(test)]
mod tests {
    use super::*;

    const START: Micros = Micros(1_000);

    #[test]
    fn deadlines_do_not_add_up_errors() {
        let mut pacer = Pacer::new(START, 30);
        for _ in 0..30_000 {
            let deadline = pacer.deadline();
            assert_eq!(pacer.begin(deadline.plus(700)), Started { late_micros: 700, skipped: 0 });
        }
        assert_eq!(pacer.deadline(), START.plus(1_000_000_000));
    }

    #[test]
    fn a_short_delay_is_caught_up() {
        let mut pacer = Pacer::new(START, 10);
        let now = START.plus(350_000);
        let starts: Vec<_> = (0..5).map(|_| (pacer.deadline() <= now, pacer.begin(now).skipped)).collect();
        assert_eq!(starts, [(true, 0), (true, 0), (true, 0), (true, 0), (false, 0)]);
    }

    #[test]
    fn a_long_delay_is_skipped_and_counted() {
        let mut pacer = Pacer::new(START, 10);
        let now = START.plus(10_050_000);
        assert_eq!(pacer.begin(now), Started { late_micros: 10_050_000, skipped: 100 });
        assert_eq!(pacer.deadline(), START.plus(10_100_000));
    }
}
