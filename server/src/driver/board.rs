//! Where a room writes what others may read: how it fares, and whether it sleeps. Written after each tick, read for
//! the metrics, for lists and by whoever wants to join.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickwire_shared::{ClientId, Close, Tick};

use super::hold::Hold;
use super::questions::Questions;
use super::timing::{Recent, STAGES, Timing};
use super::totals::Totals;
use crate::config::OverloadStep as Step;
use crate::host::{Counters, Status};

/// Ticks between two publications of a room's counters.
const COUNTERS_EVERY_TICKS: u32 = 8;
/// Commands that wait for one tick.
const COMMANDS_MAX: usize = 256;

/// One room's.
pub(super) struct Board {
    number: u64,
    order: Order,
    notes: Mutex<Notes>,
    /// The worker that it lives with.
    worker: AtomicUsize,
    asleep: AtomicBool,
    commands: Mutex<Vec<Command>>,
    /// Whether there are any, so that a tick need not lock.
    commanded: AtomicBool,
    questions: Questions,
    hold: Hold,
    /// What it gives up, as its place in [`Step::ALL`].
    step: AtomicU8,
}

/// What an operator wants of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Everybody is closed, and the room ends.
    End(Close),
    /// One client is closed.
    Kick { client: ClientId, close: Close },
}

/// What a room is to be like.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) capacity: usize,
    pub(super) tick_hz: u16,
    pub(super) seed: u64,
    /// Whoever wants to join must know it; such a room is in no list.
    pub(super) code: Option<String>,
    /// Whatever its maker wants others to read.
    pub(super) metadata: serde_json::Value,
    /// Whether it goes when it has been empty for long.
    pub(super) disposable: bool,
}

#[derive(Clone, Debug)]
struct Notes {
    status: Status,
    counters: Counters,
    timing: Timing,
    until_counters: u32,
}

/// What a scrape needs of a room besides its share of the sums.
pub(super) struct Glimpse {
    pub(super) board: Arc<Board>,
    pub(super) status: Status,
    pub(super) recent: Recent,
    pub(super) asleep: bool,
    pub(super) step: Step,
}

/// A room at a glance, for `GET /rooms`.
#[derive(Clone, Debug)]
pub(super) struct RoomView {
    pub(super) order: Order,
    pub(super) asleep: bool,
    /// Whether an operator has stopped it.
    pub(super) paused: bool,
    /// What it gives up because it has more to do than time.
    pub(super) step: Step,
    /// Questions answered about it, and the microseconds that took.
    pub(super) answers: (u64, u64),
    pub(super) status: Status,
    pub(super) counters: Counters,
    pub(super) timing: Timing,
}

