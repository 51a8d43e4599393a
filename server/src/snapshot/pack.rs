//! One client's frame: what to put in, what is due, and the bytes.
//!
//! A client is *in the stream* when it holds every roster slot's window as of the tick before; it is then told
//! the spliced updates. A client for which ticks were skipped is told records once, and is in the stream again.

use std::sync::Arc;

use tickwire_shared::limits::{COLUMNS_MAX, EVENTS_PER_FRAME_MAX, HISTORY};
use tickwire_shared::schema::{Replicate, View};
use tickwire_shared::wire::bits::{BitSink, BitWriter};
use tickwire_shared::wire::checksum::Checksum;
use tickwire_shared::wire::frame::{self, Enter, Header, InputAck, STILL_GROUP, Slots};
use tickwire_shared::wire::record::{self, Gap};
use tickwire_shared::wire::residual::{Coder, Window};
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::{NetId, Protocol, Tick};

use super::capture::{Capture, Due, Update, spawn_blob};
use super::interest::{Eye, InterestStage, Seen};
use super::roster::{Roster, RosterSlot};
use crate::simulation::{EntityKey, Interest, Team, World};

/// Every this many ticks a client's interest is worked out anew, even if nothing new appeared.
const INTEREST_TICKS: u64 = 4;

/// An event that waits for a client's next frame.
#[derive(Clone, Debug)]
pub struct QueuedEvent {
    /// When it happened.
    pub tick: u64,
    /// Encoded once for all.
    pub bytes: Arc<[u8]>,
}

/// What one client was last handed: the only thing that the differences are made against.
#[derive(Debug)]
pub struct Packed {
    roster: Roster,
    /// The tick whose end the client's windows show; `None` until its first frame, and when it has to be told
    /// everything anew.
    stream: Option<u64>,
    /// The tick of the last frame.
    frame_at: u64,
    interest_at: u64,
    /// What the roster was last made for.
    viewpoint: Option<(Option<EntityKey>, Team)>,
    avatar: Option<NetId>,
    private: Vec<i32>,
}

impl Packed {
    /// Before the first frame, to a client that Welcome told its avatar.
    #[must_use]
    pub fn new(stride: usize, avatar: Option<NetId>) -> Self {
        let private = vec![0; stride * HISTORY];
        Self {
            roster: Roster::default(),
            stream: None,
            frame_at: 0,
            interest_at: 0,
            viewpoint: None,
            avatar,
            private,
        }
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
    pub private: P::Private,
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
}

/// Counts of what was packed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackCounts {
    /// Updates spliced.
    pub updates: u64,
    /// Their bits.
    pub update_bits: u64,
    /// Whether the frame brought a client back into the stream.
    pub resync: bool,
    /// How many of the events went in.
    pub events: usize,
    /// Whether there was anything besides a heartbeat.
    pub due: bool,
}

/// Packs frames. Holds scratch memory only.
#[derive(Debug, Default)]
pub struct Packer {
    interest: InterestStage,
    writer: BitWriter,
    leaves: Vec<usize>,
    entering: Vec<RosterSlot>,
    resting: Vec<Update>,
    /// What a paused client still holds of one entity.
    held: Vec<i32>,
}

impl Packer {
    /// To be called once per tick, after the capture.
    pub fn prepare(&mut self, capture: &Capture, interests: &[Interest]) {
        self.interest.prepare(capture, interests);
    }

