//! The threads that rooms live on: as many as there are cores, each with rooms of its own. A worker visits the room that is
//! due; nothing is shared between rooms but the way in. Once a second a worker that has much more to do than another one
//! gives rooms away. A long tick delays only the rooms beside it.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use tickwire_shared::Micros;

use super::agenda::Agenda;
use super::balance::{self, Burden};
use super::clock::Clock;
use super::cores;

/// How often a worker looks at what its rooms take.
const MEASURE_MICROS: u64 = 1_000_000;
/// A room that has moved stays for so long.
const SETTLED_MICROS: u64 = 5_000_000;
/// What a new room is taken to be worth until it has been measured, in thousandths of a core.
const NEW_PERMILLE: u32 = 2;

/// A room, whatever its game.
pub(super) trait Tenant: Send {
    /// Does what is due at `now`.
    fn visit(&mut self, now: Micros) -> Next;

    /// It lives with this worker from now on.
    fn moved(&mut self, worker: usize);
}

/// When a room wants to be visited again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At this time.
    At(Micros),
    /// When somebody wakes it.
    Woken,
    /// It has ended.
    Gone,
}

/// All workers. Dropping it sends them home.
pub(super) struct Workers {
    desks: Arc<[Desk]>,
}

/// Where a worker is told things.
#[derive(Default)]
struct Desk {
    letters: Mutex<Letters>,
    thread: OnceLock<Thread>,
    /// Of the last second, in thousandths of a core.
    load: AtomicU32,
}

#[derive(Default)]
struct Letters {
    queue: VecDeque<Letter>,
    closed: bool,
}

enum Letter {
    Take { room: u64, tenant: Box<dyn Tenant> },
    Wake { room: u64 },
    WakeAll,
}

impl Workers {
    /// So many; 0 is one for each core. Pinned ones stay on a core each.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn hire(count: usize, pinned: bool, clock: Clock) -> std::io::Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count };
        let workers = Self { desks: (0..count).map(|_| Desk::default()).collect() };
        for own in 0..count {
            let desks = Arc::clone(&workers.desks);
            let thread = std::thread::Builder::new().name(format!("rooms {own}"));
            let thread = thread.spawn(move || {
                if pinned && let Err(error) = cores::stay_on(own) {
                    tracing::warn!(worker = own, %error, "a room worker cannot be pinned to a core, and goes where it likes");
                }
                Worker::new(own, desks, clock).run();
            })?;
            // Set once, here; letters that come before are found when the thread begins.
            let _ = workers.desks[own].thread.set(thread.thread().clone());
        }
        Ok(workers)
    }

    /// Gives a room to the worker that has least to do.
    pub(super) fn house(&self, room: u64, mut tenant: Box<dyn Tenant>) {
        let load = |desk: &Desk| desk.load.load(Ordering::Relaxed);
        let Some((worker, desk)) = self.desks.iter().enumerate().min_by_key(|(_, desk)| load(desk)) else {
            return;
        };
        desk.load.fetch_add(NEW_PERMILLE, Ordering::Relaxed);
        tenant.moved(worker);
        desk.post(Letter::Take { room, tenant });
    }

    /// A room is to be visited now.
    pub(super) fn wake(&self, worker: usize, room: u64) {
        if let Some(desk) = self.desks.get(worker) {
            desk.post(Letter::Wake { room });
        }
    }

    /// All of them are.
    pub(super) fn wake_all(&self) {
        self.desks.iter().for_each(|desk| desk.post(Letter::WakeAll));
    }

    /// What one of them had to do in the last second, in thousandths of a core.
    pub(super) fn load(&self, worker: usize) -> u32 {
        self.desks.get(worker).map_or(0, |desk| desk.load.load(Ordering::Relaxed))
    }

    /// What each of them had to do in the last second, in thousandths of a core.
    pub(super) fn loads(&self) -> Vec<u32> {
        self.desks.iter().map(|desk| desk.load.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for desk in &*self.desks {
            desk.lock().closed = true;
            desk.nudge();
        }
    }
}

impl Desk {
    fn post(&self, letter: Letter) {
        self.lock().queue.push_back(letter);
        self.nudge();
    }

