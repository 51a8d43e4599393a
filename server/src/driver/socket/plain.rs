//! A TCP socket without TLS that can change hands: a task reads it while tokio watches it, or a room's sweep reads it
//! and nobody is woken by what arrives (see [`sweep`](crate::driver::sweep)). Writing is the same either way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tickwire_shared::Micros;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;

/// Most that is read at once: the buffer is cleared before, and an honest client's messages are shorter.
pub(in crate::driver) const READ_BYTES_MAX: usize = 256;
/// When a socket cannot be watched for want of descriptors, it is tried again this often.
const UNWATCHED_PAUSE: Duration = Duration::from_millis(20);

/// One socket.
pub(in crate::driver) struct Plain {
    socket: RwLock<Socket>,
    changed_hands: Notify,
    /// Bytes that may be read until the next sweep.
    allowance: AtomicUsize,
    /// Whether the last sweep found all that there was.
    drained: AtomicBool,
    /// Whether the peer's end has been announced, behind what is not read yet.
    ending: AtomicBool,
    /// How long ago what is read now arrived, as far as anybody knows.
    age_micros: AtomicU64,
    /// Read already, and to be read again, and whether there is any.
    again: Mutex<Vec<u8>>,
    has_again: AtomicBool,
}

/// In whose hands it is.
enum Socket {
    /// A task's.
    Watched(tokio::net::TcpStream),
    /// A sweep's.
    Bare(std::net::TcpStream),
    /// It got lost on the way between the two.
    Lost,
}

impl Plain {
    /// In a task's hands.
    pub(in crate::driver) fn new(stream: tokio::net::TcpStream) -> Self {
        Self {
            socket: RwLock::new(Socket::Watched(stream)),
            changed_hands: Notify::new(),
            allowance: AtomicUsize::new(0),
            drained: AtomicBool::new(true),
            ending: AtomicBool::new(false),
            age_micros: AtomicU64::new(0),
            again: Mutex::default(),
            has_again: AtomicBool::new(false),
        }
    }

    /// In a sweep's hands, what it may have of it now, past the reading side and its buffers; `None` when that has to be asked.
    pub(in crate::driver) fn glance(
        &self,
        buffer: &mut [u8; READ_BYTES_MAX],
    ) -> Option<Poll<io::Result<usize>>> {
        match &*self.socket() {
            Socket::Bare(socket) if !self.has_again.load(Ordering::Relaxed) => {
                Some(self.sweep(socket, buffer))
            }
            Socket::Bare(_) | Socket::Watched(_) | Socket::Lost => None,
        }
    }

    /// Whether a sweep reads it.
    pub(in crate::driver) fn is_bare(&self) -> bool {
        matches!(*self.socket(), Socket::Bare(_))
    }

