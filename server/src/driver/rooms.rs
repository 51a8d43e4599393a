//! The rooms of the server: who finds one by its name, when one begins, and when one is gone.
//!
//! Joins are sent to a room while the directory is locked, and a room leaves the directory under the same lock,
//! so no join is ever lost between the two.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tickwire_shared::limits::ROOM_BYTES_MAX;
use tickwire_shared::schema::Schema;
use tickwire_shared::wire::message::ResumeToken;
use tickwire_shared::{ClientId, Close, CloseCode, Protocol, Tick};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::crew::Packers;
use super::tick_loop::{Join, Newcomer};
use super::timing::{STAGES, Timing};
use super::totals::Totals;
use crate::host::{Counters, Status};
use crate::session::admission;

/// The room that is always there.
pub(super) const DEFAULT_ROOM: &str = "main";
/// Ticks between two publications of a room's counters.
const COUNTERS_EVERY_TICKS: u32 = 8;

/// All rooms.
pub(super) struct Rooms<P: Protocol> {
    directory: Mutex<Directory<P>>,
    settings: Settings,
    clock: Clock,
    packers: Packers,
    next_client: AtomicU32,
    schema: Schema,
    schema_hash: u128,
    /// Set once, when the server goes away.
    closing: OnceLock<Close>,
    start: Box<StartRoom<P>>,
    /// For the rooms' threads, which report their end here.
    own: Weak<Self>,
}

/// Begins a room on a thread of its own.
pub(super) type StartRoom<P> =
    dyn Fn(Arc<Rooms<P>>, Arc<Board>, mpsc::Receiver<Join<P>>) -> std::io::Result<()> + Send + Sync;

/// What all rooms have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) tick_hz: u16,
    pub(super) capacity: usize,
    pub(super) rooms_max: usize,
    pub(super) empty_after: Duration,
    /// Hellos that may wait for one room: as many as there can be sessions.
    pub(super) joins_max: usize,
    /// How long one may wait.
    pub(super) join_deadline: Duration,
    pub(super) retry_after_ms: u32,
    /// What one client may send.
    pub(super) bytes_per_s: u32,
}

struct Directory<P: Protocol> {
    rooms: BTreeMap<String, Entry<P>>,
    /// Sums of the rooms that are gone, so that no total ever falls.
    buried: Totals,
}

struct Entry<P: Protocol> {
    joins: mpsc::Sender<Join<P>>,
    board: Arc<Board>,
}

/// Where a room's thread writes what others may read.
pub(super) struct Board {
    name: String,
    capacity: usize,
    tick_hz: u16,
    notes: Mutex<Notes>,
}

#[derive(Clone, Debug)]
struct Notes {
    status: Status,
    counters: Counters,
    timing: Timing,
    until_counters: u32,
}

/// A room at a glance, for `GET /rooms` and the metrics.
#[derive(Clone, Debug)]
pub(super) struct RoomView {
    pub(super) name: String,
    pub(super) capacity: usize,
    pub(super) tick_hz: u16,
    pub(super) status: Status,
    pub(super) counters: Counters,
    pub(super) timing: Timing,
}

