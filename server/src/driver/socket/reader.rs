//! The reading side: raw frames, each one reported so that each can be counted, with every check that
//! fastwebsockets leaves out.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use fastwebsockets::{Frame, OpCode, Role, WebSocketError, WebSocketRead, after_handshake_split};
use tickwire_shared::{Close, CloseCode, Micros};
use tokio::io::{AsyncRead, AsyncReadExt, Chain, ReadBuf};

use super::Kind;
use super::assembly::{Assembly, Bounds, Piece, Progress, violation};
use super::heads::{HeadFault, Heads};
use super::stream::ReadHalf;
use crate::driver::clock::Clock;

/// The longest head of a frame, rounded up.
const HEAD_BYTES_MAX: usize = 16;

/// When bytes and frames arrived. Written by the reading task, read by whoever keeps the deadlines.
#[derive(Debug, Default)]
pub(in crate::driver) struct Vitals {
    frame_at: AtomicU64,
    partial_since: AtomicU64,
    /// Bytes read that belong to no whole frame yet.
    partial_bytes: AtomicU64,
    /// What is wrong with the first bad head; nothing was read from there on.
    fault: OnceLock<HeadFault>,
}

impl Vitals {
    pub(in crate::driver) fn new(now: Micros) -> Self {
        Self { frame_at: AtomicU64::new(now.0), ..Self::default() }
    }

    /// When the last whole frame was read.
    pub(in crate::driver) fn frame_at(&self) -> Micros {
        Micros(self.frame_at.load(Ordering::Relaxed))
    }

    /// Since when a frame has been incomplete, if one is.
    pub(in crate::driver) fn partial_since(&self) -> Option<Micros> {
        match self.partial_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(Micros(since)),
        }
    }

    fn bytes(&self, count: usize, now: Micros) {
        self.partial_bytes.fetch_add(count as u64, Ordering::Relaxed);
        if self.partial_since.load(Ordering::Relaxed) == 0 {
            self.partial_since.store(now.0, Ordering::Relaxed);
        }
    }

    fn frame(&self, wire_bytes: usize, now: Micros) {
        self.frame_at.store(now.0, Ordering::Relaxed);
        // What was read beyond this frame is the begin of the next one.
        let before = self.partial_bytes.fetch_sub(wire_bytes as u64, Ordering::Relaxed);
        let since = if before > wire_bytes as u64 { now.0 } else { 0 };
        self.partial_since.store(since, Ordering::Relaxed);
    }
}

/// The stream's reading half, what was read ahead put first. Outlives the [`FrameReader`], so that the rest can
/// be thrown away after a close.
pub(in crate::driver) struct ReadSide<R = ReadHalf> {
    stream: Chain<Cursor<Vec<u8>>, R>,
    heads: Heads,
    vitals: Arc<Vitals>,
    clock: Clock,
}

impl<R: AsyncRead + Unpin> ReadSide<R> {
    pub(in crate::driver) fn new(ahead: Vec<u8>, stream: R, vitals: Arc<Vitals>, clock: Clock) -> Self {
        Self { stream: Cursor::new(ahead).chain(stream), heads: Heads::default(), vitals, clock }
    }

    /// Reads and forgets until the peer has closed its side. Dropping a socket that holds unread bytes resets
    /// the connection, and the peer would lose our close frame.
    pub(in crate::driver) async fn discard(&mut self) {
        let mut scratch = [0; 2048];
        while matches!(self.stream.read(&mut scratch).await, Ok(1..)) {}
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for ReadSide<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        // For whoever reads frames the stream ends where a bad head begins.
        if self.vitals.fault.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Err((fault, good)) = self.heads.pass(&buffer.filled()[before..]) {
            // Only ever set here, and once.
            let _ = self.vitals.fault.set(fault);
            buffer.set_filled(before + good);
        }
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.vitals.bytes(count, self.clock.now());
        }
        polled
    }
}

/// One frame, after all checks.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::driver) enum Received<'a> {
    /// A piece of a message that goes on.
    Fragment,
    /// A whole message; text is valid UTF-8.
    Message(Kind, &'a [u8]),
    /// To be answered with this payload.
    Ping(&'a [u8]),
    /// Shows that the peer lives.
    Pong,
    /// The peer says goodbye.
    Close(PeerClose),
}

/// A peer's close frame: its code, if it gave one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) struct PeerClose(pub(in crate::driver) Option<u16>);

/// Why there is no frame.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::driver) enum Failure {
    /// The stream ended, or broke.
    Gone,
    /// The peer broke the rules; nothing more may be read.
    Violation(Close),
}

/// Reads frames one by one.
pub(in crate::driver) struct FrameReader<'s, R = ReadHalf> {
    socket: WebSocketRead<&'s mut ReadSide<R>>,
    assembly: Assembly,
    control: Vec<u8>,
    vitals: Arc<Vitals>,
    clock: Clock,
}

