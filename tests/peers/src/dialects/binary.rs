//! Plain binary: the tick and every entity in view, by bincode. Also the types that its server uses.

use peers_scene::{Input as Held, Seen};
use serde::{Deserialize, Serialize};
use tickwire_shared::Micros;
use tickwire_shared::wire::codec;

use super::{Dialect, Out, Seat};
use crate::socket::Kind;
use crate::truth::View;

/// One entity.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Told {
    id: u16,
    x: u32,
    y: u32,
    heading: u16,
    hp: u8,
    state: u8,
}

impl Told {
    /// What is told of an entity.
    #[must_use]
    pub fn new(entity: usize, Seen { x, y, heading, hp, state }: Seen) -> Self {
        let (id, hp, state) = (entity as u16, hp as u8, state as u8);
        Self { id, x: x as u32, y: y as u32, heading: heading as u16, hp, state }
    }
}

/// What a player wants.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Input {
    /// Stick.
    pub walk: [i8; 2],
    /// Heading.
    pub aim: u16,
    /// A flag.
    pub fire: bool,
}

/// One client.
pub struct Binary {
    seat: Seat,
    view: View,
}

impl Binary {
    /// A client that knows nothing.
    #[must_use]
    pub fn new(seat: Seat) -> Self {
        Self { seat, view: seat.view() }
    }
}

impl Dialect for Binary {
    fn handle(&mut self, message: &[u8], _out: &mut Out, _now: Micros) -> Result<bool, String> {
        if self.seat.decodes {
            let (tick, told): (u32, Vec<Told>) =
                codec::decode_blob(message).map_err(|error| error.to_string())?;
            self.view.tick = tick;
            self.view.entities.fill(None);
            for Told { id, x, y, heading, hp, state } in told {
                let (x, y, heading) = (x as i32, y as i32, i32::from(heading));
                self.view.entities[usize::from(id)] =
                    Some(Seen { x, y, heading, hp: i32::from(hp), state: i32::from(state) });
            }
        }
        Ok(true)
    }

    fn input(&mut self, Held { walk, aim, fire }: Held, out: &mut Out, _now: Micros) {
        out.push((Kind::Binary, codec::encode(&Input { walk, aim, fire })));
    }

    fn own(&self) -> Option<Seen> {
        self.view.entities[self.seat.avatar()]
    }

    fn view(&mut self) -> Option<&View> {
        self.seat.decodes.then_some(&self.view)
    }
}
