//! Colyseus 0.18: its room protocol, and a decoder for `@colyseus/schema` 5 that knows the two schemas of
//! `node/colyseus.mjs` and nothing else. Whether it is right shows in the comparison with the truth.

use std::collections::HashMap;

use peers_scene::{Input, Seen};
use tickwire_shared::Micros;

use super::{Dialect, Out, Seat};
use crate::socket::Kind;
use crate::truth::View;

/// The room is open; the client answers with the same.
pub const JOIN_ROOM: u8 = 10;
/// What a client says, as bytes.
pub const ROOM_DATA_BYTES: u8 = 17;
const ERROR: u8 = 11;
const ROOM_STATE: u8 = 14;
const ROOM_STATE_PATCH: u8 = 15;

/// Bytes of the schema's encoding.
const SWITCH_TO_STRUCTURE: u8 = 255;
const TYPE_ID: u8 = 213;
const ADD: u8 = 128;
const DELETE: u8 = 64;
const CLEAR: u8 = 10;

/// What a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// The room's state.
    Root,
    /// Its map of entities.
    Entities,
    /// One of these, by its key.
    Entity(usize),
}

/// What a field's value may be.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    /// One byte.
    Byte,
    /// Two bytes.
    Word,
}

/// The references of one client's state, and how to read it.
pub struct Decoder {
    fields: &'static [Field],
    references: HashMap<u32, Structure>,
    /// Of the map: index to key.
    keys: HashMap<u32, usize>,
}

/// What a state or a patch says, in order.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// It is of this tick.
    Tick(u32),
    /// A field of an entity.
    Field {
        /// Its key in the map.
        entity: usize,
        /// Its place in the schema.
        field: usize,
        /// As it is on the wire.
        value: u32,
    },
    /// It is not in view any more.
    Gone(usize),
}

impl Decoder {
    /// For entities of these fields.
    #[must_use]
    pub fn new(fields: &'static [Field]) -> Self {
        Self { fields, references: HashMap::from([(0, Structure::Root)]), keys: HashMap::new() }
    }

    /// Reads a state or a patch.
    ///
    /// # Errors
    /// When it is none of this schema.
    pub fn read(&mut self, bytes: &[u8], mut tell: impl FnMut(Change)) -> Result<(), String> {
        let mut reader = Reader(bytes);
        let mut at = Structure::Root;
        while let Some(first) = reader.peek() {
            if first == SWITCH_TO_STRUCTURE {
                reader.byte()?;
                let reference = reader.number()?;
                let found = self.references.get(&reference);
                at = *found.ok_or_else(|| format!("reference {reference} is not known"))?;
                continue;
            }
            let operation = reader.byte()?;
            match at {
                Structure::Root => self.read_root(operation, &mut reader, &mut tell)?,
                Structure::Entities => self.read_map(operation, &mut reader, &mut tell)?,
                Structure::Entity(entity) => {
                    let field = usize::from(operation & 63);
                    let value = match self.fields.get(field) {
                        Some(Field::Byte) => u32::from(reader.byte()?),
                        Some(Field::Word) => u32::from(u16::from_le_bytes(reader.bytes()?)),
                        None => return Err(format!("operation {operation} on an entity")),
                    };
                    tell(Change::Field { entity, field, value });
                }
            }
        }
        Ok(())
    }

    fn read_root(
        &mut self,
        operation: u8,
        reader: &mut Reader<'_>,
        tell: &mut impl FnMut(Change),
    ) -> Result<(), String> {
        match operation & 63 {
            0 => tell(Change::Tick(u32::from_le_bytes(reader.bytes()?))),
            1 => {
                let reference = reader.number()?;
                self.references.insert(reference, Structure::Entities);
            }
            field => return Err(format!("field {field} of the state")),
        }
        Ok(())
    }

