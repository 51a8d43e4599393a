//! A WebSocket client as thin as it can be, the same for all peers: frames are taken apart and put together here, so that
//! the measuring process costs little and counts every byte that passes the socket, framing included.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One read asks for so many bytes.
const READ_BYTES: usize = 64 * 1024;
/// A message may have so many bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// What masks are made of; servers undo it all the same.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x88];

/// What a message may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

impl Kind {
    fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
        }
    }
}

/// A connection.
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What is before this has been handed out.
    consumed: usize,
    /// The message whose fragments are coming.
    fragments: Vec<u8>,
    outgoing: Vec<u8>,
    /// Bytes that came after the handshake.
    pub received_bytes: u64,
    /// Bytes that went after the handshake.
    pub sent_bytes: u64,
}

impl Socket {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When there is no server, or it refuses.
    pub async fn connect(address: SocketAddr, path: &str, subprotocol: Option<&str>) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let offer =
            subprotocol.map_or_else(String::new, |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let end = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(refused(&buffer));
            }
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        if !buffer.starts_with(b"HTTP/1.1 101") {
            return Err(refused(&buffer));
        }
        let received_bytes = (buffer.len() - end) as u64;
        Ok(Self {
            stream,
            buffer,
            consumed: end,
            fragments: Vec::new(),
            outgoing: Vec::new(),
            received_bytes,
            sent_bytes: 0,
        })
    }

    /// Waits until something has come. Safe to give up on.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn fill(&mut self) -> io::Result<()> {
        if self.consumed == self.buffer.len() {
            self.buffer.clear();
            self.consumed = 0;
        } else if self.consumed > READ_BYTES {
            self.buffer.drain(..self.consumed);
            self.consumed = 0;
        }
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received_bytes += count as u64;
                Ok(())
            }
        }
    }

    /// The next whole message of what has come. Pings are answered on the way.
    ///
    /// # Errors
    /// When the server closes, or says what no server may.
    pub fn next_message(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let Some((first, begin, end)) = frame(&self.buffer[self.consumed..])? else { return Ok(None) };
            let (begin, end) = (self.consumed + begin, self.consumed + end);
            self.consumed = end;
            match (first & 15, first & 0x80 != 0) {
                (0..=2, is_last) => {
                    if is_last && self.fragments.is_empty() {
                        return Ok(Some(&self.buffer[begin..end]));
                    }
                    if first & 15 != 0 {
                        self.fragments.clear();
                    }
                    self.fragments.extend_from_slice(&self.buffer[begin..end]);
                    if is_last {
                        let whole = std::mem::take(&mut self.fragments);
                        self.buffer.splice(begin..end, whole.iter().copied());
                        self.consumed = begin + whole.len();
                        return Ok(Some(&self.buffer[begin..self.consumed]));
                    }
                }
                (8, _) => {
                    let code = self.buffer[begin..end].first_chunk().map(|code| u16::from_be_bytes(*code));
                    let reason = self.buffer[begin..end].get(2..).unwrap_or_default();
                    let reason = String::from_utf8_lossy(reason);
                    return Err(io::Error::other(format!("closed with {code:?} {reason}")));
                }
                (9, _) => {
                    let payload = self.buffer[begin..end].to_vec();
                    self.put(10, &payload);
                }
                (10, _) => {}
                (opcode, _) => return Err(io::Error::other(format!("opcode {opcode}"))),
            }
        }
    }

    /// Puts a message behind what is to be sent.
    pub fn say(&mut self, kind: Kind, payload: &[u8]) {
        self.put(kind.opcode(), payload);
    }

    fn put(&mut self, opcode: u8, payload: &[u8]) {
        let before = self.outgoing.len();
        self.outgoing.push(0x80 | opcode);
        match payload.len() {
            length @ 0..126 => self.outgoing.push(0x80 | length as u8),
            length @ 126..65_536 => {
                self.outgoing.push(0x80 | 126);
                self.outgoing.extend((length as u16).to_be_bytes());
            }
            length => {
                self.outgoing.push(0x80 | 127);
                self.outgoing.extend((length as u64).to_be_bytes());
            }
        }
        self.outgoing.extend(MASK);
        self.outgoing.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.sent_bytes += (self.outgoing.len() - before) as u64;
    }

    /// Sends what is to be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.outgoing.is_empty() {
            self.stream.write_all(&self.outgoing).await?;
            self.outgoing.clear();
        }
        Ok(())
    }
}

fn refused(answer: &[u8]) -> io::Error {
    io::Error::other(format!("no upgrade: {}", String::from_utf8_lossy(answer)))
}

/// A server's frame: its first byte, and where its payload begins and ends. `None` while it is not whole.
fn frame(bytes: &[u8]) -> io::Result<Option<(u8, usize, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (begin, length) = match second {
        0..126 => (2, usize::from(*second)),
        126 => match rest.first_chunk() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (10, u64::from_be_bytes(*length) as usize),
            None => return Ok(None),
        },
        _ => return Err(io::Error::other("a server masks nothing")),
    };
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::other("too long a message"));
    }
    Ok((bytes.len() >= begin + length).then_some((*first, begin, begin + length)))
}

/// One HTTP POST of JSON, answered by JSON.
///
/// # Errors
/// When there is no such answer.
pub async fn post(address: SocketAddr, path: &str, body: &str) -> io::Result<serde_json::Value> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let json = text.find('{').zip(text.rfind('}')).map(|(begin, end)| &text[begin..=end]);
    serde_json::from_str(json.unwrap_or_default()).map_err(|_| io::Error::other(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn frames_of_all_lengths() {
        assert_eq!(frame(&[0x82, 2, 7, 7]).expect("a frame"), Some((0x82, 2, 4)));
        assert_eq!(frame(&[0x82, 2, 7]).expect("half a frame"), None);
        assert_eq!(
            frame(&[&[0x81, 126, 0, 200][..], &[0; 200]].concat()).expect("one"),
            Some((0x81, 4, 204))
        );
        let long = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 65_536]].concat();
        assert_eq!(frame(&long).expect("one"), Some((0x82, 10, 65_546)));
        assert!(frame(&[0x82, 0x80 | 2, 0, 0]).is_err());
    }
}
