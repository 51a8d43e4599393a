//! What changes in one client's roster in one frame: who leaves, who is told of more or less often or parked, who enters.
//! First chosen, within what the frame may take, then written.

use tickwire_shared::limits::{ENTERS_PER_FRAME_MAX, HISTORY};
use tickwire_shared::wire::bits::BitWriter;
use tickwire_shared::wire::cadence::Tier;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::frame::{self, Enter, Move};
use tickwire_shared::wire::record::{self, Gap};
use tickwire_shared::wire::residual::{Coder, Window};
use tickwire_shared::{NetId, Protocol, Tick};

use super::capture::Capture;
use super::interest::Eye;
use super::packed::{PackCounts, Packed};
use super::roster::RosterSlot;
use super::share::Wish;
use super::updates::Lane;
use crate::simulation::{EntityKey, World};

/// About what a window takes in a move, in bits.
const MOVE_BITS: i64 = 80;

/// A row is told of in a lane by one client more or less.
pub(super) type Told = (u32, NetId, Lane, bool);

/// One frame's edits, and scratch memory.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pub(super) leaves: Vec<usize>,
    /// By index after the leaves; `None` parks.
    moves: Vec<(usize, Option<Tier>)>,
    entering: Vec<RosterSlot>,
    /// Parked slots in the order in which they come back.
    turns: Vec<(u64, usize)>,
    /// What those that come back from being parked took, in bits.
    pub(super) turn_bits: u64,
    /// Collected over all clients, until the capture takes it in.
    pub(super) told: Vec<Told>,
    /// What a client still holds of one entity.
    held: Vec<i32>,
}

impl Edits {
    pub(super) fn begin(&mut self) {
        self.leaves.clear();
        self.moves.clear();
        self.entering.clear();
        self.turn_bits = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty() && self.moves.is_empty() && self.entering.is_empty()
    }

    /// The client is told to forget all.
    pub(super) fn clear(&mut self, client: &mut Packed) {
        for slot in client.roster.slots().iter().filter(|slot| !slot.is_parked()) {
            self.told.push((slot.row, slot.id, slot.lane, false));
        }
        client.roster.clear();
        client.journal.clear();
        client.parked = 0;
    }

    /// Takes those out that the client is not to see any more. Of those that stay distances are brought up to date, and
    /// `natural` becomes how often each would be told of if bandwidth were no matter.
    pub(super) fn leave(&mut self, eye: &Eye<'_>, client: &mut Packed, natural: &mut Vec<Tier>) {
        natural.clear();
        while let Some(slot) = client.roster.get_mut(natural.len()) {
            if let Some(tier) = eye.keeps(slot) {
                natural.push(tier);
                continue;
            }
            let slot = client.roster.leave(natural.len());
            client.journal.left(natural.len(), slot);
            client.sightings.left(eye.capture.tick(), &slot);
            client.parked -= usize::from(slot.is_parked());
            if !slot.is_parked() {
                self.told.push((slot.row, slot.id, slot.lane, false));
            }
            self.leaves.push(natural.len());
        }
    }

    /// Parks slots in this very frame, the farthest first, until their samples take `bits` less.
    pub(super) fn park(&mut self, client: &mut Packed, mut bits: i64, cost: impl Fn(&RosterSlot) -> i64) {
        let slots = client.roster.slots();
        self.turns.clear();
        let due = slots.iter().enumerate().filter(|(_, slot)| !slot.is_silent() && cost(slot) > 0);
        self.turns.extend(due.map(|(index, slot)| (u64::from(slot.distance_squared.to_bits()), index)));
        self.turns.sort_unstable();
        while let (true, Some((_, index))) = (bits > 0, self.turns.pop()) {
            bits -= cost(&client.roster.slots()[index]);
            client.roster.silence(index);
            self.moves.push((index, None));
        }
    }