    fn read_map(
        &mut self,
        operation: u8,
        reader: &mut Reader<'_>,
        tell: &mut impl FnMut(Change),
    ) -> Result<(), String> {
        if operation == CLEAR {
            return Err("the map is never cleared".to_owned());
        }
        let index = reader.number()?;
        if operation & ADD == ADD {
            let key = reader.string()?;
            let key: usize = key.parse().map_err(|_| format!("key {key}"))?;
            self.keys.insert(index, key);
        }
        let key = *self.keys.get(&index).ok_or_else(|| format!("index {index} has no key"))?;
        if operation & DELETE == DELETE {
            tell(Change::Gone(key));
        }
        if operation != DELETE {
            let reference = reader.number()?;
            if reader.peek() == Some(TYPE_ID) {
                reader.byte()?;
                reader.number()?;
            }
            self.references.insert(reference, Structure::Entity(key));
        }
        Ok(())
    }
}

/// The schema's primitives, which are msgpack's.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.bytes::<1>()?[0])
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or("too short")?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn number(&mut self) -> Result<u32, String> {
        match self.byte()? {
            small @ 0..128 => Ok(u32::from(small)),
            0xcc => self.byte().map(u32::from),
            0xcd => self.bytes().map(u16::from_le_bytes).map(u32::from),
            0xce => self.bytes().map(u32::from_le_bytes),
            other => Err(format!("number of kind {other}")),
        }
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let length = match self.byte()? {
            short @ 0xa0..0xc0 => usize::from(short & 31),
            0xd9 => usize::from(self.byte()?),
            other => return Err(format!("string of kind {other}")),
        };
        let (text, rest) = self.0.split_at_checked(length).ok_or("too short")?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|error| error.to_string())
    }
}

/// One client.
pub struct Colyseus {
    seat: Seat,
    decoder: Decoder,
    view: View,
}

/// x, y, heading, hp, state.
const ENTITY: [Field; 5] = [Field::Word, Field::Word, Field::Word, Field::Byte, Field::Byte];

impl Colyseus {
    /// A client that knows nothing.
    #[must_use]
    pub fn new(seat: Seat) -> Self {
        Self { seat, decoder: Decoder::new(&ENTITY), view: seat.view() }
    }

    fn apply(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Self { seat, decoder, view } = self;
        let size_cm = seat.cell.size_m() * 100;
        // As the server has it: above 655 m a coordinate is a share of the arena's side.
        let place = |value: u32| match size_cm {
            ..65_536 => value as i32,
            _ => (f64::from(value) * f64::from(size_cm) / 65_535.0).round() as i32,
        };
        decoder.read(bytes, |change| match change {
            Change::Tick(tick) => view.tick = tick,
            Change::Gone(entity) => view.entities[entity] = None,
            Change::Field { entity, field, value } => {
                let seen = view.entities[entity].get_or_insert_default();
                match field {
                    0 => seen.x = place(value),
                    1 => seen.y = place(value),
                    2 => seen.heading = value as i32,
                    3 => seen.hp = value as i32,
                    _ => seen.state = value as i32,
                }
            }
        })
    }
}

/// What a message is to every client of a room.
///
/// # Errors
/// When it is none.
pub fn open<'a>(message: &'a [u8], out: &mut Out) -> Result<Option<&'a [u8]>, String> {
    match message {
        [JOIN_ROOM, ..] => {
            out.push((Kind::Binary, vec![JOIN_ROOM]));
            Ok(None)
        }
        [ROOM_STATE | ROOM_STATE_PATCH, body @ ..] => Ok(Some(body)),
        [ERROR, text @ ..] => Err(String::from_utf8_lossy(text).into_owned()),
        other => Err(format!("message {:?}", other.first())),
    }
}

impl Dialect for Colyseus {
    fn handle(&mut self, message: &[u8], out: &mut Out, _now: Micros) -> Result<bool, String> {
        let Some(body) = open(message, out)? else { return Ok(false) };
        if self.seat.decodes {
            self.apply(body)?;
        }
        Ok(true)
    }

    fn input(&mut self, Input { walk, aim, fire }: Input, out: &mut Out, _now: Micros) {
        let [low, high] = aim.to_le_bytes();
        let high = high | (u8::from(fire) << 7);
        out.push((Kind::Binary, vec![ROOM_DATA_BYTES, 1, walk[0] as u8, walk[1] as u8, low, high]));
    }

    fn own(&self) -> Option<Seen> {
        self.view.entities[self.seat.avatar()]
    }

    fn view(&mut self) -> Option<&View> {
        self.seat.decodes.then_some(&self.view)
    }
}
