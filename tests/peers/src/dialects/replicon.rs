//! bevy_replicon over aeronet: aeronet's packets (sequence numbers, acknowledgements, fragments) inside WebSocket messages,
//! replicon's messages inside these. Knows the components of `replicon/src/main.rs` and nothing else. Whether it is right
//! shows in the comparison with the truth.
//!
//! It sends one packet as soon as a tick's packets are there, which acknowledges them all, and one with each input: about
//! what a client sends that draws 60 pictures a second.

use std::collections::HashMap;

use peers_scene::{Input, Seen};
use tickwire_shared::Micros;

use super::{Dialect, Out, Seat};
use crate::socket::Kind;
use crate::truth::View;

/// replicon's channels, which are aeronet's lanes.
const UPDATES: u32 = 0;
const MUTATIONS: u32 = 1;
const ACKS: u8 = 0;
const INPUTS: u8 = 1;
/// What an update message has, in this order; all but the last behind their counts.
const DESPAWNS: u8 = 2;
const CHANGES: u8 = 8;

/// One client.
pub struct Replicon {
    seat: Seat,
    transport: Transport,
    acks: Vec<u8>,
    /// Of the newest mutations.
    tick: u32,
    entities: HashMap<u32, Known>,
    view: View,
    /// As it was when its tick was complete.
    complete: View,
}

/// What is known of an entity by replicon's id.
#[derive(Clone, Copy, Default)]
struct Known {
    id: Option<usize>,
    seen: Seen,
}

/// Of one message, by position.
type Fragments = Vec<(u32, Vec<u8>)>;

/// aeronet's end of it.
#[derive(Default)]
struct Transport {
    next_packet: u16,
    last_received: u16,
    received_bits: u32,
    is_ack_due: bool,
    next_messages: [u16; 2],
    fragments: HashMap<(u32, u16), Fragments>,
    /// Reliable messages that have been read, modulo 2^16: what is sent again is not read again.
    read: HashMap<u16, u16>,
}

impl Replicon {
    /// A client that knows nothing.
    #[must_use]
    pub fn new(seat: Seat) -> Self {
        let transport = Transport { last_received: u16::MAX, ..Transport::default() };
        let (view, complete) = (seat.view(), seat.view());
        Self { seat, transport, acks: Vec::new(), tick: 0, entities: HashMap::new(), view, complete }
    }

    fn send(&mut self, input: Option<Input>, out: &mut Out) {
        let mut packet = self.transport.header();
        if !self.acks.is_empty() {
            let acks = std::mem::take(&mut self.acks);
            self.transport.put(ACKS, &acks, &mut packet);
        }
        if let Some(Input { walk, aim, fire }) = input {
            let mut held = Vec::new();
            put_varint(self.seat.player as u32, &mut held);
            held.extend(walk.map(|stick| stick as u8));
            put_varint(u32::from(aim), &mut held);
            held.push(u8::from(fire));
            self.transport.put(INPUTS, &held, &mut packet);
        }
        out.push((Kind::Binary, packet));
    }

    /// Says whether it is the first message of a tick.
    fn read_update(&mut self, message: &[u8]) -> Result<bool, String> {
        let mut reader = Reader(message);
        let flags = reader.byte()?;
        let tick = reader.varint()?;
        let is_new = self.begin(tick);
        if flags & !(DESPAWNS | CHANGES) != 0 {
            return Err(format!("an update with {flags}"));
        }
        if flags & DESPAWNS != 0 {
            let count = if flags & CHANGES != 0 { reader.varint()? } else { u32::MAX };
            for _ in 0..count {
                if reader.0.is_empty() {
                    break;
                }
                let entity = reader.entity()?;
                let gone = self.entities.remove(&entity).and_then(|known| known.id);
                if let Some(id) = gone {
                    self.view.entities[id] = None;
                }
            }
        }
        self.read_components(reader)?;
        Ok(is_new)
    }

    /// A message of this tick: if it is the first one, all that there was of the last one is complete.
    fn begin(&mut self, tick: u32) -> bool {
        let is_new = tick > self.tick;
        if is_new {
            if self.seat.decodes {
                self.view.tick = self.tick;
                self.complete.clone_from(&self.view);
            }
            self.tick = tick;
        }
        is_new
    }

    /// Says whether it is the first message of a tick.
    fn read_mutations(&mut self, message: &[u8]) -> Result<bool, String> {
        let mut reader = Reader(message);
        let _update_tick = reader.varint()?;
        let tick = reader.varint()?;
        self.acks.extend(reader.take(2)?);
        let is_new = self.begin(tick);
        if self.seat.decodes && tick == self.tick {
            self.read_components(reader)?;
        }
        Ok(is_new)
    }

