//! Fifty who play by the rules, on a thread of their own, and how many frames each of them gets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use glam::Vec2;
use tickwire_shared::Micros;
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::client::{Happening, Identity, Session};
use tickwire_shared::wire::message::ResumeToken;
use tokio::time::Instant;

use crate::papers;
use crate::raw::{BINARY, CLOSE, DATA, PING, PONG, Raw, frame};
use crate::served::Entry;

pub(crate) const PLAYERS: usize = 50;
/// Between changes of one player's input.
const HOLD: Duration = Duration::from_millis(400);

pub(crate) struct Players {
    board: Arc<Board>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What the players tell, and what they are told.
struct Board {
    frames: [AtomicU64; PLAYERS],
    tokens: Tokens,
    stop: AtomicBool,
}

/// The players' resume tokens, for a thief.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<Vec<ResumeToken>>>);

impl Tokens {
    pub(crate) fn now(&self) -> Vec<ResumeToken> {
        self.0.lock().expect("no player panicked").clone()
    }
}

impl Players {
    /// Everybody joins, each from an address of its own and, where that is asked for, with a token of its own.
    pub(crate) async fn join(address: SocketAddr, entry: Entry) -> Self {
        let board = Arc::new(Board {
            frames: [const { AtomicU64::new(0) }; PLAYERS],
            tokens: Tokens::default(),
            stop: AtomicBool::new(false),
        });
        let shown = Arc::clone(&board);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let mut tasks = tokio::task::JoinSet::new();
            runtime.expect("a runtime").block_on(async {
                for index in 0..PLAYERS {
                    tasks.spawn(play(address, index, entry, Arc::clone(&shown)));
                }
                tasks.join_all().await;
            });
        });
        let players = Self { board, thread: Some(thread) };
        let begun = Instant::now();
        while players.counts().iter().any(|frames| *frames < 30) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the players do not get going");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        players
    }

    pub(crate) fn counts(&self) -> [u64; PLAYERS] {
        std::array::from_fn(|index| self.board.frames[index].load(Ordering::Relaxed))
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.board.tokens.clone()
    }

    /// Frames per second of the player who gets fewest, between two counts.
    pub(crate) fn worst(before: &[u64; PLAYERS], after: &[u64; PLAYERS], time: Duration) -> f64 {
        let fewest = before.iter().zip(after).map(|(before, after)| after - before).min();
        fewest.unwrap_or(0) as f64 / time.as_secs_f64()
    }

    /// Everybody leaves; a player who was closed or misled makes this panic.
    pub(crate) fn leave(mut self) {
        self.board.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no player was harmed");
        }
    }
}

async fn play(address: SocketAddr, index: usize, entry: Entry, board: Arc<Board>) {
    let raw = Raw::connect_from([127, 0, 1, index as u8 + 1], address).await.expect("connect");
    let mut raw = raw.upgraded(address, BINARY).await;
    let name = format!("player {index}");
    let token = (entry == Entry::ByToken).then(|| papers::token(&name));
    let identity = Identity { name, token, ..Identity::default() };
    let mut session = Session::<Arena>::new(identity).expect("a session");
    let begun = Instant::now();
    let now = || Micros(1 + begun.elapsed().as_micros() as u64);
    let mut turned = Instant::now();
    let mut turns = index;
    while !board.stop.load(Ordering::Relaxed) {
        while let Some(message) = session.poll_transmit(now()) {
            raw.send(&frame(DATA, &message)).await;
        }
        let received = raw.frame().await.expect("a frame").expect("a frame before the end");
        match received.opcode {
            DATA => session.handle_message(&received.payload, now()).expect("a message of ours"),
            PING => raw.send(&frame(PONG, &received.payload)).await,
            CLOSE => panic!("player {index} is closed: {:?}", String::from_utf8_lossy(&received.payload)),
            other => panic!("opcode {other}"),
        }
        while let Some(happening) = session.poll_happening() {
            if matches!(happening, Happening::Welcomed) {
                let token = session.welcome().expect("welcomed").resume;
                board.tokens.0.lock().expect("no player panicked").push(token);
            }
        }
        if turned.elapsed() >= HOLD {
            turned = Instant::now();
            turns += 1;
            let direction = Vec2::from_angle(turns as f32 * 1.7);
            session.set_input(ArenaInput::new(direction, turns as f32, turns.is_multiple_of(3)), now());
        }
        board.frames[index].store(session.stats().frames, Ordering::Relaxed);
    }
    assert_eq!(session.stats().mismatches, 0, "player {index}");
}