    fn nudge(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread and its rooms.
struct Worker {
    own: usize,
    desks: Arc<[Desk]>,
    clock: Clock,
    agenda: Agenda,
    lodgers: BTreeMap<u64, Lodger>,
    measured_at: Micros,
}

/// A room here.
struct Lodger {
    tenant: Box<dyn Tenant>,
    /// Since the last measure.
    busy_micros: u64,
    came_at: Micros,
}

impl Worker {
    fn new(own: usize, desks: Arc<[Desk]>, clock: Clock) -> Self {
        let (agenda, lodgers) = (Agenda::default(), BTreeMap::new());
        Self { own, desks, clock, agenda, lodgers, measured_at: clock.now() }
    }

    fn run(mut self) {
        while self.read_letters() {
            let now = self.clock.now();
            if now.since(self.measured_at) >= MEASURE_MICROS {
                self.measure(now);
            }
            match self.agenda.first() {
                Some((due, room)) if due <= now => self.visit(room, now),
                // Not for so long that nothing is measured.
                Some((due, _)) => {
                    std::thread::park_timeout(Duration::from_micros(due.since(now).min(MEASURE_MICROS)));
                }
                None => {
                    self.desks[self.own].load.store(0, Ordering::Relaxed);
                    // A letter that came meanwhile lets this return at once.
                    std::thread::park();
                }
            }
        }
    }

    /// Says whether to go on.
    fn read_letters(&mut self) -> bool {
        loop {
            let letter = {
                let mut letters = self.desks[self.own].lock();
                if letters.closed {
                    return false;
                }
                letters.queue.pop_front()
            };
            let now = self.clock.now();
            match letter {
                None => return true,
                Some(Letter::Take { room, tenant }) => {
                    self.lodgers.insert(room, Lodger { tenant, busy_micros: 0, came_at: now });
                    self.agenda.set(room, now);
                }
                // It may have moved since; then it is awake.
                Some(Letter::Wake { room }) if self.lodgers.contains_key(&room) => self.agenda.set(room, now),
                Some(Letter::Wake { .. }) => {}
                Some(Letter::WakeAll) => self.lodgers.keys().for_each(|room| self.agenda.set(*room, now)),
            }
        }
    }

    fn visit(&mut self, room: u64, now: Micros) {
        let Some(lodger) = self.lodgers.get_mut(&room) else { return self.agenda.remove(room) };
        let next = catch_unwind(AssertUnwindSafe(|| lodger.tenant.visit(now)));
        let after = self.clock.now();
        lodger.busy_micros += after.since(now);
        match next {
            // Whoever is behind waits for those who have waited longer.
            Ok(Next::At(due)) => self.agenda.set(room, due.max(after)),
            Ok(Next::Woken) => self.agenda.remove(room),
            Ok(Next::Gone) | Err(_) => {
                self.agenda.remove(room);
                let lodger = self.lodgers.remove(&room);
                // What the game does when it is dropped is its own affair.
                if catch_unwind(AssertUnwindSafe(|| drop(lodger))).is_err() {
                    tracing::error!("a room's game panicked when it was dropped");
                }
            }
        }
    }

    /// Once in a while: how much there is to do, and whether some of it is better done by another one.
    fn measure(&mut self, now: Micros) {
        let passed = now.since(self.measured_at).max(1);
        self.measured_at = now;
        let mut burdens = Vec::new();
        let mut load = 0;
        for (room, lodger) in &mut self.lodgers {
            let busy = std::mem::take(&mut lodger.busy_micros);
            let permille = u32::try_from(busy * 1000 / passed).unwrap_or(u32::MAX);
            load += u32::try_from(busy).unwrap_or(u32::MAX);
            // Who sleeps is no burden.
            if busy > 0 && now.since(lodger.came_at) >= SETTLED_MICROS {
                burdens.push(Burden { room: *room, permille });
            }
        }
        let load = u32::try_from(u64::from(load) * 1000 / passed).unwrap_or(u32::MAX);
        self.desks[self.own].load.store(load, Ordering::Relaxed);
        let loads: Vec<u32> = self.desks.iter().map(|desk| desk.load.load(Ordering::Relaxed)).collect();
        let worth: BTreeMap<u64, u32> = burdens.iter().map(|burden| (burden.room, burden.permille)).collect();
        let Some((to, rooms)) = balance::give_away(self.own, &loads, burdens) else { return };
        tracing::debug!(from = self.own, to, rooms = rooms.len(), load, "rooms move");
        for room in rooms {
            self.agenda.remove(room);
            let Some(Lodger { mut tenant, .. }) = self.lodgers.remove(&room) else { continue };
            // What others decide in this second counts it already.
            let permille = worth.get(&room).copied().unwrap_or(0);
            self.desks[self.own].load.fetch_sub(permille.min(load), Ordering::Relaxed);
            self.desks[to].load.fetch_add(permille, Ordering::Relaxed);
            tenant.moved(to);
            self.desks[to].post(Letter::Take { room, tenant });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::time::Instant;

    use super::*;

    /// Works for so long, so often, and notes where.
    struct Busy {
        work: Duration,
        every: u64,
        home: Arc<AtomicUsize>,
        visits: Arc<AtomicUsize>,
        stop: Arc<AtomicBool>,
    }

    impl Tenant for Busy {
        fn visit(&mut self, now: Micros) -> Next {
            if self.stop.load(Ordering::SeqCst) {
                return Next::Gone;
            }
            self.visits.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(self.work);
            Next::At(now.plus(self.every))
        }

        fn moved(&mut self, worker: usize) {
            self.home.store(worker, Ordering::SeqCst);
        }
    }

    /// Sleeps until it is woken.
    struct Sleeper(Arc<AtomicUsize>);

    impl Tenant for Sleeper {
        fn visit(&mut self, _: Micros) -> Next {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                3 => panic!("as games do"),
                _ => Next::Woken,
            }
        }

        fn moved(&mut self, _: usize) {}
    }

    #[allow(clippy::disallowed_methods, reason = "the shell's clock")]
    fn wait(what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(40), "never: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn heavy_rooms_part_and_light_ones_go_on() {
        let workers = Workers::hire(2, true, Clock::start()).expect("threads");
        let stop = Arc::new(AtomicBool::new(false));
        let counters = || (Arc::new(AtomicUsize::new(9)), Arc::new(AtomicUsize::new(0)));
        let house = |room, work, every| {
            let (home, visits) = counters();
            let tenant = Busy { work, every, home: home.clone(), visits: visits.clone(), stop: stop.clone() };
            workers.house(room, Box::new(tenant));
            (home, visits)
        };
        // Both on one, since the other one is thought to be busy.
        workers.desks[1].load.store(900, Ordering::SeqCst);
        let heavy =
            [house(1, Duration::from_millis(20), 50_000), house(2, Duration::from_millis(20), 50_000)];
        let light = house(3, Duration::ZERO, 10_000);
        let homes = || heavy.each_ref().map(|(home, _)| home.load(Ordering::SeqCst));
        assert_eq!(homes(), [0, 0]);
        workers.desks[1].load.store(0, Ordering::SeqCst);
        wait("apart", || homes()[0] != homes()[1]);
        let before = light.1.load(Ordering::SeqCst);
        wait("the light one goes on", || light.1.load(Ordering::SeqCst) > before + 50);
        stop.store(true, Ordering::SeqCst);
        wait("all gone", || {
            [&heavy[0].1, &heavy[1].1, &light.1].iter().all(|visits| Arc::strong_count(visits) == 1)
        });
    }

    #[test]
    fn who_sleeps_is_woken_and_who_panics_is_gone() {
        let workers = Workers::hire(1, false, Clock::start()).expect("threads");
        let visits = Arc::new(AtomicUsize::new(0));
        workers.house(7, Box::new(Sleeper(visits.clone())));
        for count in 1..=3 {
            wait("a visit", || visits.load(Ordering::SeqCst) == count);
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(visits.load(Ordering::SeqCst), count, "nobody woke it");
            workers.wake(0, 7);
        }
        wait("gone", || Arc::strong_count(&visits) == 1);
        workers.wake(0, 7);
        workers.wake_all();
        // The worker lives.
        let others = Arc::new(AtomicUsize::new(0));
        workers.house(8, Box::new(Sleeper(others.clone())));
        wait("a visit", || others.load(Ordering::SeqCst) == 1);
        drop(workers);
        wait("the worker is gone, and its rooms", || Arc::strong_count(&others) == 1);
    }
}