impl<'s, R: AsyncRead + Unpin> FrameReader<'s, R> {
    /// Messages of another kind than `due` are violations; `None` takes both.
    pub(in crate::driver) fn new(stream: &'s mut ReadSide<R>, due: Option<Kind>, bounds: Bounds) -> Self {
        let (vitals, clock) = (Arc::clone(&stream.vitals), stream.clock);
        let (mut socket, _) = after_handshake_split(stream, tokio::io::sink(), Role::Server);
        socket.set_auto_close(false);
        socket.set_auto_pong(false);
        socket.set_max_message_size(frame_limit(bounds));
        Self { socket, assembly: Assembly::new(due, bounds), control: Vec::new(), vitals, clock }
    }

    /// From the next message on, these bounds hold.
    pub(in crate::driver) fn set_bounds(&mut self, bounds: Bounds) {
        self.socket.set_max_message_size(frame_limit(bounds));
        self.assembly.set_bounds(bounds);
    }

    /// Whether whole messages of so many bytes may be taken past this: nothing has begun, and nothing is known to be wrong.
    pub(in crate::driver) fn could_be_passed(&self, bytes: usize) -> bool {
        self.assembly.could_begin(bytes)
            && self.vitals.partial_bytes.load(Ordering::Relaxed) == 0
            && self.vitals.fault.get().is_none()
    }

    /// A whole frame was taken past this.
    pub(in crate::driver) fn note_passed(&self, now: Micros) {
        self.vitals.frame_at.store(now.0, Ordering::Relaxed);
    }

    /// The next frame and its size on the wire. Not to be cancelled: half a header would be lost.
    pub(in crate::driver) async fn next(&mut self) -> Result<(Received<'_>, usize), Failure> {
        let read = self.socket.read_frame::<_, std::io::Error>(&mut |_| std::future::ready(Ok(()))).await;
        let mut frame =
            read.map_err(|error| match (failure(error, &self.assembly), self.vitals.fault.get()) {
                // What comes before the bad head counts first.
                (Failure::Gone, Some(fault)) => Failure::Violation(violation(fault.words())),
                (failure, _) => failure,
            })?;
        let mut head = [0; HEAD_BYTES_MAX];
        let wire_bytes = frame.fmt_head(&mut head) + frame.payload.len();
        self.vitals.frame(wire_bytes, self.clock.now());
        let received = match frame.opcode {
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                let piece = Piece { kind: kind(frame.opcode), fin: frame.fin, payload: &frame.payload };
                match self.assembly.take(piece).map_err(Failure::Violation)? {
                    Progress::Open => Received::Fragment,
                    Progress::Complete => Received::Message(self.assembly.kind(), self.assembly.message()),
                }
            }
            OpCode::Ping => {
                self.control.clear();
                self.control.extend_from_slice(&frame.payload);
                Received::Ping(&self.control)
            }
            OpCode::Pong => Received::Pong,
            OpCode::Close => Received::Close(peer_close(&frame).map_err(Failure::Violation)?),
        };
        Ok((received, wire_bytes))
    }
}

/// The codec refuses exactly the size that is set, and reserves the declared length before it arrives.
fn frame_limit(bounds: Bounds) -> usize {
    bounds.message_bytes_max + 1
}

fn kind(opcode: OpCode) -> Option<Kind> {
    match opcode {
        OpCode::Text => Some(Kind::Text),
        OpCode::Binary => Some(Kind::Binary),
        _ => None,
    }
}

fn failure(error: WebSocketError, assembly: &Assembly) -> Failure {
    Failure::Violation(match error {
        WebSocketError::UnexpectedEOF | WebSocketError::IoError(_) | WebSocketError::ConnectionClosed => {
            return Failure::Gone;
        }
        WebSocketError::FrameTooLarge => Close::new(CloseCode::TooBig),
        WebSocketError::InvalidUTF8 => assembly.bad_text(),
        WebSocketError::ReservedBitsNotZero => violation("reserved bits are set"),
        WebSocketError::InvalidValue => violation("unknown opcode"),
        WebSocketError::ControlFrameFragmented => violation("fragmented control frame"),
        WebSocketError::PingFrameTooLarge => violation("control frame over 125 bytes"),
        other => violation(&other.to_string()),
    })
}

/// RFC 6455, sections 5.5.1 and 7.4: no payload, or a code that may be sent and a reason in UTF-8.
fn peer_close(frame: &Frame<'_>) -> Result<PeerClose, Close> {
    match frame.payload.split_first_chunk::<2>() {
        None if frame.payload.is_empty() => Ok(PeerClose(None)),
        None => Err(violation("close frame with half a code")),
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(violation("close code that may not be sent"));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(PeerClose(Some(code))),
                Err(_) => Err(Close::new(CloseCode::InvalidUtf8)),
            }
        }
    }
}
