//! The parts of a snapshot frame that stand around the entities' updates. `WIRE.md` shows the order; the
//! server's `snapshot::pack` writes it and [`client::replica`](crate::client) reads it.

use super::bits::{BitReader, BitSink, BitWriter, BitsError};
use super::cadence::{TIERS, Tier};
use super::message::TAG_FRAME;
use crate::id::{KindId, NetId};
use crate::limits::{KINDS_MAX, ROSTER_MAX, SPAWN_BYTES_MAX};
use crate::schema::View;

/// How many resting slots share one "all still" bit.
pub const STILL_GROUP: usize = 8;
/// Length of a header without acknowledgement and avatar, in bytes: tag, flags, tick.
pub const HEADER_BYTES: usize = 4;

/// What the server says of a client's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputAck {
    /// The newest input that took part in a step.
    pub seq: u16,
    /// How long it had been at the server when this frame was packed, in units of 100 µs, saturating.
    pub held_100us: u16,
    /// How early it came, in eighths of a tick before the step that it was for; negative is late.
    pub margin_eighths: i8,
}

/// How the roster's slots are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Slots {
    /// Nothing about them: no slot is due.
    #[default]
    None,
    /// Updates from the state of the tick before.
    Stream,
    /// After a pause: a record for each slot that is not as it was.
    Resync,
    /// The client forgets its roster and its private state before it reads on; all enters follow.
    Reset,
}

/// The first part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// Low 16 bits of the frame's tick.
    pub tick_low: u16,
    /// Present when an input took part in a step since the last frame.
    pub ack: Option<InputAck>,
    /// Present when the client's avatar is another than before; the inner `None` is "no avatar".
    pub avatar: Option<Option<NetId>>,
    /// Whether the private state follows.
    pub private: bool,
    /// Whether events follow.
    pub events: bool,
    /// Whether leaves, moves and enters follow.
    pub edits: bool,
    /// Whether and how slots follow.
    pub slots: Slots,
    /// Whether a checksum ends the frame.
    pub checksum: bool,
}

/// Bits of the flags byte, in the order of their weight.
const ACK: u64 = 1;
const AVATAR: u64 = 2;
const PRIVATE: u64 = 4;
const EVENTS: u64 = 8;
const EDITS: u64 = 16;
const STREAM: u64 = 32;
const RESYNC: u64 = 64;
const CHECKSUM: u64 = 128;

impl Header {
    /// Writes tag and header; the stream must be empty.
    pub fn write(&self, out: &mut BitWriter) {
        debug_assert_eq!(out.len_bits(), 0);
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        out.put(u64::from(TAG_FRAME), 8);
        out.put(
            flag(self.ack.is_some(), ACK)
                | flag(self.avatar.is_some(), AVATAR)
                | flag(self.private, PRIVATE)
                | flag(self.events, EVENTS)
                | flag(self.edits, EDITS)
                | flag(matches!(self.slots, Slots::Stream | Slots::Reset), STREAM)
                | flag(matches!(self.slots, Slots::Resync | Slots::Reset), RESYNC)
                | flag(self.checksum, CHECKSUM),
            8,
        );
        out.put(u64::from(self.tick_low), 16);
        if let Some(ack) = self.ack {
            out.put(u64::from(ack.seq), 16);
            out.put(u64::from(ack.held_100us), 16);
            out.put(u64::from(ack.margin_eighths as u8), 8);
        }
        if let Some(avatar) = self.avatar {
            out.bit(avatar.is_some());
            if let Some(id) = avatar {
                out.bits(id.0, 32);
            }
        }
    }

    /// Reads tag and header.
    ///
    /// # Errors
    /// [`BitsError`] when the frame ends or the tag is another.
    pub fn read(bits: &mut BitReader<'_>) -> Result<Self, BitsError> {
        if bits.get(8)? != u64::from(TAG_FRAME) {
            return Err(BitsError::OutOfRange);
        }
        let flags = bits.get(8)?;
        let has = |flag: u64| flags & flag != 0;
        let tick_low = bits.get(16)? as u16;
        let ack = if has(ACK) {
            Some(InputAck {
                seq: bits.get(16)? as u16,
                held_100us: bits.get(16)? as u16,
                margin_eighths: bits.get(8)? as u8 as i8,
            })
        } else {
            None
        };
        let avatar = if has(AVATAR) {
            Some(if bits.get_bit()? { Some(NetId(bits.get(32)? as u32)) } else { None })
        } else {
            None
        };
        let slots = match (has(STREAM), has(RESYNC)) {
            (false, false) => Slots::None,
            (true, false) => Slots::Stream,
            (false, true) => Slots::Resync,
            (true, true) => Slots::Reset,
        };
        Ok(Self {
            tick_low,
            ack,
            avatar,
            private: has(PRIVATE),
            events: has(EVENTS),
            edits: has(EDITS),
            slots,
            checksum: has(CHECKSUM),
        })
    }
}

/// What precedes the record of an entering entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enter {
    /// The entity.
    pub id: NetId,
    /// Its kind.
    pub kind: KindId,
    /// How much of it this client sees.
    pub view: View,
    /// How often it is told of it.
    pub tier: Tier,
}

