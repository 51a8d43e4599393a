//! Reads a frame against a replica without changing it, so that a bad frame leaves no trace.

use std::ops::Deref;

use serde::de::DeserializeOwned;

use super::replica::{FrameError, FrameSummary, Replica, Slot};
use crate::id::NetId;
use crate::limits::{
    COLUMNS_MAX, ENTERS_PER_FRAME_MAX, EVENT_BYTES_MAX, EVENTS_PER_FRAME_MAX, HISTORY, ROSTER_MAX,
    SPAWN_BYTES_MAX,
};
use crate::schema::View;
use crate::tick::Tick;
use crate::wire::bits::{BitReader, BitsError};
use crate::wire::cadence::Tier;
use crate::wire::codec;
use crate::wire::frame::{self, Enter, Header, InputAck, Move, STILL_GROUP, Slots};
use crate::wire::record::{self, Gap};
use crate::wire::residual::{Decoder, Window};
use crate::wire::tables::Tables;
use crate::wire::update::{self, Step};

/// A frame that was read whole and fits the replica.
#[derive(Clone, Debug)]
pub struct Staged<S> {
    pub(super) summary: FrameSummary,
    pub(super) reset: bool,
    pub(super) avatar: Option<Option<NetId>>,
    pub(super) private: Option<(Step, Vec<i32>)>,
    pub(super) leaves: Vec<usize>,
    /// By the slots' places after the leaves.
    pub(super) moves: Vec<(usize, Move)>,
    pub(super) enters: Vec<Entered<S>>,
    pub(super) changes: Changes,
    pub(super) checksum: Option<u32>,
    /// Events with the tick at which they happened, still encoded.
    pub events: Vec<(Tick, Vec<u8>)>,
}

impl<S> Staged<S> {
    /// What the server says of this client's inputs.
    pub(super) fn ack(&self) -> Option<InputAck> {
        self.summary.ack
    }
}

/// A new slot and its window.
pub(super) type Entered<S> = (Slot<S>, Vec<i32>);

/// How one slot changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One state.
    Step(Step),
    /// Four states; a cut where nothing says how it came there.
    Window(Step),
}

/// Changes of slots, in one allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    entries: Vec<(usize, Change)>,
    columns: Vec<i32>,
}

impl Changes {
    fn push(&mut self, slot: usize, change: Change, columns: &[i32]) {
        self.entries.push((slot, change));
        self.columns.extend_from_slice(columns);
    }

    /// Slot, change, and one state or four.
    pub(super) fn iter(&self, stride: usize) -> impl Iterator<Item = (usize, Change, &[i32])> {
        let mut at = 0;
        self.entries.iter().map(move |(slot, change)| {
            let length = if matches!(change, Change::Window(_)) { stride * HISTORY } else { stride };
            at += length;
            (*slot, *change, &self.columns[at - length..at])
        })
    }
}

/// The replica that a frame is read against, and the tables that the frame is coded with.
struct Reading<'a, S> {
    replica: &'a Replica<S>,
    tables: &'a Tables,
}

impl<S> Clone for Reading<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Reading<'_, S> {}

impl<S> Deref for Reading<'_, S> {
    type Target = Replica<S>;

    fn deref(&self) -> &Replica<S> {
        self.replica
    }
}

impl<'a, S> Reading<'a, S> {
    fn decoder<'b>(&self, bits: &'a mut BitReader<'b>) -> Decoder<'a, 'b> {
        Decoder { tables: self.tables, bits }
    }
}