    /// Chooses what else fits into `room` bits: first what saves bandwidth; then who comes back from being parked, for
    /// `turns` bits at least, and who enters, half of the room each; what is left is for those that are told of more often.
    pub(super) fn choose(
        &mut self,
        eye: &Eye<'_>,
        client: &mut Packed,
        wishes: &mut Vec<Wish>,
        room: i64,
        turns: i64,
    ) {
        let mut room = room;
        let tick = eye.capture.tick();
        for wish in wishes.iter().filter(|wish| wish.saves) {
            if client.roster.slots()[wish.index].is_silent() {
                continue;
            }
            // What there is no room to tell of less often is not told of for now.
            let to = wish.to.filter(|_| room >= MOVE_BITS);
            room -= if to.is_some() { MOVE_BITS } else { 0 };
            client.roster.silence(wish.index);
            self.moves.push((wish.index, to));
        }
        if client.parked > 0 {
            let half = if client.waiting.is_empty() { room } else { room / 2 };
            room -= self.take_turns(client, tick, half.max(turns));
        }
        room -= self.take_enters(eye, client, room);
        for wish in wishes.drain(..).filter(|wish| !wish.saves) {
            if room < MOVE_BITS {
                break;
            }
            if !client.roster.slots()[wish.index].is_silent() {
                room -= MOVE_BITS;
                client.roster.silence(wish.index);
                self.moves.push((wish.index, wish.to));
            }
        }
    }

    /// Parked slots come back by how long they have waited, up to twice as fast the nearer they are.
    fn take_turns(&mut self, client: &Packed, tick: u64, room: i64) -> i64 {
        let mut taken = 0;
        let slots = client.roster.slots();
        let parked = || slots.iter().enumerate().filter(|(_, slot)| slot.is_parked());
        let farthest = parked().map(|(_, slot)| slot.distance_squared).fold(1.0, f32::max);
        self.turns.clear();
        self.turns.extend(parked().map(|(index, slot)| {
            let waited = (tick as u32).wrapping_sub(slot.parked_at).min(1 << 24) as f32;
            (((2.0 - slot.distance_squared / farthest) * waited * 16.0) as u64, index)
        }));
        self.turns.sort_unstable();
        while taken + MOVE_BITS <= room {
            let Some((_, index)) = self.turns.pop() else { break };
            taken += MOVE_BITS;
            self.moves.push((index, Some(Tier::SLOW)));
        }
        taken
    }

    fn take_enters(&mut self, eye: &Eye<'_>, client: &mut Packed, room: i64) -> i64 {
        let mut taken = 0;
        while taken < room && self.entering.len() < ENTERS_PER_FRAME_MAX {
            let Some(slot) = client.waiting.pop() else { break };
            // It may have waited for some ticks.
            if let Some(mut slot) = eye.again(&slot) {
                if client.share.strained {
                    // It is told of more often as soon as there is room for that.
                    slot.follow(Tier::SLOW, eye.capture);
                }
                self.entering.push(slot);
                taken += eye.capture.row(slot.row).enter_bits();
            }
        }
        taken
    }

    /// Leaves, moves, enters. `held` is the tick until which the client has followed.
    pub(super) fn write<P: Protocol>(
        &mut self,
        capture: &Capture,
        world: &World<P>,
        client: &Packed,
        held: u64,
        out: &mut BitWriter,
    ) {
        let staying = client.roster.slots().len();
        frame::write_count(self.leaves.len(), out);
        for (done, index) in self.leaves.iter().enumerate() {
            frame::write_index(*index, staying + self.leaves.len() - done, out);
        }
        frame::write_count(self.moves.len(), out);
        for (index, to) in &self.moves {
            let slot = &client.roster.slots()[*index];
            let before = out.len_bits();
            frame::write_index(*index, staying, out);
            to.map_or(Move::Park, Move::To).write(out);
            if let Some(tier) = *to {
                let (held, told_at) = if slot.is_parked() {
                    (u64::from(slot.parked_at), slot.parked_at)
                } else {
                    (held, client.frame_at as u32)
                };
                let gap = gap_of(capture, slot, Tick(told_at), tier);
                write_window(capture, slot, (held, gap), tier, &mut self.held, out);
            }
            if slot.is_parked() || to.is_none() {
                self.turn_bits += (out.len_bits() - before) as u64;
            }
        }
        frame::write_count(self.entering.len(), out);
        for slot in &self.entering {
            let row = capture.row(slot.row);
            Enter { id: slot.id, kind: row.kind, view: slot.view, tier: slot.tier }.write(out);
            let plan = capture.plan();
            let coder = &mut Coder { tables: capture.tables(), out };
            record::write(
                plan.kind(row.kind),
                slot.view,
                plan.stride,
                capture.window(slot.row, slot.tier),
                coder,
            );
            frame::write_blob(&spawn_blob(world, row.key), out);
        }
    }

