//! The session of a window, in a thread of its own: a frame is decoded and acknowledged when it arrives, not when
//! the window next draws.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tickwire_shared::CloseCode;
use tickwire_shared::arena::{Arena, ArenaInput, Command};
use tickwire_shared::client::{Happening, Identity, Session, State};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::world::{Scene, World};
use super::{PlayConfig, PlayError};
use crate::comeback::Comeback;
use crate::time;
use crate::transport::{Connection, Ending, Event, connect};

/// How often the session is asked whether an input is due.
const TIMER: Duration = Duration::from_millis(5);
/// A connection over which nothing has come for so long is dead, though nobody says so; there should be two heartbeats a
/// second.
const DEAD_MICROS: u64 = 6_000_000;
/// Wishes that may wait for the thread.
const WISHES_MAX: usize = 16;

/// A running thread. Dropped, it says goodbye to the server.
#[derive(Debug)]
pub struct Network {
    world: Arc<Mutex<World>>,
    input: Option<watch::Sender<ArenaInput>>,
    wishes: mpsc::Sender<Wish>,
    thread: Option<JoinHandle<()>>,
}

/// What a player wants besides walking and shooting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Say something to everybody.
    Chat(String),
    /// Try again after the session has ended.
    Reconnect,
}

impl Network {
    /// Starts to connect.
    ///
    /// # Errors
    /// [`PlayError::Window`] when the system gives no thread or no runtime.
    pub fn start(config: PlayConfig) -> Result<Self, PlayError> {
        let broken = |error: std::io::Error| PlayError::Window(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let world = Arc::new(Mutex::new(World::default()));
        let (input, inputs) = watch::channel(ArenaInput::default());
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let player = Player { config, world: Arc::clone(&world), inputs, wished };
        let thread = thread::Builder::new()
            .name("session".to_owned())
            .spawn(move || runtime.block_on(player.run()))
            .map_err(broken)?;
        Ok(Self { world, input: Some(input), wishes, thread: Some(thread) })
    }

    /// What there is to see now.
    #[must_use]
    pub fn scene(&self) -> Scene {
        lock(&self.world).scene(time::now())
    }

    /// From now on this is what the hands do.
    pub fn set_input(&self, input: ArenaInput) {
        if let Some(sender) = &self.input {
            sender.send_if_modified(|held| std::mem::replace(held, input) != input);
        }
    }

    /// Passes a wish on; says `false` when too many are waiting.
    #[must_use]
    pub fn wish(&self, wish: Wish) -> bool {
        self.wishes.try_send(wish).is_ok()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.input = None;
        if let Some(thread) = self.thread.take() {
            // It panicked or it did not: the window closes either way.
            drop(thread.join());
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a session is over.
enum Over {
    /// The window was closed.
    Quit,
    /// Something else, in a sentence.
    Because(String),
}

/// Why a connection is not used any more.
enum Paused {
    Over(Over),
    /// It was lost.
    Lost(Ending),
}

impl From<Over> for Paused {
    fn from(over: Over) -> Self {
        Self::Over(over)
    }
}

struct Player {
    config: PlayConfig,
    world: Arc<Mutex<World>>,
    inputs: watch::Receiver<ArenaInput>,
    wished: mpsc::Receiver<Wish>,
}

impl Player {
    async fn run(mut self) {
        loop {
            lock(&self.world).begin();
            match self.play().await {
                Over::Quit => return,
                Over::Because(why) => lock(&self.world).end(why),
            }
            if !self.wants_again().await {
                return;
            }
        }
    }

    async fn wants_again(&mut self) -> bool {
        loop {
            tokio::select! {
                wish = self.wished.recv() => match wish {
                    Some(Wish::Reconnect) => return true,
                    Some(Wish::Chat(_)) => {}
                    None => return false,
                },
                changed = self.inputs.changed() => if changed.is_err() {
                    return false;
                },
            }
        }
    }

    async fn play(&mut self) -> Over {
        let PlayConfig { endpoint, name, room, token } = self.config.clone();
        let mut session = match Session::new(Identity { name, room, token, ..Identity::default() }) {
            Ok(session) => session,
            Err(error) => return Over::Because(error.to_string()),
        };
        let mut connection = match connect(&endpoint, None).await {
            Ok(connection) => connection,
            Err(error) => return Over::Because(error.to_string()),
        };
        let mut comeback = Comeback::new(endpoint, None, RandomState::new().build_hasher().finish());
        loop {
            let ending = match self.go_on(&mut session, &mut connection, &mut comeback).await {
                Paused::Lost(ending) if session.welcome().is_some() => ending,
                Paused::Lost(ending) => return Over::Because(ending.to_string()),
                Paused::Over(over) => {
                    let quits = matches!(over, Over::Quit);
                    let code = if quits { CloseCode::Normal } else { CloseCode::BadMessage };
                    // Does nothing when the server has closed already.
                    connection.close(code).await;
                    return over;
                }
            };
            drop(connection);
            lock(&self.world).lose(ending.to_string());
            connection = match self.come_back(&mut comeback, &ending).await {
                Ok(Some(connection)) => connection,
                Ok(None) => return Over::Because(ending.to_string()),
                Err(over) => return over,
            };
            session.resume();
            // What the hands did meanwhile.
            session.set_input(*self.inputs.borrow_and_update(), time::now());
        }
    }

    /// Another connection, unless the window is closed before.
    async fn come_back(
        &mut self,
        comeback: &mut Comeback,
        ending: &Ending,
    ) -> Result<Option<Connection>, Over> {
        let again = comeback.again(ending);
        tokio::pin!(again);
        loop {
            tokio::select! {
                connection = &mut again => return Ok(connection),
                changed = self.inputs.changed() => if changed.is_err() {
                    return Err(Over::Quit);
                },
            }
        }
    }

    async fn go_on(
        &mut self,
        session: &mut Session<Arena>,
        connection: &mut Connection,
        comeback: &mut Comeback,
    ) -> Paused {
        let mut timer = interval(TIMER);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            while let Some(bytes) = session.poll_transmit(time::now()) {
                connection.send(bytes).await;
            }
            tokio::select! {
                event = connection.next() => match event {
                    Event::Message { bytes, at } => {
                        if let Err(error) = session.handle_message(&bytes, at) {
                            return Over::Because(error.to_string()).into();
                        }
                        self.show(session, comeback);
                    }
                    Event::Ended(ending) => return Paused::Lost(ending),
                },
                _ = timer.tick() => {
                    let now = time::now();
                    lock(&self.world).stalled(session.state(now) == State::Stalled);
                    if session.welcome().is_some() && session.silence_micros(now) > DEAD_MICROS {
                        return Paused::Lost(Ending::Lost("nothing has come for too long".to_owned()));
                    }
                }
                changed = self.inputs.changed() => match changed {
                    Ok(()) => session.set_input(*self.inputs.borrow_and_update(), time::now()),
                    Err(_) => return Over::Quit.into(),
                },
                wish = self.wished.recv() => match wish {
                    Some(Wish::Chat(text)) => if !session.send_command(Command::Chat(text)) {
                        lock(&self.world).say("not said: too much is waiting".to_owned(), time::now());
                    },
                    Some(Wish::Reconnect) => {}
                    None => return Over::Quit.into(),
                },
            }
        }
    }

    fn show(&self, session: &mut Session<Arena>, comeback: &mut Comeback) {
        let mut world = lock(&self.world);
        let now = time::now();
        while let Some(happening) = session.poll_happening() {
            match happening {
                Happening::Welcomed => {
                    comeback.welcomed();
                    world.begin();
                    world.welcome(session);
                }
                Happening::Resumed => {
                    comeback.welcomed();
                    world.welcome_back();
                }
                Happening::Game(_, event) => world.event(&event, now),
                Happening::Frame(_) => world.apply(session, now),
                Happening::InputSeen(_) | Happening::Mismatch => {}
            }
        }
    }
}
