//! One client's frame: what to put in, what is due, and the bytes.
//!
//! A client is *in the stream* when it holds every roster slot's window as of the tick before; it is then told
//! the spliced updates. A client for which ticks were skipped is told records once, and is in the stream again.

use tickwire_shared::limits::{COLUMNS_MAX, EVENTS_PER_FRAME_MAX, HISTORY};
use tickwire_shared::schema::{Replicate, View};
use tickwire_shared::wire::bits::{BitSink, BitWriter};
use tickwire_shared::wire::cadence::Tier;
use tickwire_shared::wire::checksum::Checksum;
use tickwire_shared::wire::frame::{self, Header, STILL_GROUP, Slots};
use tickwire_shared::wire::residual::{Coder, Window};
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::{Protocol, Tick};

use super::capture::Capture;
use super::edits::{self, Edits};
use super::interest::{Eye, Neighbours, Search, Sight};
use super::packed::{FrameParts, PackCounts, Packed, QueuedEvent};
use super::roster::{RosterSlot, Source};
use super::share::{Means, Spent, Wish};
use super::updates::{Due, GATHERED, Gathering, Update};
use crate::simulation::World;

/// A client's interest is worked out anew so often per second, even if nothing that it sees was edited.
const LOOKS_PER_S: u64 = 5;
/// Events of so many bytes go out however little the client may be sent; more wait for their share.
const EVENT_BYTES_RESERVE: usize = 1024;
/// Of a client that is told less than it could see, this part of a second's bytes, in bits, is kept for what averages do
/// not foresee: half of what the bucket holds.
const KEPT_PER_S: i64 = 2;
/// About what a header takes, with a checksum and the length of the message, in bytes.
const HEADER_BYTES: usize = 16;

/// Everything that the frames of one tick are made from.
pub struct Snapshot<'a, P: Protocol> {
    /// The world as integers.
    pub capture: &'a Capture,
    /// What may be near whom.
    pub neighbours: &'a Neighbours,
    /// By kind.
    pub sights: &'a [Sight],
    /// The world, for what is told once.
    pub world: &'a World<P>,
}

/// Packs frames, one client after the other. Holds scratch memory, and what the capture is to be told afterwards.
#[derive(Debug, Default)]
pub struct Packer {
    search: Search,
    edits: Edits,
    writer: BitWriter,
    natural: Vec<Tier>,
    order: Vec<u32>,
    wishes: Vec<Wish>,
    resting: Vec<Update>,
    held: Vec<i32>,
}

/// How a frame goes on from what the client has.
#[derive(Clone, Copy, Debug)]
struct Continuity {
    /// The tick until which the client has followed.
    held: u64,
    slots: Slots,
}

