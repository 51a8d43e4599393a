//! One room's sockets, read by the room's own thread a few times per tick. Nobody is woken by a message: it waits in
//! the kernel until the next sweep, which learns in one system call which sockets have something.
//!
//! A tick applies what the last sweep before it found. The other ones only tell more exactly when something came, by
//! which clients' clocks and round trips are measured: in the middle between two sweeps, on average. A client that is told
//! less exactly when its inputs came lets them leave earlier, to be safe.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mio::{Events, Interest, Poll, Registry, Token};
use tickwire_shared::{ClientId, Micros};

use super::lending::{Lent, Progress};

/// Sweeps per tick, by how many clients share them: each wakes the room's thread once more. With two, the time at which
/// something came is known to a quarter of a tick, with eight to a sixteenth. Where so few share them that there would be two, a
/// worker with that much to do, in thousandths of a core, leaves out the one between ticks.
pub(super) fn sweeps_per_tick(clients: usize, load_permille: u32) -> u32 {
    const SWEEPS: std::ops::RangeInclusive<u32> = 2..=8;
    const CLIENTS_PER_SWEEP: usize = 4;
    const BUSY_PERMILLE: u32 = 400;
    let sweeps = u32::try_from(clients / CLIENTS_PER_SWEEP).unwrap_or(u32::MAX);
    match sweeps.clamp(*SWEEPS.start(), *SWEEPS.end()) {
        2 if load_permille >= BUSY_PERMILLE => 1,
        sweeps => sweeps,
    }
}
/// Sockets that one system call tells of.
const EVENTS_MAX: usize = 1024;
/// What is read of one socket in a tick at least, in bytes: far more than an honest client sends.
const BYTES_PER_TICK_MIN: usize = 2048;

/// The sockets of one room.
pub(super) struct Sweeper {
    poll: Poll,
    events: Events,
    readers: BTreeMap<ClientId, Lent>,
    /// Had more to read than they were allowed.
    unfinished: BTreeSet<ClientId>,
    bytes_per_tick_max: usize,
    swept_at: Micros,
}

impl Sweeper {
    /// For clients that may send `bytes_per_s`, in a room of so many ticks.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(super) fn new(bytes_per_s: u32, tick_hz: u16) -> std::io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            readers: BTreeMap::new(),
            unfinished: BTreeSet::new(),
            // Twice the budget, so that it is the budget that speaks up and not this.
            bytes_per_tick_max: BYTES_PER_TICK_MIN
                .max((bytes_per_s / u32::from(tick_hz.max(1))) as usize * 2),
            swept_at: Micros(0),
        })
    }

    /// How many sockets it reads.
    pub(super) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Reads this socket from now on; says whether it can.
    pub(super) fn take(&mut self, client: ClientId, lent: Lent) -> bool {
        let registered = register(self.poll.registry(), client, &lent).is_ok();
        if registered {
            // What came before is found by the next sweep: a socket is reported when it is registered.
            self.readers.insert(client, lent);
        }
        registered
    }

    /// Gives a socket back.
    pub(super) fn release(&mut self, client: ClientId) {
        if let Some(lent) = self.readers.remove(&client) {
            deregister(self.poll.registry(), &lent);
        }
    }

    /// Reads all that has arrived, and notes of whom.
    pub(super) fn sweep(&mut self, heard: &mut Vec<ClientId>, now: Micros) {
        let age_micros = now.since(self.swept_at) / 2;
        self.swept_at = now;
        // Of a small room each may be the only one in its tick.
        let bytes_max = self.bytes_per_tick_max / sweeps_per_tick(self.readers.len(), u32::MAX) as usize;
        for client in std::mem::take(&mut self.unfinished) {
            heard.push(client);
            self.read(client, bytes_max, age_micros);
        }
        loop {
            // Interrupted, or out of memory: the next sweep is soon.
            if self.poll.poll(&mut self.events, Some(Duration::ZERO)).is_err() {
                return;
            }
            let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
            let mut count = 0;
            for event in &events {
                count += 1;
                let client = ClientId(event.token().0 as u32);
                heard.push(client);
                if let (true, Some(lent)) = (event.is_read_closed(), self.readers.get(&client)) {
                    lent.socket().expect_end();
                }
                self.read(client, bytes_max, age_micros);
            }
            self.events = events;
            if count < EVENTS_MAX {
                return;
            }
        }
    }

    fn read(&mut self, client: ClientId, bytes_max: usize, age_micros: u64) {
        let Some(lent) = self.readers.get_mut(&client) else { return };
        match lent.read(bytes_max, age_micros) {
            Progress::Drained => {}
            Progress::More => drop(self.unfinished.insert(client)),
            Progress::Ended => self.release(client),
        }
    }
}

#[cfg(unix)]
fn register(registry: &Registry, client: ClientId, lent: &Lent) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let token = Token(client.0 as usize);
    lent.socket().with_bare(|socket| {
        registry.register(&mut mio::unix::SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)
    })
}

#[cfg(unix)]
fn deregister(registry: &Registry, lent: &Lent) {
    use std::os::fd::AsRawFd;
    // If that fails, it is being closed: then the system forgets it by itself.
    let _ =
        lent.socket().with_bare(|socket| registry.deregister(&mut mio::unix::SourceFd(&socket.as_raw_fd())));
}

