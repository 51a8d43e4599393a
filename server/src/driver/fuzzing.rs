//! What fuzzers call of the shell: a request's head before the upgrade, and everything that reads frames after it. No
//! socket, no task; not for anybody else.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use tokio::io::{AsyncRead, ReadBuf};

use super::clock::Clock;
use super::peer::Peer;
use super::socket::{Bounds, Failure, FrameReader, Kind, ReadSide, Received, Vitals};
use super::upgrade::{self, Asked, Policy};
use crate::config::{AbsentOrigin, ForwardedHeader, ProxySection};

const BOUNDS: Bounds = Bounds { message_bytes_max: 4096, fragments_max: 8 };

/// What came of one frame, or of the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A piece of a message.
    Fragment,
    /// A message.
    Message(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The peer's close frame, and its code.
    Close(Option<u16>),
    /// The stream ended.
    End,
    /// The peer broke the rules: the code that it is told.
    Violation(u16),
}

/// Lines of headers through the check before the upgrade: the status of a refusal, or 101.
#[must_use]
pub fn request(lines: &[u8]) -> u16 {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().expect("a network"));
    let proxy = ProxySection { trusted: trusted.to_vec(), ..ProxySection::default() };
    let near = Peer::new(([10, 0, 0, 1], 9).into(), false);
    let claims = [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded]
        .map(|header| near.behind(&headers, &ProxySection { header, ..proxy.clone() }));
    let secure = claims.iter().any(|peer| peer.secure);
    let asked = Asked { method: &Method::GET, version: Version::HTTP_11, headers: &headers, secure };
    let allowed_origins = ["https://game.example".to_owned()];
    let absent_origin = AbsentOrigin::Allow;
    let policy = Policy { json_allowed: true, allowed_origins: &allowed_origins, absent_origin };
    match upgrade::check(asked, policy) {
        Ok(_) => 101,
        Err(refusal) => refusal.status.as_u16(),
    }
}

/// A client's bytes as they are read in pieces of this size, up to the close or the first violation. `None` takes
/// both kinds of messages, else text is due, or binary.
#[must_use]
pub fn frames(bytes: &[u8], piece: usize, text: Option<bool>) -> Vec<Heard> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let due = text.map(|text| if text { Kind::Text } else { Kind::Binary });
    runtime.block_on(read_all(bytes, piece.max(1), due))
}

async fn read_all(bytes: &[u8], piece: usize, due: Option<Kind>) -> Vec<Heard> {
    let clock = Clock::start();
    let vitals = Arc::new(Vitals::new(clock.now()));
    let pieces = Pieces { bytes: bytes.to_vec(), at: 0, piece };
    let mut side = ReadSide::new(Vec::new(), pieces, vitals, clock);
    let mut frames = FrameReader::new(&mut side, due, BOUNDS);
    let mut heard = Vec::new();
    loop {
        let next = match frames.next().await {
            Ok((Received::Fragment, _)) => Heard::Fragment,
            Ok((Received::Message(_, message), _)) => {
                assert!(message.len() <= BOUNDS.message_bytes_max, "beyond the bound");
                Heard::Message(message.to_vec())
            }
            Ok((Received::Ping(payload), _)) => {
                assert!(payload.len() <= 125, "a ping beyond the bound");
                Heard::Ping(payload.to_vec())
            }
            Ok((Received::Pong, _)) => Heard::Pong,
            Ok((Received::Close(peer), _)) => Heard::Close(peer.0),
            Err(Failure::Gone) => Heard::End,
            Err(Failure::Violation(close)) => Heard::Violation(close.code.number()),
        };
        let is_last = matches!(next, Heard::Close(_) | Heard::End | Heard::Violation(_));
        heard.push(next);
        if is_last {
            return heard;
        }
    }
}

/// Bytes that arrive a piece at a time.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = self.piece.min(self.bytes.len() - self.at).min(buffer.remaining());
        buffer.put_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}