impl<P: Protocol> Rooms<P> {
    /// Begins the default room.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn open(
        settings: Settings,
        clock: Clock,
        packers: Packers,
        start: Box<StartRoom<P>>,
    ) -> std::io::Result<Arc<Self>> {
        let rooms = Arc::new_cyclic(|own| Self {
            directory: Mutex::new(Directory { rooms: BTreeMap::new(), buried: Totals::default() }),
            settings,
            clock,
            packers,
            next_client: AtomicU32::new(1),
            schema_hash: P::schema().hash(),
            schema: P::schema(),
            closing: OnceLock::new(),
            start,
            own: own.clone(),
        });
        rooms.begin(&mut rooms.lock(), DEFAULT_ROOM)?;
        Ok(rooms)
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Who helps with packing.
    pub(super) fn packers(&self) -> &Packers {
        &self.packers
    }

    /// A number for a connection that wants to join.
    pub(super) fn new_client(&self) -> ClientId {
        ClientId(self.next_client.fetch_add(1, Ordering::Relaxed))
    }

    /// Leads a connection to the room that its Hello names.
    ///
    /// # Errors
    /// The close for the client.
    pub(super) fn join(&self, newcomer: Newcomer<P>) -> Result<(), Close> {
        let hello = &newcomer.hello;
        let name = if hello.room.is_empty() { DEFAULT_ROOM } else { &hello.room };
        check_name(name)?;
        let name = name.to_owned();
        let mut token = [0; 16];
        if getrandom::fill(&mut token).is_err() {
            return Err(Close::because(CloseCode::Internal, "no randomness"));
        }
        let mut directory = self.lock();
        if let Some(close) = self.closing() {
            return Err(close.clone());
        }
        if !directory.rooms.contains_key(&name) {
            // The room will look at the Hello itself, but none begins for one that it would refuse.
            admission::admit(hello, &self.schema, self.schema_hash)?;
            // The default room's place is kept for it, should it have ended.
            let others = directory.rooms.keys().filter(|other| *other != DEFAULT_ROOM).count();
            if name != DEFAULT_ROOM && others + 1 >= self.settings.rooms_max {
                return Err(Close::because(CloseCode::Full, "no more rooms"));
            }
            self.begin(&mut directory, &name).map_err(|error| {
                tracing::error!(%error, "no thread for a new room");
                Close::because(CloseCode::Full, "no more rooms")
            })?;
            tracing::info!(room = name, "room begins");
        }
        let join = Join { newcomer, resume: ResumeToken(token), asked: self.clock.now() };
        if directory.rooms.get(&name).is_some_and(|entry| entry.joins.try_send(join).is_ok()) {
            return Ok(());
        }
        Err(self.too_many_join())
    }

    /// For a Hello that has waited for so long, or for one too many.
    pub(super) fn too_many_join(&self) -> Close {
        Close::retry_after(CloseCode::Full, self.settings.retry_after_ms)
    }

    /// What one client may send.
    pub(super) fn bytes_per_s(&self) -> u32 {
        self.settings.bytes_per_s
    }

    pub(super) fn join_deadline_micros(&self) -> u64 {
        self.settings.join_deadline.as_micros() as u64
    }

    /// Ends every room at its next tick and lets none begin.
    pub(super) fn end(&self, close: &Close) {
        // The first one counts.
        let _ = self.closing.set(close.clone());
    }

    /// The close for everybody, once the server goes away.
    pub(super) fn closing(&self) -> Option<&Close> {
        self.closing.get()
    }

    /// All rooms, by name.
    pub(super) fn views(&self) -> Vec<RoomView> {
        self.lock().rooms.values().map(|entry| entry.board.view()).collect()
    }

    /// Sums over all rooms, those that are gone included.
    pub(super) fn totals(&self) -> Totals {
        let directory = self.lock();
        let mut totals = directory.buried.clone();
        directory.rooms.values().for_each(|entry| totals.add(&entry.board.view()));
        totals
    }

    /// Whether a room has been empty for too long.
    pub(super) fn is_stale(&self, board: &Board, empty_micros: u64) -> bool {
        board.name != DEFAULT_ROOM && u128::from(empty_micros) > self.settings.empty_after.as_micros()
    }

    /// Takes an empty room out of the directory, unless somebody has just come.
    pub(super) fn retire(&self, board: &Arc<Board>, joins: &mpsc::Receiver<Join<P>>) -> bool {
        let mut directory = self.lock();
        if !joins.is_empty() {
            return false;
        }
        directory.remove(board);
        true
    }

    /// Takes an ended room out of the directory; whoever was about to join is told.
    pub(super) fn bury(&self, board: &Arc<Board>, mut joins: mpsc::Receiver<Join<P>>) {
        self.lock().remove(board);
        let close = self.closing().cloned().unwrap_or(Close::new(CloseCode::RoomClosed));
        while let Ok(join) = joins.try_recv() {
            join.newcomer.downlink.close(&close);
        }
    }

    fn begin(&self, directory: &mut Directory<P>, name: &str) -> std::io::Result<()> {
        let (joins, receiver) = mpsc::channel(self.settings.joins_max);
        let board = Arc::new(Board::new(name, &self.settings));
        let Some(own) = self.own.upgrade() else { return Err(std::io::ErrorKind::NotFound.into()) };
        (self.start)(own, Arc::clone(&board), receiver)?;
        directory.rooms.insert(name.to_owned(), Entry { joins, board });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Directory<P>> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Protocol> Directory<P> {
    fn remove(&mut self, board: &Arc<Board>) {
        if self.rooms.get(&board.name).is_some_and(|entry| Arc::ptr_eq(&entry.board, board)) {
            self.rooms.remove(&board.name);
            self.buried.add(&board.view());
        }
    }
}

/// What a room may be called.
fn check_name(name: &str) -> Result<(), Close> {
    let fits = (1..=ROOM_BYTES_MAX).contains(&name.len());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if fits && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Close::because(CloseCode::BadMessage, "a room's name is 1 to 32 of a-z, 0-9, - and _"))
}

impl Board {
    fn new(name: &str, settings: &Settings) -> Self {
        let status = Status {
            clients: 0,
            away_clients: 0,
            paused_clients: 0,
            entities: 0,
            tick: Tick(0),
            ended: false,
        };
        Self {
            name: name.to_owned(),
            capacity: settings.capacity,
            tick_hz: settings.tick_hz,
            notes: Mutex::new(Notes {
                status,
                counters: Counters::default(),
                timing: Timing::default(),
                until_counters: 0,
            }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn tick_hz(&self) -> u16 {
        self.tick_hz
    }

    pub(super) fn timing(&self, note: impl FnOnce(&mut Timing)) {
        note(&mut self.notes().timing);
    }

    /// After each tick: the status always, the counters now and then and at the end.
    pub(super) fn publish(&self, status: Status, counters: &Counters, stages_micros: [u64; STAGES.len()]) {
        let mut notes = self.notes();
        notes.status = status;
        for (histogram, micros) in notes.timing.stages.iter_mut().zip(stages_micros) {
            histogram.add(micros);
        }
        notes.timing.recent.tick(stages_micros, counters.sent_bytes);
        if notes.until_counters == 0 || status.ended {
            notes.counters.clone_from(counters);
            notes.until_counters = COUNTERS_EVERY_TICKS;
        }
        notes.until_counters -= 1;
    }

    fn view(&self) -> RoomView {
        let Notes { status, counters, timing, .. } = self.notes().clone();
        let name = self.name.clone();
        RoomView { name, capacity: self.capacity, tick_hz: self.tick_hz, status, counters, timing }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
