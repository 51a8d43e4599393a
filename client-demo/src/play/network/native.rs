//! A native player's connection, in a thread of its own.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tickwire_shared::CloseCode;
use tickwire_shared::arena::ArenaInput;
use tickwire_shared::client::{Ended, Identity};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::comeback::is_final;
use crate::play::controls::Controls;
use crate::play::player::Player;
use crate::play::port::{Port, Wish};
use crate::play::scene::Scene;
use crate::play::{PlayConfig, PlayError};
use crate::time;
use crate::transport::{Connection, Ending, Event, connect};

/// How often the player is asked whether something is due.
const TIMER: Duration = Duration::from_millis(3);

/// A running thread. Dropped, it says goodbye to the server.
pub struct Network {
    player: Arc<Mutex<Player>>,
    /// Counts what the hands did, so that the thread need not wait for its timer.
    hands: Option<watch::Sender<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Starts to connect.
    ///
    /// # Errors
    /// [`PlayError::Window`] when the system gives no thread or no runtime.
    pub fn start(config: PlayConfig) -> Result<Self, PlayError> {
        let broken = |error: std::io::Error| PlayError::Window(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let PlayConfig { endpoint, name, room, token } = config;
        let identity = Identity { name, room, token, ..Identity::default() };
        let seed = RandomState::new().build_hasher().finish();
        let player = Arc::new(Mutex::new(Player::new(identity, seed, time::now())));
        let (hands, moved) = watch::channel(0);
        let mut driver = Driver { endpoint, player: Arc::clone(&player), moved };
        let thread = thread::Builder::new()
            .name("session".to_owned())
            .spawn(move || runtime.block_on(driver.run()))
            .map_err(broken)?;
        Ok(Self { player, hands: Some(hands), thread: Some(thread) })
    }

    fn ring(&self) {
        if let Some(hands) = &self.hands {
            hands.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

impl Port for Network {
    fn set_input(&mut self, input: ArenaInput) {
        lock(&self.player).set_input(input, time::now());
        self.ring();
    }

    fn scene(&mut self, controls: &Controls) -> Scene {
        let (mut player, now) = (lock(&self.player), time::now());
        player.set_controls(*controls, now);
        player.scene(now)
    }

    fn wish(&mut self, wish: Wish) -> bool {
        let is_taken = lock(&self.player).wish(wish, time::now());
        self.ring();
        is_taken
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        lock(&self.player).leave();
        self.hands = None;
        if let Some(thread) = self.thread.take() {
            // It panicked or it did not: the window closes either way.
            drop(thread.join());
        }
    }
}

fn lock(player: &Mutex<Player>) -> MutexGuard<'_, Player> {
    player.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The window was closed.
struct Quit;

struct Driver {
    endpoint: crate::endpoint::Endpoint,
    player: Arc<Mutex<Player>>,
    moved: watch::Receiver<u64>,
}

impl Driver {
    async fn run(&mut self) {
        while self.wait_until_wanted().await.is_ok() {
            let connected = tokio::select! {
                connected = connect(&self.endpoint, None) => connected,
                Quit = quit(&mut self.moved) => return,
            };
            match connected {
                Ok(connection) => {
                    lock(&self.player).opened(time::now());
                    if self.carry(connection).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let mut player = lock(&self.player);
                    player.ended(Ended::Lost, &error.to_string(), is_final(&error), time::now());
                }
            }
        }
    }

    /// Until a connection is to be opened.
    async fn wait_until_wanted(&mut self) -> Result<(), Quit> {
        while !lock(&self.player).poll_connect(time::now()) {
            tokio::select! {
                () = tokio::time::sleep(TIMER) => {}
                Quit = quit(&mut self.moved) => return Err(Quit),
            }
        }
        Ok(())
    }

    /// Moves bytes as long as the connection lives.
    async fn carry(&mut self, mut connection: Connection) -> Result<(), Quit> {
        let mut timer = interval(TIMER);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let (bytes, code, is_dead) = self.due();
            if let Some(bytes) = bytes {
                connection.send(bytes).await;
                continue;
            }
            if let Some(code) = code {
                // Does nothing when the server has closed already.
                connection.close(code).await;
                return Ok(());
            }
            if is_dead {
                self.ended(&Ending::Lost("nothing has come for too long".to_owned()));
                return Ok(());
            }
            tokio::select! {
                event = connection.next() => match event {
                    Event::Message { bytes, at } => lock(&self.player).received(bytes, at),
                    Event::Ended(ending) => {
                        self.ended(&ending);
                        return Ok(());
                    }
                },
                _ = timer.tick() => lock(&self.player).advance(time::now()),
                moved = self.moved.changed() => if moved.is_err() {
                    lock(&self.player).leave();
                    connection.close(CloseCode::Normal).await;
                    return Err(Quit);
                },
            }
        }
    }

    fn due(&self) -> (Option<Vec<u8>>, Option<CloseCode>, bool) {
        let (mut player, now) = (lock(&self.player), time::now());
        (player.poll_transmit(now), player.poll_close(), player.is_dead(now))
    }

    fn ended(&self, ending: &Ending) {
        let ended = match ending {
            Ending::Closed { code, reason } => Ended::Closed { code: *code, reason },
            Ending::Lost(_) => Ended::Lost,
            Ending::Violation { .. } => Ended::Closed { code: CloseCode::BadMessage.number(), reason: "" },
        };
        lock(&self.player).ended(ended, &ending.to_string(), false, time::now());
    }
}

/// Waits for the window to close.
async fn quit(moved: &mut watch::Receiver<u64>) -> Quit {
    while moved.changed().await.is_ok() {}
    Quit
}
