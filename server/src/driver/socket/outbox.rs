//! The writing side: whole frames in order, handed to the kernel at once when it takes them and kept otherwise.
//!
//! Any thread may send; nobody waits. What the kernel did not take is written on by the connection's own task,
//! which runs [`Outbox::drive`]; inside TLS, that is everything (see [`encrypted`](super::encrypted)). The lock is
//! held for one non-blocking write at most.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tickwire_shared::{Close, CloseCode};
use tokio::sync::Notify;

use super::encrypted::Encrypted;
use super::framing;
use super::plain::Plain;
use super::stream::WriteHalf;
use crate::driver::tally::Ended;

/// Bytes that may wait beyond one frame. A room stops packing as soon as anything waits, so only a flood of
/// messages outside that rule gets here.
const PENDING_BYTES_MAX: usize = 4 << 20;
/// Bytes that may wait for the task that encrypts them before they count as congestion: about a frame or two.
const PROMPT_BYTES: usize = 16 * 1024;
/// Capacity that an idle connection may keep.
pub(super) const KEPT_BYTES: usize = 1024;

/// One connection's outgoing bytes.
pub(in crate::driver) struct Outbox {
    wire: Wire,
    queue: Mutex<Queue>,
    /// Bytes wait unsent.
    congested: AtomicBool,
    /// A close is queued or sent.
    closing: AtomicBool,
    sent_bytes: AtomicU64,
    work: Notify,
    close_queued: Notify,
}

/// How bytes leave.
enum Wire {
    Plain(Arc<Plain>),
    /// Locked by whoever drives.
    Tls(Box<tokio::sync::Mutex<Encrypted>>),
}

/// What waits, in the order in which it goes out. Control frames come after the data that was there before
/// them, and never inside a frame that has begun.
#[derive(Default)]
struct Queue {
    pending: Vec<u8>,
    /// Bytes of `pending` that are gone.
    sent: usize,
    /// The newest only.
    pong: Option<Vec<u8>>,
    close: Option<Vec<u8>>,
    /// The code of the close that was queued.
    code: Option<u16>,
    broken: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Sent {
    /// The kernel has it.
    Whole,
    /// It waits, in part or whole.
    Queued,
    /// Nobody will get it: a close is under way, or the connection broke.
    Refused,
}

/// How [`Outbox::drive`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Driven {
    /// Our close frame is out, and with it everything before it.
    CloseSent,
    /// The connection broke.
    Broken,
    /// The peer took nothing for too long.
    Stalled,
}

/// What whoever encrypts is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Bytes to write.
    Batch,
    /// Nothing waits.
    Nothing,
    /// Nothing waits, and the close was the last.
    CloseSent,
    /// Give up.
    Broken,
}

/// What one attempt to write achieved.
enum Flushed {
    Empty,
    CloseSent,
    Blocked,
    Broken,
}

impl Outbox {
    pub(in crate::driver) fn new(half: WriteHalf) -> Self {
        let wire = match half {
            WriteHalf::Plain(socket) => Wire::Plain(socket),
            WriteHalf::Tls(half) => Wire::Tls(Box::new(tokio::sync::Mutex::new(Encrypted::new(half)))),
        };
        Self {
            wire,
            queue: Mutex::default(),
            congested: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            sent_bytes: AtomicU64::new(0),
            work: Notify::new(),
            close_queued: Notify::new(),
        }
    }

    /// Sends the bytes of one whole frame.
    pub(in crate::driver) fn send(&self, frame: &[u8]) -> Sent {
        let mut queue = self.lock();
        if queue.broken || self.closing() {
            return Sent::Refused;
        }
        let mut written = 0;
        if let (Wire::Plain(socket), true) = (&self.wire, queue.is_empty()) {
            match socket.try_write(frame) {
                Ok(count) => written = count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return self.break_off(&mut queue),
            }
        } else if queue.pending.len() - queue.sent + frame.len() > PENDING_BYTES_MAX {
            return self.break_off(&mut queue);
        }
        self.sent_bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
        if written == frame.len() {
            return Sent::Whole;
        }
        let held = !queue.is_empty() && !self.congested();
        queue.pending.extend_from_slice(&frame[written..]);
        if held && matches!(self.wire, Wire::Plain(_)) {
            return self.write_held(&mut queue);
        }
        if matches!(self.wire, Wire::Plain(_)) || queue.pending.len() > PROMPT_BYTES {
            self.congested.store(true, Ordering::Release);
        }
        drop(queue);
        self.work.notify_one();
        Sent::Queued
    }

