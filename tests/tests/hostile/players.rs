//! Fifty who play by the rules, on a thread of their own, and how many frames each of them gets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use glam::Vec2;
use tickwire_shared::Micros;
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::client::{Identity, Session};
use tokio::time::Instant;

use crate::raw::{BINARY, CLOSE, DATA, PING, PONG, Raw, frame};

pub(crate) const PLAYERS: usize = 50;
/// Between changes of one player's input.
const HOLD: Duration = Duration::from_millis(400);

pub(crate) struct Players {
    frames: Arc<[AtomicU64; PLAYERS]>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Players {
    /// Everybody joins, each from an address of its own.
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let frames = Arc::new([const { AtomicU64::new(0) }; PLAYERS]);
        let stop = Arc::<AtomicBool>::default();
        let (counts, over) = (Arc::clone(&frames), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let mut tasks = tokio::task::JoinSet::new();
            runtime.expect("a runtime").block_on(async {
                for index in 0..PLAYERS {
                    tasks.spawn(play(address, index, Arc::clone(&counts), Arc::clone(&over)));
                }
                tasks.join_all().await;
            });
        });
        let players = Self { frames, stop, thread: Some(thread) };
        let begun = Instant::now();
        while players.counts().iter().any(|frames| *frames < 30) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the players do not get going");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        players
    }

    pub(crate) fn counts(&self) -> [u64; PLAYERS] {
        std::array::from_fn(|index| self.frames[index].load(Ordering::Relaxed))
    }

    /// Frames per second of the player who gets fewest, between two counts.
    pub(crate) fn worst(before: &[u64; PLAYERS], after: &[u64; PLAYERS], time: Duration) -> f64 {
        let fewest = before.iter().zip(after).map(|(before, after)| after - before).min();
        fewest.unwrap_or(0) as f64 / time.as_secs_f64()
    }

    /// Everybody leaves; a player who was closed or misled makes this panic.
    pub(crate) fn leave(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no player was harmed");
        }
    }
}

async fn play(address: SocketAddr, index: usize, frames: Arc<[AtomicU64; PLAYERS]>, stop: Arc<AtomicBool>) {
    let raw = Raw::connect_from([127, 0, 1, index as u8 + 1], address).await.expect("connect");
    let mut raw = raw.upgraded(address, BINARY).await;
    let identity = Identity { name: format!("player {index}"), ..Identity::default() };
    let mut session = Session::<Arena>::new(identity).expect("a session");
    let begun = Instant::now();
    let now = || Micros(1 + begun.elapsed().as_micros() as u64);
    let mut turned = Instant::now();
    let mut turns = index;
    while !stop.load(Ordering::Relaxed) {
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
        while session.poll_happening().is_some() {}
        if turned.elapsed() >= HOLD {
            turned = Instant::now();
            turns += 1;
            let direction = Vec2::from_angle(turns as f32 * 1.7);
            session.set_input(ArenaInput::new(direction, turns as f32, turns.is_multiple_of(3)), now());
        }
        frames[index].store(session.stats().frames, Ordering::Relaxed);
    }
    assert_eq!(session.stats().mismatches, 0, "player {index}");
}