impl Board {
    pub(super) fn new(number: u64, order: Order) -> Self {
        let status = Status {
            clients: 0,
            away_clients: 0,
            paused_clients: 0,
            entities: 0,
            tick: Tick(0),
            ended: false,
        };
        Self {
            number,
            order,
            worker: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            commands: Mutex::default(),
            commanded: AtomicBool::new(false),
            questions: Questions::default(),
            hold: Hold::default(),
            step: AtomicU8::new(0),
            notes: Mutex::new(Notes {
                status,
                counters: Counters::default(),
                timing: Timing::default(),
                until_counters: 0,
            }),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn name(&self) -> &str {
        &self.order.name
    }

    pub(super) fn order(&self) -> &Order {
        &self.order
    }

    pub(super) fn questions(&self) -> &Questions {
        &self.questions
    }

    pub(super) fn hold(&self) -> &Hold {
        &self.hold
    }

    pub(super) fn tick_hz(&self) -> u16 {
        self.order.tick_hz
    }

    /// It lives with this worker from now on. Never while it sleeps.
    pub(super) fn lives_with(&self, worker: usize) {
        self.worker.store(worker, Ordering::SeqCst);
    }

    /// Where it lives.
    pub(super) fn worker(&self) -> usize {
        self.worker.load(Ordering::Relaxed)
    }

    /// Its room is about to sleep, and looks once more whether anybody came.
    pub(super) fn falls_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        // Either the room sees who came, or who came sees that it sleeps.
        fence(Ordering::SeqCst);
    }

    pub(super) fn wakes(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Whether it sleeps, as far as its room has said.
    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// For whoever has just left it something: the worker to be told, if it has to be.
    pub(super) fn to_be_woken(&self) -> Option<usize> {
        fence(Ordering::SeqCst);
        self.asleep.swap(false, Ordering::SeqCst).then(|| self.worker.load(Ordering::SeqCst))
    }

    /// For whoever has asked a room that sleeps, which goes on sleeping: the worker to be told.
    pub(super) fn sleeps_with(&self) -> Option<usize> {
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::SeqCst).then(|| self.worker.load(Ordering::SeqCst))
    }

    /// It gives up so much from now on.
    pub(super) fn steps(&self, step: Step) {
        let before = self.step.swap(step as u8, Ordering::Relaxed);
        self.timing(|timing| timing.stepped(usize::from(before), step as usize));
    }

    /// What it gives up.
    pub(super) fn step(&self) -> Step {
        Step::ALL.get(usize::from(self.step.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }

    /// Whether newcomers are let in.
    pub(super) fn lets_in(&self) -> bool {
        !self.step().refuses_joins()
    }

    /// Leaves a command for the next tick.
    pub(super) fn command(&self, command: Command) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if commands.len() < COMMANDS_MAX {
            commands.push(command);
        }
        self.commanded.store(true, Ordering::SeqCst);
    }

    /// The commands since the last tick.
    pub(super) fn take_commands(&self) -> Vec<Command> {
        if !self.commanded.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is anything to do for a room that is about to sleep.
    pub(super) fn is_commanded(&self) -> bool {
        self.commanded.load(Ordering::SeqCst)
    }

    /// Clients in it, those that may come back counted.
    pub(super) fn players(&self) -> usize {
        let status = self.notes().status;
        status.clients + status.away_clients
    }

    pub(super) fn timing(&self, note: impl FnOnce(&mut Timing)) {
        note(&mut self.notes().timing);
    }

    /// After each tick: the status always, the counters now and then and at the end.
    pub(super) fn publish(
        &self,
        status: Status,
        counters: &Counters,
        stages_micros: [u64; STAGES.len()],
        simulated_micros: u64,
    ) {
        let mut notes = self.notes();
        notes.status = status;
        notes.timing.took(stages_micros, simulated_micros, counters.sent_bytes);
        if notes.until_counters == 0 || status.ended {
            notes.counters.clone_from(counters);
            notes.until_counters = COUNTERS_EVERY_TICKS;
        }
        notes.until_counters -= 1;
    }

    /// No tick was made, nor is the next one known: all that was counted is shown.
    pub(super) fn publish_still(&self, status: Status, counters: &Counters) {
        let mut notes = self.notes();
        notes.status = status;
        notes.counters.clone_from(counters);
    }

    /// Puts what is summed on top of the sums.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        let notes = self.notes();
        totals.add(&notes.counters, &notes.timing, self.questions.answers());
    }

    /// The same, and what a scrape shows of this room besides.
    pub(super) fn glimpse(self: Arc<Self>, totals: &mut Totals) -> Glimpse {
        let (status, recent) = {
            let notes = self.notes();
            totals.add(&notes.counters, &notes.timing, self.questions.answers());
            (notes.status, notes.timing.recent)
        };
        let (asleep, step) = (self.is_asleep(), self.step());
        Glimpse { status, recent, asleep, step, board: self }
    }

    pub(super) fn view(&self) -> RoomView {
        let Notes { status, counters, timing, .. } = self.notes().clone();
        RoomView {
            order: self.order.clone(),
            asleep: self.is_asleep(),
            paused: self.hold.is_paused(),
            step: self.step(),
            answers: self.questions.answers(),
            status,
            counters,
            timing,
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