impl Packer {
    /// Packs the frame of this tick for one client and appends it to `out`; `None` when there is nothing to tell.
    pub fn pack<P: Protocol>(
        &mut self,
        snapshot: &Snapshot<'_, P>,
        client: &mut Packed,
        parts: &FrameParts<'_, P>,
        out: &mut Vec<u8>,
    ) -> Option<PackCounts> {
        let capture = snapshot.capture;
        let tick = capture.tick();
        let mut continuity = continuity_of(capture, client);
        let caught_up = matches!(continuity.slots, Slots::Resync | Slots::Reset);
        let mut counts = PackCounts { resync: caught_up && client.frame_at != 0, ..Default::default() };
        self.edits.begin();
        if continuity.slots == Slots::Reset {
            self.edits.clear(client);
            client.sightings.begin_anew(tick);
        }
        let eye = Eye {
            capture,
            sights: snapshot.sights,
            seen: parts.seen,
            may_see: parts.may_see,
            reach: client.share.reach,
        };
        self.look(snapshot.neighbours, &eye, client, parts, &mut counts);
        let mut private = [0; COLUMNS_MAX];
        parts.private.capture(&mut private);
        let stride = capture.plan().stride;
        let private_due = continuity.slots == Slots::Reset || client.private[..stride] != private[..stride];
        let avatar =
            parts.seen.viewpoint.avatar.and_then(|key| snapshot.world.get(key)).map(|entity| entity.id);
        // Who is told everything anew may be wrong in this too; at first Welcome has just said it.
        let avatar_due = client.avatar != avatar || counts.resync && continuity.slots == Slots::Reset;
        let events = fitting(parts.events, parts.bytes_max);
        let other_bytes = HEADER_BYTES + events.iter().map(|event| event.bytes.len() + 3).sum::<usize>();
        let bits = (parts.bytes_max as i64 - other_bytes as i64) * 8;
        self.allot(&eye, client, &continuity, (parts.bytes_per_s, parts.tick_hz), bits);
        if continuity.slots == Slots::Stream && !is_any_due(capture, client.roster.sources()) {
            continuity.slots = Slots::None;
        }
        let edits = !self.edits.is_empty();
        counts.events = events.len();
        counts.due = continuity.slots != Slots::None
            || private_due
            || avatar_due
            || edits
            || !events.is_empty()
            || parts.ack_due;
        client.stream = Some(tick);
        if !counts.due && !parts.heartbeat {
            return None;
        }
        let header = Header {
            tick_low: Tick(tick as u32).low16(),
            ack: parts.ack,
            avatar: avatar_due.then_some(avatar),
            private: private_due,
            events: !events.is_empty(),
            edits,
            slots: continuity.slots,
            checksum: parts.checksum,
        };
        client.avatar = avatar;
        self.writer.clear();
        header.write(&mut self.writer);
        let mut told = 0;
        counts.bits.header = since(&mut told, &self.writer);
        if private_due {
            self.write_private(capture, client, &private, continuity.slots);
            counts.bits.private = since(&mut told, &self.writer);
        }
        if !events.is_empty() {
            self.write_events(events, tick);
            counts.bits.events = since(&mut told, &self.writer);
        }
        let mut spent = Spent::default();
        if edits {
            let before = self.writer.len_bits();
            self.edits.write(capture, snapshot.world, client, continuity.held, &mut self.writer);
            spent.turn_bits = self.edits.turn_bits;
            spent.edit_bits = (self.writer.len_bits() - before) as u64 - spent.turn_bits;
            counts.bits.edits = since(&mut told, &self.writer);
        }
        match continuity.slots {
            Slots::None | Slots::Reset => {}
            Slots::Stream => {
                self.write_stream(capture, client.roster.sources(), &mut spent, &mut counts);
                counts.bits.updates = since(&mut told, &self.writer);
                if client.share.mixed {
                    spent.split_by_tier(capture, client.roster.sources());
                }
            }
            Slots::Resync => {
                self.write_resync(capture, client, continuity.held, &mut spent, &mut counts);
                counts.bits.resyncs = since(&mut told, &self.writer);
            }
        }
        self.edits.settle(capture, client, &mut counts);
        if parts.checksum {
            self.writer.put(u64::from(checksum(capture, client)), 32);
            counts.bits.checksums = since(&mut told, &self.writer);
        }
        client.journal.close(client.frame_at, tick);
        client.frame_at = tick;
        spent.bits = self.writer.len_bits() as u64 + 8 * u64::from(FRAMING_BYTES);
        client.share.note(&spent);
        self.writer.append_to(out);
        Some(counts)
    }

    /// Brings up to date who is seen and how often they should be told of. Leaves are carried out; enters only wait.
    fn look<P: Protocol>(
        &mut self,
        neighbours: &Neighbours,
        eye: &Eye<'_>,
        client: &mut Packed,
        parts: &FrameParts<'_, P>,
        counts: &mut PackCounts,
    ) {
        let Self { search, edits, natural, order, wishes, .. } = self;
        let (capture, tick) = (eye.capture, eye.capture.tick());
        let viewpoint = Some((eye.seen.viewpoint.avatar, eye.seen.viewpoint.team));
        wishes.clear();
        // Who was not there for every tick may have missed an edit.
        let look_ticks = (u64::from(parts.tick_hz) / LOOKS_PER_S).max(1);
        let due = continuity_of(capture, client).slots != Slots::Stream
            || tick.wrapping_sub(client.interest_at) >= look_ticks
            || client.viewpoint != viewpoint
            || is_touched_by_edits(eye, client);
        if !due {
            return;
        }
        // Who joins in the same tick as others need not look around in the same ticks as they do from then on.
        let early = if client.stream.is_none() { u64::from(eye.seen.client.0) % look_ticks } else { 0 };
        (client.interest_at, client.viewpoint) = (tick.saturating_sub(early), viewpoint);
        edits.leave(eye, client, natural);
        let (enters, all) = search.enters(neighbours, eye, &client.roster);
        client.waiting.clear();
        client.waiting.extend(enters.iter().rev());
        client.beyond = all - client.waiting.len();
        if client.beyond > 0 {
            // The others are looked for as soon as these are in.
            client.interest_at = tick.saturating_sub(look_ticks);
        }
        let means = Means {
            bytes_per_s: parts.bytes_per_s,
            tick_hz: parts.tick_hz,
            tick,
            cadences: capture.schedule().cadences(),
        };
        let slots = (client.roster.slots(), natural.as_slice());
        client.share.plan(slots, client.waiting(), &means, order, wishes);
        counts.shrinks += u64::from(client.share.reach < eye.reach);
        counts.grows += u64::from(client.share.reach > eye.reach);
    }