pub(super) fn read<S: DeserializeOwned>(replica: &Replica<S>, bytes: &[u8]) -> Result<Staged<S>, FrameError> {
    let mut bits = BitReader::new(bytes);
    let header = Header::read(&mut bits)?;
    let tick = replica.tick().expand(header.tick_low);
    let replica = Reading { replica, tables: replica.tables_at(tick) };
    let reset = header.slots == Slots::Reset;
    let private = if header.private { Some(read_private(replica, reset, &mut bits)?) } else { None };
    let events = if header.events { read_events(tick, &mut bits)? } else { Vec::new() };
    let (mut leaves, mut moves, mut enters) = (Vec::new(), Vec::new(), Vec::new());
    let mut changes = Changes::default();
    // `order[i]` is the slot of the replica that stands at `i` after the leaves.
    let mut order: Vec<usize> = if reset { Vec::new() } else { (0..replica.slots().len()).collect() };
    if header.edits {
        leaves = read_leaves(&mut order, &mut bits)?;
        moves = read_moves(replica, &order, tick, &mut bits, &mut changes)?;
        enters = read_enters(replica, order.len(), tick, &mut bits)?;
    }
    let before = bits.position();
    let followed = followed(replica, &order, &moves);
    match header.slots {
        Slots::None | Slots::Reset => {}
        Slots::Stream => read_stream(replica, followed, tick, &mut bits, &mut changes)?,
        Slots::Resync => read_resync(replica, followed, tick, &mut bits, &mut changes)?,
    }
    let slot_bits = bits.position() - before;
    let checksum = if header.checksum { Some(bits.get(32)? as u32) } else { None };
    bits.finish()?;
    let summary = FrameSummary {
        tick,
        ack: header.ack,
        changed: 0,
        slot_bits,
        entered: enters.len(),
        left: leaves.len(),
        moved: moves.len(),
        resync: matches!(header.slots, Slots::Resync | Slots::Reset),
        checksum: None,
    };
    Ok(Staged {
        summary,
        reset,
        avatar: header.avatar,
        private,
        leaves,
        moves,
        enters,
        changes,
        checksum,
        events,
    })
}

/// The slots that the frame may tell of, with their places after the leaves: those that neither moved nor are parked.
fn followed<'a, S>(
    replica: Reading<'a, S>,
    order: &'a [usize],
    moves: &[(usize, Move)],
) -> impl Iterator<Item = (usize, usize)> + use<'a, S> {
    let mut still = vec![true; order.len()];
    moves.iter().for_each(|(index, _)| still[*index] = false);
    order
        .iter()
        .enumerate()
        .filter(move |(index, slot)| still[*index] && replica.slots()[**slot].parked.is_none())
        .map(|(index, slot)| (index, *slot))
}

fn read_private<S>(
    replica: Reading<'_, S>,
    reset: bool,
    bits: &mut BitReader<'_>,
) -> Result<(Step, Vec<i32>), BitsError> {
    let (plan, nothing) = (replica.plan(), [0; COLUMNS_MAX * HISTORY]);
    let window = if reset { Window::new(&nothing, plan.stride) } else { replica.private_window() };
    let mut state = vec![0; plan.stride];
    let step = update::read(&plan.private, View::Owner, window, &mut state, &mut replica.decoder(bits))?;
    Ok((step, state))
}

fn read_events(tick: Tick, bits: &mut BitReader<'_>) -> Result<Vec<(Tick, Vec<u8>)>, BitsError> {
    let count = frame::read_count(EVENTS_PER_FRAME_MAX, bits)?;
    (0..count)
        .map(|_| {
            let age = bits.get_golomb(0)?;
            Ok((tick.minus(age), frame::read_blob(EVENT_BYTES_MAX, bits)?))
        })
        .collect()
}

fn read_leaves(order: &mut Vec<usize>, bits: &mut BitReader<'_>) -> Result<Vec<usize>, BitsError> {
    let count = frame::read_count(order.len(), bits)?;
    (0..count)
        .map(|_| {
            let index = frame::read_index(order.len(), bits)?;
            order.swap_remove(index);
            Ok(index)
        })
        .collect()
}

fn read_moves<S>(
    replica: Reading<'_, S>,
    order: &[usize],
    tick: Tick,
    bits: &mut BitReader<'_>,
    changes: &mut Changes,
) -> Result<Vec<(usize, Move)>, BitsError> {
    let count = frame::read_count(order.len(), bits)?;
    (0..count)
        .map(|_| {
            let index = frame::read_index(order.len(), bits)?;
            let way = Move::read(bits)?;
            if let Move::To(tier) = way {
                let slot = &replica.slots()[order[index]];
                let held = (slot.tier, slot.parked.unwrap_or(replica.tick()));
                let gap = gap_of(replica, order[index], held, (tier, tick));
                read_window(replica, (index, order[index]), gap, bits, changes)?;
            }
            Ok((index, way))
        })
        .collect()
}

fn gap_of<'a, S>(
    replica: Reading<'a, S>,
    slot: usize,
    held: (Tier, Tick),
    now: (Tier, Tick),
) -> Option<Gap<'a>> {
    let Slot { id, kind, view, .. } = replica.slots()[slot];
    let Reading { replica, .. } = replica;
    let plan = replica.plan();
    Gap::between((plan.kind(kind), view, plan.stride), (replica.cadences(), id), held, now)
}

