//! A well-behaved player over the binary session, and a witness: one that plays on while others misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tickwire_shared::Micros;
use tickwire_shared::arena::{Arena, ArenaInput, Command};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::ClientMessage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::raw::{BINARY, CLOSE, DATA, Frame, PATIENCE, PING, PONG, Raw, frame};

/// How often a session is asked whether something is due.
const TIMER: Duration = Duration::from_millis(25);

pub(crate) type ArenaSession = Session<Arena>;

/// A session over a raw connection.
pub(crate) struct Player<S = TcpStream> {
    pub(crate) raw: Raw<S>,
    pub(crate) session: ArenaSession,
    /// How many inputs it has sent.
    pub(crate) inputs: u64,
    begun: Instant,
}

pub(crate) fn identity(name: &str, room: &str) -> Identity {
    Identity { name: name.to_owned(), room: room.to_owned(), ..Identity::default() }
}

/// The Hello of a player, as a message.
pub(crate) fn hello(name: &str, room: &str) -> Vec<u8> {
    let mut session = ArenaSession::new(identity(name, room)).expect("a session");
    session.poll_transmit(Micros(0)).expect("a Hello")
}

impl Player {
    /// Connects and waits for Welcome and the first frame.
    pub(crate) async fn join(address: SocketAddr, name: &str, room: &str) -> Self {
        let mut player = Self::over(Raw::open(address, BINARY).await, name, room).await;
        while player.session.stats().frames == 0 {
            player.turn().await;
        }
        player
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Player<S> {
    /// Over an upgraded connection; says Hello and reads nothing yet.
    pub(crate) async fn over(raw: Raw<S>, name: &str, room: &str) -> Self {
        Self::over_as(raw, identity(name, room)).await
    }

    /// The same, as somebody.
    pub(crate) async fn over_as(raw: Raw<S>, identity: Identity) -> Self {
        let session = ArenaSession::new(identity).expect("a session");
        let mut player = Self { raw, session, inputs: 0, begun: Instant::now() };
        player.transmit().await;
        player
    }

    pub(crate) fn now(&self) -> Micros {
        Micros(1 + self.begun.elapsed().as_micros() as u64)
    }

    /// Sends what is due.
    pub(crate) async fn transmit(&mut self) {
        while let Some(message) = self.session.poll_transmit(self.now()) {
            let decoded = codec::decode::<ClientMessage<ArenaInput, Command>>(&message);
            self.inputs += u64::from(decoded.is_ok_and(|message| message.input().is_some()));
            self.raw.send(&frame(DATA, &message)).await;
        }
    }

    /// Takes one frame and answers it.
    pub(crate) async fn turn(&mut self) {
        let begun = Instant::now();
        let received = loop {
            // Acknowledgements are due at their time, whether or not anything comes.
            self.transmit().await;
            match timeout(TIMER, self.raw.frame()).await {
                Ok(received) => break received,
                Err(_) => assert!(begun.elapsed() < PATIENCE, "an answer in time"),
            }
        };
        self.take(received.expect("a frame").expect("a frame before the end")).await;
    }

    pub(crate) async fn take(&mut self, received: Frame) {
        match received.opcode {
            DATA => {
                self.session.handle_message(&received.payload, self.now()).expect("a message of ours");
                while self.session.poll_happening().is_some() {}
            }
            PING => self.raw.send(&frame(PONG, &received.payload)).await,
            CLOSE => panic!("closed: {:?}", String::from_utf8_lossy(&received.payload)),
            other => panic!("opcode {other}"),
        }
        self.transmit().await;
    }

    /// Plays until a condition of the session holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&ArenaSession) -> bool) {
        let begun = Instant::now();
        while !holds(&self.session) {
            assert!(begun.elapsed() < Duration::from_secs(10), "never: {what}");
            self.turn().await;
        }
    }
}

/// Somebody else in the same room.
pub(crate) struct Witness {
    frames: Arc<AtomicU64>,
    longest_pause_ms: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

/// However busy the machine that tests, a room at 30 Hz does not pause for longer.
const PAUSE_MS_MAX: u64 = 700;

impl Witness {
    pub(crate) async fn join(address: SocketAddr) -> Self {
        Self::over(Player::join(address, "witness", "main").await)
    }

    /// Over any connection.
    pub(crate) fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(mut player: Player<S>) -> Self {
        let (frames, longest_pause_ms) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (count, pause) = (Arc::clone(&frames), Arc::clone(&longest_pause_ms));
        let task = tokio::spawn(async move {
            let mut last = Instant::now();
            loop {
                player.turn().await;
                count.fetch_add(1, Ordering::SeqCst);
                pause.fetch_max(last.elapsed().as_millis() as u64, Ordering::SeqCst);
                last = Instant::now();
            }
        });
        Self { frames, longest_pause_ms, task }
    }

    /// Its frames go on.
    pub(crate) async fn assert_alive(&self) {
        let before = self.frames.load(Ordering::SeqCst);
        crate::server::until("the witness gets more frames", || {
            assert!(!self.task.is_finished(), "the witness was closed");
            self.frames.load(Ordering::SeqCst) >= before + 3
        })
        .await;
    }

    /// Its frames went on all the time, and go on.
    pub(crate) async fn assert_undisturbed(&self) {
        self.assert_alive().await;
        let pause = self.longest_pause_ms.load(Ordering::SeqCst);
        assert!(pause < PAUSE_MS_MAX, "the witness waited {pause} ms for a frame");
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}
