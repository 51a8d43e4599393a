//! The clients that measure: all of them in this process, each reading and decoding whatever it is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glam::Vec2;
use tickwire_demo::transport::{self, Connection, Ending, Event};
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaInput};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::{Micros, NetId};
use tickwire_tests::seeds::Dice;
use tokio::task::JoinHandle;

use super::peers::Peer;
use super::{Inputs, Scene};

/// Between changes of one client's input.
const HOLD_MICROS: u64 = 500_000;

/// Clients join in groups, so that even a busy machine keeps up.
const JOINS_AT_ONCE: u32 = 50;
const JOINS_PAUSE: Duration = Duration::from_millis(50);

/// The clients of one run.
#[derive(Default)]
pub(super) struct Players {
    tasks: Vec<JoinHandle<()>>,
    /// For each client what it was sent, each message behind its length.
    recorded: Vec<Arc<Mutex<Vec<u8>>>>,
    board: Arc<Board>,
}

/// What all clients count together.
#[derive(Default)]
struct Board {
    snapshots: AtomicU64,
    bytes: AtomicU64,
    messages: AtomicU64,
    message_bytes: AtomicU64,
    entities: AtomicU64,
    mismatches: AtomicU64,
    endings: Mutex<Vec<String>>,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) snapshots: u64,
    pub(super) bytes: u64,
    /// Of the clients.
    pub(super) messages: u64,
    pub(super) message_bytes: u64,
    /// In view, over all snapshots.
    pub(super) entities: u64,
    pub(super) mismatches: u64,
}

impl Count {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            snapshots: self.snapshots - before.snapshots,
            bytes: self.bytes - before.bytes,
            messages: self.messages - before.messages,
            message_bytes: self.message_bytes - before.message_bytes,
            entities: self.entities - before.entities,
            mismatches: self.mismatches,
        }
    }
}

impl Players {
    /// Connects the scene's clients. Those of the floor are the real server's, which are told the same again.
    pub(super) async fn connect(&mut self, peer: Peer, scene: &Scene, address: &str) {
        for number in 0..scene.clients {
            if number % JOINS_AT_ONCE == 0 {
                tokio::time::sleep(JOINS_PAUSE).await;
            }
            let endpoint = address.parse().expect("an address");
            let connection = transport::connect(&endpoint, None).await.expect("the server answers");
            let board = Arc::clone(&self.board);
            if peer == Peer::Plain {
                self.tasks.push(tokio::spawn(play_plainly(connection, number, scene.inputs, board)));
                continue;
            }
            let recorded = Arc::new(Mutex::new(Vec::new()));
            self.recorded.push(Arc::clone(&recorded));
            let player = Player { number, inputs: scene.inputs, recorded, board };
            self.tasks.push(tokio::spawn(player.play(connection)));
        }
    }

    pub(super) fn count(&self) -> Count {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Count {
            snapshots: of(&self.board.snapshots),
            bytes: of(&self.board.bytes),
            messages: of(&self.board.messages),
            message_bytes: of(&self.board.message_bytes),
            entities: of(&self.board.entities),
            mismatches: of(&self.board.mismatches),
        }
    }

    /// How connections ended.
    pub(super) fn endings(&self) -> Vec<String> {
        self.board.endings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What each client was sent.
    pub(super) fn take_recorded(&self) -> Vec<Vec<u8>> {
        let take = |recorded: &Arc<Mutex<Vec<u8>>>| std::mem::take(&mut *lock(recorded));
        self.recorded.iter().map(take).collect()
    }
}

fn lock(recorded: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    recorded.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Players {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Board {
    fn frame(&self, bytes: usize, entities: usize) {
        self.snapshots.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.entities.fetch_add(entities as u64, Ordering::Relaxed);
    }

    fn end(&self, ending: &Ending) {
        self.endings.lock().unwrap_or_else(PoisonError::into_inner).push(ending.to_string());
    }

    fn message(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.message_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Changes an input as often as it should.
struct Hand {
    dice: Dice,
    inputs: Inputs,
    change_at: Micros,
}

impl Hand {
    fn new(number: u32, inputs: Inputs) -> Self {
        let mut dice = Dice::new(u64::from(number));
        let change_at = tickwire_demo::time::now().plus(u64::from(dice.below(HOLD_MICROS as u32)));
        Self { dice, inputs, change_at }
    }

    /// A new input, if it is time for one.
    fn changed(&mut self) -> Option<ArenaInput> {
        let now = tickwire_demo::time::now();
        if self.inputs == Inputs::TwiceASecond {
            if now < self.change_at {
                return None;
            }
            self.change_at = now.plus(HOLD_MICROS);
        }
        let walk = Vec2::new(self.dice.between(-1.0, 1.0), self.dice.between(-1.0, 1.0));
        Some(ArenaInput::new(walk, self.dice.between(-3.0, 3.0), self.dice.one_in(8)))
    }
}

fn ticks() -> tokio::time::Interval {
    let mut timer = tokio::time::interval(Duration::from_micros(33_333));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    timer
}

/// One client of the real server.
struct Player {
    number: u32,
    inputs: Inputs,
    recorded: Arc<Mutex<Vec<u8>>>,
    board: Arc<Board>,
}

impl Player {
    async fn play(self, mut connection: Connection) {
        let mut hand = Hand::new(self.number, self.inputs);
        let mut session = Session::<Arena>::new(Identity::default()).expect("a schema");
        let mut timer = ticks();
        loop {
            tokio::select! {
                event = connection.next() => match event {
                    Event::Message { bytes, at } => self.take(&mut session, &bytes, at),
                    Event::Ended(ending) => return self.board.end(&ending),
                },
                _ = timer.tick() => {
                    if let Some(input) = hand.changed() {
                        session.set_input(input, tickwire_demo::time::now());
                    }
                }
            }
            while session.poll_happening().is_some() {}
            while let Some(bytes) = session.poll_transmit(tickwire_demo::time::now()) {
                self.board.message(bytes.len());
                connection.send(bytes).await;
            }
        }
    }

    fn take(&self, session: &mut Session<Arena>, bytes: &[u8], at: Micros) {
        let frames = session.stats().frames;
        session.handle_message(bytes, at).expect("valid messages");
        if session.stats().frames > frames {
            let slots = session.replica().map_or(0, |replica| replica.slots().len());
            self.board.frame(bytes.len(), slots + 1);
        }
        self.board.mismatches.fetch_max(session.stats().mismatches, Ordering::Relaxed);
        let mut recorded = lock(&self.recorded);
        recorded.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        recorded.extend_from_slice(bytes);
    }
}

async fn play_plainly(mut connection: Connection, number: u32, inputs: Inputs, board: Arc<Board>) {
    let mut hand = Hand::new(number, inputs);
    let mut timer = ticks();
    loop {
        tokio::select! {
            event = connection.next() => {
                let bytes = match event {
                    Event::Message { bytes, .. } => bytes,
                    Event::Ended(ending) => return board.end(&ending),
                };
                let (_, entities): (u32, Vec<(NetId, ArenaEntity)>) =
                    codec::decode_blob(&bytes).expect("valid messages");
                board.frame(bytes.len(), entities.len());
            }
            _ = timer.tick() => {
                if let Some(input) = hand.changed() {
                    let bytes = codec::encode(&input);
                    board.message(bytes.len());
                    connection.send(bytes).await;
                }
            }
        }
    }
}
