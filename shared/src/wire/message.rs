//! The messages around the snapshots. Client to server: one bincode enum. Server to client: a tag byte, then
//! Welcome by bincode or a snapshot frame.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, NetId};
use crate::tick::{Tick, ViewTick};
use crate::wire::cadence::Cadences;
use crate::wire::codec::{self, CodecError};

/// First byte of a Welcome.
pub const TAG_WELCOME: u8 = 0;
/// First byte of a snapshot frame.
pub const TAG_FRAME: u8 = 1;
/// First byte of an announcement of other coding tables.
pub const TAG_TABLES: u8 = 2;
/// First byte of the word that the server will go away.
pub const TAG_DRAINING: u8 = 3;
/// Of the word that time goes at another pace.
pub const TAG_TIME_DILATION: u8 = 4;

/// A secret that lets a client come back to its session.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeToken(pub [u8; 16]);

impl std::fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResumeToken(…)")
    }
}

/// Proof of who a client is. Not shown by `Debug`, so that no log can have it by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken(String);

impl AccessToken {
    /// The text, for whoever checks it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for AccessToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The wish to come back to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// From the last Welcome.
    pub token: ResumeToken,
    /// The tick of the last frame that the client applied.
    pub applied: Tick,
}

/// The first message of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`](crate::limits::PROTOCOL_VERSION) of the client.
    pub protocol: u16,
    /// [`Schema::hash`](crate::schema::Schema::hash) of the client.
    pub schema: u128,
    /// [`Schema::part_hashes`](crate::schema::Schema::part_hashes) of the client, so that a refusal can name
    /// the first difference.
    pub parts: Vec<u32>,
    /// Display name.
    pub name: String,
    /// The room to play in: its name, and where it is private, `/` and its join code. Empty means the default one, `*`
    /// the fullest one that has space.
    pub room: String,
    /// Proof of who this is, where the server asks for one.
    pub token: Option<AccessToken>,
    /// Set to come back to an earlier session.
    pub resume: Option<Resume>,
    /// [`Tables::version`](crate::wire::tables::Tables::version) of the tables that the client has.
    pub tables: u32,
    /// Bytes per second that the client wants to be sent at most; 0 leaves it to the server.
    pub budget: u32,
}

/// The answer to Hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// This session.
    pub client: ClientId,
    /// The entity that this client plays, if it plays one now.
    pub avatar: Option<NetId>,
    /// Ticks per second.
    pub tick_hz: u16,
    /// The room's current tick.
    pub tick: Tick,
    /// For coming back after a cut.
    pub resume: ResumeToken,
    /// The coding tables, where the client has others.
    pub tables: Option<Vec<u8>>,
    /// Acknowledge at the latest after this many applied frames.
    pub ack_every: u8,
    /// How often the entities of each tier are told of.
    pub cadences: Cadences,
    /// Bytes per second that the client is sent at most.
    pub budget: u32,
    /// Whether an earlier session goes on: the client keeps what it holds.
    pub resumed: bool,
    /// The room's name.
    pub room: String,
    /// The game's own setup, by bincode.
    pub setup: Vec<u8>,
}

/// Other coding tables for frames to come. Messages arrive in order, so whoever can read a frame has its tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTables {
    /// The tick of the first frame that is coded with them.
    pub from: Tick,
    /// The table file.
    pub file: Vec<u8>,
}

/// The server goes away: it lets nobody in any more, and closes this session soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// How long the session has at most, in milliseconds from when this left.
    pub closes_in_ms: u32,
    /// After how long from the close it is worth while to come again, in milliseconds.
    pub retry_after_ms: u32,
}

/// Time in the room goes slower, or again as fast as the tick rate says: the server has more to do than it has time.
/// A step still makes as much of the world go by; only the next one comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeDilation {
    /// The tick from which on ticks follow each other at this pace.
    pub from: Tick,
    /// How many ticks there are of those that the tick rate says.
    pub percent: Percent,
}

/// 10 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// As the tick rate says.
    pub const FULL: Self = Self(100);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = PercentError;

    fn try_from(percent: u8) -> Result<Self, PercentError> {
        if (10..=100).contains(&percent) { Ok(Self(percent)) } else { Err(PercentError) }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// No pace that time may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time goes at 10 to 100 percent of the tick rate")]
pub struct PercentError;

/// What a client says of the frames it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Tick of the last applied frame.
    pub applied: Tick,
    /// How long that frame had been applied when this left, in milliseconds (saturating).
    pub held_ms: u16,
}

/// Which moment a client showed when its player decided, counted back from the tick of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewAge {
    /// From the shown tick to the input's; 255 also stands for more.
    ticks: u8,
    /// [`ViewTick::fraction`].
    fraction: u8,
}

impl ViewAge {
    /// Of `view`, in an input for `tick`. What lies after that tick is no view: it becomes the tick itself.
    #[must_use]
    pub fn of(view: ViewTick, tick: Tick) -> Self {
        let ahead = view.since(tick);
        let ticks = u8::try_from(tick.since(view.tick).max(0)).unwrap_or(u8::MAX);
        Self { ticks, fraction: if ahead > 0 { 0 } else { view.fraction } }
    }

