//! An attacker's connection: says whatever it is told to, and minds nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tickwire_shared::arena::{Arena, ArenaInput, Command};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::ClientMessage;
use tickwire_shared::{Micros, Tick};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::raw::{BINARY, CLOSE, DATA, frame, upgrade_request};

pub(crate) struct Wire {
    source: [u8; 4],
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What an attack did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score(Arc<Tally>);

#[derive(Debug, Default)]
struct Tally {
    tried: AtomicU64,
    refused: AtomicU64,
}

impl Score {
    pub(crate) fn tried(&self) {
        self.0.tried.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.0.tried.load(Ordering::Relaxed), self.0.refused.load(Ordering::Relaxed))
    }
}

/// The attackers' addresses.
pub(crate) fn source(number: usize) -> [u8; 4] {
    [127, 0, 10 + (number / 250 % 200) as u8, 1 + (number % 250) as u8]
}

impl Wire {
    pub(crate) async fn connect(source: [u8; 4], address: SocketAddr) -> std::io::Result<Self> {
        Self::connect_with(source, address, None).await
    }

    /// `receive_bytes` is for those who mean to read little.
    pub(crate) async fn connect_with(
        source: [u8; 4],
        address: SocketAddr,
        receive_bytes: Option<u32>,
    ) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = timeout(Duration::from_secs(5), socket.connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { source, stream, buffer: Vec::new() })
    }

    /// The address that it comes from.
    pub(crate) fn source(&self) -> [u8; 4] {
        self.source
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        timeout(Duration::from_secs(5), self.stream.write_all(bytes)).await?
    }

    /// Status and head of the answer to a request.
    pub(crate) async fn ask(&mut self, request: &str) -> std::io::Result<(u16, String)> {
        // Refused before it was heard, maybe: the answer says so.
        let _ = self.send(request.as_bytes()).await;
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 4);
                return Ok((head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0), head));
            }
            if !self.more(Duration::from_secs(8)).await? {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// An upgraded connection, or the status that it got instead.
    pub(crate) async fn open(source: [u8; 4], address: SocketAddr) -> std::io::Result<Result<Self, u16>> {
        let mut wire = Self::connect(source, address).await?;
        Ok(match wire.upgrade(address).await? {
            101 => Ok(wire),
            status => Err(status),
        })
    }

    pub(crate) async fn upgrade(&mut self, address: SocketAddr) -> std::io::Result<u16> {
        Ok(self.ask(&upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)])).await?.0)
    }

    /// In a room; nothing when the way there was refused.
    pub(crate) async fn join(source: [u8; 4], address: SocketAddr) -> Option<Self> {
        let mut wire = Self::open(source, address).await.ok()?.ok()?;
        wire.send(&frame(DATA, &hello())).await.ok()?;
        Some(wire)
    }

    /// The next message; nothing when the connection ends before it, or it takes longer.
    pub(crate) async fn message(&mut self, within: Duration) -> Option<Vec<u8>> {
        let begun = Instant::now();
        loop {
            while let Some((opcode, head, length)) = head(&self.buffer) {
                if self.buffer.len() < head + length {
                    break;
                }
                let payload = self.buffer.drain(..head + length).skip(head).collect();
                match opcode {
                    DATA => return Some(payload),
                    CLOSE => return None,
                    _ => {}
                }
            }
            if !self.more(within.saturating_sub(begun.elapsed())).await.ok()? {
                return None;
            }
        }
    }

    /// Reads for so long; the code of the close frame, if one came; an end without one is 0.
    pub(crate) async fn close_code(&mut self, within: Duration) -> Option<u16> {
        let begun = Instant::now();
        loop {
            while let Some((opcode, head, length)) = head(&self.buffer) {
                if self.buffer.len() < head + length {
                    break;
                }
                if opcode == CLOSE {
                    let code = self.buffer[head..head + length].first_chunk::<2>();
                    return Some(code.map_or(1005, |code| u16::from_be_bytes(*code)));
                }
                self.buffer.drain(..head + length);
            }
            let left = within.saturating_sub(begun.elapsed());
            match self.more(left).await {
                Ok(true) => {}
                Ok(false) => return Some(0),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => return None,
                Err(_) => return Some(0),
            }
        }
    }

    async fn more(&mut self, within: Duration) -> std::io::Result<bool> {
        let mut chunk = [0; 4096];
        let count = timeout(within, self.stream.read(&mut chunk)).await??;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}

/// Opcode, length of the head and of the payload of a server's frame.
fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (head, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?) as usize),
        length => (2, usize::from(*length)),
    };
    Some((first & 0x0F, head, length))
}

pub(crate) fn hello() -> Vec<u8> {
    let identity = Identity { name: "mallory".to_owned(), ..Identity::default() };
    let mut session = Session::<Arena>::new(identity).expect("a session");
    session.poll_transmit(Micros(0)).expect("a Hello")
}

/// The frame of an input.
pub(crate) fn input(seq: u16, tick: u32, input: ArenaInput) -> Vec<u8> {
    let message = ClientMessage::<ArenaInput, Command>::Input { seq, tick: Tick(tick), ack: None, input };
    frame(DATA, &codec::encode(&message))
}
