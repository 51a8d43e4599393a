//! A second game, smaller than the arena and unlike it: three dimensions, rotations, teams by what one is, an
//! input that is a choice, spectators. It touches neither `server` nor `shared`: that is the point of it.

use std::collections::BTreeMap;

use glam::{Quat, Vec3};
use serde::{Deserialize, Serialize};
use tickwire_server::simulation::{
    EntityKey, Game, Inputs, NewEntity, Recipients, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::schema::NoPrivate;
use tickwire_shared::{ClientId, Protocol, Replicate, ReplicateKinds};

/// Half the side of the cube that is played in.
const HALF: f32 = 20.0;
/// The team of whoever is "it".
const IT: Team = Team(1);

/// The game's types.
#[derive(Clone, Debug)]
pub struct Tag;

/// What is replicated.
#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
pub enum TagEntity {
    /// Somebody.
    Flyer(Flyer),
    /// A beacon that turns.
    Beacon(Beacon),
}

/// Somebody who flies about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Flyer {
    /// Place.
    #[replicate(position, min = -32.0, max = 32.0, quantum = 0.05)]
    pub position: Vec3,
    /// Whether this one is "it".
    #[replicate(flags, bits = 1)]
    pub it: bool,
    /// Breath left, for the team's eyes only.
    #[replicate(number, min = 0, max = 255, audience = "team")]
    pub breath: u8,
}

/// A beacon that turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Beacon {
    /// Which way it looks.
    #[replicate(rotation, bits = 11)]
    pub rotation: Quat,
}

/// Where to fly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thrust {
    /// Nowhere.
    #[default]
    Hover,
    /// Along an axis (0 to 2), forwards or backwards.
    Along(u8, bool),
}

/// Somebody was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught(pub ClientId);

impl Protocol for Tag {
    const NAME: &'static str = "tag";
    const REVISION: u32 = 1;
    type Entity = TagEntity;
    type Private = NoPrivate;
    type Spawn = String;
    type Setup = f32;
    type Input = Thrust;
    type Command = ();
    type Event = Caught;

    fn is_possible(input: &Thrust) -> bool {
        !matches!(input, Thrust::Along(3.., _))
    }
}

/// The rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TagGame {
    flyers: BTreeMap<ClientId, EntityKey>,
    it: Option<ClientId>,
    beacon: Option<EntityKey>,
}

impl Game for TagGame {
    type Protocol = Tag;

    fn setup(&self) -> f32 {
        HALF
    }

    fn begin(&mut self, stage: &mut Stage<'_, Tag>) {
        self.beacon = Some(spawn(stage, TagEntity::Beacon(Beacon::default()), "beacon", None));
    }

    fn join(&mut self, stage: &mut Stage<'_, Tag>, client: ClientId, name: &str) -> Result<(), Refusal> {
        if name == "spectator" {
            return Ok(());
        }
        let position = Vec3::new(client.0 as f32 % HALF, 0.0, 0.0);
        let flyer = Flyer { position, ..Flyer::default() };
        self.flyers.insert(client, spawn(stage, TagEntity::Flyer(flyer), name, Some(client)));
        self.it = self.it.or(Some(client));
        Ok(())
    }

    fn leave(&mut self, stage: &mut Stage<'_, Tag>, client: ClientId) {
        if let Some(key) = self.flyers.remove(&client) {
            stage.world.despawn(key);
        }
        if self.it == Some(client) {
            self.it = self.flyers.keys().next().copied();
        }
    }

    fn step(&mut self, stage: &mut Stage<'_, Tag>, inputs: &Inputs<Tag>) {
        let mut places = BTreeMap::new();
        for (client, thrust) in &inputs.held {
            let Some(entity) = self.flyers.get(client).and_then(|key| stage.world.get_mut(*key)) else {
                continue;
            };
            entity.team = if self.it == Some(*client) { IT } else { Team::NONE };
            let TagEntity::Flyer(flyer) = &mut entity.state else { continue };
            if let Thrust::Along(axis, forwards) = thrust {
                let step = if *forwards { 5.0 } else { -5.0 } * stage.tick_seconds;
                flyer.position[usize::from(*axis)] += step;
                flyer.position = flyer.position.clamp(Vec3::splat(-HALF), Vec3::splat(HALF));
                flyer.breath = flyer.breath.wrapping_sub(1);
            }
            flyer.it = self.it == Some(*client);
            places.insert(*client, flyer.position);
        }
        let it = self.it.and_then(|it| places.get(&it).copied().map(|place| (it, place)));
        let near = it.and_then(|(it, place)| {
            places
                .iter()
                .find(|(other, there)| **other != it && there.distance(place) < 0.5)
                .map(|(other, _)| *other)
        });
        if let Some(caught) = near.filter(|_| stage.tick.0.is_multiple_of(60)) {
            self.it = Some(caught);
            stage.emit(Recipients::Everyone, Caught(caught));
        }
        if let Some(TagEntity::Beacon(beacon)) =
            self.beacon.and_then(|key| stage.world.get_mut(key)).map(|entity| &mut entity.state)
        {
            beacon.rotation = Quat::from_rotation_z(stage.tick.0 as f32 * 0.02) * Quat::from_rotation_x(0.3);
        }
    }

    fn viewpoint(&self, _world: &World<Tag>, client: ClientId) -> Viewpoint {
        let team = if self.it == Some(client) { IT } else { Team::NONE };
        Viewpoint { position: Vec3::ZERO, avatar: None, team }
    }

    fn private(&self, _world: &World<Tag>, _client: ClientId) -> NoPrivate {
        NoPrivate
    }
}

fn spawn(stage: &mut Stage<'_, Tag>, state: TagEntity, name: &str, owner: Option<ClientId>) -> EntityKey {
    stage.world.spawn(NewEntity { state, spawn: name.to_owned(), owner, team: Team::NONE })
}
