//! How a server ends: it says that it goes away and lets nobody in any more, gives its players their time, ends or saves its
//! rooms, and closes what is left. Runs once, after everything else.

use std::sync::PoisonError;
use std::time::Duration;

use tickwire_shared::{Close, CloseCode, Protocol};
use tokio::sync::{Semaphore, watch};

use super::clock::Clock;
use super::hub::Hub;
use super::metrics;
use super::options::SocketOptions;
use super::recorder::Recordings;
use super::server::Running;
use super::state_dir::RoomsSaved;

/// How long the end of the server waits for rooms to end, and for connections to read their close frames.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(5);
/// And for the ends of recordings to be written.
const RECORDINGS_DEADLINE: Duration = Duration::from_secs(2);
/// How often what cannot be awaited is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a server's end came to.
#[derive(Debug)]
pub struct Drained {
    /// Sessions when it began.
    pub sessions: usize,
    /// Sessions that had not said goodbye at the end.
    pub sessions_left: usize,
    /// The rooms in `state_dir`, where there is one.
    pub rooms: RoomsSaved,
    /// From the first word to the last.
    pub took: Duration,
}

/// A server's inside, whatever its game.
pub(super) trait Inside: Send + Sync {
    fn metrics(&self) -> String;
    fn options(&self) -> Option<SocketOptions>;
    fn sessions(&self) -> &Semaphore;
    fn recordings(&self) -> &Recordings;
    fn end_rooms(&self, close: &Close);
    fn rooms_left(&self) -> usize;
    fn save_rooms(&self) -> RoomsSaved;
    /// Lets nobody in from now on, and tells those who are in.
    fn begin_drain(&self);
    /// True as soon as somebody has asked for the end.
    fn drain_asked(&self) -> watch::Receiver<bool>;
}

impl<P: Protocol> Inside for Hub<P> {
    fn metrics(&self) -> String {
        metrics::text(self)
    }

    fn options(&self) -> Option<SocketOptions> {
        *self.accepted_options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> &Semaphore {
        &self.sessions
    }

    fn recordings(&self) -> &Recordings {
        &self.recordings
    }

    fn end_rooms(&self, close: &Close) {
        self.rooms.end(close);
    }

    fn rooms_left(&self) -> usize {
        self.rooms.count()
    }

    fn save_rooms(&self) -> RoomsSaved {
        self.state_dir.finish()
    }

    fn begin_drain(&self) {
        self.rooms.drain(self.config.drain_notice);
        self.drain.send_replace(true);
    }

    fn drain_asked(&self) -> watch::Receiver<bool> {
        self.drain.subscribe()
    }
}

impl Running {
    /// Resolves when the operator has asked for the end by `POST /drain`. Whoever runs the server calls [`Self::drain`] then.
    pub async fn drain_asked(&self) {
        let mut asked = self.inside.drain_asked();
        // The server cannot go away before its handle.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// Ends the server: not ready any more from now on, players are told and have `drain_notice` to leave by themselves, then
    /// rooms end (and are saved, with a `state_dir`) and every session is closed with 1001 and the time to wait.
    pub async fn drain(self) -> Drained {
        let (begun, sessions) = (Clock::start(), self.sessions());
        self.inside.begin_drain();
        tracing::info!(sessions, rooms = self.inside.rooms_left(), notice = ?self.drain_notice, "draining");
        // Whoever leaves earlier is not waited for.
        let _ = tokio::time::timeout(self.drain_notice, self.all_gone()).await;
        let drained = self.end_and_save().await;
        Drained { sessions, took: begun.elapsed(), ..drained }
    }

    /// Ends the server without notice: every session is closed with 1001, rooms end (and are saved, with a `state_dir`). Waits
    /// until everybody is gone, or has had their time.
    pub async fn shutdown(self) -> Drained {
        self.end_and_save().await
    }

    async fn end_and_save(&self) -> Drained {
        let (begun, sessions) = (Clock::start(), self.sessions());
        self.end();
        let rooms_ended = async {
            while self.inside.rooms_left() > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(GOODBYE_DEADLINE, rooms_ended).await.is_err() {
            tracing::error!(rooms = self.inside.rooms_left(), "some rooms did not end in time");
        }
        let inside = std::sync::Arc::clone(&self.inside);
        let saving = tokio::task::spawn_blocking(move || inside.save_rooms());
        let left = GOODBYE_DEADLINE.saturating_sub(begun.elapsed());
        if tokio::time::timeout(left, self.all_gone()).await.is_err() {
            tracing::warn!(sessions = self.sessions(), "some connections did not say goodbye in time");
        }
        let all_written = async {
            while !self.inside.recordings().is_idle() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(RECORDINGS_DEADLINE, all_written).await.is_err() {
            tracing::warn!("the disk did not take the end of all recordings in time");
        }
        let rooms = saving.await.unwrap_or_default();
        Drained { sessions, sessions_left: self.sessions(), rooms, took: begun.elapsed() }
    }

    async fn all_gone(&self) {
        // Never closed.
        let _ = self.inside.sessions().acquire_many(self.sessions_max).await;
    }

    fn sessions(&self) -> usize {
        (self.sessions_max as usize).saturating_sub(self.inside.sessions().available_permits())
    }

    /// Closes everybody, and waits for nothing.
    pub(super) fn end(&self) {
        let close = Close::retry_after(CloseCode::GoingAway, self.retry_after_ms);
        self.ending.send_replace(Some(close.clone()));
        self.inside.end_rooms(&close);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ctrl-C, and where there is one, the signal to terminate.
pub(super) struct StopSignal {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignal {
    pub(super) fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn received(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
