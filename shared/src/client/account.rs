//! What a session is told when it begins, and what it gives account of: what happened, how it is doing, why it ended,
//! what it counted. Plain values.

use super::replica::{FrameError, FrameSummary};
use crate::protocol::Protocol;
use crate::schema::SchemaError;
use crate::tick::Tick;
use crate::wire::codec::CodecError;
use crate::wire::message::{AccessToken, Draining};
use crate::wire::tables::TablesError;

/// Who wants to join, and what.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Display name.
    pub name: String,
    /// Room; empty means the default one.
    pub room: String,
    /// Proof, where the server asks for one.
    pub token: Option<AccessToken>,
    /// Bytes per second that the server may send at most; 0 leaves it to the server.
    pub budget_bytes_per_s: u32,
}

/// What the embedder is told, in order.
#[derive(Clone, Debug)]
pub enum Happening<P: Protocol> {
    /// The session has begun; if there was one before, that is over and everything is new.
    Welcomed,
    /// The session goes on over another connection, with all that it holds. Events and commands that were on their way
    /// when the old one broke may be lost.
    Resumed,
    /// The game says that something happened at a tick.
    Game(Tick, P::Event),
    /// A frame was applied.
    Frame(FrameSummary),
    /// An input that was set this many microseconds ago took part in a step, and the frame that says so has
    /// just been applied.
    InputSeen(u64),
    /// The checksum differed; everything will come anew.
    Mismatch,
    /// The server goes away and will close this session; it says when to come again.
    Draining(Draining),
}

/// How a session is doing, for whoever shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Hello has not been answered.
    #[default]
    Connecting,
    /// Frames come.
    Live,
    /// For a while nothing has come, not even a heartbeat. What is shown is old.
    Stalled,
    /// The connection was lost; what is held is what was there then.
    Resuming,
    /// It is over, for this reason.
    Refused(String),
}

/// Why a session cannot go on. The embedder closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The game's own schema is unusable.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Not a message of ours.
    #[error("malformed message: {0}")]
    Message(#[from] CodecError),
    /// The tables in Welcome are none.
    #[error("unusable tables in Welcome: {0}")]
    Tables(#[from] TablesError),
    /// A malformed frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame before Welcome, a second Welcome, or one to a session that is not this one.
    #[error("unexpected message: {0}")]
    Unexpected(&'static str),
}

/// Counts since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames applied.
    pub frames: u64,
    /// Bytes of all messages received.
    pub received_bytes: u64,
    /// Bytes of all messages sent.
    pub sent_bytes: u64,
    /// Changed entity-updates decoded.
    pub updates: u64,
    /// Bits that they took, unchanged ones included.
    pub update_bits: u64,
    /// Checksums that differed.
    pub mismatches: u64,
    /// Checksums that were right.
    pub checksums: u64,
    /// Checksums that were not compared, because only heads of frames are read.
    pub checksums_skipped: u64,
    /// Frames that caught up after a pause.
    pub resyncs: u64,
    /// Happenings that nobody asked for in time.
    pub happenings_forgotten: u64,
}