impl Enter {
    /// Writes id, kind, view and tier.
    pub fn write(&self, out: &mut BitWriter) {
        out.bits(self.id.0, 32);
        out.golomb(u32::from(self.kind.0), 1);
        out.golomb(self.view as u32, 0);
        out.golomb(self.tier.index() as u32, 0);
    }

    /// Reads id, kind, view and tier, in a game with `kinds` kinds.
    ///
    /// # Errors
    /// [`BitsError`] when the stream ends or kind or view do not exist.
    pub fn read(bits: &mut BitReader<'_>, kinds: usize) -> Result<Self, BitsError> {
        debug_assert!((1..=KINDS_MAX).contains(&kinds));
        let id = NetId(bits.get(32)? as u32);
        let kind = KindId(bits.get_golomb_max(1, kinds - 1)? as u8);
        let view = View::ALL[bits.get_golomb_max(0, View::ALL.len() - 1)?];
        let tier = Tier::ALL[bits.get_golomb_max(0, TIERS - 1)?];
        Ok(Self { id, kind, view, tier })
    }
}

/// What becomes of a slot that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It is told of at this tier from now on; its window follows.
    To(Tier),
    /// It is told nothing of until it is moved again.
    Park,
}

impl Move {
    /// Writes where a slot moves.
    pub fn write(self, out: &mut BitWriter) {
        let code = if let Self::To(tier) = self { tier.index() as u64 } else { TIERS as u64 };
        out.put(code, 2);
    }

    /// Reads where a slot moves.
    ///
    /// # Errors
    /// [`BitsError`] when the stream ends.
    pub fn read(bits: &mut BitReader<'_>) -> Result<Self, BitsError> {
        Ok(Tier::ALL.get(bits.get(2)? as usize).map_or(Self::Park, |tier| Self::To(*tier)))
    }
}

const _: () = assert!(TIERS == 3, "a move has two bits");

/// Writes the index of a slot in a roster of `length` slots.
pub fn write_index(index: usize, length: usize, out: &mut BitWriter) {
    out.bits(index as u32, index_bits(length));
}

/// Reads the index of a slot in a roster of `length` slots.
///
/// # Errors
/// [`BitsError`] when the stream ends or there is no such slot.
pub fn read_index(length: usize, bits: &mut BitReader<'_>) -> Result<usize, BitsError> {
    let index = bits.get(index_bits(length))? as usize;
    if index < length { Ok(index) } else { Err(BitsError::OutOfRange) }
}

fn index_bits(length: usize) -> u32 {
    usize::BITS - length.saturating_sub(1).leading_zeros()
}

/// Writes a blob: its length, then its bytes.
pub fn write_blob(blob: &[u8], out: &mut BitWriter) {
    debug_assert!(blob.len() <= SPAWN_BYTES_MAX);
    out.golomb(blob.len() as u32, 4);
    out.put_bytes(blob);
}

/// Reads a blob of at most `bytes_max` bytes.
///
/// # Errors
/// [`BitsError`] when the stream ends or the blob is longer.
pub fn read_blob(bytes_max: usize, bits: &mut BitReader<'_>) -> Result<Vec<u8>, BitsError> {
    let length = bits.get_golomb_max(4, bytes_max)?;
    bits.get_bytes(length)
}

/// Writes how many follow, of leaves, moves, enters or events.
pub fn write_count(count: usize, out: &mut BitWriter) {
    debug_assert!(count <= ROSTER_MAX);
    out.golomb(count as u32, 0);
}

/// Reads how many follow.
///
/// # Errors
/// [`BitsError`] when the stream ends or there are more than `max`.
pub fn read_count(max: usize, bits: &mut BitReader<'_>) -> Result<usize, BitsError> {
    bits.get_golomb_max(0, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        let ack = InputAck { seq: 65_535, held_100us: 12, margin_eighths: -3 };
        for (ack, avatar) in [(None, None), (Some(ack), Some(None)), (Some(ack), Some(Some(NetId(9))))] {
            for slots in [Slots::None, Slots::Stream, Slots::Resync, Slots::Reset] {
                let header = Header { tick_low: 513, ack, avatar, slots, edits: true, ..Header::default() };
                let mut writer = BitWriter::default();
                header.write(&mut writer);
                let bytes = writer.take_bytes();
                let mut reader = BitReader::new(&bytes);
                assert_eq!(Header::read(&mut reader), Ok(header));
                assert_eq!(reader.finish(), Ok(()));
            }
        }
    }

    #[test]
    fn indices_name_existing_slots_only() {
        for length in 1..70 {
            let mut writer = BitWriter::default();
            write_index(length - 1, length, &mut writer);
            let bytes = writer.take_bytes();
            assert_eq!(read_index(length, &mut BitReader::new(&bytes)), Ok(length - 1));
        }
        assert_eq!(read_index(0, &mut BitReader::new(&[0])), Err(BitsError::OutOfRange));
        assert_eq!(read_index(5, &mut BitReader::new(&[7])), Err(BitsError::OutOfRange));
    }
}
