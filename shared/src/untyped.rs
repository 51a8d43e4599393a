//! A game whose types are known only when the program runs: the schema is a value, inputs, commands, events, spawns and
//! the setup are bytes. What bindings for other languages are built on; a client in Rust that knows its game uses the
//! game's own [`Protocol`]. Knows no game. It foresees nothing: the own avatar is shown between what was told, like all others.
//!
//! A session begins with [`Session::with_schema`](crate::client::Session::with_schema), and is given an input at once: no
//! bytes are an input of every game, so there is none that it could begin with by itself.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::KindId;
use crate::limits::COLUMNS_MAX;
use crate::protocol::Protocol;
use crate::schema::{FieldClass, KindSchema, Replicate, ReplicateKinds};
use crate::wire::quantize;

/// Any game.
#[derive(Clone, Copy, Debug)]
pub struct Untyped;

/// What the game's own types would be made of: all bytes to the end of the message or blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// An input, already encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// By bincode, as `WIRE.md` says.
    pub bytes: Blob,
    /// Whether it is aimed at what the player sees; the game says which inputs are.
    pub aims: bool,
}

/// The state of an entity, in quanta or, between two states, in shares of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its kind.
    pub kind: KindId,
    /// One number per column of its kind; those behind are 0.
    pub columns: [f64; COLUMNS_MAX],
}

/// The private state, likewise.
#[derive(Clone, Debug, PartialEq)]
pub struct Private {
    /// One number per column; those behind are 0.
    pub columns: [f64; COLUMNS_MAX],
}

impl Protocol for Untyped {
    const NAME: &'static str = "";
    const REVISION: u32 = 0;
    type Entity = Entity;
    type Private = Private;
    type Spawn = Blob;
    type Setup = Blob;
    type Input = Input;
    type Command = Blob;
    type Event = Blob;

    fn aims(input: &Input) -> bool {
        input.aims
    }
}

/// What the columns of one field stand for, in the game's units, one number for each column: coordinates, an angle in radians
/// (−π to π), a quaternion as x, y, z, w, a number, bits as a number. Says how many; 0 where there are too few columns or
/// too little room.
pub fn values(class: FieldClass, columns: &[f64], out: &mut [f64]) -> usize {
    let count = class.columns();
    let (Some(columns), Some(out)) = (columns.get(..count), out.get_mut(..count)) else { return 0 };
    match class {
        FieldClass::Position { quantum, .. } | FieldClass::Number { quantum, .. } => {
            for (value, column) in out.iter_mut().zip(columns) {
                *value = quantize::from_quanta(*column, quantum);
            }
        }
        FieldClass::Angle { bits } => out[0] = f64::from(quantize::restore_angle(columns[0], bits)),
        FieldClass::Rotation { bits } => {
            let parts = quantize::restore_rotation(columns, bits).to_array();
            out.iter_mut().zip(parts).for_each(|(value, part)| *value = f64::from(part));
        }
        FieldClass::Flags { .. } | FieldClass::Opaque { .. } => {
            out[0] = f64::from(quantize::restore_bits::<u32, f64>(columns[0]));
        }
    }
    count
}

fn padded<C: Copy + Into<f64>>(columns: &[C]) -> [f64; COLUMNS_MAX] {
    let mut out = [0.0; COLUMNS_MAX];
    out.iter_mut().zip(columns).for_each(|(out, column)| *out = (*column).into());
    out
}

fn whole(columns: &[f64; COLUMNS_MAX], out: &mut [i32]) {
    out.iter_mut().zip(columns).for_each(|(out, column)| *out = column.round() as i32);
}

impl ReplicateKinds for Entity {
    /// None: a session of [`Untyped`] without a schema of its own is refused.
    fn kind_schemas() -> Vec<KindSchema> {
        Vec::new()
    }

    fn kind(&self) -> KindId {
        self.kind
    }

    fn capture(&self, columns: &mut [i32]) {
        whole(&self.columns, columns);
    }

    fn restore(kind: KindId, columns: &[i32]) -> Option<Self> {
        Some(Self { kind, columns: padded(columns) })
    }

    fn restore_between(kind: KindId, columns: &[f64]) -> Option<Self> {
        Some(Self { kind, columns: padded(columns) })
    }
}

impl Replicate for Private {
    fn kind_schema() -> KindSchema {
        KindSchema { name: String::new(), fields: Vec::new() }
    }

