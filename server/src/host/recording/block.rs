//! The bytes of a recording: a magic word, a header, then blocks, each with its length and a checksum, so that a file
//! that was cut short is good up to the cut. The first block is a key, from which everything after it follows.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `TWREC` and the format, as three digits |
//! | 4, 4 | length and checksum of what follows, little-endian |
//! | … | the header, then blocks in the same frame |

use serde::{Deserialize, Serialize};
use tickwire_shared::wire::codec;
use tickwire_shared::{ClientId, Protocol};

use super::tape::Call;
use crate::host::RestoreError;

/// First in every file.
const MAGIC: [u8; 8] = *b"TWREC001";
/// No block is longer; a room whose key is longer is not recorded.
const BLOCK_BYTES_MAX: usize = 256 << 20;

/// What a recording is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The program that wrote it.
    pub version: String,
    /// [`Protocol::NAME`].
    pub game: String,
    /// Hash of its schema.
    pub schema: u128,
    /// The room's name.
    pub room: String,
    /// The room's seed.
    pub seed: u64,
    /// Ticks per second.
    pub tick_hz: u16,
    /// Whether the room looks back for shots.
    pub looks_back: bool,
}

/// Why bytes cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Something else.
    #[error("this is no recording of a room, or one of another format than this program's")]
    Foreign,
    /// Of another game.
    #[error(
        "it was recorded with game {game}, schema {schema:032x}; this program has game {own}, schema {own_schema:032x}"
    )]
    Schema {
        /// The recording's.
        game: String,
        /// The recording's.
        schema: u128,
        /// This program's.
        own: String,
        /// This program's.
        own_schema: u128,
    },
    /// Not a single tick is in it.
    #[error("it ends before its first tick")]
    Empty,
    /// Not cut short but changed.
    #[error("it is damaged at byte {0}")]
    Damaged(usize),
    /// The saved room that it begins with cannot be used.
    #[error("the room that it begins with is unusable: {0}")]
    Key(#[from] RestoreError),
}

/// What a file is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) enum Block<P: Protocol> {
    /// A saved room, between two ticks.
    Key {
        /// Ticks before it that are in no block: whoever wrote could not keep up.
        missed_ticks: u64,
        #[serde(serialize_with = "at_once")]
        room: Vec<u8>,
        /// The inputs of the last step.
        held: Vec<(ClientId, P::Input)>,
    },
    /// What happened from the tick before on, this one's step included.
    Tick(TickBlock<P>),
}

/// One tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct TickBlock<P: Protocol> {
    pub(super) tick: u64,
    /// The room's clock, for people.
    pub(super) at_micros: u64,
    pub(super) calls: Vec<Call<P>>,
    /// What the game saw when it looked back.
    #[serde(serialize_with = "at_once")]
    pub(super) looks: Vec<u8>,
    /// The game panicked.
    pub(super) panicked: bool,
    /// Of all quantized states.
    pub(super) hash: u64,
    /// Of the game and the world to the last bit, now and then.
    pub(super) exact: Option<u64>,
    /// How the quantized states changed.
    #[serde(serialize_with = "at_once")]
    pub(super) states: Vec<u8>,
}

/// The same bytes as one by one, in a fraction of the time.
fn at_once<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// The beginning of a file.
pub(super) fn write_header(header: &Header, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    frame(&codec::encode_blob(header), out);
}

pub(super) fn write<P: Protocol>(block: &Block<P>, out: &mut Vec<u8>) {
    frame(&codec::encode_blob(block), out);
}

fn frame(body: &[u8], out: &mut Vec<u8>) {
    // Four GiB in one block would be a room that cannot be saved either.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(body).to_le_bytes());
    out.extend_from_slice(body);
}

/// FNV-1a over eight bytes at a time.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(0xCBF2_9CE4_8422_2325, |hash, word| step(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)))
}

fn checksum(body: &[u8]) -> u32 {
    let hash = digest(body);
    (hash ^ hash >> 32) as u32
}

/// Reads a file from its beginning; the end may be missing.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The file ends within a block.
    pub(super) is_cut: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<(Header, Self), RecordingError> {
        if !bytes.starts_with(&MAGIC) {
            let cut = bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes);
            return Err(if cut { RecordingError::Empty } else { RecordingError::Foreign });
        }
        let mut reader = Self { bytes, at: MAGIC.len(), is_cut: false };
        let body = reader.body()?.ok_or(RecordingError::Empty)?;
        let header = codec::decode(body).map_err(|_| RecordingError::Foreign)?;
        Ok((header, reader))
    }

    /// The next block; `None` at the end, or where the file was cut.
    pub(super) fn next<P: Protocol>(&mut self) -> Result<Option<Block<P>>, RecordingError> {
        let at = self.at;
        let Some(body) = self.body()? else { return Ok(None) };
        codec::decode_blob(body).map(Some).map_err(|_| RecordingError::Damaged(at))
    }

    /// Where the next block begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn body(&mut self) -> Result<Option<&'a [u8]>, RecordingError> {
        let rest = &self.bytes[self.at..];
        let Some((head, rest)) = rest.split_first_chunk::<8>() else {
            self.is_cut = !rest.is_empty();
            return Ok(None);
        };
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = word(0) as usize;
        let body = rest.get(..length).filter(|_| length <= BLOCK_BYTES_MAX);
        let Some(body) = body else {
            self.is_cut = true;
            return Ok(None);
        };
        if checksum(body) != word(4) {
            return Err(RecordingError::Damaged(self.at));
        }
        self.at += head.len() + length;
        Ok(Some(body))
    }
}
