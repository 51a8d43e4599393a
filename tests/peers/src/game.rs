//! The scene as a game on Tickwire: its types, and its rules, which are the scene's. Written as `tests/tag` is, against the
//! public interfaces only; generic coding tables, nothing tuned for the scene.

use std::collections::BTreeMap;

use glam::{Vec2, Vec3};
use peers_scene::{Input as Held, Scene, Seen};
use serde::{Deserialize, Serialize};
use tickwire_server::driver::json::Dialect;
use tickwire_server::simulation::{
    EntityKey, Game, Inputs, Interest, NewEntity, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::{ClientId, KindId, Protocol, Replicate, ReplicateKinds};

/// Steps of a whole turn.
const TURN: f32 = 1024.0;
/// In metres; as `peers_scene::Interest` has it in centimetres.
const ENTER_M: f32 = 100.0;
const LEAVE_M: f32 = 105.0;

/// The game's types.
#[derive(Clone, Debug)]
pub struct Peers;

/// What is replicated: drones and players alike.
#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
pub enum Entity {
    /// Somebody.
    Body(Body),
}

/// Somebody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Body {
    /// In metres.
    #[replicate(position, min = 0.0, max = 1024.0, quantum = 0.01)]
    pub position: Vec2,
    /// In radians.
    #[replicate(angle, bits = 10)]
    pub heading: f32,
    /// Hit points.
    #[replicate(number, min = 0, max = 100)]
    pub hp: u8,
    /// Four flags.
    #[replicate(flags, bits = 4)]
    pub state: u8,
}

/// The same of the client's own avatar, which Tickwire leaves out of the roster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Own {
    /// In metres.
    #[replicate(position, min = 0.0, max = 1024.0, quantum = 0.01)]
    pub position: Vec2,
    /// In radians.
    #[replicate(angle, bits = 10)]
    pub heading: f32,
    /// Hit points.
    #[replicate(number, min = 0, max = 100)]
    pub hp: u8,
    /// Four flags.
    #[replicate(flags, bits = 4)]
    pub state: u8,
}

/// What a player wants, as all peers have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Stick.
    pub walk: [i8; 2],
    /// Heading, 0 to 1023.
    pub aim: u16,
    /// A flag.
    pub fire: bool,
}

impl Protocol for Peers {
    const NAME: &'static str = "peers";
    const REVISION: u32 = 1;
    type Entity = Entity;
    type Private = Own;
    /// The entity's number in the scene.
    type Spawn = u16;
    type Setup = ();
    type Input = Input;
    type Command = ();
    type Event = ();
}

/// The rules.
#[derive(Serialize, Deserialize)]
pub struct PeersGame {
    size_m: i32,
    drones: usize,
    players: usize,
    radius: bool,
    #[serde(skip)]
    scene: Option<Scene>,
    keys: BTreeMap<usize, EntityKey>,
    clients: BTreeMap<ClientId, usize>,
}

impl PeersGame {
    /// A room with so many drones, and seats for so many players.
    #[must_use]
    pub fn new(size_m: i32, drones: usize, players: usize, radius: bool) -> Self {
        let scene = Some(Scene::new(size_m, drones, players));
        Self { size_m, drones, players, radius, scene, keys: BTreeMap::new(), clients: BTreeMap::new() }
    }
}

impl Game for PeersGame {
    type Protocol = Peers;

    fn setup(&self) {}

    fn begin(&mut self, stage: &mut Stage<'_, Peers>) {
        let Some(scene) = &self.scene else { return };
        for drone in 0..self.drones {
            self.keys.insert(drone, spawn(stage, scene, drone, None));
        }
    }

    fn join(&mut self, stage: &mut Stage<'_, Peers>, client: ClientId, name: &str) -> Result<(), Refusal> {
        let player = name.parse().ok().filter(|player| *player < self.players);
        let player: usize = player.ok_or_else(|| Refusal("the name is the player's number".to_owned()))?;
        let entity = self.drones + player;
        let scene = self.scene.as_ref().ok_or_else(|| Refusal("not for saved rooms".to_owned()))?;
        self.keys.insert(entity, spawn(stage, scene, entity, Some(client)));
        self.clients.insert(client, entity);
        Ok(())
    }