    /// Packs the frame of this tick for one client, or finds that there is nothing to tell.
    pub fn pack<P: Protocol>(
        &mut self,
        capture: &Capture,
        interests: &[Interest],
        world: &World<P>,
        client: &mut Packed,
        parts: FrameParts<'_, P>,
    ) -> (Option<Vec<u8>>, PackCounts) {
        let tick = capture.tick();
        let held = client.stream;
        let reset = held.is_none();
        let resync = held.is_some_and(|held| held + 1 != tick);
        if reset {
            client.roster.clear();
        }
        let eye = Eye { capture, interests, seen: parts.seen, may_see: parts.may_see };
        self.edit_roster(&eye, client);
        let staying = client.roster.slots();
        let slots = if reset {
            Slots::Reset
        } else if resync {
            Slots::Resync
        } else if staying.iter().any(|slot| update_of(capture, slot).due != Due::Still) {
            Slots::Stream
        } else {
            Slots::None
        };
        let mut private = [0; COLUMNS_MAX];
        parts.private.capture(&mut private);
        let private_due =
            reset || client.private[..capture.plan().stride] != private[..capture.plan().stride];
        let avatar = parts.seen.viewpoint.avatar.and_then(|key| world.get(key)).map(|entity| entity.id);
        let avatar_due = client.avatar != avatar;
        let events = &parts.events[..parts.events.len().min(EVENTS_PER_FRAME_MAX)];
        let edits = !self.leaves.is_empty() || !self.entering.is_empty();
        let due =
            slots != Slots::None || private_due || avatar_due || edits || !events.is_empty() || parts.ack_due;
        let mut counts =
            PackCounts { resync: resync || reset, events: events.len(), due, ..Default::default() };
        client.stream = Some(tick);
        if !due && !parts.heartbeat {
            return (None, counts);
        }
        let header = Header {
            tick_low: Tick(tick as u32).low16(),
            ack: parts.ack,
            avatar: avatar_due.then_some(avatar),
            private: private_due,
            events: !events.is_empty(),
            edits,
            slots,
            checksum: parts.checksum,
        };
        client.avatar = avatar;
        self.writer.clear();
        header.write(&mut self.writer);
        if private_due {
            self.write_private(capture, client, &private, reset);
        }
        if !events.is_empty() {
            self.write_events(events, tick);
        }
        // Slots come after leaves and before enters in the roster, and after both in the frame.
        if edits {
            self.write_edits(capture, world, client.roster.slots().len());
        }
        match slots {
            Slots::None | Slots::Reset => {}
            Slots::Stream => self.write_stream(capture, &client.roster, &mut counts),
            Slots::Resync => self.write_resync(capture, client, held.unwrap_or(0), &mut counts),
        }
        self.entering.drain(..).for_each(|slot| client.roster.enter(slot));
        if parts.checksum {
            self.writer.bits(checksum(capture, client), 32);
        }
        client.frame_at = tick;
        (Some(self.writer.take_bytes()), counts)
    }

    /// Leaves are carried out; enters are only collected, since the frame's slots are those that stay.
    fn edit_roster(&mut self, eye: &Eye<'_>, client: &mut Packed) {
        let (capture, viewpoint) = (eye.capture, &eye.seen.viewpoint);
        self.leaves.clear();
        self.entering.clear();
        let tick = capture.tick();
        let viewpoint = Some((viewpoint.avatar, viewpoint.team));
        let due = client.stream.is_none()
            || capture.last_edit() >= client.interest_at
            || tick.wrapping_sub(client.interest_at) >= INTEREST_TICKS
            || client.viewpoint != viewpoint;
        if due {
            (client.interest_at, client.viewpoint) = (tick, viewpoint);
            self.interest.leaves(eye, &mut client.roster, &mut self.leaves);
            self.entering.extend(self.interest.enters(eye, &client.roster));
        }
    }

    fn write_private(&mut self, capture: &Capture, client: &mut Packed, state: &[i32], reset: bool) {
        let plan = capture.plan();
        let step = if reset { Step::Cut } else { Step::Moved };
        let window = Window::new(&client.private, plan.stride);
        let mut coder = Coder { tables: capture.tables(), out: &mut self.writer };
        update::write(&plan.private, View::Owner, step, window, state, &mut coder);
        update::shift(&mut client.private, plan.stride, step, &state[..plan.stride]);
    }

