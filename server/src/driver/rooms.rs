//! The rooms of the server: who finds one by its name, when one begins, and when one is gone.
//!
//! Joins are sent to a room while the directory is locked, and a room leaves the directory under the same lock,
//! so no join is ever lost between the two.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tickwire_shared::schema::Schema;
use tickwire_shared::wire::message::{Draining, Hello, ResumeToken};
use tickwire_shared::{ClientId, Close, CloseCode, Micros, Protocol};
use tokio::sync::{mpsc, oneshot};

use super::board::{Board, Command, Glimpse, Order, RoomView};
use super::clock::Clock;
use super::crew::Packers;
use super::hold::Hold;
use super::ladder::Ladder;
use super::questions::Answer;
use super::state_dir::Kept;
use super::tenant::{Join, Newcomer};
use super::totals::Totals;
use super::wanted::{self, DEFAULT_ROOM, Wanted};
use super::worker::{Tenant, Workers};
use crate::config::OverloadSection;
use crate::host::inspecting::Inquiry;
use crate::session::admission;

/// Rooms that quick matches begin are called by this and a number.
const MATCH_PREFIX: &str = "match-";

/// All rooms.
pub(super) struct Rooms<P: Protocol> {
    directory: Mutex<Directory<P>>,
    settings: Settings,
    clock: Clock,
    packers: Packers,
    workers: Workers,
    next_client: AtomicU32,
    schema: Schema,
    schema_hash: u128,
    /// Set once, when the server is about to go away: nobody joins any more.
    draining: OnceLock<Draining>,
    /// Set once, when it goes.
    closing: OnceLock<Close>,
    make: Box<MakeTenant<P>>,
    /// How often a room fell asleep or ended.
    rests: AtomicU64,
    /// For the rooms, which report their end here.
    own: Weak<Self>,
}

/// A room for a worker, not yet begun.
pub(super) type MakeTenant<P> =
    dyn Fn(Arc<Rooms<P>>, Arc<Board>, mpsc::Receiver<Join<P>>, Saved) -> Box<dyn Tenant> + Send + Sync;

/// What is left of its room from the last run.
pub(super) type Saved = Option<Vec<u8>>;

/// What all rooms have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) tick_hz: u16,
    pub(super) capacity: usize,
    /// Of the default room; the others' come from it and their names.
    pub(super) seed: u64,
    pub(super) rooms_max: usize,
    pub(super) suspend_after: Duration,
    pub(super) empty_after: Duration,
    /// Hellos that may wait for one room: as many as there can be sessions.
    pub(super) joins_max: usize,
    /// How long one may wait.
    pub(super) join_deadline: Duration,
    pub(super) retry_after_ms: u32,
    pub(super) overload: OverloadSection,
    /// What one client may send.
    pub(super) bytes_per_s: u32,
}

struct Directory<P: Protocol> {
    rooms: BTreeMap<String, Entry<P>>,
    /// Sums of the rooms that are gone, so that no total ever falls.
    buried: Totals,
    /// Of the next room.
    number: u64,
}

struct Entry<P: Protocol> {
    joins: mpsc::Sender<Join<P>>,
    board: Arc<Board>,
}

/// Why an operator's room does not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    #[error("there is a room of that name already")]
    Taken,
    #[error("there are as many rooms as rooms_max allows")]
    TooMany,
    #[error("the server is going away")]
    Closing,
}

/// Why a room is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unasked {
    #[error("there is no such room")]
    NoRoom,
    #[error("too many questions wait for this room")]
    TooMany,
}

impl<P: Protocol> Rooms<P> {
    /// Begins the rooms of the last run and the default room.
    pub(super) fn open(
        settings: Settings,
        clock: Clock,
        (packers, workers): (Packers, Workers),
        kept: Vec<Kept>,
        make: Box<MakeTenant<P>>,
    ) -> Arc<Self> {
        let directory = Directory { rooms: BTreeMap::new(), buried: Totals::default(), number: 0 };
        let rooms = Arc::new_cyclic(|own| Self {
            directory: Mutex::new(directory),
            settings,
            clock,
            packers,
            workers,
            next_client: AtomicU32::new(1),
            schema_hash: P::schema().hash(),
            schema: P::schema(),
            draining: OnceLock::new(),
            closing: OnceLock::new(),
            make,
            rests: AtomicU64::new(0),
            own: own.clone(),
        });
        rooms.begin_all(kept);
        rooms
    }

