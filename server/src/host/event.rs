//! Everything that goes into a room and comes out of it.

use tickwire_shared::wire::cadence::TIERS;
use tickwire_shared::wire::message::{ClientMessage, Draining, Hello, ResumeToken};
use tickwire_shared::{ClientId, Close, Protocol, Tick};

use super::relief::Relief;

/// What happens to a room. Closed: a room knows no other way in.
#[derive(Clone, Debug)]
pub enum Event<P: Protocol> {
    /// A connection said Hello. Answered by a Welcome, by a close, or by [`Output::Resumed`] and a Welcome.
    Join {
        /// A number that this room has not seen before.
        client: ClientId,
        /// Its first message.
        hello: Hello,
        /// The secret that this session will be known by; random, so it comes from outside.
        resume: ResumeToken,
        /// Who it is, where somebody has found that out: nobody else can come back to the session.
        subject: Option<String>,
    },
    /// A later message of a client.
    Message {
        /// Whose.
        client: ClientId,
        /// Decoded at the edge.
        message: ClientMessage<P::Input, P::Command>,
    },
    /// Whether the connection could take a frame now. True until said otherwise.
    Writable {
        /// Whose.
        client: ClientId,
        /// False while too many bytes wait unsent.
        writable: bool,
    },
    /// The client is gone for good: it said goodbye, or it did what nobody is let in again for.
    Leave {
        /// Whose.
        client: ClientId,
    },
    /// The connection is gone, and nobody said goodbye. The client may come back.
    Lost {
        /// Whose.
        client: ClientId,
    },
    /// Somebody outside wants the client gone.
    Kick {
        /// Whom.
        client: ClientId,
        /// Code and reason for the client.
        close: Close,
    },
    /// The server will go away, and everybody is told.
    Draining(Draining),
    /// The room has more to do than time, or not any more.
    Relieve(Relief),
    /// Somebody outside wants the room gone; every client is closed with this.
    End {
        /// Code and reason for the clients.
        close: Close,
    },
}

/// What a room wants done. Polled until there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Send one binary message.
    Send {
        /// To whom.
        client: ClientId,
        /// The message, lent until the next call.
        bytes: &'a [u8],
    },
    /// A connection that said Hello belongs to an earlier session: from here on it is that client, and the number that
    /// the connection had means nothing to the room.
    Resumed {
        /// Whose session goes on.
        client: ClientId,
        /// The number in [`Event::Join`].
        connection: ClientId,
    },
    /// End a connection; no output for this client follows, unless the session goes on over another connection. No
    /// `Leave` is wanted back.
    Close {
        /// Whose.
        client: ClientId,
        /// Code and reason.
        close: Close,
    },
}

/// A room at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Clients in it, those that are away not counted.
    pub clients: usize,
    /// Clients that lost their connection and may come back.
    pub away_clients: usize,
    /// Clients for which nothing is packed at the moment.
    pub paused_clients: usize,
    /// Entities in its world.
    pub entities: usize,
    /// Its next tick.
    pub tick: Tick,
    /// Ended, by its game's panic or from outside: it accepts nothing and can be dropped.
    pub ended: bool,
}

/// How one client fares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClientStatus {
    /// What it is sent at most, in bytes per second: what it was granted, or less while frames queue on the way.
    pub bytes_per_s: u32,
    /// The least round trip lately.
    pub rtt_micros: Option<u64>,
    /// How many frames it may have in flight.
    pub window_frames: usize,
    /// Whether nothing is packed for it at the moment.
    pub paused: bool,
    /// Entities in its roster that are told of at each cadence.
    pub tiers: [usize; TIERS],
    /// Entities in its roster that are told nothing of for lack of bandwidth.
    pub parked: usize,
    /// Entities that are due to enter and wait for bandwidth.
    pub waiting: usize,
    /// Share of every radius that its bandwidth is enough for.
    pub reach: f32,
}
