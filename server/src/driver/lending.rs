//! A connection's reading task lends what it does to its room: the room's thread has to be awake once per tick
//! anyway, and then reads all its sockets in one go, where a task would have to be woken for each message.
//!
//! Begun and ended on tokio: the handshake before, the orderly close after.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::sync::oneshot;

use super::socket::Plain;

/// Everything that a connection reads, up to its end.
pub(super) type Reading = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A reading that is lent, with its socket. Dropped, it goes back to where it came from.
pub(super) struct Lent {
    socket: Arc<Plain>,
    /// Taken out when it ends here.
    home: Option<(Reading, oneshot::Sender<Returned>)>,
}

/// What comes back.
enum Returned {
    /// There is more to read.
    Reading(Reading),
    Panicked(Box<dyn Any + Send>),
}

/// How far a reading got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All that has arrived is read.
    Drained,
    /// It had enough for once.
    More,
    /// The connection is over.
    Ended,
}

/// What a connection holds out to the room that it will join.
pub(super) struct Offer {
    joined: Arc<AtomicBool>,
    lent: oneshot::Receiver<Lent>,
}

/// The connection's side of an offer.
pub(super) struct Lender {
    socket: Arc<Plain>,
    joined: Arc<AtomicBool>,
    to_room: oneshot::Sender<Lent>,
}

/// Both sides, for a socket that can change hands.
pub(super) fn between(socket: Option<Arc<Plain>>) -> (Option<Lender>, Option<Offer>) {
    let Some(socket) = socket else { return (None, None) };
    let joined = Arc::new(AtomicBool::new(false));
    let (to_room, lent) = oneshot::channel();
    (Some(Lender { socket, joined: Arc::clone(&joined), to_room }), Some(Offer { joined, lent }))
}

impl Offer {
    /// The connection joins a room, which will find the reading here.
    pub(super) fn made(self) -> oneshot::Receiver<Lent> {
        self.joined.store(true, Ordering::Release);
        self.lent
    }
}

/// Reads until the connection is over, here or in the room.
pub(super) async fn run(lender: Option<Lender>, reading: Reading) {
    match lender {
        Some(lender) => lender.run(reading).await,
        None => reading.await,
    }
}

impl Lender {
    async fn run(self, mut reading: Reading) {
        let Self { socket, joined, to_room } = self;
        let until_joined = std::future::poll_fn(|context| match reading.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if joined.load(Ordering::Acquire) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        });
        if until_joined.await {
            return;
        }
        // If this task is ended from outside, whoever reads now has to notice.
        let mut hang_up = HangUp(Some(&socket));
        socket.detach();
        let (home, returned) = oneshot::channel();
        let lent = Lent { socket: Arc::clone(&socket), home: Some((reading, home)) };
        // Nobody takes it: then it is returned at once.
        drop(to_room.send(lent));
        match returned.await {
            Ok(Returned::Reading(reading)) => {
                socket.attach();
                reading.await;
            }
            Ok(Returned::Panicked(panic)) => std::panic::resume_unwind(panic),
            Err(_ended) => {}
        }
        hang_up.0 = None;
    }
}

/// Ends a socket in both directions when dropped.
struct HangUp<'a>(Option<&'a Plain>);

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        if let Some(socket) = self.0 {
            socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Lent {
    pub(super) fn socket(&self) -> &Plain {
        &self.socket
    }

    /// Reads what has arrived, on average so long ago, `bytes` of it at most.
    pub(super) fn read(&mut self, bytes: usize, age_micros: u64) -> Progress {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        let Some((reading, _)) = &mut self.home else { return Progress::Ended };
        self.socket.allow(bytes, age_micros);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| reading.as_mut().poll(&mut context))) {
            Ok(Poll::Pending) if self.socket.drained() => Progress::Drained,
            Ok(Poll::Pending) => Progress::More,
            Ok(Poll::Ready(())) => {
                self.home = None;
                Progress::Ended
            }
            Err(panic) => {
                if let Some((_, home)) = self.home.take() {
                    drop(home.send(Returned::Panicked(panic)));
                }
                Progress::Ended
            }
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((reading, home)) = self.home.take() {
            // Nobody is at home any more: then the connection is over.
            drop(home.send(Returned::Reading(reading)));
        }
    }
}
