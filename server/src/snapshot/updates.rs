//! This tick's updates: each coded once, for every tier that samples its entity now and every view that somebody has of
//! it, and appended from here to the frames of all clients that see it so.

use tickwire_shared::schema::View;
use tickwire_shared::wire::bits::{BitStrings, BitWriter};
use tickwire_shared::wire::cadence::{TIERS, Tier};

/// Most bits that are spliced in one go.
const SHORT_BITS: u16 = 56;
/// Updates that are gathered before their bits are written.
pub(super) const GATHERED: usize = 64;

/// A tier and a view: clients in the same lane are told of an entity by the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane(u8);

impl Lane {
    /// How many there are.
    pub const COUNT: usize = TIERS * View::ALL.len();

    /// Of a tier and a view.
    #[must_use]
    pub fn new(tier: Tier, view: View) -> Self {
        Self((tier.index() * View::ALL.len() + view as usize) as u8)
    }

    /// The place of its tier.
    pub(super) fn tier_index(self) -> usize {
        self.index() / View::ALL.len()
    }

    /// Its place among all lanes.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One row's update of this tick as one lane is told it, small enough that packing a client stays in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// The bits themselves, or where they are when there are more than a word holds.
    word: u64,
    bits: u16,
    /// What it asks of a client.
    pub due: Due,
}

impl Update {
    /// Nothing to do.
    pub const STILL: Self = Self { word: 0, bits: 0, due: Due::Still };

    /// How long it is.
    #[must_use]
    pub fn bits(&self) -> usize {
        usize::from(self.bits)
    }
}

/// What a client would have to do about a row at this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Four equal states and the same again: nothing.
    Still,
    /// Four equal states and now another.
    Awakes,
    /// It has been moving: an update is due even if it was foreseen.
    Moves,
}

/// Updates that a client is told in order, a few at a time: finding them and writing their bits are two loops, short enough
/// that each keeps all it needs in registers.
#[derive(Debug)]
pub(super) struct Gathering {
    words: [u64; GATHERED],
    lengths: [u8; GATHERED],
    count: usize,
    /// Some have more bits than a word here holds.
    long: bool,
}

impl Gathering {
    pub(super) fn new() -> Self {
        Self { words: [0; GATHERED], lengths: [0; GATHERED], count: 0, long: false }
    }

    pub(super) fn begin(&mut self) {
        (self.count, self.long) = (0, false);
    }

    /// Takes an update if it is `told`, and nothing otherwise: without a branch, since which of a client's rows move is
    /// what a processor cannot foresee. No more than [`GATHERED`] between two beginnings.
    #[inline]
    pub(super) fn take_if(&mut self, told: bool, update: &Update) {
        self.words[self.count % GATHERED] = update.word;
        self.lengths[self.count % GATHERED] = update.bits as u8;
        self.long |= told & (update.bits > SHORT_BITS);
        self.count += usize::from(told);
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Writes them, unless some are too long for that.
    pub(super) fn write(&self, out: &mut BitWriter) -> bool {
        if !self.long {
            out.put_short(&self.words[..self.count], &self.lengths[..self.count]);
        }
        !self.long
    }
}

/// All updates of a tick.
#[derive(Debug, Default)]
pub struct Updates {
    strings: BitStrings,
    /// For each lane, the update of each row; of another tick where the row is not sampled in this one.
    lanes: [Vec<Update>; Lane::COUNT],
}

impl Updates {
    /// Forgets the tick before. `rows` is how many there may be.
    pub(super) fn begin(&mut self, rows: usize) {
        self.strings.clear();
        self.grow(rows);
    }

    /// There are more rows.
    pub(super) fn grow(&mut self, rows: usize) {
        self.lanes.iter_mut().for_each(|lane| lane.resize(rows, Update::STILL));
    }

    /// A row is new, or still.
    pub(super) fn still(&mut self, row: u32, lane: Lane) {
        self.lanes[lane.index()][row as usize] = Update::STILL;
    }

    /// Codes a row's update for a lane.
    pub(super) fn code(&mut self, row: u32, lane: Lane, rested: bool, write: impl FnOnce(&mut BitStrings)) {
        let from = self.strings.len_bits();
        write(&mut self.strings);
        let bits = self.strings.len_bits() - from;
        let due = if rested { Due::Awakes } else { Due::Moves };
        let word = self.strings.short(from, bits).unwrap_or(from as u64);
        self.lanes[lane.index()][row as usize] = Update { word, bits: bits as u16, due };
    }

    /// The updates of all rows, as a lane is told them.
    #[must_use]
    #[inline]
    pub fn of(&self, lane: Lane) -> &[Update] {
        &self.lanes[lane.index()]
    }

    /// Appends an update; returns its length in bits.
    pub fn splice(&self, update: &Update, out: &mut BitWriter) -> usize {
        let bits = usize::from(update.bits);
        if bits <= 64 {
            out.put(update.word, bits as u32);
        } else {
            out.splice(self.strings.words(), update.word as usize, bits);
        }
        bits
    }

    /// Bits of all updates.
    #[must_use]
    pub fn coded_bits(&self) -> usize {
        self.strings.len_bits()
    }
}