    fn capture(&self, columns: &mut [i32]) {
        whole(&self.columns, columns);
    }

    fn restore(columns: &[i32]) -> Self {
        Self { columns: padded(columns) }
    }

    fn restore_between(columns: &[f64]) -> Self {
        Self { columns: padded(columns) }
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A tuple has no length on the wire: exactly these bytes.
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As many elements as there are; what is left over after that is noticed by whoever decodes.
        deserializer.deserialize_tuple(usize::MAX, ToTheEnd)
    }
}

struct ToTheEnd;

impl<'de> Visitor<'de> for ToTheEnd {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Blob, A::Error> {
        let mut all = Vec::new();
        while let Ok(Some(byte)) = bytes.next_element() {
            all.push(byte);
        }
        Ok(Blob(all))
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { bytes: Blob::deserialize(deserializer)?, aims: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{Arena, ArenaEvent, ArenaInput};
    use crate::client::{Identity, Replica, Session};
    use crate::tick::{Micros, Tick};
    use crate::wire::codec;
    use crate::wire::message::ClientMessage;
    use crate::wire::tables::Tables;

    #[test]
    fn bytes_travel_as_the_types_do() {
        let input = ArenaInput { walk: [127, -1], aim: 4660, fire: true };
        let bytes = Blob(codec::encode(&input));
        let (seq, tick) = (5, Tick(70_000));
        let typed = ClientMessage::<_, ()>::Input { seq, tick, ack: None, input };
        let untyped =
            ClientMessage::<_, ()>::Input { seq, tick, ack: None, input: Input { bytes, aims: true } };
        assert_eq!(codec::encode(&typed), codec::encode(&untyped));

        let event = codec::encode(&ArenaEvent::Chat { name: "ann".into(), text: "hi".into() });
        assert_eq!(codec::decode::<Blob>(&event), Ok(Blob(event.clone())));
        assert_eq!(codec::decode::<Blob>(&[]), Ok(Blob::default()));
    }

    #[test]
    fn without_a_schema_there_is_no_session() {
        assert!(Session::<Untyped>::new(Identity::default()).is_err());
    }

    #[test]
    fn the_arena_by_its_schema_alone_says_the_same_hello_and_holds_the_same_states() {
        let mut typed = Session::<Arena>::new(Identity::default()).expect("a schema");
        let tables = Tables::from_bytes(include_bytes!("arena/arena.tables")).expect("tables");
        let mut untyped =
            Session::<Untyped>::with_schema(&Arena::schema(), tables.into(), Identity::default())
                .expect("a schema");
        assert_eq!(typed.poll_transmit(Micros(0)), untyped.poll_transmit(Micros(0)));
        let hex = include_str!("../vectors/arena_messages.txt");
        let byte = |line: &str, at| u8::from_str_radix(&line[at..at + 2], 16).expect("hexadecimal");
        for line in hex.lines().skip(1) {
            let bytes: Vec<_> = (0..line.len()).step_by(2).map(|at| byte(line, at)).collect();
            typed.handle_message(&bytes, Micros(0)).expect("own message");
            untyped.handle_message(&bytes, Micros(0)).expect("own message");
            let sums = (typed.replica().map(Replica::checksum), untyped.replica().map(Replica::checksum));
            assert_eq!(sums.0, sums.1);
        }
        assert_eq!(typed.stats().checksums, untyped.stats().checksums);
        let mut out = [0.0; 4];
        let plan = untyped.replica().expect("Welcome came").plan().clone();
        for ((_, typed), (_, untyped)) in typed.entities().zip(untyped.entities()) {
            let crate::arena::ArenaEntity::Player(player) = typed else { continue };
            let fields = &plan.kind(untyped.kind).fields;
            assert_eq!(values(fields[0].class, &untyped.columns, &mut out), 2);
            assert!((out[0] - f64::from(player.position.x)).abs() < 1e-4, "{out:?} {player:?}");
            assert_eq!(values(fields[1].class, &untyped.columns[2..], &mut out), 1);
            assert_eq!(out[0] as f32, player.aim);
            assert_eq!(values(fields[2].class, &untyped.columns[3..], &mut out), 1);
            assert_eq!(out[0], f64::from(player.hp));
            assert_eq!(values(fields[0].class, &untyped.columns[..1], &mut out), 0, "too few columns");
        }
    }
}
