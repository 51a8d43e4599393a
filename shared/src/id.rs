//! Names of things. None of them is a number that one could calculate with.

use serde::{Deserialize, Serialize};

/// An entity as clients know it. The server deals these out in an order that tells nothing about how many
/// entities there are, and never twice in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetId(pub u32);

/// A client's session in a room, unique as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientId(pub u32);

/// The index of a kind in [`Schema::kinds`](crate::schema::Schema::kinds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KindId(pub u8);