/// Elsewhere sockets stay where they are.
#[cfg(not(unix))]
fn register(_registry: &Registry, _client: ClientId, _lent: &Lent) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn deregister(_registry: &Registry, _lent: &Lent) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::driver::lending;
    use crate::driver::socket::{PlainRead, Stream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;

    const CLIENT: ClientId = ClientId(7);
    /// What one sweep reads where there are a few clients.
    const BYTES_MIN: usize = BYTES_PER_TICK_MIN;

    #[test]
    fn the_more_there_are_the_more_often_they_are_looked_at() {
        assert_eq!([0, 1, 12, 50, 5000].map(|clients| sweeps_per_tick(clients, 0)), [2, 2, 3, 8, 8]);
        assert_eq!([1, 11, 12, 5000].map(|clients| sweeps_per_tick(clients, 900)), [1, 1, 3, 8]);
    }

    /// A reading that counts bytes, lent to a sweeper.
    struct Swept {
        peer: TcpStream,
        sweeper: Sweeper,
        count: Arc<AtomicUsize>,
        task: JoinHandle<()>,
    }

    impl Swept {
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (read, _) = Stream::Plain(accepted.expect("a connection").0).split();
            let socket = read.plain().expect("without TLS");
            let (lender, offer) = lending::between(Some(Arc::clone(&socket)));
            let lent = offer.expect("it can change hands").made();
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let reading = Box::pin(async move {
                let (mut read, mut buffer) = (PlainRead(socket), [0; 100]);
                while let Ok(bytes @ 1..) = read.read(&mut buffer).await {
                    counted.fetch_add(bytes, Ordering::Relaxed);
                }
            });
            let task = tokio::spawn(lending::run(lender, reading));
            let mut sweeper = Sweeper::new(0, 30).expect("a descriptor");
            assert!(sweeper.take(CLIENT, lent.await.expect("lent")));
            Self { peer: peer.expect("connected"), sweeper, count, task }
        }

        fn sweep(&mut self) -> Vec<ClientId> {
            let mut heard = Vec::new();
            self.sweeper.sweep(&mut heard, Micros(5_000_000));
            heard
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::Relaxed)
        }

        /// Sweeps until it has read so much.
        async fn sweep_until(&mut self, bytes: usize) {
            for _ in 0..1000 {
                self.sweep();
                if self.count() >= bytes {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("{} bytes of {bytes}", self.count());
        }
    }

    #[tokio::test]
    async fn nothing_is_read_between_sweeps() {
        let mut swept = Swept::new().await;
        assert_eq!(swept.sweep(), []);
        swept.peer.write_all(&[1; 50]).await.expect("written");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(swept.count(), 0);
        assert_eq!(swept.sweep(), [CLIENT]);
        assert_eq!((swept.count(), swept.sweep()), (50, vec![]));
    }

    #[tokio::test]
    async fn a_flood_has_to_wait_for_the_next_sweeps() {
        let mut swept = Swept::new().await;
        swept.peer.write_all(&[1; 5000]).await.expect("written");
        tokio::time::sleep(Duration::from_millis(50)).await;
        swept.sweep();
        assert_eq!(swept.count(), BYTES_MIN);
        swept.sweep_until(5000).await;
    }

    #[tokio::test]
    async fn released_it_is_read_by_its_task_again() {
        let mut swept = Swept::new().await;
        swept.peer.write_all(&[1; 10]).await.expect("written");
        swept.sweep_until(10).await;
        swept.sweeper.release(CLIENT);
        assert!(swept.sweeper.len() == 0);
        swept.peer.write_all(&[1; 10]).await.expect("written");
        drop(swept.peer);
        swept.task.await.expect("it ends with the connection");
        assert_eq!(swept.count.load(Ordering::Relaxed), 20);
    }

    #[tokio::test]
    async fn the_end_of_the_peer_ends_it() {
        let Swept { peer, mut sweeper, task, .. } = Swept::new().await;
        drop(peer);
        until_empty(&mut sweeper).await;
        task.await.expect("it ends with the connection");
    }

    #[tokio::test]
    async fn an_end_that_comes_with_the_last_bytes_is_seen() {
        for bytes in [1, 10, 99, 100, 256, BYTES_MIN, 2 * BYTES_MIN + 1] {
            let Swept { mut peer, mut sweeper, count, task } = Swept::new().await;
            peer.write_all(&vec![1; bytes]).await.expect("written");
            drop(peer);
            // Both have arrived before anybody looks, so the system tells of both once.
            tokio::time::sleep(Duration::from_millis(20)).await;
            until_empty(&mut sweeper).await;
            task.await.expect("it ends with the connection");
            assert_eq!(count.load(Ordering::Relaxed), bytes);
        }
    }

    #[tokio::test]
    async fn the_end_of_its_task_ends_it() {
        let mut swept = Swept::new().await;
        swept.task.abort();
        until_empty(&mut swept.sweeper).await;
    }

    async fn until_empty(sweeper: &mut Sweeper) {
        for _ in 0..1000 {
            sweeper.sweep(&mut Vec::new(), Micros(5_000_000));
            if sweeper.len() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nobody noticed the end");
    }
}
