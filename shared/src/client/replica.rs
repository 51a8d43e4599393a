//! The client's copy of what it may see: an ordered roster of slots, each with its last four states.
//!
//! A frame is applied whole or not at all: [`staged`](super::staged) reads it without touching the replica,
//! then `commit` cannot fail.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::staged::{self, Change, Staged};
use crate::id::{KindId, NetId};
use crate::limits::HISTORY;
use crate::schema::{Plan, View};
use crate::tick::Tick;
use crate::wire::bits::{BitReader, BitsError};
use crate::wire::cadence::{Cadences, Tier};
use crate::wire::checksum::Checksum;
use crate::wire::codec::CodecError;
use crate::wire::frame::{Header, InputAck, Move, Slots};
use crate::wire::residual::Window;
use crate::wire::tables::Tables;
use crate::wire::update::{self, Step};

/// One entity in the roster.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot<S> {
    /// Its id.
    pub id: NetId,
    /// Its kind.
    pub kind: KindId,
    /// How much of it is shown.
    pub view: View,
    /// What was told once, when it entered.
    pub spawn: S,
    /// How often it is told of; see [`Cadences`].
    pub tier: Tier,
    /// Set while it is parked, told nothing of for lack of bandwidth: the tick that its states are of.
    pub parked: Option<Tick>,
    /// Tick of the last cut (teleport, respawn, a long pause) or of its entering: do not interpolate across it.
    pub cut: Tick,
}

/// Why a frame was refused. Nothing of it was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bits are not a frame.
    #[error("malformed frame: {0}")]
    Bits(#[from] BitsError),
    /// An event or a spawn blob in it is not one of this game.
    #[error("malformed blob in a frame: {0}")]
    Blob(#[from] CodecError),
}

/// What one frame contained, for whoever counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameSummary {
    /// The frame's tick.
    pub tick: Tick,
    /// What the server says of this client's inputs.
    pub ack: Option<InputAck>,
    /// Slots whose state changed.
    pub changed: usize,
    /// Bits that the updates of all slots took.
    pub slot_bits: usize,
    /// Entities that entered.
    pub entered: usize,
    /// Entities that left.
    pub left: usize,
    /// Entities that changed their tier, were parked, or came back from there.
    pub moved: usize,
    /// Whether this frame caught up after a pause.
    pub resync: bool,
    /// The checksum's verdict, where the frame carried one.
    pub checksum: Option<bool>,
}

/// The client's copy of the world. `S` is the game's spawn blob.
#[derive(Clone, Debug)]
pub struct Replica<S> {
    plan: Plan,
    tables: Arc<Tables>,
    /// Other tables, and the tick from which on they count.
    next_tables: Option<(Tick, Arc<Tables>)>,
    cadences: Cadences,
    tick: Tick,
    slots: Vec<Slot<S>>,
    /// Four states of `plan.stride` columns for each slot.
    windows: Vec<i32>,
    private: Vec<i32>,
    avatar: Option<NetId>,
}

impl<S: DeserializeOwned> Replica<S> {
    /// An empty one, about to receive its first frame after `tick`, coded with `tables`.
    #[must_use]
    pub fn new(
        plan: Plan,
        tables: Arc<Tables>,
        cadences: Cadences,
        tick: Tick,
        avatar: Option<NetId>,
    ) -> Self {
        let private = vec![0; plan.stride * HISTORY];
        Self {
            plan,
            tables,
            next_tables: None,
            cadences,
            tick,
            slots: Vec::new(),
            windows: Vec::new(),
            private,
            avatar,
        }
    }

    /// Reads a frame without changing anything.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are not exactly one frame that fits this replica.
    pub fn stage(&self, bytes: &[u8]) -> Result<Staged<S>, FrameError> {
        staged::read(self, bytes)
    }

    /// The session goes on over another connection; Welcome says whom this client plays.
    pub(super) fn welcome_back(&mut self, avatar: Option<NetId>) {
        self.avatar = avatar;
    }

    /// Reads the head of a frame and forgets the rest: from then on this is no copy of anything, but its tick goes on.
    /// Says besides whether there was a checksum, which nobody can compare then.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes do not begin as a frame.
    pub(super) fn skim(&mut self, bytes: &[u8]) -> Result<(FrameSummary, bool), FrameError> {
        let header = Header::read(&mut BitReader::new(bytes))?;
        self.tick = self.tick.expand(header.tick_low);
        if let Some(avatar) = header.avatar {
            self.avatar = avatar;
        }
        let resync = matches!(header.slots, Slots::Resync | Slots::Reset);
        let summary = FrameSummary { tick: self.tick, ack: header.ack, resync, ..FrameSummary::default() };
        Ok((summary, header.checksum))
    }