    fn write_events(&mut self, events: &[QueuedEvent], tick: u64) {
        frame::write_count(events.len(), &mut self.writer);
        for event in events {
            self.writer.golomb((tick - event.tick) as u32, 0);
            frame::write_blob(&event.bytes, &mut self.writer);
        }
    }

    fn write_edits<P: Protocol>(&mut self, capture: &Capture, world: &World<P>, staying: usize) {
        let Self { writer, leaves, entering, .. } = self;
        frame::write_count(leaves.len(), writer);
        for (done, index) in leaves.iter().enumerate() {
            frame::write_leave(*index, staying + leaves.len() - done, writer);
        }
        frame::write_count(entering.len(), writer);
        for slot in entering {
            let row = capture.row(slot.row);
            Enter { id: slot.id, kind: row.kind, view: slot.view }.write(writer);
            let plan = capture.plan();
            record::write(
                plan.kind(row.kind),
                slot.view,
                plan.stride,
                capture.window(slot.row),
                &mut Coder { tables: capture.tables(), out: writer },
            );
            frame::write_blob(&spawn_blob(world, row.key), writer);
        }
    }

    /// Moving slots first, then the resting ones in groups.
    fn write_stream(&mut self, capture: &Capture, roster: &Roster, counts: &mut PackCounts) {
        let slots = roster.slots();
        self.resting.resize(slots.len(), Update::STILL);
        let (mut resting, mut bits) = (0, 0);
        for slot in slots {
            let update = update_of(capture, slot);
            bits += capture.splice_moving(update, &mut self.writer);
            self.resting[resting] = *update;
            resting += usize::from(update.due != Due::Moves);
        }
        self.resting.truncate(resting);
        counts.updates += (slots.len() - resting) as u64;
        counts.update_bits += bits as u64;
        for group in self.resting.chunks(STILL_GROUP) {
            let still = group.iter().all(|update| update.due == Due::Still);
            self.writer.bit(still);
            if still {
                continue;
            }
            for update in group {
                self.writer.bit(update.due == Due::Still);
                if update.due == Due::Awakes {
                    counts.update_bits += capture.splice(update, &mut self.writer) as u64;
                    counts.updates += 1;
                }
            }
        }
    }

    fn write_resync(&mut self, capture: &Capture, client: &Packed, held: u64, counts: &mut PackCounts) {
        let plan = capture.plan();
        let stride = plan.stride;
        self.held.resize(stride * HISTORY, 0);
        let ticks = (capture.tick() - client.frame_at) as u32;
        for slot in client.roster.slots() {
            let unchanged = capture.unchanged_since(slot.row, slot.view, held);
            self.writer.bit(unchanged);
            if unchanged {
                continue;
            }
            let (kind, view) = (plan.kind(capture.row(slot.row).kind), slot.view);
            let in_ring = capture.past_window(slot.row, held, &mut self.held);
            self.writer.bit(in_ring);
            let mut coder = Coder { tables: capture.tables(), out: &mut self.writer };
            if in_ring {
                let gap = Gap { kind, view, stride, ticks };
                let held = Window::new(&self.held, stride);
                record::write_gap(&gap, held, capture.window(slot.row), &mut coder);
            } else {
                record::write(kind, view, stride, capture.window(slot.row), &mut coder);
            }
            counts.updates += 1;
        }
    }
}

fn update_of<'a>(capture: &'a Capture, slot: &RosterSlot) -> &'a Update {
    &capture.updates(slot.view)[slot.row as usize]
}

/// The checksum of what the client holds once it has applied the frame.
fn checksum(capture: &Capture, client: &Packed) -> u32 {
    let plan = capture.plan();
    let mut sum = Checksum::default();
    for slot in client.roster.slots() {
        sum.slot(plan.kind(capture.row(slot.row).kind), slot.id, slot.view, capture.window(slot.row));
    }
    sum.columns(&client.private[..plan.private.columns]);
    sum.finish()
}
