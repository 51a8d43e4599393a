//! A client as the document has it: it reads a frame from its first bit to its last, writes the same again, and applies
//! it on its own.

use tickwire_shared::schema::{Schema, View};

use super::cadence::{Cadences, Gap};
use super::checksum::checksum;
use super::codes::Codes;
use super::edits::{Before, Blob, Edits, edits, events};
use super::slots::{Brought, caught_up, stream};
use super::tape::{Refused, Tape};
use super::update::{Next, Seen, State, Window, update};

/// One entity in the roster.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its id.
    pub id: i64,
    /// How much of it is seen.
    pub view: View,
    /// Its kind, as that.
    pub seen: Seen,
    /// How often it is told of.
    pub tier: usize,
    /// While it is parked: tick of the frame before it was.
    pub parked: Option<i64>,
    /// Its last four states.
    pub window: Window,
}

/// What may be said of the slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// Updates of those that are due; `None` stays at rest.
    Stream(Vec<Option<Next>>),
    /// Windows of those that were due; `None` is as it was.
    Resync(Vec<Option<Brought>>),
    /// Everything before is forgotten.
    Reset,
}

/// A whole frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Low 16 bits of its tick.
    pub tick: i64,
    /// Sequence number, time held, margin as eight bits.
    pub ack: Option<[i64; 3]>,
    /// The avatar, where it is another.
    pub avatar: Option<Option<i64>>,
    /// The private state.
    pub private: Option<Next>,
    /// Events with their ages.
    pub events: Option<Vec<(i64, Blob)>>,
    /// Leaves, moves, enters.
    pub edits: Option<Edits>,
    /// The slots.
    pub slots: Told,
    /// The checksum.
    pub checksum: Option<i64>,
}

/// The tag of a frame.
const TAG: i64 = 1;

/// A client, and what it holds.
#[derive(Clone, Debug)]
pub struct Client {
    schema: Schema,
    codes: Codes,
    /// Other codes, and the tick of the first frame that is coded with them.
    next: Option<(i64, Codes)>,
    cadences: Cadences,
    /// Of the last frame.
    pub tick: i64,
    /// Whom it plays.
    pub avatar: Option<i64>,
    /// The roster.
    pub slots: Vec<Slot>,
    /// The last four private states.
    pub private: Window,
}

impl Client {
    /// As Welcome leaves it.
    #[must_use]
    pub fn new(schema: Schema, codes: Codes, cadences: Cadences, tick: i64, avatar: Option<i64>) -> Self {
        let private = [0; 4].map(|_| vec![0; schema.private.columns()]);
        Self { schema, codes, next: None, cadences, tick, avatar, slots: Vec::new(), private }
    }

    /// Other codes are used from the frame of a tick on.
    pub fn announced(&mut self, from: i64, codes: Codes) {
        self.next = Some((from, codes));
    }

