//! What one client was last handed: the only thing that the differences are made against.

use std::sync::Arc;

use tickwire_shared::limits::HISTORY;
use tickwire_shared::wire::frame::InputAck;
use tickwire_shared::{NetId, Protocol};

use super::interest::Seen;
use super::journal::Journal;
use super::roster::{Roster, RosterSlot};
use super::share::Share;
use super::sightings::Sightings;
use crate::simulation::{EntityKey, Team};

/// An event that waits for a client's next frame.
#[derive(Clone, Debug)]
pub struct QueuedEvent {
    /// When it happened.
    pub tick: u64,
    /// Encoded once for all.
    pub bytes: Arc<[u8]>,
}

/// What one client was last handed.
#[derive(Debug)]
pub struct Packed {
    pub(super) roster: Roster,
    /// The tick whose end the client's windows show; `None` until its first frame, and when it has to be told
    /// everything anew.
    pub(super) stream: Option<u64>,
    /// The tick of the last frame.
    pub(super) frame_at: u64,
    pub(super) interest_at: u64,
    /// What the roster was last made for.
    pub(super) viewpoint: Option<(Option<EntityKey>, Team)>,
    pub(super) avatar: Option<NetId>,
    pub(super) private: Vec<i32>,
    /// What should enter and did not fit yet, the nearest last.
    pub(super) waiting: Vec<RosterSlot>,
    /// How many more there are.
    pub(super) beyond: usize,
    /// How many slots are parked.
    pub(super) parked: usize,
    pub(super) share: Share,
    /// How to go back to what the client has acknowledged.
    pub(super) journal: Journal,
    /// What it saw a while ago.
    pub(super) sightings: Sightings,
}

impl Packed {
    /// Before the first frame, to a client that Welcome told its avatar. What it sees is remembered for `rewind_ticks`.
    #[must_use]
    pub fn new(stride: usize, avatar: Option<NetId>, rewind_ticks: u32) -> Self {
        let private = vec![0; stride * HISTORY];
        Self {
            roster: Roster::default(),
            stream: None,
            frame_at: 0,
            interest_at: 0,
            viewpoint: None,
            avatar,
            private,
            waiting: Vec::new(),
            beyond: 0,
            parked: 0,
            share: Share::default(),
            journal: Journal::default(),
            sightings: Sightings::new(rewind_ticks),
        }
    }

    /// Touches what packing the next frame reads, so that it comes from memory while others are touched too.
    pub(crate) fn fetch(&self) -> u64 {
        const SOURCES_PER_LINE: usize = 8;
        const COLUMNS_PER_LINE: usize = 16;
        let sources = self.roster.sources().iter().step_by(SOURCES_PER_LINE).map(|source| source.row);
        let private = self.private.iter().step_by(COLUMNS_PER_LINE).map(|column| *column as u32);
        sources.chain(private).fold(self.frame_at ^ self.interest_at, |sum, word| sum ^ u64::from(word))
    }

    /// What the client sees.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The tick whose end the client's windows show.
    #[must_use]
    pub fn stream(&self) -> Option<u64> {
        self.stream
    }

    /// The private state as it was last handed out.
    #[must_use]
    pub fn private(&self) -> &[i32] {
        &self.private
    }

    /// How many entities are due to enter its roster and wait for bandwidth.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.beyond
    }

    /// Share of every radius that its bandwidth is enough for.
    #[must_use]
    pub fn reach(&self) -> f32 {
        self.share.reach
    }

    /// A client that came back was told its avatar in Welcome.
    pub fn told_avatar(&mut self, avatar: Option<NetId>) {
        self.avatar = avatar;
    }

    /// Everything is to be told anew.
    pub fn forget(&mut self) {
        self.stream = None;
    }
}

/// What goes into a frame besides the roster.
pub struct FrameParts<'a, P: Protocol> {
    /// Who looks from where.
    pub seen: Seen,
    /// The client's private state.
    pub private: &'a P::Private,
    /// The game's rule of what this client may know of.
    pub may_see: &'a dyn Fn(EntityKey) -> bool,
    /// The acknowledgement, if one is due; a frame is made for it alone only when `ack_due`.
    pub ack: Option<InputAck>,
    /// See `ack`.
    pub ack_due: bool,
    /// Events that wait, oldest first; as many as fit are taken.
    pub events: &'a [QueuedEvent],
    /// Whether a checksum should ride along.
    pub checksum: bool,
    /// Whether a frame is wanted even if nothing is due.
    pub heartbeat: bool,
    /// What the frame may take. Private state and events are always told, so it may be exceeded by them.
    pub bytes_max: usize,
    /// What the client may be sent per second.
    pub bytes_per_s: u32,
    /// Ticks per second.
    pub tick_hz: u16,
}

/// Bits of frames by what they tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartBits {
    /// Headers: tick, acknowledgement, avatar, flags.
    pub header: u64,
    /// What a client is told of itself alone.
    pub private: u64,
    /// Events.
    pub events: u64,
    /// Entities that enter, leave, or are told of more or less often.
    pub edits: u64,
    /// Updates of entities to clients that missed nothing.
    pub updates: u64,
    /// States of entities to clients that did.
    pub resyncs: u64,
    /// Checksums.
    pub checksums: u64,
}

/// Counts of what was packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackCounts {
    /// Updates spliced.
    pub updates: u64,
    /// Their bits.
    pub update_bits: u64,
    /// All bits of the frame.
    pub bits: PartBits,
    /// Whether the frame brought a client back into the stream.
    pub resync: bool,
    /// How many of the events went in.
    pub events: usize,
    /// Whether there was anything besides a heartbeat.
    pub due: bool,
    /// Entities that entered.
    pub enters: u64,
    /// Slots that are told of less often from now on, for lack of bandwidth or for their distance.
    pub demotions: u64,
    /// Slots that are told of more often from now on.
    pub promotions: u64,
    /// Slots that were parked.
    pub parks: u64,
    /// Slots that came back from there.
    pub unparks: u64,
    /// Whether the radii became smaller for lack of bandwidth.
    pub shrinks: u64,
    /// Whether they became larger again.
    pub grows: u64,
}