    /// Keeps the bytes of one whole frame to be written together with what comes next, or by [`Self::send_held`]; says whether it
    /// does, which is so only while nothing waits already.
    pub(in crate::driver) fn hold(&self, frame: &[u8]) -> bool {
        let mut queue = self.lock();
        let holds = !queue.broken && !self.closing() && queue.is_empty();
        if holds {
            queue.pending.extend_from_slice(frame);
            self.sent_bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
        }
        holds
    }

    /// Writes what was held.
    pub(in crate::driver) fn send_held(&self) {
        let mut queue = self.lock();
        if !queue.is_empty() && !self.congested() {
            self.write_held(&mut queue);
        }
    }

    /// Everything that waits is whole frames that the kernel was not given yet.
    fn write_held(&self, queue: &mut Queue) -> Sent {
        if let Wire::Plain(socket) = &self.wire {
            match self.flush_queue(queue, socket) {
                Flushed::Empty => return Sent::Whole,
                Flushed::Blocked => self.congested.store(true, Ordering::Release),
                Flushed::CloseSent | Flushed::Broken => {}
            }
        }
        self.work.notify_one();
        Sent::Queued
    }

    /// Answers a ping. An unsent answer to an earlier one is replaced.
    pub(in crate::driver) fn pong(&self, payload: &[u8]) {
        self.control(framing::pong(payload));
    }

    /// Asks whether the peer lives.
    pub(in crate::driver) fn ping(&self) {
        self.send(&framing::ping());
    }

    /// Ends the session with the first close given; says whether it was this one.
    pub(in crate::driver) fn close(&self, close: &Close) -> bool {
        self.close_with(framing::close(close), close.code.number())
    }

    /// Answers the peer's close, unless ours is on its way.
    pub(in crate::driver) fn close_echo(&self, code: Option<u16>) -> bool {
        self.close_with(framing::close_echo(code), code.unwrap_or(CloseCode::Normal.number()))
    }

    /// Whether a close is queued or sent: nothing that the peer says counts any more.
    pub(in crate::driver) fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// What the close frame says; for whoever counts.
    pub(in crate::driver) fn closed_with(&self) -> Ended {
        match self.lock().code {
            None => Ended::Cut,
            Some(number) => CloseCode::from_number(number).map_or(Ended::Other, Ended::Code),
        }
    }

    /// Waits until a close is queued. For one task.
    pub(in crate::driver) async fn close_queued(&self) {
        self.close_queued.notified().await;
    }

    /// Whether bytes wait unsent.
    pub(in crate::driver) fn congested(&self) -> bool {
        self.congested.load(Ordering::Acquire)
    }

    /// Whether a frame would go straight to the kernel.
    pub(in crate::driver) fn is_straight(&self) -> bool {
        !self.congested() && matches!(&self.wire, Wire::Plain(socket) if socket.is_bare())
    }

    /// Bytes of all frames taken so far.
    pub(in crate::driver) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Writes what waits, whenever the kernel takes it, until the close is out or the connection is lost. May
    /// be dropped and begun again: what is half sent is remembered.
    pub(in crate::driver) async fn drive(&self, stall: Duration) -> Driven {
        match &self.wire {
            Wire::Plain(socket) => self.drive_plain(socket, stall).await,
            Wire::Tls(encrypted) => encrypted.lock().await.drive(self, stall).await,
        }
    }

    async fn drive_plain(&self, socket: &Plain, stall: Duration) -> Driven {
        loop {
            match self.flush(socket) {
                Flushed::Empty => self.work.notified().await,
                Flushed::CloseSent => return Driven::CloseSent,
                Flushed::Broken => return Driven::Broken,
                Flushed::Blocked => match tokio::time::timeout(stall, socket.writable()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Driven::Broken,
                    Err(_) => return Driven::Stalled,
                },
            }
        }
    }

