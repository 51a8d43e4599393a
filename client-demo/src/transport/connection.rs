//! An open connection, as its owner sees it.

use std::time::Duration;

use fastwebsockets::{WebSocketRead, WebSocketWrite};
use tickwire_shared::{CloseCode, Micros};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connect::{Link, ReadStream, WriteStream};
use super::delayed::Delayed;
use super::direct::Direct;
use super::reader::{self, Incoming, framed_bytes};
use super::writer::{self, MASK_BYTES, Outgoing};
use crate::link::{Direction, LinkConditioner};
use crate::time;

/// Messages that may wait for the owner; then the server has to.
const INCOMING_MAX: usize = 64;
/// Messages that may wait for the socket; then the owner has to.
const OUTGOING_MAX: usize = 64;
/// How long an orderly close may take, besides what an imitated link takes.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// A connection. Dropped, it hangs up; [`Connection::close`] says goodbye.
#[derive(Debug)]
pub struct Connection {
    way: Way,
    traffic: Traffic,
}

/// How bytes travel.
#[derive(Debug)]
enum Way {
    /// When the owner asks.
    Direct(Box<Direct>),
    /// Over a link that is imitated, between two tasks.
    Link(Linked),
}

#[derive(Debug)]
struct Linked {
    incoming: Delayed<Incoming>,
    outgoing: mpsc::Sender<Outgoing>,
    reader: JoinHandle<()>,
    close_deadline: Duration,
}

/// What the owner of a connection is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A binary message.
    Message {
        /// Its payload.
        bytes: Vec<u8>,
        /// When it arrived here.
        at: Micros,
    },
    /// The last one.
    Ended(Ending),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// The server closed it.
    #[error("the server closed the connection with {code}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Closed {
        /// The code; [`Ending::NO_CODE`] when there was none.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// It broke.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// The server sent what this protocol does not have.
    #[error("the server violates the protocol ({}): {why}", code.number())]
    Violation {
        /// What we closed with.
        code: CloseCode,
        /// What it sent.
        why: String,
    },
}

/// Bytes of binary messages, without the control frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Payload received.
    pub received_bytes: u64,
    /// The same with WebSocket framing.
    pub received_framed_bytes: u64,
    /// Payload sent.
    pub sent_bytes: u64,
    /// The same with WebSocket framing and mask.
    pub sent_framed_bytes: u64,
}

impl Traffic {
    /// Both together, as of one connection after the other.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            received_bytes: self.received_bytes + other.received_bytes,
            received_framed_bytes: self.received_framed_bytes + other.received_framed_bytes,
            sent_bytes: self.sent_bytes + other.sent_bytes,
            sent_framed_bytes: self.sent_framed_bytes + other.sent_framed_bytes,
        }
    }
}

impl Ending {
    /// RFC 6455's number for "the close frame had no code".
    pub const NO_CODE: u16 = 1005;
    /// RFC 6455's number for "there was no close frame".
    pub const NO_CLOSE: u16 = 1006;

    pub(super) fn violation(code: CloseCode, why: &str) -> Self {
        Self::Violation { code, why: why.to_owned() }
    }

    /// The close code under which this ending is counted.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Closed { code, .. } => *code,
            Self::Lost(_) => Self::NO_CLOSE,
            Self::Violation { code, .. } => code.number(),
        }
    }

    /// The code to close our side with, if there is a side left.
    pub(super) fn answer(&self) -> Option<u16> {
        match self {
            Self::Lost(_) => None,
            ending => Some(ending.code()),
        }
    }
}

impl Connection {
    pub(super) fn direct(direct: Direct) -> Self {
        Self { way: Way::Direct(Box::new(direct)), traffic: Traffic::default() }
    }

    pub(super) fn over(
        link: Link,
        read: WebSocketRead<ReadStream>,
        write: WebSocketWrite<WriteStream>,
    ) -> Self {
        let (messages, incoming) = mpsc::channel(INCOMING_MAX);
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let began = time::now();
        let inwards = conditioner(link, Direction::Inwards, began);
        let outwards = conditioner(link, Direction::Outwards, began);
        tokio::spawn(writer::run(write, Delayed::new(queue, outwards), messages.clone()));
        let reader = tokio::spawn(reader::run(read, messages, outgoing.clone()));
        let incoming = Delayed::new(incoming, inwards);
        let close_deadline = CLOSE_DEADLINE + link.profile.latency_max() * 2;
        let way = Way::Link(Linked { incoming, outgoing, reader, close_deadline });
        Self { way, traffic: Traffic::default() }
    }

    /// The next event. After [`Event::Ended`] there is none worth waiting for. Nothing is lost when the future is
    /// dropped. Pings are answered while somebody waits here.
    pub async fn next(&mut self) -> Event {
        let received = match &mut self.way {
            Way::Direct(direct) => direct.next().await.map(|bytes| (framed_bytes(bytes.len(), 0), bytes)),
            Way::Link(linked) => linked.next().await,
        };
        match received {
            Ok((framed_bytes, bytes)) => {
                self.traffic.received_bytes += bytes.len() as u64;
                self.traffic.received_framed_bytes += framed_bytes as u64;
                Event::Message { bytes, at: time::now() }
            }
            Err(ending) => Event::Ended(ending),
        }
    }

    /// Sends a binary message; waits while too many are waiting. One that cannot be sent any more is dropped:
    /// [`Self::next`] is about to say why.
    pub async fn send(&mut self, bytes: Vec<u8>) {
        self.traffic.sent_bytes += bytes.len() as u64;
        self.traffic.sent_framed_bytes += framed_bytes(bytes.len(), MASK_BYTES) as u64;
        match &mut self.way {
            Way::Direct(direct) => direct.send(bytes).await,
            Way::Link(linked) => drop(linked.outgoing.send(Outgoing::Message(bytes)).await),
        }
    }

    /// Says goodbye and waits a moment for the answer, so that the server need not wait for a deadline.
    pub async fn close(mut self, code: CloseCode) {
        let deadline = match &self.way {
            Way::Direct(_) => CLOSE_DEADLINE,
            Way::Link(linked) => linked.close_deadline,
        };
        let goodbye = async {
            match &mut self.way {
                Way::Direct(direct) => direct.close(code).await,
                Way::Link(linked) => {
                    let close = Outgoing::Close { code: code.number(), reason: String::new() };
                    drop(linked.outgoing.send(close).await);
                }
            }
            while let Event::Message { .. } = self.next().await {}
        };
        // Past the deadline hanging up is all that is left.
        drop(timeout(deadline, goodbye).await);
    }

    /// What has travelled so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }
}

fn conditioner<T>(link: Link, direction: Direction, began: Micros) -> LinkConditioner<T> {
    LinkConditioner::new(link.profile, link.seed, direction, began)
}

impl Linked {
    /// A message and its size with framing, or how it ended.
    async fn next(&mut self) -> Result<(usize, Vec<u8>), Ending> {
        match self.incoming.next().await {
            Some(Incoming::Message { bytes, framed_bytes }) => Ok((framed_bytes, bytes)),
            Some(Incoming::Ended(ending)) => Err(ending),
            None => Err(Ending::Lost("its tasks have ended".to_owned())),
        }
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
