//! Where a connection and its room meet: a bounded inbox one way, frames the other way. Neither waits for the
//! other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tickwire_shared::wire::message::ClientMessage;
use tickwire_shared::{ClientId, Close, CloseCode, Micros, Protocol};
use tokio::sync::mpsc;

use super::socket::{self, Outbox};

/// What a client sends after its Hello.
pub(super) type Message<P> = ClientMessage<<P as Protocol>::Input, <P as Protocol>::Command>;

/// Messages for the JSON gateway that may wait before the room is told to pack nothing.
pub(super) const GATEWAY_FRAMES_MAX: usize = 8;

/// Messages and the times at which they arrived, oldest first.
pub(super) type Inbox<P> = VecDeque<(Micros, Message<P>)>;

/// What one connection has for its room.
pub(super) struct Link<P: Protocol> {
    client: ClientId,
    inbox: Mutex<Inbox<P>>,
    inbox_max: usize,
    /// A [`Departure`] as a number; 0 before there is one.
    gone: AtomicU8,
}

/// Where a room's messages go.
pub(super) enum Downlink {
    /// Straight to the socket.
    Socket(Arc<Outbox>),
    /// To the gateway of a JSON session; the close goes to its socket.
    Gateway {
        /// Bounded by [`GATEWAY_FRAMES_MAX`].
        frames: mpsc::Sender<Vec<u8>>,
        /// Of the same connection.
        outbox: Arc<Outbox>,
    },
}

/// How a connection ended, as far as its session is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Cut, stalled, or past a deadline: whoever was there may come back.
    Lost = 1,
    /// With a goodbye of the peer's, or with a close for what the peer did.
    ForGood = 2,
}

/// The inbox was full and the message is dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InboxFull;

impl<P: Protocol> Link<P> {
    pub(super) fn new(client: ClientId, inbox_max: usize) -> Self {
        Self { client, inbox: Mutex::default(), inbox_max, gone: AtomicU8::new(0) }
    }

    pub(super) fn client(&self) -> ClientId {
        self.client
    }

    /// From the connection: a message for the next tick.
    pub(super) fn post(&self, message: Message<P>, arrived: Micros) -> Result<(), InboxFull> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.len() >= self.inbox_max {
            return Err(InboxFull);
        }
        inbox.push_back((arrived, message));
        Ok(())
    }

    /// From the connection: it is over.
    pub(super) fn leave(&self, how: Departure) {
        self.gone.store(how as u8, Ordering::Release);
    }

    /// For the room: how the connection ended, if it has.
    pub(super) fn gone(&self) -> Option<Departure> {
        match self.gone.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Departure::Lost),
            _ => Some(Departure::ForGood),
        }
    }

    /// For the room: takes all messages, leaving the emptied `into` behind.
    pub(super) fn collect(&self, into: &mut Inbox<P>) {
        std::mem::swap(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner), into);
    }
}

impl Downlink {
    /// Whether a frame sent now would go out now.
    pub(super) fn writable(&self) -> bool {
        match self {
            Self::Socket(outbox) => !outbox.congested(),
            Self::Gateway { frames, outbox } => frames.capacity() > 1 && !outbox.congested(),
        }
    }

    /// Has all that sending needs fetched from memory.
    pub(super) fn fetch(&self) -> bool {
        match self {
            Self::Socket(outbox) | Self::Gateway { outbox, .. } => outbox.is_straight(),
        }
    }

    /// One message. `scratch` is for framing it.
    pub(super) fn send(&self, message: &[u8], scratch: &mut Vec<u8>) {
        match self {
            // Refused means that a close is under way; the connection will say that it is gone.
            Self::Socket(outbox) => {
                let _ = outbox.send(socket::binary(message, scratch));
            }
            Self::Gateway { frames, outbox } => {
                if frames.try_send(message.to_vec()).is_err() {
                    // A gap would break the session for good, so end it in words.
                    outbox.close(&Close::new(CloseCode::TooSlow));
                }
            }
        }
    }

    /// One message that is to go out together with the next one, or with [`Self::send_held`]; says whether it does.
    pub(super) fn hold(&self, message: &[u8], scratch: &mut Vec<u8>) -> bool {
        match self {
            Self::Socket(outbox) => outbox.hold(socket::binary(message, scratch)),
            // It sends states at a rate of its own.
            Self::Gateway { .. } => false,
        }
    }

    /// What was held goes out.
    pub(super) fn send_held(&self) {
        if let Self::Socket(outbox) = self {
            outbox.send_held();
        }
    }

    /// The end.
    pub(super) fn close(&self, close: &Close) {
        match self {
            Self::Socket(outbox) | Self::Gateway { outbox, .. } => {
                outbox.close(close);
            }
        }
    }
}
