//! The quantized states of all entities from tick to tick: what is gone, what changed, what is new, and a hash of it
//! all. Both who records and who replays keep one; nothing that is read is believed.

use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{Plan, ReplicateKinds};
use tickwire_shared::{KindId, NetId, Protocol};

use crate::simulation::World;

const _: () = assert!(COLUMNS_MAX <= 32, "a mask of changed columns has 32 bits");

/// What a tick left behind, in the order of the world.
#[derive(Clone, Debug)]
pub(super) struct States {
    plan: Plan,
    known: Vec<(NetId, KindId)>,
    /// `plan.stride` for each.
    columns: Vec<i32>,
}

/// FNV-1a over words.
#[derive(Clone, Copy, Debug)]
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn word(&mut self, word: u32) {
        self.0 = (self.0 ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01B3);
    }

    fn entity(&mut self, (id, kind): (NetId, KindId), columns: &[i32]) {
        self.word(id.0);
        self.word(u32::from(kind.0));
        columns.iter().for_each(|column| self.word(*column as u32));
    }
}

/// Of a world that no table is kept of.
pub(in crate::host) fn hash_of<P: Protocol>(plan: &Plan, world: &World<P>) -> u64 {
    let mut digest = Digest::new();
    let mut columns = [0; COLUMNS_MAX];
    for (_, entity) in world.iter() {
        let kind = entity.state.kind();
        entity.state.capture(&mut columns);
        digest.entity((entity.id, kind), &columns[..plan.kind(kind).columns]);
    }
    digest.0
}

impl States {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, known: Vec::new(), columns: Vec::new() }
    }

    pub(super) fn of<P: Protocol>(plan: Plan, world: &World<P>) -> Self {
        let mut states = Self::new(plan);
        states.note(world);
        states
    }

    /// Entities in the order of the world.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NetId, KindId, &[i32])> {
        let stride = self.plan.stride;
        self.known.iter().enumerate().map(move |(index, (id, kind))| {
            let columns = self.plan.kind(*kind).columns;
            (*id, *kind, &self.columns[index * stride..][..columns])
        })
    }

    pub(super) fn hash(&self) -> u64 {
        let mut digest = Digest::new();
        self.iter().for_each(|(id, kind, columns)| digest.entity((id, kind), columns));
        digest.0
    }

    /// Takes in the world: its hash, and what changed since the last one.
    pub(super) fn note<P: Protocol>(&mut self, world: &World<P>) -> (u64, Vec<u8>) {
        let stride = self.plan.stride;
        let (mut digest, mut fresh) = (Digest::new(), Vec::new());
        let (mut gone, mut changed, mut births) = (Part::default(), Part::default(), Part::default());
        let (mut read, mut kept) = (0, 0);
        let mut columns = [0; COLUMNS_MAX];
        for (_, entity) in world.iter() {
            let kind = entity.state.kind();
            let name = (entity.id, kind);
            entity.state.capture(&mut columns);
            let state = &columns[..self.plan.kind(kind).columns];
            digest.entity(name, state);
            // A world keeps its order, and what is new stands at its end.
            while read < self.known.len() && self.known[read] != name {
                gone.add(|out| put(out, kept as u64));
                read += 1;
            }
            if read == self.known.len() {
                births.add(|out| put_birth(out, name, state));
                fresh.push((name, columns));
                continue;
            }
            if read != kept {
                self.known[kept] = name;
                self.columns.copy_within(read * stride..(read + 1) * stride, kept * stride);
            }
            let old = &mut self.columns[kept * stride..][..state.len()];
            if old != state {
                changed.add_at(kept, |out| put_change(out, old, state));
                old.copy_from_slice(state);
            }
            (read, kept) = (read + 1, kept + 1);
        }
        (read..self.known.len()).for_each(|_| gone.add(|out| put(out, kept as u64)));
        self.known.truncate(kept);
        self.columns.truncate(kept * stride);
        for (name, columns) in fresh {
            self.known.push(name);
            self.columns.extend_from_slice(&columns[..stride]);
        }
        let mut out = Vec::with_capacity(gone.bytes.len() + changed.bytes.len() + births.bytes.len() + 12);
        [gone, changed, births].iter().for_each(|part| part.write(&mut out));
        (digest.0, out)
    }

    /// Follows what [`Self::note`] wrote; `None` when it cannot be that.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Option<()> {
        let (bytes, stride) = (&mut bytes, self.plan.stride);
        for _ in 0..take(bytes)? {
            // Each is named by its place after those before it are gone.
            let place = usize::try_from(take(bytes)?).ok().filter(|place| *place < self.known.len())?;
            self.known.remove(place);
            self.columns.drain(place * stride..(place + 1) * stride);
        }
        let mut next = 0;
        for _ in 0..take(bytes)? {
            let place = usize::try_from(take(bytes)?).ok()?.checked_add(next)?;
            let (_, kind) = *self.known.get(place)?;
            let state = &mut self.columns[place * stride..][..self.plan.kind(kind).columns];
            take_change(bytes, state)?;
            next = place + 1;
        }
        for _ in 0..take(bytes)? {
            let id = NetId(u32::try_from(take(bytes)?).ok()?);
            let kind = KindId(take(bytes)?.try_into().ok()?);
            let count = self.plan.kinds.get(usize::from(kind.0))?.columns;
            let mut columns = [0; COLUMNS_MAX];
            for column in &mut columns[..count] {
                *column = take_signed(bytes)?;
            }
            self.known.push((id, kind));
            self.columns.extend_from_slice(&columns[..stride]);
        }
        bytes.is_empty().then_some(())
    }
}

