//! Recorded streams of quantized states, for training tables and for measuring them. Different seeds for the two.

use glam::{Quat, Vec3};
use serde::{Deserialize, Serialize};
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Room, RoomConfig};
use tickwire_shared::arena::Arena;
use tickwire_shared::schema::{KindSchema, NoPrivate, Schema};
use tickwire_shared::wire::training::{Recorded, Recording};
use tickwire_shared::{KindId, Micros, NetId, Protocol, Replicate};

use crate::scene::{Mover, Scene, TICK_HZ};
use crate::seeds::Dice;

/// The schema of a recording of one kind.
#[must_use]
pub fn schema_of(kind: KindSchema) -> Schema {
    Schema { game: "recording".to_owned(), revision: 1, kinds: vec![kind], private: NoPrivate::kind_schema() }
}

fn recorded<R: Replicate>(index: usize, value: &R, columns: usize) -> Recorded {
    let mut state = vec![0; columns];
    value.capture(&mut state);
    Recorded { id: NetId(index as u32), kind: KindId(0), cut: false, state }
}

/// The arena scene of the codec's numbers: see [`crate::scene`].
#[must_use]
pub fn scene(seed: u64, entities: u32, ticks: u32) -> Recording {
    let schema = schema_of(Mover::kind_schema());
    let columns = schema.kinds[0].columns();
    let mut scene = Scene::new(seed, entities, 1000.0);
    (0..300).for_each(|_| scene.step());
    let ticks = (0..ticks)
        .map(|_| {
            scene.step();
            scene.movers().enumerate().map(|(index, mover)| recorded(index, mover, columns)).collect()
        })
        .collect();
    Recording { schema, ticks }
}

/// The demo game, played by its own bots.
#[must_use]
pub fn arena(seed: u64, bots: u32, drones: u32, ticks: u32) -> Recording {
    let config =
        RoomConfig { name: "recording".to_owned(), tick_hz: 30, capacity: 1, seed, ..RoomConfig::default() };
    let game = ArenaGame::new(ArenaConfig { seed, bots, drones, ..ArenaConfig::default() });
    let mut room = Room::new(game, config).expect("a schema");
    // Nobody is in it, so nothing is captured unless somebody records. What comes of that is not wanted.
    let mut tape = Vec::new();
    room.begin_recording(0, &mut tape);
    let ticks = (0..u64::from(ticks))
        .map(|tick| {
            room.tick(Micros(tick * 33_333));
            tape.clear();
            room.poll_recording(&mut tape);
            room.capture().record().collect()
        })
        .collect();
    Recording { schema: Arena::schema(), ticks }
}

/// A tumbling body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Body {
    /// In metres.
    #[replicate(position, min = -128.0, max = 128.0, quantum = 0.01)]
    pub position: Vec3,
    /// Components to 1/1023 of their range, about 0.001.
    #[replicate(rotation, bits = 11)]
    pub rotation: Quat,
}

/// The rigid-body scene: bodies in a ring about 100 m wide, at least 2 m/s and 1 rad/s, a random force and torque for
/// each at least once a second, contacts that change spin.
#[must_use]
pub fn rigid_bodies(seed: u64, bodies: u32, ticks: u32) -> Recording {
    let schema = schema_of(Body::kind_schema());
    let columns = schema.kinds[0].columns();
    let mut dice = Dice::new(seed);
    let mut all: Vec<_> = (0..bodies).map(|index| Tumbler::new(index, bodies, &mut dice)).collect();
    let ticks = (0..ticks + 60)
        .map(|_| {
            all.iter_mut().for_each(|body| body.step(&mut dice));
            all.iter().enumerate().map(|(index, body)| recorded(index, &body.shown, columns)).collect()
        })
        .skip(60)
        .collect();
    Recording { schema, ticks }
}

struct Tumbler {
    shown: Body,
    velocity: Vec3,
    spin: Vec3,
    push: Vec3,
    twist: Vec3,
    push_ticks: u32,
}

/// Radius of the middle of the ring, in metres.
const RING_M: f32 = 50.0;

impl Tumbler {
    fn new(index: u32, count: u32, dice: &mut Dice) -> Self {
        let turn = index as f32 / count as f32 * std::f32::consts::TAU;
        let position = Quat::from_rotation_z(turn) * Vec3::X * (RING_M + dice.between(-6.0, 6.0));
        let velocity = Quat::from_rotation_z(turn) * Vec3::Y * dice.between(2.0, 6.0);
        Self {
            shown: Body { position, rotation: Quat::from_rotation_x(turn) },
            velocity,
            spin: random_direction(dice) * dice.between(1.0, 4.0),
            push: Vec3::ZERO,
            twist: Vec3::ZERO,
            push_ticks: 0,
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let seconds = 1.0 / TICK_HZ;
        if self.push_ticks == 0 {
            self.push_ticks = 8 + dice.below(22);
            self.push = random_direction(dice) * dice.between(1.0, 6.0);
            self.twist = random_direction(dice) * dice.between(0.5, 4.0);
        }
        self.push_ticks -= 1;
        // Held in the ring by a spring towards its middle and kept moving along it.
        let flat = Vec3::new(self.shown.position.x, self.shown.position.y, 0.0).normalize_or(Vec3::X);
        let home = flat * RING_M;
        let along = Vec3::new(-flat.y, flat.x, 0.0);
        let spring = (home - self.shown.position) * 0.6 + along * (4.0 - self.velocity.dot(along)) * 0.5;
        self.velocity += (self.push + spring) * seconds;
        self.velocity = self.velocity.normalize_or(along) * self.velocity.length().clamp(2.0, 9.0);
        self.spin += self.twist * seconds;
        if dice.one_in(45) {
            // A contact: a new spin and a knock.
            self.spin = random_direction(dice) * dice.between(1.0, 6.0);
            self.velocity += random_direction(dice) * dice.between(0.5, 2.5);
        }
        self.spin = self.spin.normalize_or(Vec3::Z) * self.spin.length().clamp(1.0, 6.0);
        self.shown.position += self.velocity * seconds;
        self.shown.rotation = (Quat::from_scaled_axis(self.spin * seconds) * self.shown.rotation).normalize();
    }
}

fn random_direction(dice: &mut Dice) -> Vec3 {
    let offset = Vec3::new(dice.between(-1.0, 1.0), dice.between(-1.0, 1.0), dice.between(-1.0, 1.0));
    offset.normalize_or(Vec3::Z)
}