    fn leave(&mut self, stage: &mut Stage<'_, Peers>, client: ClientId) {
        if let Some(key) = self.clients.remove(&client).and_then(|entity| self.keys.remove(&entity)) {
            stage.world.despawn(key);
        }
    }

    fn step(&mut self, stage: &mut Stage<'_, Peers>, inputs: &Inputs<Peers>) {
        let Some(scene) = &mut self.scene else { return };
        let mut held = vec![Held::default(); self.players];
        for (client, Input { walk, aim, fire }) in &inputs.held {
            if let Some(entity) = self.clients.get(client) {
                held[entity - self.drones] = Held { walk: *walk, aim: *aim, fire: *fire };
            }
        }
        scene.step(|player| held[player]);
        assert_eq!(scene.tick(), stage.tick.0, "the scene's ticks are the room's");
        for (entity, key) in &self.keys {
            if let Some(told) = stage.world.get_mut(*key) {
                told.state = Entity::Body(body(scene.seen(*entity)));
            }
        }
    }

    fn viewpoint(&self, world: &World<Peers>, client: ClientId) -> Viewpoint {
        let avatar = self.clients.get(&client).and_then(|entity| self.keys.get(entity)).copied();
        let position = avatar.and_then(|key| world.get(key)).map_or(Vec3::ZERO, |entity| {
            let Entity::Body(body) = &entity.state;
            body.position.extend(0.0)
        });
        Viewpoint { position, avatar, team: Team::NONE }
    }

    fn private(&self, world: &World<Peers>, client: ClientId) -> Own {
        let avatar = self.clients.get(&client).and_then(|entity| self.keys.get(entity));
        avatar.and_then(|key| world.get(*key)).map_or_else(Own::default, |entity| {
            let Entity::Body(Body { position, heading, hp, state }) = entity.state.clone();
            Own { position, heading, hp, state }
        })
    }

    fn interest(&self, _kind: KindId) -> Interest {
        match self.radius {
            true => Interest::Radius { enter: ENTER_M, leave: LEAVE_M },
            false => Interest::Everything,
        }
    }
}

fn spawn(stage: &mut Stage<'_, Peers>, scene: &Scene, entity: usize, owner: Option<ClientId>) -> EntityKey {
    let state = Entity::Body(body(scene.seen(entity)));
    stage.world.spawn(NewEntity { state, spawn: entity as u16, owner, team: Team::NONE })
}

fn body(seen: Seen) -> Body {
    Body {
        position: Vec2::new(seen.x as f32, seen.y as f32) / 100.0,
        heading: seen.heading as f32 * std::f32::consts::TAU / TURN,
        hp: seen.hp as u8,
        state: seen.state as u8,
    }
}

/// What a client reads of a body, in the scene's units.
#[must_use]
pub fn seen(position: Vec2, heading: f32, hp: u8, state: u8) -> Seen {
    let turn = (heading * TURN / std::f32::consts::TAU).round() as i32;
    Seen {
        x: (position.x * 100.0).round() as i32,
        y: (position.y * 100.0).round() as i32,
        heading: turn.rem_euclid(TURN as i32),
        hp: i32::from(hp),
        state: i32::from(state),
    }
}

/// Nobody plays this by hand.
pub struct NoDialect;

impl Dialect<Peers> for NoDialect {
    fn input(&self, _value: &serde_json::Value) -> Result<Input, String> {
        Err("this game speaks no JSON".to_owned())
    }

    fn command(&self, _key: &str, _value: &serde_json::Value) -> Result<Option<()>, String> {
        Ok(None)
    }

    fn private(&self, _private: &Own) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn event(&self, _event: &()) -> serde_json::Value {
        serde_json::Value::Null
    }
}