    /// The moment that the client showed.
    #[must_use]
    pub fn view(self, tick: Tick) -> ViewTick {
        ViewTick { tick: tick.minus(u32::from(self.ticks)), fraction: self.fraction }
    }
}

/// Everything that a client sends. `I` and `C` are the game's input and command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClientMessage<I, C> {
    /// First, and only once.
    Hello(Hello),
    /// The input from `tick` on, until the next one.
    Input {
        /// Counts this client's inputs; the server names the newest it has seen in its frames.
        seq: u16,
        /// The tick that the input is for.
        tick: Tick,
        /// Absent until the first frame was applied.
        ack: Option<Ack>,
        /// The game's input.
        input: I,
    },
    /// A reliable, ordered wish.
    Command(C),
    /// An acknowledgement alone, when no input is due.
    Ack(Ack),
    /// The checksum did not match: send everything anew.
    Resync {
        /// The tick of the frame whose checksum differed.
        tick: Tick,
    },
    /// An [`Input`](Self::Input) that [aims](crate::Protocol::aims): it says what was shown when its player aimed.
    Aimed {
        /// As in an input.
        seq: u16,
        /// As in an input.
        tick: Tick,
        /// As in an input.
        ack: Option<Ack>,
        /// The moment that the player saw.
        view: ViewAge,
        /// The game's input.
        input: I,
    },
}

impl<I, C> ClientMessage<I, C> {
    /// The game's input in it.
    pub fn input(&self) -> Option<&I> {
        match self {
            Self::Input { input, .. } | Self::Aimed { input, .. } => Some(input),
            Self::Hello(_) | Self::Command(_) | Self::Ack(_) | Self::Resync { .. } => None,
        }
    }
}

/// The message with Welcome in it.
#[must_use]
pub fn encode_welcome(welcome: &Welcome) -> Vec<u8> {
    let mut out = vec![TAG_WELCOME];
    codec::encode_into(welcome, &mut out);
    out
}

/// An announcement of other tables, with its tag.
#[must_use]
pub fn encode_tables(tables: &NewTables) -> Vec<u8> {
    let mut out = vec![TAG_TABLES];
    codec::encode_into(tables, &mut out);
    out
}

/// The word that the server goes away, with its tag.
#[must_use]
pub fn encode_draining(draining: &Draining) -> Vec<u8> {
    let mut out = vec![TAG_DRAINING];
    codec::encode_into(draining, &mut out);
    out
}

/// The word that time goes at another pace, with its tag.
#[must_use]
pub fn encode_time_dilation(dilation: &TimeDilation) -> Vec<u8> {
    let mut out = vec![TAG_TIME_DILATION];
    codec::encode_into(dilation, &mut out);
    out
}

/// A message from the server, told apart by its tag.
#[derive(Debug, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// The answer to Hello.
    Welcome(Box<Welcome>),
    /// A snapshot frame, the tag included: [`wire::frame`](crate::wire::frame) reads it.
    Frame(&'a [u8]),
    /// Other coding tables.
    Tables(NewTables),
    /// The server goes away.
    Draining(Draining),
    /// Time goes at another pace.
    TimeDilation(TimeDilation),
}

/// Tells a server's message apart.
///
/// # Errors
/// [`CodecError`] for an unknown tag, and for what is malformed behind a known one.
pub fn decode_server(bytes: &[u8]) -> Result<ServerMessage<'_>, CodecError> {
    match bytes.split_first() {
        Some((&TAG_WELCOME, body)) => Ok(ServerMessage::Welcome(Box::new(codec::decode(body)?))),
        Some((&TAG_FRAME, _)) => Ok(ServerMessage::Frame(bytes)),
        Some((&TAG_TABLES, body)) => Ok(ServerMessage::Tables(codec::decode(body)?)),
        Some((&TAG_DRAINING, body)) => Ok(ServerMessage::Draining(codec::decode(body)?)),
        Some((&TAG_TIME_DILATION, body)) => Ok(ServerMessage::TimeDilation(codec::decode(body)?)),
        _ => Err(CodecError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_comes_back_unless_it_is_none() {
        let view = ViewTick { tick: Tick(u32::MAX), fraction: 77 };
        assert_eq!(ViewAge::of(view, Tick(9)).view(Tick(9)), view);
        let now = ViewTick { tick: Tick(9), fraction: 0 };
        assert_eq!(ViewAge::of(now, Tick(9)).view(Tick(9)), now);
        for later in [ViewTick { tick: Tick(9), fraction: 1 }, ViewTick { tick: Tick(12), fraction: 9 }] {
            assert_eq!(ViewAge::of(later, Tick(9)).view(Tick(9)), now);
        }
        let ancient = ViewAge::of(ViewTick { tick: Tick(5), fraction: 3 }, Tick(5000));
        assert_eq!(ancient.view(Tick(5000)).tick, Tick(5000 - 255));
    }
}
