//! A game whose frames and spawn blobs would be larger than they may be.

use glam::Vec3;
use serde::{Deserialize, Serialize};
use tickwire_server::host::{Event, Room, RoomConfig};
use tickwire_server::simulation::{Game, Inputs, NewEntity, Refusal, Stage, Team, Viewpoint, World};
use tickwire_shared::limits::{ENTERS_PER_FRAME_MAX, SERVER_MESSAGE_BYTES_MAX};
use tickwire_shared::{ClientId, CloseCode, Protocol, Replicate, ReplicateKinds};
use tickwire_tests::link::Profile;
use tickwire_tests::sim::Sim;

#[derive(Clone, Debug)]
struct Wide;

#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
enum WideEntity {
    Noise(Noise),
}

/// Eight columns in which nothing can be foreseen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
struct Noise {
    #[replicate(opaque, bits = 28)]
    a: u32,
    #[replicate(opaque, bits = 28)]
    b: u32,
    #[replicate(opaque, bits = 28)]
    c: u32,
    #[replicate(opaque, bits = 28)]
    d: u32,
    #[replicate(opaque, bits = 28)]
    e: u32,
    #[replicate(opaque, bits = 28)]
    f: u32,
    #[replicate(opaque, bits = 28)]
    g: u32,
    #[replicate(opaque, bits = 28)]
    h: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
struct Nothing {
    #[replicate(number, min = 0, max = 1)]
    nothing: u8,
}

impl Protocol for Wide {
    const NAME: &'static str = "wide";
    const REVISION: u32 = 1;
    type Entity = WideEntity;
    type Private = Nothing;
    type Spawn = String;
    type Setup = ();
    type Input = u8;
    /// Makes an entity with so many letters.
    type Command = usize;
    type Event = ();
}

#[derive(Serialize, Deserialize)]
struct Crowd {
    entities: u32,
}

impl Game for Crowd {
    type Protocol = Wide;

    fn setup(&self) {}

    fn begin(&mut self, stage: &mut Stage<'_, Wide>) {
        (0..self.entities).for_each(|_| spawn(stage, 0));
    }

    fn join(&mut self, _: &mut Stage<'_, Wide>, _: ClientId, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn leave(&mut self, _: &mut Stage<'_, Wide>, _: ClientId) {}

    fn step(&mut self, stage: &mut Stage<'_, Wide>, inputs: &Inputs<Wide>) {
        inputs.commands.iter().for_each(|(_, letters)| spawn(stage, *letters));
        for (index, key) in stage.world.keys().into_iter().enumerate() {
            let noise = |salt: u32| {
                let mixed =
                    (stage.tick.0 ^ salt << 16).wrapping_add(index as u32 * 977).wrapping_mul(0x9E37_79B1);
                (mixed ^ mixed >> 15).wrapping_mul(0x85EB_CA77) >> 4
            };
            let [a, b, c, d, e, f, g, h] = std::array::from_fn(|salt| noise(salt as u32));
            if let Some(entity) = stage.world.get_mut(key) {
                entity.state = WideEntity::Noise(Noise { a, b, c, d, e, f, g, h });
            }
        }
    }

    fn viewpoint(&self, _: &World<Wide>, _: ClientId) -> Viewpoint {
        Viewpoint { position: Vec3::ZERO, avatar: None, team: Team::NONE }
    }

    fn private(&self, _: &World<Wide>, _: ClientId) -> Nothing {
        Nothing::default()
    }
}

fn spawn(stage: &mut Stage<'_, Wide>, letters: usize) {
    let state = WideEntity::Noise(Noise::default());
    stage.world.spawn(NewEntity { state, spawn: "x".repeat(letters), owner: None, team: Team::NONE });
}

#[test]
fn a_frame_that_is_too_large_is_told_in_parts() {
    let entities = 12_000;
    // A budget that does not matter.
    let config = RoomConfig { budget_bytes_per_s: 1 << 30, seed: 8, ..RoomConfig::default() };
    let mut sim = Sim::with_room(Room::new(Crowd { entities }, config).expect("a schema"), 30, 8);
    let id = sim.join("wide", Profile::default());
    let known =
        |sim: &mut Sim<Crowd>| sim.client(id).session.replica().map_or(0, |replica| replica.slots().len());
    // It begins slowly, and each frame has room for so many.
    let ticks = 90 + 4 * entities / ENTERS_PER_FRAME_MAX as u32;
    sim.run(ticks);
    assert_eq!(known(&mut sim), entities as usize);
    let now = sim.now;
    sim.room.handle(Event::Writable { client: id, writable: false }, now);
    sim.run(5);
    let now = sim.now;
    sim.room.handle(Event::Writable { client: id, writable: true }, now);
    let mut largest = 0;
    for _ in 0..ticks {
        let before = sim.client(id).session.stats().received_bytes;
        sim.step();
        largest = largest.max(sim.client(id).session.stats().received_bytes - before);
    }
    assert!(largest < SERVER_MESSAGE_BYTES_MAX as u64, "{largest} bytes at once");
    assert_eq!(known(&mut sim), entities as usize, "all are told in the end");
    sim.assert_in_step();
}

#[test]
fn a_spawn_blob_that_no_client_could_read_is_the_games_fault() {
    let mut sim = Sim::new(Crowd { entities: 3 }, 30, 8);
    let id = sim.join("talks", Profile::default());
    sim.run(10);
    assert!(sim.client(id).session.send_command(1000));
    sim.run(10);
    assert_eq!(sim.client(id).session.replica().map(|replica| replica.slots().len()), Some(4));
    assert!(sim.client(id).session.send_command(1100));
    sim.run(10);
    assert_eq!(sim.client(id).closed.as_ref().map(|close| close.code), Some(CloseCode::Internal));
    assert_eq!(sim.room.counters().panics, 1);
}