    /// Decides what goes into a frame that may take `bits` more: due slots first, and edits with what is left.
    fn allot(
        &mut self,
        eye: &Eye<'_>,
        client: &mut Packed,
        continuity: &Continuity,
        (bytes_per_s, tick_hz): (u32, u16),
        bits: i64,
    ) {
        let capture = eye.capture;
        let guess = Tier::ALL.map(|tier| client.share.sample_bits(tier) as i64 + 2);
        let due = client.roster.slots().len() as i64 * guess[0];
        // The usual case: there is plenty, and nobody has to count.
        let plenty = bits > 4 * due + 20_000 && !client.share.strained;
        let frame_at = Tick(client.frame_at as u32);
        let cost = |slot: &RosterSlot| match continuity.slots {
            Slots::Stream => capture.sample_of(&slot.into()).map_or(0, |update| update.bits() as i64 + 1),
            Slots::Resync => {
                let missed = edits::gap_of(capture, slot, frame_at, slot.tier);
                missed.map_or(0, |gap| gap.states as i64 * guess[slot.tier.index()] + 2)
            }
            Slots::None | Slots::Reset => 0,
        };
        let (mut room, mut turns) = (bits, bits);
        if !plenty {
            let slots = client.roster.slots().iter().filter(|slot| !slot.is_silent());
            let needed: i64 = slots.map(cost).sum();
            if needed > bits {
                self.edits.park(client, needed - bits.max(0), cost);
                client.share.overflowed = true;
                (room, turns) = (0, 0);
            } else {
                // The frames after this one are not to find the bucket empty.
                let kept = if client.share.strained { i64::from(bytes_per_s) / KEPT_PER_S } else { needed };
                room = bits - needed - kept;
                let fair = client.share.turn_bits(capture.tick(), bytes_per_s, tick_hz);
                turns = fair.min(bits - needed);
            }
        }
        self.edits.choose(eye, client, &mut self.wishes, room, turns);
    }

    fn write_private(&mut self, capture: &Capture, client: &mut Packed, state: &[i32], slots: Slots) {
        let plan = capture.plan();
        let step = if slots == Slots::Reset { Step::Cut } else { Step::Moved };
        if slots == Slots::Reset {
            // What the client has may be wrong: it must not be needed to read what puts it right.
            client.private.fill(0);
        }
        let window = Window::new(&client.private, plan.stride);
        let mut coder = Coder { tables: capture.tables(), out: &mut self.writer };
        update::write(&plan.private, View::Owner, step, window, state, &mut coder);
        client.journal.private(&client.private[(HISTORY - 1) * plan.stride..]);
        update::shift(&mut client.private, plan.stride, step, &state[..plan.stride]);
    }

    fn write_events(&mut self, events: &[QueuedEvent], tick: u64) {
        frame::write_count(events.len(), &mut self.writer);
        for event in events {
            self.writer.golomb((tick - event.tick) as u32, 0);
            frame::write_blob(&event.bytes, &mut self.writer);
        }
    }

    /// Of the slots that are due, the moving ones first, then the resting ones in groups.
    fn write_stream(
        &mut self,
        capture: &Capture,
        sources: &[Source],
        spent: &mut Spent,
        counts: &mut PackCounts,
    ) {
        let (schedule, updates) = (capture.schedule(), capture.updates());
        let before = self.writer.len_bits();
        self.resting.resize(sources.len(), Update::STILL);
        let (rests, schedule) = (self.resting.as_mut_slice(), *schedule);
        let (mut resting, mut moving, mut gathering) = (0, 0, Gathering::new());
        for sources in sources.chunks(GATHERED) {
            gathering.begin();
            for source in sources {
                let update = &updates.of(source.lane)[source.row as usize];
                let due = schedule.is_due(source.section);
                let moves = due & (update.due == Due::Moves);
                gathering.take_if(moves, update);
                rests[resting] = *update;
                resting += usize::from(due & !moves);
            }
            moving += gathering.count() as u64;
            if !gathering.write(&mut self.writer) {
                let due = sources.iter().filter(|source| schedule.is_due(source.section));
                let due = due.map(|source| &updates.of(source.lane)[source.row as usize]);
                for update in due.filter(|update| update.due == Due::Moves) {
                    updates.splice(update, &mut self.writer);
                }
            }
        }
        counts.updates += moving;
        counts.update_bits += (self.writer.len_bits() - before) as u64;
        for group in self.resting[..resting].chunks(STILL_GROUP) {
            let still = group.iter().all(|update| update.due == Due::Still);
            self.writer.put_bit(still);
            if still {
                continue;
            }
            for update in group {
                self.writer.put_bit(update.due == Due::Still);
                if update.due == Due::Awakes {
                    counts.update_bits += updates.splice(update, &mut self.writer) as u64;
                    counts.updates += 1;
                }
            }
        }
        spent.samples[0] = moving + resting as u64;
        spent.sample_bits[0] = (self.writer.len_bits() - before) as u64;
    }