    fn read_components(&mut self, mut reader: Reader<'_>) -> Result<(), String> {
        while self.seat.decodes && !reader.0.is_empty() {
            let entity = reader.entity()?;
            let length = reader.varint()? as usize;
            let mut components = Reader(reader.take(length)?);
            let known = self.entities.entry(entity).or_default();
            while !components.0.is_empty() {
                match components.varint()? {
                    0 => known.id = Some(components.varint()? as usize),
                    1 => {
                        (known.seen.x, known.seen.y) =
                            (components.varint()? as i32, components.varint()? as i32);
                    }
                    2 => known.seen.heading = components.varint()? as i32,
                    3 => {
                        (known.seen.hp, known.seen.state) =
                            (i32::from(components.byte()?), i32::from(components.byte()?));
                    }
                    other => return Err(format!("component {other}")),
                }
            }
            if let Some(id) = known.id {
                self.view.entities[id] = Some(known.seen);
            }
        }
        Ok(())
    }
}

impl Dialect for Replicon {
    fn greet(&mut self, out: &mut Out, _now: Micros) {
        self.send(Some(Input::default()), out);
    }

    fn handle(&mut self, message: &[u8], _out: &mut Out, _now: Micros) -> Result<bool, String> {
        let mut is_update = false;
        for (lane, message) in self.transport.receive(message)? {
            match lane {
                UPDATES => is_update |= self.read_update(&message)?,
                MUTATIONS => is_update |= self.read_mutations(&message)?,
                other => return Err(format!("lane {other}")),
            }
        }
        Ok(is_update)
    }

    fn input(&mut self, input: Input, out: &mut Out, _now: Micros) {
        self.send(Some(input), out);
    }

    fn poll(&mut self, out: &mut Out, _now: Micros) {
        if self.transport.is_ack_due {
            self.send(None, out);
        }
    }

    fn own(&self) -> Option<Seen> {
        self.view.entities[self.seat.avatar()]
    }

    fn view(&mut self) -> Option<&View> {
        (self.seat.decodes && self.complete.tick > 0).then_some(&self.complete)
    }
}

impl Transport {
    fn header(&mut self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(64);
        packet.extend(self.next_packet.to_be_bytes());
        packet.extend(self.last_received.to_be_bytes());
        packet.extend(self.received_bits.to_be_bytes());
        self.next_packet = self.next_packet.wrapping_add(1);
        self.is_ack_due = false;
        packet
    }

    /// A message of one fragment.
    fn put(&mut self, lane: u8, message: &[u8], packet: &mut Vec<u8>) {
        let next = &mut self.next_messages[usize::from(lane)];
        packet.extend(next.to_be_bytes());
        *next = next.wrapping_add(1);
        // The lane, and that it is the first fragment and the last.
        packet.extend([lane, 1]);
        put_varint(message.len() as u32, packet);
        packet.extend(message);
    }

    /// The messages that are complete with this packet, by lane.
    fn receive(&mut self, packet: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, String> {
        let mut reader = Reader(packet);
        let sequence = reader.word()?;
        reader.take(6)?;
        self.acknowledge(sequence);
        let mut messages = Vec::new();
        while !reader.0.is_empty() {
            let number = reader.word()?;
            let (lane, position, length) = (reader.varint()?, reader.varint()?, reader.varint()?);
            let payload = reader.take(length as usize)?;
            if lane == UPDATES && self.read.contains_key(&number) {
                continue;
            }
            let fragments = self.fragments.entry((lane, number)).or_default();
            if fragments.iter().all(|(other, _)| *other != position) {
                fragments.push((position, payload.to_vec()));
            }
            let last =
                fragments.iter().find(|(position, _)| position % 2 == 1).map(|(position, _)| position / 2);
            if last.is_some_and(|last| fragments.len() == last as usize + 1) {
                let mut fragments = self.fragments.remove(&(lane, number)).unwrap_or_default();
                fragments.sort_unstable_by_key(|(position, _)| *position);
                messages.push((lane, fragments.into_iter().flat_map(|(_, payload)| payload).collect()));
                if lane == UPDATES {
                    self.read.insert(number, number);
                    self.read.retain(|_, read| number.wrapping_sub(*read) < 1 << 15);
                }
            }
        }
        Ok(messages)
    }

    /// As aeronet does it: the newest packet, and which of the 32 up to it have come.
    fn acknowledge(&mut self, sequence: u16) {
        self.is_ack_due = true;
        let ahead = sequence.wrapping_sub(self.last_received) as i16;
        if ahead > 0 {
            self.received_bits = self.received_bits.checked_shl(ahead as u32).unwrap_or_default() | 1;
            self.last_received = sequence;
        } else {
            self.received_bits |= 1_u32.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or_default();
        }
    }
}

fn put_varint(mut value: u32, into: &mut Vec<u8>) {
    while value > 127 {
        into.push(value as u8 | 128);
        value >>= 7;
    }
    into.push(value as u8);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("too short")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u16, String> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn varint(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return u32::try_from(value).map_err(|_| "too large a number".to_owned());
            }
        }
        Err("too long a number".to_owned())
    }

    /// Its index; the generations of the scene's entities never change.
    fn entity(&mut self) -> Result<u32, String> {
        let index = self.varint()?;
        if index & 1 != 0 {
            self.varint()?;
        }
        Ok(index >> 1)
    }
}
