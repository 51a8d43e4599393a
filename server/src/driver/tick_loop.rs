//! One room's thread: it starts ticks on absolute deadlines, takes what connections have left for it, lets the
//! room step, and hands out what the room wants sent. It never waits for a peer.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::wire::message::{Hello, ResumeToken};
use tickwire_shared::{ClientId, Close, CloseCode, Micros, Protocol};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::link::{Departure, Inbox, Link};
use super::rooms::{Board, Rooms};
use crate::host::{Event, Output, Room, Status};
use crate::simulation::Game;

/// Ticks that are made up for, back to back, before the rest is skipped.
const CATCH_UP_TICKS_MAX: u64 = 3;
/// Joins that one room takes per second, and per tick at least.
const JOINS_PER_S: u16 = 960;
const JOINS_PER_TICK_MIN: usize = 8;
/// A tick that starts this much after its deadline counts as late.
const LATE_MICROS: u64 = 2_000;

/// A connection that said Hello, on its way to its room.
pub(super) struct Join<P: Protocol> {
    pub(super) link: Arc<Link<P>>,
    pub(super) hello: Hello,
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

    /// The tick that is due starts now.
    pub(super) fn begin(&mut self, now: Micros) -> Started {
        let late_micros = now.since(self.deadline());
        let behind = late_micros * self.tick_hz / 1_000_000;
        let skipped = if behind > CATCH_UP_TICKS_MAX { behind } else { 0 };
        self.count += skipped + 1;
        Started { late_micros, skipped }
    }
}

/// A client's place in its room.
struct Seat<P: Protocol> {
    link: Arc<Link<P>>,
    told_writable: bool,
}

/// A room and the connections in it.
struct Runner<G: Game> {
    room: Room<G>,
    seats: BTreeMap<ClientId, Seat<G::Protocol>>,
    joins: mpsc::Receiver<Join<G::Protocol>>,
    board: Arc<Board>,
    clock: Clock,
    inbox: Inbox<G::Protocol>,
    frame: Vec<u8>,
}

/// Runs a room until it ends. To be called on a thread of its own.
pub(super) fn run<G: Game>(
    make: impl FnOnce() -> Result<Room<G>, String>,
    joins: mpsc::Receiver<Join<G::Protocol>>,
    rooms: &Rooms<G::Protocol>,
    board: &Arc<Board>,
) {
    let clock = rooms.clock();
    let room = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| Err("it panicked".to_owned()));
    let mut runner = match room {
        Ok(room) => Runner {
            room,
            seats: BTreeMap::new(),
            joins,
            board: Arc::clone(board),
            clock,
            inbox: VecDeque::new(),
            frame: Vec::new(),
        },
        Err(why) => {
            tracing::error!(room = board.name(), why, "the room could not begin");
            return rooms.bury(board, joins);
        }
    };
    let mut pacer = Pacer::new(clock.now(), board.tick_hz());
    let mut empty_since = clock.now();
    loop {
        sleep_until(pacer.deadline(), &clock);
        let now = clock.now();
        let started = pacer.begin(now);
        board.timing(|timing| timing.started(started, LATE_MICROS));
        let status = match catch_unwind(AssertUnwindSafe(|| runner.turn(rooms))) {
            Ok(status) => status,
            Err(_) => {
                tracing::error!(room = board.name(), "the room's loop panicked");
                runner.abandon(&Close::new(CloseCode::Internal));
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
    /// Everything between two deadlines.
    fn turn(&mut self, rooms: &Rooms<G::Protocol>) -> Status {
        let begun = self.clock.now();
        self.admit(rooms);
        self.hear_connections();
        let heard = self.clock.now();
        self.room.tick_with(heard, rooms.packers());
        let stepped = self.clock.now();
        self.hand_out();
        let sent = self.clock.now();
        let status = self.room.status();
        let stages = [heard.since(begun), stepped.since(heard), sent.since(stepped)];
        self.board.publish(status, self.room.counters(), stages);
        status
    }

    fn admit(&mut self, rooms: &Rooms<G::Protocol>) {
        for _ in 0..self.joins_per_tick() {
            let Ok(Join { link, hello, resume, asked }) = self.joins.try_recv() else { break };
            if link.gone().is_some() {
                continue;
            }
            if self.clock.now().since(asked) > rooms.join_deadline_micros() {
                link.close(&rooms.too_many_join());
                continue;
            }
            let client = link.client();
            self.seats.insert(client, Seat { link, told_writable: true });
            self.room.handle(Event::Join { client, hello, resume }, self.clock.now());
        }
        // Before anything is heard: who came back has another number from now on.
        self.hand_out();
        if let Some(close) = rooms.closing() {
            self.room.handle(Event::End { close: close.clone() }, self.clock.now());
        }
    }

    /// A burst of joins is spread over ticks, so that those who play on notice nothing.
    fn joins_per_tick(&self) -> usize {
        usize::from(JOINS_PER_S / self.board.tick_hz()).max(JOINS_PER_TICK_MIN)
    }

    /// In the order of the clients' ids, so that the room sees the same order whoever was faster.
    fn hear_connections(&mut self) {
        let now = self.clock.now();
        let Self { room, seats, inbox, .. } = self;
        seats.retain(|client, seat| {
            if let Some(how) = seat.link.gone() {
                let client = *client;
                let event = match how {
                    Departure::Lost => Event::Lost { client },
                    Departure::ForGood => Event::Leave { client },
                };
                room.handle(event, now);
                return false;
            }
            let writable = seat.link.writable();
            if writable != seat.told_writable {
                seat.told_writable = writable;
                room.handle(Event::Writable { client: *client, writable }, now);
            }
            seat.link.collect(inbox);
            for (arrived, message) in inbox.drain(..) {
                room.handle(Event::Message { client: *client, message }, arrived);
            }
            true
        });
    }

    fn hand_out(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Send { client, bytes } => {
                    if let Some(seat) = self.seats.get(&client) {
                        seat.link.send(bytes, &mut self.frame);
                    }
                }
                Output::Close { client, close } => {
                    if let Some(seat) = self.seats.remove(&client) {
                        seat.link.close(&close);
                    }
                }
                Output::Resumed { client, connection } => {
                    // The one before is closed already, or was lost.
                    if let Some(seat) = self.seats.remove(&connection) {
                        self.seats.insert(client, seat);
                    }
                }
            }
        }
    }

    fn abandon(&mut self, close: &Close) {
        for seat in std::mem::take(&mut self.seats).into_values() {
            seat.link.close(close);
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