    fn write_resync(
        &mut self,
        capture: &Capture,
        client: &Packed,
        held: u64,
        spent: &mut Spent,
        counts: &mut PackCounts,
    ) {
        let frame_at = Tick(client.frame_at as u32);
        for slot in client.roster.slots().iter().filter(|slot| !slot.is_silent()) {
            let Some(gap) = edits::gap_of(capture, slot, frame_at, slot.tier) else { continue };
            let before = self.writer.len_bits();
            spent.samples[slot.tier.index()] += gap.states as u64;
            let as_before = capture.unchanged_since(slot.row, slot.tier, slot.view, held);
            self.writer.put_bit(as_before);
            if !as_before {
                let since = (held, Some(gap));
                edits::write_window(capture, slot, since, slot.tier, &mut self.held, &mut self.writer);
                counts.updates += 1;
            }
            spent.sample_bits[slot.tier.index()] += (self.writer.len_bits() - before) as u64;
        }
    }

    /// Tells the capture what clients are told of from now on, once all of a tick are packed.
    pub fn settle(&mut self, capture: &mut Capture) {
        self.edits.told.drain(..).for_each(|(row, id, lane, more)| capture.told(row, id, lane, more));
    }

    /// A client came back that received no frame after that of `applied`: what it is told next goes on from there, or
    /// is everything anew. Says whether it goes on.
    pub fn rewind(&mut self, client: &mut Packed, applied: Tick, capture: &mut Capture) -> bool {
        let known = client.rewind(applied, capture, &mut self.edits.told);
        if !known {
            client.forget();
        }
        self.settle(capture);
        known
    }

    /// A client is gone.
    pub fn forget(&mut self, client: &mut Packed, capture: &mut Capture) {
        self.edits.clear(client);
        self.settle(capture);
    }
}

/// What a WebSocket adds to a message, at most.
pub const FRAMING_BYTES: u32 = 4;

/// Bits written since it was asked last.
fn since(told: &mut u64, writer: &BitWriter) -> u64 {
    let now = writer.len_bits() as u64;
    now - std::mem::replace(told, now)
}

fn continuity_of(capture: &Capture, client: &Packed) -> Continuity {
    let frame_ticks = u64::from(capture.schedule().cadences().frame_ticks());
    let slots = match client.stream {
        None => Slots::Reset,
        Some(held) if held + frame_ticks == capture.tick() => Slots::Stream,
        Some(_) => Slots::Resync,
    };
    Continuity { held: client.stream.unwrap_or(0), slots }
}

/// Whether an edit since the last frames concerns what this client sees or is about to. Edits of what it does not see
/// change nothing for it, not even when it is told what.
fn is_touched_by_edits(eye: &Eye<'_>, client: &Packed) -> bool {
    let edited = eye.capture.edited();
    !edited.is_empty()
        && (edited.iter().any(|row| eye.notices(*row))
            || client.roster.slots().iter().any(|slot| eye.capture.is_edited(slot.row)))
}

/// As many of the waiting events as go out now.
fn fitting(events: &[QueuedEvent], bytes_max: usize) -> &[QueuedEvent] {
    let mut left = bytes_max.max(EVENT_BYTES_RESERVE);
    let fits = |event: &&QueuedEvent| {
        let fits = event.bytes.len() <= left;
        left = left.saturating_sub(event.bytes.len());
        fits
    };
    let count = events.iter().take(EVENTS_PER_FRAME_MAX).take_while(fits).count();
    &events[..count]
}

fn is_any_due(capture: &Capture, sources: &[Source]) -> bool {
    sources.iter().any(|source| capture.sample_of(source).is_some_and(|update| update.due != Due::Still))
}

/// The checksum of what the client holds once it has applied the frame.
fn checksum(capture: &Capture, client: &Packed) -> u32 {
    let plan = capture.plan();
    let mut sum = Checksum::default();
    for slot in client.roster.slots() {
        let window = (!slot.is_parked()).then(|| capture.window(slot.row, slot.tier));
        sum.slot(plan.kind(capture.row(slot.row).kind), slot.id, slot.view, slot.tier, window);
    }
    sum.columns(&client.private[..plan.private.columns]);
    sum.finish()
}