/// Records of one sort, and how many.
#[derive(Default)]
struct Part {
    count: u64,
    next: usize,
    bytes: Vec<u8>,
}

impl Part {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.count += 1;
        write(&mut self.bytes);
    }

    fn add_at(&mut self, place: usize, write: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.bytes, (place - self.next) as u64);
        self.next = place + 1;
        self.add(write);
    }

    fn write(&self, out: &mut Vec<u8>) {
        put(out, self.count);
        out.extend_from_slice(&self.bytes);
    }
}

fn put_birth(out: &mut Vec<u8>, (id, kind): (NetId, KindId), state: &[i32]) {
    put(out, u64::from(id.0));
    put(out, u64::from(kind.0));
    state.iter().for_each(|column| put_signed(out, *column));
}

fn put_change(out: &mut Vec<u8>, old: &[i32], new: &[i32]) {
    let pairs = || old.iter().zip(new);
    let mask = pairs().rev().fold(0_u64, |mask, (old, new)| mask << 1 | u64::from(old != new));
    put(out, mask);
    let moved = pairs().filter(|(old, new)| old != new);
    moved.for_each(|(old, new)| put_signed(out, new.wrapping_sub(*old)));
}

fn take_change(bytes: &mut &[u8], state: &mut [i32]) -> Option<()> {
    let mask = take(bytes)?;
    if mask >> state.len() != 0 {
        return None;
    }
    for (index, column) in state.iter_mut().enumerate() {
        if mask >> index & 1 == 1 {
            *column = column.wrapping_add(take_signed(bytes)?);
        }
    }
    Some(())
}

/// Seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub(super) fn put_signed(out: &mut Vec<u8>, value: i32) {
    put(out, u64::from((value << 1 ^ value >> 31) as u32));
}

pub(super) fn take_signed(bytes: &mut &[u8]) -> Option<i32> {
    let value = u32::try_from(take(bytes)?).ok()?;
    Some((value >> 1) as i32 ^ -((value & 1) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut bytes = Vec::new();
        let all = [0, 1, -1, 63, -64, 64, i32::MAX, i32::MIN];
        all.iter().for_each(|value| put_signed(&mut bytes, *value));
        let mut rest = bytes.as_slice();
        assert_eq!(all.map(|_| take_signed(&mut rest)), all.map(Some));
        assert!(rest.is_empty() && take(&mut rest).is_none());
        assert!(take(&mut [0xFF; 12].as_slice()).is_none(), "longer than any number");
    }
}
