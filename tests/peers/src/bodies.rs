//! The rigid-body scene as a game on Tickwire: it plays what was recorded, so that its peer plays the very same. Generic
//! coding tables.

use std::sync::Arc;

use glam::{Quat, Vec3};
use serde::{Deserialize, Serialize};
use tickwire_server::driver::json::Dialect;
use tickwire_server::simulation::{
    EntityKey, Game, Inputs, NewEntity, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::schema::NoPrivate;
use tickwire_shared::{ClientId, Protocol, Replicate, ReplicateKinds};

/// The recording, by tick and body.
pub type Recorded = Arc<Vec<Vec<(Vec3, Quat)>>>;

/// The game's types.
#[derive(Clone, Debug)]
pub struct RigidBodies;

/// What is replicated.
#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
pub enum Entity {
    /// A body.
    Rigid(Rigid),
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Rigid {
    /// In metres.
    #[replicate(position, min = -327.68, max = 327.67, quantum = 0.01)]
    pub position: Vec3,
    /// To 0.001.
    #[replicate(rotation, bits = 11)]
    pub rotation: Quat,
}

impl Protocol for RigidBodies {
    const NAME: &'static str = "rigid bodies";
    const REVISION: u32 = 1;
    type Entity = Entity;
    type Private = NoPrivate;
    type Spawn = u16;
    type Setup = ();
    type Input = u8;
    type Command = ();
    type Event = ();
}

/// The rules: all see what was recorded.
#[derive(Serialize, Deserialize)]
pub struct Player {
    #[serde(skip)]
    recorded: Recorded,
    keys: Vec<EntityKey>,
}

impl Player {
    /// Plays a recording again and again.
    #[must_use]
    pub fn new(recorded: Recorded) -> Self {
        Self { recorded, keys: Vec::new() }
    }

    fn at(&self, tick: u32) -> Vec<Entity> {
        let bodies = &self.recorded[tick as usize % self.recorded.len()];
        bodies
            .iter()
            .map(|(position, rotation)| Entity::Rigid(Rigid { position: *position, rotation: *rotation }))
            .collect()
    }
}

impl Game for Player {
    type Protocol = RigidBodies;

    fn setup(&self) {}

    fn begin(&mut self, stage: &mut Stage<'_, RigidBodies>) {
        for (body, state) in self.at(0).into_iter().enumerate() {
            let new = NewEntity { state, spawn: body as u16, owner: None, team: Team::NONE };
            self.keys.push(stage.world.spawn(new));
        }
    }

    fn join(
        &mut self,
        _stage: &mut Stage<'_, RigidBodies>,
        _client: ClientId,
        _name: &str,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    fn leave(&mut self, _stage: &mut Stage<'_, RigidBodies>, _client: ClientId) {}

    fn step(&mut self, stage: &mut Stage<'_, RigidBodies>, _inputs: &Inputs<RigidBodies>) {
        for (key, state) in self.keys.iter().zip(self.at(stage.tick.0)) {
            if let Some(entity) = stage.world.get_mut(*key) {
                entity.state = state;
            }
        }
    }

    fn viewpoint(&self, _world: &World<RigidBodies>, _client: ClientId) -> Viewpoint {
        Viewpoint { position: Vec3::ZERO, avatar: None, team: Team::NONE }
    }

    fn private(&self, _world: &World<RigidBodies>, _client: ClientId) -> NoPrivate {
        NoPrivate
    }
}

/// Nobody plays this by hand.
pub struct NoDialect;

impl Dialect<RigidBodies> for NoDialect {
    fn input(&self, _value: &serde_json::Value) -> Result<u8, String> {
        Err("this game speaks no JSON".to_owned())
    }

    fn command(&self, _key: &str, _value: &serde_json::Value) -> Result<Option<()>, String> {
        Ok(None)
    }

    fn private(&self, _private: &NoPrivate) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn event(&self, _event: &()) -> serde_json::Value {
        serde_json::Value::Null
    }
}