/// A whole window: a gap record where there is a gap, or a full one.
fn read_window<S>(
    replica: Reading<'_, S>,
    (index, slot): (usize, usize),
    gap: Option<Gap<'_>>,
    bits: &mut BitReader<'_>,
    changes: &mut Changes,
) -> Result<(), BitsError> {
    let stride = replica.plan().stride;
    let mut window = [0; COLUMNS_MAX * HISTORY];
    let window = &mut window[..stride * HISTORY];
    let step = if bits.get_bit()? {
        let gap = gap.ok_or(BitsError::OutOfRange)?;
        record::read_gap(&gap, replica.window(slot), window, &mut replica.decoder(bits))?;
        Step::Moved
    } else {
        let Slot { kind, view, .. } = replica.slots()[slot];
        record::read(replica.plan().kind(kind), view, stride, window, &mut replica.decoder(bits))?;
        Step::Cut
    };
    changes.push(index, Change::Window(step), window);
    Ok(())
}

fn read_enters<S: DeserializeOwned>(
    replica: Reading<'_, S>,
    staying: usize,
    tick: Tick,
    bits: &mut BitReader<'_>,
) -> Result<Vec<Entered<S>>, FrameError> {
    let plan = replica.plan();
    let count = frame::read_count(ENTERS_PER_FRAME_MAX.min(ROSTER_MAX.saturating_sub(staying)), bits)?;
    (0..count)
        .map(|_| {
            let Enter { id, kind, view, tier } = Enter::read(bits, plan.kinds.len())?;
            let mut window = vec![0; plan.stride * HISTORY];
            record::read(plan.kind(kind), view, plan.stride, &mut window, &mut replica.decoder(bits))?;
            let spawn = codec::decode(&frame::read_blob(SPAWN_BYTES_MAX, bits)?)?;
            Ok((Slot { id, kind, view, spawn, tier, parked: None, cut: tick }, window))
        })
        .collect()
}

/// Of the slots that are due: the moving ones first, then the resting ones in groups.
fn read_stream<S>(
    replica: Reading<'_, S>,
    followed: impl Iterator<Item = (usize, usize)>,
    tick: Tick,
    bits: &mut BitReader<'_>,
    changes: &mut Changes,
) -> Result<(), BitsError> {
    let mut resting = Vec::new();
    let is_due = |slot: &Slot<S>| replica.cadences().is_due(slot.tier, slot.id, tick);
    for (index, slot) in followed.filter(|(_, slot)| is_due(&replica.slots()[*slot])) {
        if is_resting(replica, slot) {
            resting.push((index, slot));
        } else {
            read_update(replica, index, slot, bits, changes)?;
        }
    }
    for group in resting.chunks(STILL_GROUP) {
        if bits.get_bit()? {
            continue;
        }
        for (index, slot) in group {
            if !bits.get_bit()? {
                read_update(replica, *index, *slot, bits, changes)?;
            }
        }
    }
    Ok(())
}

fn is_resting<S>(replica: Reading<'_, S>, slot: usize) -> bool {
    let Slot { kind, view, .. } = replica.slots()[slot];
    let window = replica.window(slot);
    let newest = window.state(0);
    (1..HISTORY).all(|age| {
        let older = window.state(age);
        replica.plan().kind(kind).seen(view).all(|field| field.of(older) == field.of(newest))
    })
}

fn read_update<S>(
    replica: Reading<'_, S>,
    index: usize,
    slot: usize,
    bits: &mut BitReader<'_>,
    changes: &mut Changes,
) -> Result<(), BitsError> {
    let Slot { kind, view, .. } = replica.slots()[slot];
    let mut state = [0; COLUMNS_MAX];
    let window: Window<'_> = replica.window(slot);
    let step = update::read(replica.plan().kind(kind), view, window, &mut state, &mut replica.decoder(bits))?;
    changes.push(index, Change::Step(step), &state[..replica.plan().stride]);
    Ok(())
}

fn read_resync<S>(
    replica: Reading<'_, S>,
    followed: impl Iterator<Item = (usize, usize)>,
    tick: Tick,
    bits: &mut BitReader<'_>,
    changes: &mut Changes,
) -> Result<(), BitsError> {
    for (index, slot) in followed {
        let tier = replica.slots()[slot].tier;
        let gap = gap_of(replica, slot, (tier, replica.tick()), (tier, tick));
        let as_before = gap.is_none() || bits.get_bit()?;
        if !as_before {
            read_window(replica, (index, slot), gap, bits, changes)?;
        }
    }
    Ok(())
}