    /// Reads a frame, writes it again, and applies it.
    ///
    /// # Errors
    /// [`Refused`] when the bytes are no frame.
    ///
    /// # Panics
    /// When what was written is not what was read, or the checksum is another.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Frame, Refused> {
        let (mut tape, mut again) = (Tape::reading(bytes, 0), Tape::writing());
        let frame = self.frame(&mut tape, &Frame::default())?;
        assert_eq!(self.frame(&mut again, &frame), Ok(frame.clone()));
        assert_eq!(again.bits(), &tape.bits()[..tape.position()]);
        let rest = &tape.bits()[tape.position()..];
        assert!(rest.len() < 8 && rest.iter().all(|bit| !bit), "{} bits are left", rest.len());
        self.apply(&frame);
        if let Some(told) = frame.checksum {
            assert_eq!(told, i64::from(checksum(&self.slots, &self.private[0])), "the checksum");
        }
        Ok(frame)
    }

    /// The tick that a frame is of: the nearest with these low bits.
    fn tick_of(&self, low: i64) -> i64 {
        self.tick + ((low - self.tick + (1 << 15)).rem_euclid(1 << 16) - (1 << 15))
    }

    fn codes_at(&self, tick: i64) -> &Codes {
        match &self.next {
            Some((from, codes)) if tick >= *from => codes,
            _ => &self.codes,
        }
    }

    /// A frame. `told` is ignored when the tape is read.
    fn frame(&self, tape: &mut Tape, told: &Frame) -> Result<Frame, Refused> {
        let mut read = Frame::default();
        if tape.number(TAG, 8)? != TAG {
            return Err(Refused);
        }
        let flags = tape.number(flags_of(told), 8)?;
        read.tick = tape.number(told.tick, 16)?;
        let now = self.tick_of(read.tick);
        if flags & 1 != 0 {
            let [seq, held, margin] = told.ack.unwrap_or_default();
            read.ack = Some([tape.number(seq, 16)?, tape.number(held, 16)?, tape.number(margin, 8)?]);
        }
        if flags & 2 != 0 {
            let avatar = told.avatar.unwrap_or_default();
            let is_any = tape.bit(avatar.is_some())?;
            read.avatar = Some(if is_any { Some(tape.number(avatar.unwrap_or(0), 32)?) } else { None });
        }
        let is_reset = flags & 96 == 96;
        let empty = [0; 4].map(|_| vec![0; self.schema.private.columns()]);
        let (slots, private): (&[Slot], _) =
            if is_reset { (&[], &empty) } else { (&self.slots, &self.private) };
        if flags & 4 != 0 {
            let seen = Seen::new(&self.schema.private, View::Owner);
            let next = told.private.clone().unwrap_or(Next::Moved(empty[0].clone()));
            read.private = Some(update(tape, self.codes_at(now), &seen, private, &next)?);
        }
        if flags & 8 != 0 {
            read.events = Some(events(tape, told.events.as_deref().unwrap_or_default())?);
        }
        if flags & 16 != 0 {
            let (codes, Self { schema, cadences, .. }) = (self.codes_at(now), self);
            let before = Before { codes, schema, cadences, slots, ticks: (self.tick, now) };
            read.edits = Some(edits(tape, &before, &told.edits.clone().unwrap_or_default())?);
        }
        let edits = read.edits.clone().unwrap_or_default();
        read.slots = match flags & 96 {
            0 => Told::Nothing,
            32 => self.stream(tape, &edits, now, &told.slots)?,
            64 => self.resync(tape, &edits, now, &told.slots)?,
            _ => Told::Reset,
        };
        if flags & 128 != 0 {
            read.checksum = Some(tape.number(told.checksum.unwrap_or(0), 32)?);
        }
        Ok(read)
    }

    /// The indices, after the leaves, of those that neither moved nor are parked.
    fn followed(&self, edits: &Edits) -> (Vec<Slot>, Vec<usize>) {
        let mut slots = self.slots.clone();
        edits.leaves.iter().for_each(|index| drop(slots.swap_remove(*index)));
        let followed = |index: &usize| {
            slots[*index].parked.is_none() && !edits.moves.iter().any(|moved| moved.index == *index)
        };
        let indices = (0..slots.len()).filter(followed).collect();
        (slots, indices)
    }

    /// Those of them that are due now.
    fn due(&self, edits: &Edits, now: i64) -> (Vec<Slot>, Vec<usize>) {
        let (slots, mut indices) = self.followed(edits);
        indices.retain(|index| self.cadences.is_due(slots[*index].tier, slots[*index].id, now));
        (slots, indices)
    }

    /// Those of them that were due since the last frame.
    fn missed(&self, edits: &Edits, now: i64) -> (Vec<Slot>, Vec<(usize, Gap)>) {
        let (slots, indices) = self.followed(edits);
        let missed = indices
            .into_iter()
            .filter_map(|index| {
                let Slot { id, tier, .. } = slots[index];
                Some((index, self.cadences.gap(id, (tier, self.tick), (tier, now))?))
            })
            .collect();
        (slots, missed)
    }

    fn stream(&self, tape: &mut Tape, edits: &Edits, now: i64, told: &Told) -> Result<Told, Refused> {
        let (slots, due) = self.due(edits, now);
        let held: Vec<_> =
            due.iter().map(|index| (slots[*index].seen.clone(), slots[*index].window.clone())).collect();
        let nothing = vec![None; held.len()];
        let nexts = if let Told::Stream(nexts) = told { nexts } else { &nothing };
        stream(tape, self.codes_at(now), &held, nexts).map(Told::Stream)
    }

    fn resync(&self, tape: &mut Tape, edits: &Edits, now: i64, told: &Told) -> Result<Told, Refused> {
        let (slots, missed) = self.missed(edits, now);
        let held: Vec<_> = missed
            .into_iter()
            .map(|(index, gap)| (slots[index].seen.clone(), slots[index].window.clone(), gap))
            .collect();
        let nothing = vec![None; held.len()];
        let told = if let Told::Resync(told) = told { told } else { &nothing };
        caught_up(tape, self.codes_at(now), &held, told).map(Told::Resync)
    }

    fn apply(&mut self, frame: &Frame) {
        let now = self.tick_of(frame.tick);
        let edits = frame.edits.clone().unwrap_or_default();
        if frame.slots == Told::Reset {
            self.slots.clear();
            self.private.iter_mut().for_each(|state| state.fill(0));
        }
        let (due, missed) = (self.due(&edits, now).1, self.missed(&edits, now).1);
        edits.leaves.iter().for_each(|index| drop(self.slots.swap_remove(*index)));
        match &frame.slots {
            Told::Nothing | Told::Reset => {}
            Told::Stream(nexts) => {
                for (index, next) in due.into_iter().zip(nexts) {
                    next.iter().for_each(|next| go_on(&mut self.slots[index].window, next));
                }
            }
            Told::Resync(told) => {
                for ((index, _), told) in missed.into_iter().zip(told) {
                    told.iter().for_each(|told| self.slots[index].window.clone_from(told.window()));
                }
            }
        }
        for moved in &edits.moves {
            let slot = &mut self.slots[moved.index];
            if let Some((tier, brought)) = &moved.to {
                (slot.tier, slot.parked) = (*tier, None);
                slot.window.clone_from(brought.window());
            } else {
                slot.parked = Some(self.tick);
            }
        }
        for enter in edits.enters {
            self.slots.push(Slot {
                id: enter.id,
                view: enter.view,
                seen: Seen::new(&self.schema.kinds[enter.kind], enter.view),
                tier: enter.tier,
                parked: None,
                window: enter.window,
            });
        }
        frame.private.iter().for_each(|next| go_on(&mut self.private, next));
        self.avatar = frame.avatar.unwrap_or(self.avatar);
        self.tick = now;
    }
}

fn flags_of(frame: &Frame) -> i64 {
    let slots = match frame.slots {
        Told::Nothing => 0,
        Told::Stream(_) => 32,
        Told::Resync(_) => 64,
        Told::Reset => 96,
    };
    i64::from(frame.ack.is_some())
        + 2 * i64::from(frame.avatar.is_some())
        + 4 * i64::from(frame.private.is_some())
        + 8 * i64::from(frame.events.is_some())
        + 16 * i64::from(frame.edits.is_some())
        + slots
        + 128 * i64::from(frame.checksum.is_some())
}

/// One more state.
fn go_on(window: &mut Window, next: &Next) {
    let shifted = |window: &mut Window, state: &State| {
        window.rotate_right(1);
        window[0].clone_from(state);
    };
    match next {
        Next::Moved(state) => shifted(window, state),
        Next::Cut(state) => window.fill(state.clone()),
    }
}