    /// Once the slots are written, the roster becomes what the client has after the frame.
    pub(super) fn settle(&mut self, capture: &Capture, client: &mut Packed, counts: &mut PackCounts) {
        for (index, to) in self.moves.drain(..) {
            let slot = &client.roster.slots()[index];
            client.journal.moved(index, slot);
            client.sightings.moved(capture.tick(), slot);
            let was_parked = slot.is_parked();
            let Some(tier) = to else {
                self.told.push((slot.row, slot.id, slot.lane, false));
                let parked_at = client.frame_at as u32;
                client.roster.change(index, |slot| slot.parked_at = parked_at);
                client.parked += 1;
                counts.parks += 1;
                continue;
            };
            if was_parked {
                client.parked -= 1;
                counts.unparks += 1;
            } else {
                self.told.push((slot.row, slot.id, slot.lane, false));
                counts.demotions += u64::from(tier > slot.tier);
                counts.promotions += u64::from(tier < slot.tier);
            }
            client.roster.change(index, |slot| slot.follow(tier, capture));
            let slot = &client.roster.slots()[index];
            self.told.push((slot.row, slot.id, slot.lane, true));
        }
        counts.enters += self.entering.len() as u64;
        client.journal.entered(self.entering.len());
        for slot in self.entering.drain(..) {
            self.told.push((slot.row, slot.id, slot.lane, true));
            client.sightings.entered(capture.tick(), &slot);
            client.roster.enter(slot);
        }
    }
}

/// What leads from the window that a client was told until the frame of `told_at` to the present one at `tier`.
pub(super) fn gap_of<'a>(
    capture: &'a Capture,
    slot: &RosterSlot,
    told_at: Tick,
    tier: Tier,
) -> Option<Gap<'a>> {
    let plan = capture.plan();
    let kind = plan.kind(capture.row(slot.row).kind);
    let now = Tick(capture.tick() as u32);
    let whose = (capture.schedule().cadences(), slot.id);
    Gap::between((kind, slot.view, plan.stride), whose, (slot.tier, told_at), (tier, now))
}

/// The present window, as a gap record from what the client holds since tick `held` if that is still known.
pub(super) fn write_window(
    capture: &Capture,
    slot: &RosterSlot,
    (held, gap): (u64, Option<Gap<'_>>),
    tier: Tier,
    scratch: &mut Vec<i32>,
    out: &mut BitWriter,
) {
    let plan = capture.plan();
    let window = capture.window(slot.row, tier);
    scratch.resize(plan.stride * HISTORY, 0);
    let gap = gap.filter(|_| capture.past_window(slot.row, slot.tier, held, scratch));
    out.put_bit(gap.is_some());
    let mut coder = Coder { tables: capture.tables(), out };
    match gap {
        Some(gap) => record::write_gap(&gap, Window::new(scratch, plan.stride), window, &mut coder),
        None => {
            let kind = plan.kind(capture.row(slot.row).kind);
            record::write(kind, slot.view, plan.stride, window, &mut coder);
        }
    }
}

/// The spawn blob of an entity, as enters carry it.
fn spawn_blob<P: Protocol>(world: &World<P>, key: EntityKey) -> Vec<u8> {
    world.get(key).map(|entity| codec::encode(&entity.spawn)).unwrap_or_default()
}