    /// What came by a glance and is for the reading side after all.
    pub(in crate::driver) fn read_again(&self, bytes: &[u8]) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        self.has_again.store(true, Ordering::Relaxed);
    }

    fn take_again(&self, buffer: &mut ReadBuf<'_>) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let count = buffer.remaining().min(again.len());
        buffer.put_slice(&again[..count]);
        again.drain(..count);
        if again.is_empty() {
            *again = Vec::new();
            self.has_again.store(false, Ordering::Relaxed);
        }
    }

    /// From now on a task reads it. To be called inside the runtime.
    pub(in crate::driver) fn attach(&self) {
        self.age_micros.store(0, Ordering::Relaxed);
        self.change_hands(|socket| match socket {
            Socket::Bare(socket) => tokio::net::TcpStream::from_std(socket).map(Socket::Watched),
            other => Ok(other),
        });
    }

    /// From now on a sweep reads it.
    pub(in crate::driver) fn detach(&self) {
        self.change_hands(|socket| match socket {
            Socket::Watched(socket) => socket.into_std().map(Socket::Bare),
            other => Ok(other),
        });
    }

    fn change_hands(&self, change: impl FnOnce(Socket) -> io::Result<Socket>) {
        let mut held = self.socket.write().unwrap_or_else(PoisonError::into_inner);
        *held = change(std::mem::replace(&mut held, Socket::Lost)).unwrap_or(Socket::Lost);
        drop(held);
        // Whoever waits for it to take more has to wait in another way.
        self.changed_hands.notify_waiters();
    }

    /// For whoever watches it in another way, while it is in a sweep's hands.
    ///
    /// # Errors
    /// When it is not, and what `watch` says.
    pub(in crate::driver) fn with_bare(
        &self,
        watch: impl FnOnce(&std::net::TcpStream) -> io::Result<()>,
    ) -> io::Result<()> {
        match &*self.socket() {
            Socket::Bare(socket) => watch(socket),
            Socket::Watched(_) | Socket::Lost => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Before a sweep reads: how much it may, and how long that has been here on average.
    pub(in crate::driver) fn allow(&self, bytes: usize, age_micros: u64) {
        self.age_micros.store(age_micros, Ordering::Relaxed);
        self.allowance.store(bytes, Ordering::Relaxed);
        self.drained.store(false, Ordering::Relaxed);
    }

    /// Whoever watches it was told that the peer has ended it, which nobody is told twice: from now on a sweep reads
    /// until it finds that end.
    pub(in crate::driver) fn expect_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// After a sweep has read: whether that was all that there was.
    pub(in crate::driver) fn drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    /// When what is read now, at `now`, arrived.
    pub(in crate::driver) fn arrived(&self, now: Micros) -> Micros {
        Micros(now.0.saturating_sub(self.age_micros.load(Ordering::Relaxed)))
    }

    /// As much as the kernel takes at once.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing.
    pub(in crate::driver) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = match &*self.socket() {
                Socket::Watched(socket) => socket.try_write(bytes),
                Socket::Bare(socket) => (&*socket).write(bytes),
                Socket::Lost => Err(ErrorKind::NotConnected.into()),
            };
            match written {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    /// Waits until the kernel, which has just taken nothing, takes something again. For one task.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(in crate::driver) async fn writable(&self) -> io::Result<()> {
        loop {
            let mut changed = pin!(self.changed_hands.notified());
            changed.as_mut().enable();
            let again = match &*self.socket() {
                Socket::Watched(_) => None,
                Socket::Bare(socket) => Some(socket.try_clone().and_then(tokio::net::TcpStream::from_std)),
                Socket::Lost => return Err(ErrorKind::NotConnected.into()),
            };
            match again {
                // Tokio watches only what it owns, so a second descriptor it is, for as long as this takes.
                Some(Ok(socket)) => return socket.writable().await,
                Some(Err(_no_descriptor)) => {
                    tokio::time::sleep(UNWATCHED_PAUSE).await;
                    return Ok(());
                }
                None => {
                    let writable = std::future::poll_fn(|context| match &*self.socket() {
                        Socket::Watched(socket) => socket.poll_write_ready(context),
                        Socket::Bare(_) | Socket::Lost => Poll::Pending,
                    });
                    tokio::select! {
                        writable = writable => return writable,
                        () = changed => {}
                    }
                }
            }
        }
    }

    /// Ends one direction, or both.
    pub(in crate::driver) fn shutdown(&self, how: Shutdown) {
        // A peer that is gone already needs no telling.
        let _ = match &*self.socket() {
            Socket::Watched(socket) => SockRef::from(socket).shutdown(how),
            Socket::Bare(socket) => socket.shutdown(how),
            Socket::Lost => Ok(()),
        };
    }

    /// A panic inside the lock would be ours, and leaves a usable state.
    fn socket(&self) -> RwLockReadGuard<'_, Socket> {
        self.socket.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a sweep may still have of it. When that is nothing, nobody waits: the next sweep comes by itself.
    fn sweep(&self, mut socket: &std::net::TcpStream, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let allowance = self.allowance.load(Ordering::Relaxed);
        if allowance == 0 {
            return Poll::Pending;
        }
        let wanted = buffer.len().min(allowance);
        let read = socket.read(&mut buffer[..wanted]);
        let (left, drained) = match &read {
            Ok(count) if *count == wanted => (allowance - count, false),
            Err(error) if error.kind() == ErrorKind::Interrupted => (0, false),
            // The end is behind this.
            Ok(count @ 1..) if self.ending.load(Ordering::Relaxed) => (allowance - count, false),
            // No more than this was there.
            Ok(_) | Err(_) => (0, true),
        };
        self.allowance.store(left, Ordering::Relaxed);
        self.drained.store(drained, Ordering::Relaxed);
        match read {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Poll::Pending
            }
            read => Poll::Ready(read),
        }
    }
}

/// The reading side of a plain socket.
pub(in crate::driver) struct PlainRead(pub(in crate::driver) Arc<Plain>);

impl AsyncRead for PlainRead {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let plain = &*self.0;
        if plain.has_again.load(Ordering::Relaxed) {
            plain.take_again(buffer);
            return Poll::Ready(Ok(()));
        }
        let wanted = buffer.remaining().min(READ_BYTES_MAX);
        let count = match &*plain.socket() {
            Socket::Bare(socket) => ready!(plain.sweep(socket, buffer.initialize_unfilled_to(wanted)))?,
            Socket::Watched(socket) => loop {
                ready!(socket.poll_read_ready(context))?;
                match socket.try_read(buffer.initialize_unfilled_to(wanted)) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => break read?,
                }
            },
            Socket::Lost => return Poll::Ready(Err(ErrorKind::NotConnected.into())),
        };
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}