    fn begin_all(&self, kept: Vec<Kept>) {
        let mut directory = self.lock();
        for Kept { mut order, room } in kept {
            if order.name != DEFAULT_ROOM && !directory.has_space(self.settings.rooms_max) {
                tracing::error!(
                    room = order.name,
                    "a saved room has no place: raise rooms_max; it waits in its file"
                );
                continue;
            }
            order.capacity = order.capacity.min(self.settings.capacity);
            self.begin(&mut directory, order, Some(room));
        }
        if !directory.rooms.contains_key(DEFAULT_ROOM) {
            self.begin(&mut directory, self.usual(DEFAULT_ROOM), None);
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Who helps with packing.
    pub(super) fn packers(&self) -> &Packers {
        &self.packers
    }

    /// What each worker has to do, in thousandths of a core.
    pub(super) fn worker_loads(&self) -> Vec<u32> {
        self.workers.loads()
    }

    /// What the worker of a room had to do in the last second, in thousandths of a core.
    pub(super) fn load_beside(&self, board: &Board) -> u32 {
        self.workers.load(board.worker())
    }

    /// A number for a connection that wants to join.
    pub(super) fn new_client(&self) -> ClientId {
        ClientId(self.next_client.fetch_add(1, Ordering::Relaxed))
    }

    /// A room as it is unless somebody says otherwise.
    pub(super) fn usual(&self, name: &str) -> Order {
        Order {
            name: name.to_owned(),
            capacity: self.settings.capacity,
            tick_hz: self.settings.tick_hz,
            seed: seed_of(self.settings.seed, name),
            code: None,
            metadata: serde_json::Value::Null,
            disposable: name != DEFAULT_ROOM,
        }
    }

    /// Leads a connection to the room that its Hello names.
    ///
    /// # Errors
    /// The close for the client.
    pub(super) fn join(&self, newcomer: Newcomer<P>) -> Result<(), Close> {
        let mut token = [0; 16];
        if getrandom::fill(&mut token).is_err() {
            return Err(Close::because(CloseCode::Internal, "no randomness"));
        }
        let mut directory = self.lock();
        if let Some(close) = self.turned_away() {
            return Err(close);
        }
        let name = match Wanted::of(&newcomer.hello.room) {
            Wanted::Any => directory.any(),
            Wanted::Named { name, code } => {
                wanted::check_name(name)?;
                let known = directory.rooms.get(name).map(|entry| entry.board.order().code.as_deref());
                if !wanted::opens(code, known.flatten()) {
                    return Err(Close::because(
                        CloseCode::NotAllowed,
                        "no such private room, or another join code",
                    ));
                }
                name.to_owned()
            }
        };
        if !directory.rooms.contains_key(&name) {
            self.begin_for(&mut directory, &name, &newcomer.hello)?;
        }
        let Some(Entry { joins, board }) = directory.rooms.get(&name) else {
            return Err(CloseCode::RoomClosed.into());
        };
        let join = Join { newcomer, resume: ResumeToken(token), asked: self.clock.now() };
        joins.try_send(join).map_err(|_| self.too_many_join())?;
        self.wake(board);
        Ok(())
    }

    /// Begins a room because somebody asks for it.
    fn begin_for(&self, directory: &mut Directory<P>, name: &str, hello: &Hello) -> Result<(), Close> {
        // The room will look at the Hello itself, but none begins for one that it would refuse.
        admission::admit(hello, &self.schema, self.schema_hash)?;
        if name != DEFAULT_ROOM && !directory.has_space(self.settings.rooms_max) {
            return Err(Close::because(CloseCode::Full, "no more rooms"));
        }
        self.begin(directory, self.usual(name), None);
        tracing::info!(room = name, "room begins");
        Ok(())
    }

    /// Begins a room because the operator wants it.
    ///
    /// # Errors
    /// [`NoRoom`] when it cannot.
    pub(super) fn create(&self, order: Order) -> Result<(), NoRoom> {
        let mut directory = self.lock();
        if self.turned_away().is_some() {
            return Err(NoRoom::Closing);
        }
        if directory.rooms.contains_key(&order.name) {
            return Err(NoRoom::Taken);
        }
        if !directory.has_space(self.settings.rooms_max) {
            return Err(NoRoom::TooMany);
        }
        tracing::info!(room = order.name, "room begins, as told");
        self.begin(&mut directory, order, None);
        Ok(())
    }

    /// Tells a room to do something; says whether there is such a room.
    pub(super) fn command(&self, room: &str, command: Command) -> bool {
        let directory = self.lock();
        let Some(entry) = directory.rooms.get(room) else { return false };
        entry.board.command(command);
        self.wake(&entry.board);
        true
    }

    /// Asks a room something.
    ///
    /// # Errors
    /// [`Unasked`] when it cannot be.
    pub(super) fn ask(&self, room: &str, inquiry: Inquiry) -> Result<oneshot::Receiver<Answer>, Unasked> {
        let directory = self.lock();
        let Entry { board, .. } = directory.rooms.get(room).ok_or(Unasked::NoRoom)?;
        let answer = board.questions().ask(inquiry).ok_or(Unasked::TooMany)?;
        if let Some(worker) = board.sleeps_with() {
            self.workers.wake(worker, board.number());
        }
        Ok(answer)
    }

    /// One room.
    pub(super) fn view(&self, room: &str) -> Option<RoomView> {
        self.lock().rooms.get(room).map(|entry| entry.board.view())
    }

    /// Stops a room, or lets it go on; says whether there is such a room.
    pub(super) fn hold(&self, room: &str, change: impl FnOnce(&Hold)) -> bool {
        let directory = self.lock();
        directory.rooms.get(room).map(|entry| change(entry.board.hold())).is_some()
    }

    fn wake(&self, board: &Board) {
        if let Some(worker) = board.to_be_woken() {
            self.workers.wake(worker, board.number());
        }
    }

    /// What a room is to do when it has more to do than time.
    pub(super) fn ladder(&self) -> Ladder {
        Ladder::new(self.settings.overload, self.settings.retry_after_ms)
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

    /// Tells every room's clients with the next tick that the server goes away, and lets nobody join.
    pub(super) fn drain(&self, notice: Duration) {
        let closes_in_ms = u32::try_from(notice.as_millis()).unwrap_or(u32::MAX);
        let retry_after_ms = self.settings.retry_after_ms;
        // The first one counts.
        let _ = self.draining.set(Draining { closes_in_ms, retry_after_ms });
    }

    /// What is to be told, once the server is about to go away.
    pub(super) fn draining(&self) -> Option<&Draining> {
        self.draining.get()
    }

    /// The close for whoever wants to join, once nobody may.
    pub(super) fn turned_away(&self) -> Option<Close> {
        let draining = || {
            let Draining { closes_in_ms, retry_after_ms } = *self.draining()?;
            Some(Close::retry_after(CloseCode::GoingAway, closes_in_ms.saturating_add(retry_after_ms)))
        };
        self.closing().cloned().or_else(draining)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().rooms.len()
    }

    /// Ends every room at its next tick and lets none begin.
    pub(super) fn end(&self, close: &Close) {
        // The first one counts.
        let _ = self.closing.set(close.clone());
        self.workers.wake_all();
    }

    /// The close for everybody, once the server goes away.
    pub(super) fn closing(&self) -> Option<&Close> {
        self.closing.get()
    }

    /// All rooms, by name.
    pub(super) fn views(&self) -> Vec<RoomView> {
        self.lock().rooms.values().map(|entry| entry.board.view()).collect()
    }

    /// Sums over all rooms, those that are gone included, and each room at a glance. The directory is locked for as
    /// long as it takes to see which rooms there are.
    pub(super) fn survey(&self) -> (Totals, Vec<Glimpse>) {
        let (mut totals, boards) = {
            let directory = self.lock();
            let boards: Vec<_> = directory.rooms.values().map(|entry| Arc::clone(&entry.board)).collect();
            (directory.buried.clone(), boards)
        };
        // In one go: with a thousand rooms it is the looking that takes time.
        let glimpses = boards.into_iter().map(|board| board.glimpse(&mut totals)).collect();
        (totals, glimpses)
    }

    /// The game's schema.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// After how long without clients a room falls asleep.
    pub(super) fn suspend_after_micros(&self) -> u64 {
        self.settings.suspend_after.as_micros() as u64
    }

    /// When a room that has been empty since then is disposed of.
    pub(super) fn stale_at(&self, board: &Board, empty_since: Micros) -> Option<Micros> {
        let after = u64::try_from(self.settings.empty_after.as_micros()).unwrap_or(u64::MAX);
        board.order().disposable.then(|| Micros(empty_since.0.saturating_add(after)))
    }

    /// A room holds much less from now on.
    pub(super) fn note_rest(&self) {
        self.rests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether no room ticks.
    pub(super) fn all_sleep(&self) -> bool {
        self.lock().rooms.values().all(|entry| entry.board.is_asleep())
    }

    /// How often one did.
    pub(super) fn rests(&self) -> u64 {
        self.rests.load(Ordering::Relaxed)
    }

    /// Takes an empty room out of the directory, unless somebody has just come.
    pub(super) fn retire(&self, board: &Arc<Board>, joins: &mpsc::Receiver<Join<P>>) -> bool {
        let mut directory = self.lock();
        if !joins.is_empty() {
            return false;
        }
        directory.remove(board);
        self.note_rest();
        true
    }

    /// Takes an ended room out of the directory; whoever was about to join is told.
    pub(super) fn bury(&self, board: &Arc<Board>, mut joins: mpsc::Receiver<Join<P>>) {
        self.lock().remove(board);
        self.note_rest();
        let close = self.closing().cloned().unwrap_or(Close::new(CloseCode::RoomClosed));
        while let Ok(join) = joins.try_recv() {
            join.newcomer.downlink.close(&close);
        }
    }

    fn begin(&self, directory: &mut Directory<P>, order: Order, saved: Saved) {
        let Some(own) = self.own.upgrade() else { return };
        let (joins, receiver) = mpsc::channel(self.settings.joins_max);
        let name = order.name.clone();
        directory.number += 1;
        let board = Arc::new(Board::new(directory.number, order));
        self.workers.house(directory.number, (self.make)(own, Arc::clone(&board), receiver, saved));
        directory.rooms.insert(name, Entry { joins, board });
    }

    fn lock(&self) -> MutexGuard<'_, Directory<P>> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Protocol> Directory<P> {
    /// Whether one more may begin. The default room's place is kept for it, should it have ended.
    fn has_space(&self, rooms_max: usize) -> bool {
        let others = self.rooms.keys().filter(|other| *other != DEFAULT_ROOM).count();
        others + 1 < rooms_max
    }

    /// The name of the fullest public room that has space, or of a new one.
    fn any(&self) -> String {
        let fullest = self.rooms.iter().filter_map(|(name, Entry { joins, board })| {
            let waiting = joins.max_capacity() - joins.capacity();
            let players = board.players() + waiting;
            let open = board.order().code.is_none() && board.lets_in();
            let fits = open && players < board.order().capacity;
            // Of equals the first by name.
            fits.then_some((players, std::cmp::Reverse(name)))
        });
        let new = || {
            (1..).map(|number| format!("{MATCH_PREFIX}{number}")).find(|name| !self.rooms.contains_key(name))
        };
        fullest.max().map(|(_, name)| name.0.clone()).or_else(new).unwrap_or_default()
    }

    fn remove(&mut self, board: &Arc<Board>) {
        if self.rooms.get(board.name()).is_some_and(|entry| Arc::ptr_eq(&entry.board, board)) {
            self.rooms.remove(board.name());
            board.add_to(&mut self.buried);
        }
    }
}

/// The default room has the configured seed, every other one its own: FNV-1a of its name on top.
fn seed_of(seed: u64, name: &str) -> u64 {
    if name == DEFAULT_ROOM {
        return seed;
    }
    name.bytes().fold(seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
