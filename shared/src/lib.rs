//! Everything that a Tickwire server and its clients must agree on bit by bit.
//!
//! No I/O, no clock, no thread, no randomness and no logging: bytes and times go in as arguments, bytes and
//! the world come out. An embedder starts at [`client::Session`]; a game starts at [`Protocol`] and the two
//! derives, [`Replicate`] and [`ReplicateKinds`].
//!
//! The modules stand in the order in which a reader needs them; `WIRE.md` beside this crate shows every byte.

// The derives name this crate by its public name; this lets them work inside it too.
extern crate self as tickwire_shared;

pub mod limits;

pub mod close;
pub mod id;
pub mod tick;

pub mod schema;
pub mod wire;

pub mod protocol;

pub mod client;

pub mod arena;

pub use close::{Close, CloseCode};
pub use id::{ClientId, KindId, NetId};
pub use protocol::Protocol;
pub use schema::{Replicate, ReplicateKinds, Schema};
pub use tick::{Micros, Tick, ViewTick};
pub use tickwire_derive::{Replicate, ReplicateKinds};
