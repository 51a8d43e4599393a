//! The clients that measure: all of them in this process, each reading and decoding whatever it is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glam::Vec2;
use tickwire_demo::transport::{self, Connection, Event};
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

/// The clients of one run.
#[derive(Default)]
pub(super) struct Players {
    tasks: Vec<JoinHandle<()>>,
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
    /// Sizes of frames are noted while there are fewer.
    sizes_max: AtomicU64,
    sizes: Mutex<Vec<u32>>,
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
    /// Connects the scene's clients. Those of the floor send a message of `message_bytes` every `send_every` frames.
    pub(super) async fn connect(
        &mut self,
        peer: Peer,
        scene: &Scene,
        address: &str,
        send_every: f64,
        message_bytes: f64,
    ) {
        for number in 0..scene.clients {
            let endpoint = address.parse().expect("an address");
            let connection = transport::connect(&endpoint, None).await.expect("the server answers");
            let board = Arc::clone(&self.board);
            self.tasks.push(match peer {
                Peer::Tickwire => tokio::spawn(play(connection, number, scene.inputs, board)),
                Peer::Plain => tokio::spawn(play_plainly(connection, number, scene.inputs, board)),
                Peer::Floor => tokio::spawn(listen(connection, f64::INFINITY, 0, board)),
                Peer::FloorWithReading => {
                    tokio::spawn(listen(connection, send_every, message_bytes.round() as usize, board))
                }
            });
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

    /// Clients whose connection is over.
    pub(super) fn ended(&self) -> usize {
        self.tasks.iter().filter(|task| task.is_finished()).count()
    }

    /// From now on the sizes of frames are noted, so many of them.
    pub(super) fn note_sizes(&self, sizes_max: usize) {
        self.board.sizes_max.store(sizes_max as u64, Ordering::Relaxed);
    }

    pub(super) fn take_sizes(&self) -> Vec<u32> {
        std::mem::take(&mut self.board.sizes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Board {
    fn frame(&self, bytes: usize, entities: usize) {
        let snapshots = self.snapshots.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.entities.fetch_add(entities as u64, Ordering::Relaxed);
        // A stride that is no multiple of anything, so that frames of all clients and ticks are among them.
        if snapshots.is_multiple_of(13) {
            let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            if (sizes.len() as u64) < self.sizes_max.load(Ordering::Relaxed) {
                sizes.push(bytes as u32);
            }
        }
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

async fn play(mut connection: Connection, number: u32, inputs: Inputs, board: Arc<Board>) {
    let mut hand = Hand::new(number, inputs);
    let mut session = Session::<Arena>::new(Identity::default()).expect("a schema");
    let mut timer = ticks();
    loop {
        tokio::select! {
            event = connection.next() => {
                let Event::Message { bytes, at } = event else { return };
                let frames = session.stats().frames;
                session.handle_message(&bytes, at).expect("valid messages");
                if session.stats().frames > frames {
                    let slots = session.replica().map_or(0, |replica| replica.slots().len());
                    board.frame(bytes.len(), slots + 1);
                }
                board.mismatches.fetch_max(session.stats().mismatches, Ordering::Relaxed);
            }
            _ = timer.tick() => {
                if let Some(input) = hand.changed() {
                    session.set_input(input, tickwire_demo::time::now());
                }
            }
        }
        while session.poll_happening().is_some() {}
        while let Some(bytes) = session.poll_transmit(tickwire_demo::time::now()) {
            board.message(bytes.len());
            connection.send(bytes).await;
        }
    }
}

async fn play_plainly(mut connection: Connection, number: u32, inputs: Inputs, board: Arc<Board>) {
    let mut hand = Hand::new(number, inputs);
    let mut timer = ticks();
    loop {
        tokio::select! {
            event = connection.next() => {
                let Event::Message { bytes, .. } = event else { return };
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

/// Takes frames that mean nothing, and sends messages that mean nothing.
async fn listen(mut connection: Connection, send_every: f64, message_bytes: usize, board: Arc<Board>) {
    let mut due = 0.0;
    while let Event::Message { bytes, .. } = connection.next().await {
        board.frame(bytes.len(), 0);
        due += 1.0 / send_every;
        if due >= 1.0 {
            due -= 1.0;
            board.message(message_bytes);
            connection.send(vec![0; message_bytes]).await;
        }
    }
}