    /// Tells the peer that nothing follows. May wait for a peer behind TLS.
    pub(in crate::driver) async fn shutdown(&self) {
        // A peer that is gone already needs no telling.
        match &self.wire {
            Wire::Plain(socket) => socket.shutdown(std::net::Shutdown::Write),
            Wire::Tls(encrypted) => encrypted.lock().await.shutdown().await,
        }
    }

    /// For whoever encrypts: resolves when there may be something to take.
    pub(super) async fn more(&self) {
        self.work.notified().await;
    }

    /// For whoever encrypts: bytes wait that the peer does not take.
    pub(super) fn note_congestion(&self) {
        self.congested.store(true, Ordering::Release);
    }

    /// For whoever encrypts: what comes next, in place of the empty `batch`.
    pub(super) fn take(&self, batch: &mut Vec<u8>) -> Taken {
        let mut queue = self.lock();
        let Queue { pending, pong, close, broken, .. } = &mut *queue;
        if *broken {
            return Taken::Broken;
        }
        if !pending.is_empty() {
            std::mem::swap(pending, batch);
            return Taken::Batch;
        }
        if let Some(frame) = pong.take().or_else(|| close.take()) {
            *batch = frame;
            return Taken::Batch;
        }
        self.congested.store(false, Ordering::Release);
        if self.closing() { Taken::CloseSent } else { Taken::Nothing }
    }

    fn control(&self, pong: Vec<u8>) {
        let mut queue = self.lock();
        // Not by the queued close: it may be on its way already, and nothing may follow it.
        if !self.closing() {
            queue.pong = Some(pong);
            drop(queue);
            // At once if the kernel takes it: pings that come together all get their answers.
            match &self.wire {
                Wire::Plain(half) if matches!(self.flush(half), Flushed::Empty) => {}
                _ => self.work.notify_one(),
            }
        }
    }

    fn close_with(&self, frame: Vec<u8>, code: u16) -> bool {
        let mut queue = self.lock();
        if self.closing.swap(true, Ordering::AcqRel) {
            return false;
        }
        queue.close = Some(frame);
        queue.code = Some(code);
        drop(queue);
        self.work.notify_one();
        self.close_queued.notify_one();
        true
    }

    fn flush(&self, socket: &Plain) -> Flushed {
        self.flush_queue(&mut self.lock(), socket)
    }

    fn flush_queue(&self, queue: &mut Queue, socket: &Plain) -> Flushed {
        loop {
            if queue.broken {
                return Flushed::Broken;
            }
            if queue.sent < queue.pending.len() {
                match socket.try_write(&queue.pending[queue.sent..]) {
                    Ok(count) => queue.sent += count,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Flushed::Blocked,
                    Err(_) => {
                        queue.broken = true;
                        return Flushed::Broken;
                    }
                }
                continue;
            }
            queue.pending.clear();
            queue.pending.shrink_to(KEPT_BYTES);
            queue.sent = 0;
            let Queue { pending, pong, close, .. } = &mut *queue;
            if let Some(frame) = pong.take().or_else(|| close.take()) {
                *pending = frame;
                continue;
            }
            self.congested.store(false, Ordering::Release);
            return if self.closing() { Flushed::CloseSent } else { Flushed::Empty };
        }
    }

    fn break_off(&self, queue: &mut Queue) -> Sent {
        queue.broken = true;
        self.work.notify_one();
        Sent::Refused
    }

