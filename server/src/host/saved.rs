//! A room as a blob: everything that its future depends on, and no client.

use serde::{Deserialize, Serialize};
use tickwire_shared::ClientId;
use tickwire_shared::wire::codec::{self, CodecError};

use super::rewinding::GameError;
use crate::simulation::{Game, World};

/// Layout of the blob.
const FORMAT: u32 = 1;

/// Why a blob is not a room of this game.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// Written by another version of this program.
    #[error("the blob has format {0}, this program reads format {FORMAT}")]
    Format(u32),
    /// Written by another game, or by this one with another schema.
    #[error("the blob belongs to another game or schema")]
    Schema,
    /// Damaged.
    #[error("the blob is damaged: {0}")]
    Damaged(#[from] CodecError),
    /// The game itself is unusable.
    #[error(transparent)]
    Unusable(#[from] GameError),
}

/// What a blob holds.
#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct Saved<G: Game> {
    pub(super) tick: u64,
    pub(super) game: G,
    pub(super) world: World<G::Protocol>,
    /// Clients that the game knows as players; they are gone when the room comes back.
    pub(super) clients: Vec<ClientId>,
}

/// [`Saved`], borrowed for writing. The fields must stand in the same order.
#[derive(Serialize)]
#[serde(bound = "")]
pub(super) struct Saving<'a, G: Game> {
    pub(super) tick: u64,
    pub(super) game: &'a G,
    pub(super) world: &'a World<G::Protocol>,
    pub(super) clients: Vec<ClientId>,
}

pub(super) fn write<G: Game>(saving: &Saving<'_, G>, schema: u128) -> Vec<u8> {
    let mut blob = codec::encode_blob(&(FORMAT, schema));
    blob.extend(codec::encode_blob(saving));
    blob
}

pub(super) fn read<G: Game>(blob: &[u8], schema: u128) -> Result<Saved<G>, RestoreError> {
    let head = codec::encode_blob(&(FORMAT, schema));
    match blob.strip_prefix(head.as_slice()) {
        Some(body) => Ok(codec::decode_blob(body)?),
        None => match blob.first() {
            Some(format) if u32::from(*format) != FORMAT => Err(RestoreError::Format(u32::from(*format))),
            _ => Err(RestoreError::Schema),
        },
    }
}

/// Game and world to the last bit.
pub(super) fn exact<G: Game>(game: &G, world: &World<G::Protocol>) -> Vec<u8> {
    codec::encode_blob(&(game, world))
}