    /// Applies what [`Self::stage`] read from this same replica.
    pub fn commit(&mut self, staged: Staged<S>) -> FrameSummary {
        let stride = self.plan.stride;
        let mut summary = staged.summary;
        let before = std::mem::replace(&mut self.tick, summary.tick);
        if let Some((_, tables)) = self.next_tables.take_if(|(from, _)| summary.tick.since(*from) >= 0) {
            self.tables = tables;
        }
        if staged.reset {
            self.slots.clear();
            self.windows.clear();
            self.private.fill(0);
        }
        if let Some(avatar) = staged.avatar {
            self.avatar = avatar;
        }
        if let Some((change, state)) = staged.private {
            update::shift(&mut self.private, stride, change, &state);
        }
        for index in staged.leaves {
            self.swap_remove(index);
        }
        for (index, way) in staged.moves {
            let slot = &mut self.slots[index];
            match way {
                Move::Park => slot.parked = Some(before),
                Move::To(tier) => (slot.tier, slot.parked) = (tier, None),
            }
        }
        for (index, change, state) in staged.changes.iter(stride) {
            match change {
                Change::Step(step) => {
                    let window = &mut self.windows[index * stride * HISTORY..][..stride * HISTORY];
                    summary.changed += usize::from(&window[..stride] != state);
                    update::shift(window, stride, step, state);
                    if step == Step::Cut {
                        self.slots[index].cut = summary.tick;
                    }
                }
                Change::Window(step) => {
                    self.windows[index * stride * HISTORY..][..stride * HISTORY].copy_from_slice(state);
                    summary.changed += 1;
                    if step == Step::Cut {
                        self.slots[index].cut = summary.tick;
                    }
                }
            }
        }
        for (slot, window) in staged.enters {
            self.slots.push(slot);
            self.windows.extend_from_slice(&window);
        }
        summary.checksum = staged.checksum.map(|expected| expected == self.checksum());
        summary
    }
}

impl<S> Replica<S> {
    /// The game's layout.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What frames are coded with.
    #[must_use]
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// The tick of the last applied frame; before the first one, of Welcome.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// How often the entities of each tier are told of.
    #[must_use]
    pub fn cadences(&self) -> &Cadences {
        &self.cadences
    }

    /// The entity that this client plays.
    #[must_use]
    pub fn avatar(&self) -> Option<NetId> {
        self.avatar
    }

    /// The roster, in the order that both ends keep.
    #[must_use]
    pub fn slots(&self) -> &[Slot<S>] {
        &self.slots
    }

    /// The last four states of one slot.
    #[must_use]
    pub fn window(&self, slot: usize) -> Window<'_> {
        let size = self.plan.stride * HISTORY;
        Window::new(&self.windows[slot * size..(slot + 1) * size], self.plan.stride)
    }

    /// The newest state of one slot, as many columns as its kind has.
    #[must_use]
    pub fn state(&self, slot: usize) -> &[i32] {
        &self.window(slot).state(0)[..self.plan.kind(self.slots[slot].kind).columns]
    }

    /// The newest private state.
    #[must_use]
    pub fn private(&self) -> &[i32] {
        &self.private[..self.plan.private.columns]
    }

    /// The tables that a frame of `tick` is coded with.
    pub(super) fn tables_at(&self, tick: Tick) -> &Tables {
        match &self.next_tables {
            Some((from, tables)) if tick.since(*from) >= 0 => tables,
            _ => &self.tables,
        }
    }

    /// Frames from `from` on are coded with other tables.
    pub fn announce_tables(&mut self, from: Tick, tables: Arc<Tables>) {
        self.next_tables = Some((from, tables));
    }

    pub(super) fn private_window(&self) -> Window<'_> {
        Window::new(&self.private, self.plan.stride)
    }

    /// The checksum of everything held here; the server computes the same from what it has sent.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        let mut sum = Checksum::default();
        for (index, slot) in self.slots.iter().enumerate() {
            let window = slot.parked.is_none().then(|| self.window(index));
            sum.slot(self.plan.kind(slot.kind), slot.id, slot.view, slot.tier, window);
        }
        sum.columns(self.private());
        sum.finish()
    }

    fn swap_remove(&mut self, index: usize) {
        let size = self.plan.stride * HISTORY;
        let last = self.slots.len() - 1;
        self.slots.swap_remove(index);
        self.windows.copy_within(last * size.., index * size);
        self.windows.truncate(last * size);
    }
}
