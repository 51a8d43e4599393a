//! A WebSocket client that sends whatever bytes it is told to.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

pub(crate) const PATIENCE: Duration = Duration::from_secs(12);
pub(crate) const BINARY: &str = "tickwire.v1";
pub(crate) const JSON: &str = "tickwire.json.v1";

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const DATA: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

pub(crate) struct Raw<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
    traffic: Traffic,
}

/// Bytes of everything so far, in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// How the server ended a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Code and reason of each close frame.
    pub(crate) closes: Vec<(u16, String)>,
    /// `None` for a clean end of the stream.
    pub(crate) error: Option<std::io::ErrorKind>,
}

impl Ending {
    /// The only close frame of an orderly end.
    pub(crate) fn sole(&self) -> (u16, &str) {
        assert_eq!((self.closes.len(), self.error), (1, None), "{self:?}");
        (self.closes[0].0, &self.closes[0].1)
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("connect"))
    }

    /// From another address of this machine, like 127.0.0.2.
    pub(crate) async fn connect_from(source: [u8; 4], address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        Ok(Self::over(socket.connect(address).await?))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("nodelay");
        Self::over_any(stream)
    }

    /// An upgraded connection.
    pub(crate) async fn open(address: SocketAddr, subprotocol: &str) -> Self {
        Self::connect(address).await.upgraded(address, subprotocol).await
    }

    /// An upgraded connection whose kernel takes as little as a kernel can, from the first byte on.
    pub(crate) async fn open_narrow(address: SocketAddr, subprotocol: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(2048).expect("a small buffer");
        let stream = socket.connect(address).await.expect("connect");
        Self::over(stream).upgraded(address, subprotocol).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) async fn upgraded(self, address: SocketAddr, subprotocol: &str) -> Self {
        let mut raw = self;
        raw.send(upgrade_request(address, &[("Sec-WebSocket-Protocol", subprotocol)]).as_bytes()).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(
            head.to_lowercase().contains(&format!("sec-websocket-protocol: {subprotocol}\r\n")),
            "{head}"
        );
        raw
    }

    pub(crate) fn over_any(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), traffic: Traffic::default() }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The peer may be gone already, which the reading side will tell.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.traffic.up += bytes.len() as u64;
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// A response's head.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<_> = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head in ASCII");
            }
            assert!(self.more().await.expect("a head"), "the stream ended inside a head");
        }
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await.expect("the rest") {}
        String::from_utf8(std::mem::take(&mut self.buffer)).expect("text")
    }

    /// The next frame, `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> std::io::Result<Option<Frame>> {
        loop {
            if let Some((frame, length)) = parse(&self.buffer) {
                self.buffer.drain(..length);
                return Ok(Some(frame));
            }
            if !self.more().await? {
                assert!(self.buffer.is_empty(), "the stream ended inside a frame");
                return Ok(None);
            }
        }
    }

    /// The next frame of one kind; others are read over.
    pub(crate) async fn frame_of(&mut self, opcode: u8) -> Frame {
        loop {
            let frame = self.frame().await.expect("a frame").expect("a frame before the end");
            if frame.opcode == opcode {
                return frame;
            }
            assert_ne!(frame.opcode, CLOSE, "closed: {:?}", close_of(&frame));
        }
    }

    /// Reads to the end.
    pub(crate) async fn ending(&mut self) -> Ending {
        let mut closes = Vec::new();
        loop {
            match self.frame().await {
                Ok(Some(frame)) if frame.opcode == CLOSE => closes.push(close_of(&frame)),
                Ok(Some(_)) => assert!(closes.is_empty(), "a frame after the close"),
                Ok(None) => return Ending { closes, error: None },
                Err(error) => return Ending { closes, error: Some(error.kind()) },
            }
        }
    }

    async fn more(&mut self) -> std::io::Result<bool> {
        let mut chunk = [0; 4096];
        let count = timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("an answer in time")?;
        self.traffic.down += count as u64;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}

/// An upgrade request that is right but for `changes`; an empty value leaves a header out.
pub(crate) fn upgrade_request(address: SocketAddr, changes: &[(&str, &str)]) -> String {
    let host = address.to_string();
    let mut headers = vec![
        ("Host", host.as_str()),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (name, value) in changes {
        headers.retain(|(other, _)| other != name);
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET /ws HTTP/1.1\r\n{lines}\r\n")
}

/// A whole, masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(0x80 | opcode, payload)
}

/// A masked frame with this first byte.
pub(crate) fn frame_with(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ MASK[index % 4]));
    bytes
}

fn close_of(frame: &Frame) -> (u16, String) {
    match frame.payload.split_first_chunk::<2>() {
        Some((code, reason)) => {
            (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("a reason in UTF-8"))
        }
        None => (1005, String::new()),
    }
}

/// A frame from the server: never masked, never fragmented.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert_eq!((first & 0xF0, second & 0x80), (0x80, 0), "a server's frame is whole and unmasked");
    let (length, head) = match second & 0x7F {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, 10),
        length => (usize::from(length), 2),
    };
    let least = [0, 126, 65_536][[2, 4, 10].iter().position(|size| *size == head).unwrap_or(0)];
    assert!(length >= least, "a server's lengths take the shortest form");
    let payload = bytes.get(head..head + length)?.to_vec();
    Some((Frame { opcode: first & 0x0F, payload }, head + length))
}