    /// A panic inside the lock would be ours, and leaves the queue usable.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.sent == self.pending.len() && self.pong.is_none() && self.close.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    async fn connected() -> (Outbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = accepted.expect("a connection");
        stream.writable().await.expect("writable");
        socket2::SockRef::from(&stream).set_send_buffer_size(8192).expect("a small buffer");
        (Outbox::new(WriteHalf::Plain(Arc::new(Plain::new(stream)))), peer.expect("connected"))
    }

    #[tokio::test]
    async fn nothing_follows_the_close() {
        let (outbox, mut peer) = connected().await;
        outbox.pong(b"before");
        assert!(outbox.close(&Close::new(CloseCode::GoingAway)));
        assert_eq!(outbox.drive(Duration::from_secs(5)).await, Driven::CloseSent);
        // The reader may be about to answer a ping while somebody else closes.
        outbox.pong(b"after");
        assert_eq!(outbox.send(&framing::ping()), Sent::Refused);
        assert!(!outbox.close(&Close::new(CloseCode::TooSlow)));
        assert_eq!(outbox.drive(Duration::from_secs(5)).await, Driven::CloseSent);
        outbox.shutdown().await;
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).await.expect("a clean end");
        let expected = [framing::pong(b"before"), framing::close(&Close::new(CloseCode::GoingAway))].concat();
        assert_eq!(bytes, expected);
    }

    #[tokio::test]
    async fn what_is_held_goes_out_with_the_next_and_in_order() {
        let (outbox, mut peer) = connected().await;
        assert!(outbox.hold(b"one "));
        assert!(!outbox.congested() && !outbox.hold(b"what waits is not held twice"));
        assert_eq!(outbox.send(b"two "), Sent::Whole);
        assert!(outbox.hold(b"three "));
        outbox.send_held();
        outbox.send_held();
        assert!(outbox.hold(b"four "));
        outbox.pong(b"x");
        assert!(outbox.hold(b"five "));
        assert!(outbox.close(&Close::new(CloseCode::Normal)));
        assert!(!outbox.hold(b"nothing follows a close"));
        assert_eq!(outbox.drive(Duration::from_secs(5)).await, Driven::CloseSent);
        outbox.shutdown().await;
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).await.expect("a clean end");
        let (pong, close) = (framing::pong(b"x"), framing::close(&Close::new(CloseCode::Normal)));
        assert_eq!(bytes, [&b"one two three four "[..], &pong, b"five ", &close].concat());
    }

    #[tokio::test]
    async fn what_was_held_and_does_not_fit_is_congestion() {
        let (outbox, mut peer) = connected().await;
        let frames = [vec![1; 3_000_000], vec![2; 50_000], vec![3; 10]];
        assert!(outbox.hold(&frames[0]));
        assert_eq!(outbox.send(&frames[1]), Sent::Queued);
        assert!(outbox.congested() && !outbox.hold(b"not now"));
        assert_eq!(outbox.send(&frames[2]), Sent::Queued);
        outbox.close(&Close::new(CloseCode::Normal));
        let mut bytes = vec![0; frames.concat().len()];
        let (driven, read) = tokio::join!(outbox.drive(Duration::from_secs(5)), peer.read_exact(&mut bytes));
        assert_eq!(driven, Driven::CloseSent);
        read.expect("all of it");
        assert!(bytes == frames.concat(), "in order and whole");
    }

    #[tokio::test]
    async fn what_the_kernel_does_not_take_waits_and_goes_out_in_order() {
        let (outbox, mut peer) = connected().await;
        let frames: Vec<_> = (0..40_u8).map(|number| vec![number; 50_000]).collect();
        assert_eq!(outbox.send(b"small"), Sent::Whole);
        let sent: Vec<_> = frames.iter().map(|frame| outbox.send(frame)).collect();
        assert_eq!(sent.last(), Some(&Sent::Queued));
        assert!(outbox.congested());
        outbox.pong(b"x");
        assert!(outbox.close(&Close::new(CloseCode::Normal)));
        let last = [framing::pong(b"x"), framing::close(&Close::new(CloseCode::Normal))].concat();
        let expected = [b"small".to_vec(), frames.concat(), last].concat();
        let mut bytes = vec![0; expected.len()];
        let (driven, read) = tokio::join!(outbox.drive(Duration::from_secs(5)), peer.read_exact(&mut bytes));
        assert_eq!(driven, Driven::CloseSent);
        read.expect("all of it");
        assert!(bytes == expected, "in order and whole");
        assert!(!outbox.congested());
    }
}
