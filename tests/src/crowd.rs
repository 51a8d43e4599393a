//! The scene of the codec's numbers as a game: every client plays none of the movers but looks from where one of them is.

use glam::Vec3;
use serde::{Deserialize, Serialize};
use tickwire_server::simulation::{
    EntityKey, Game, Inputs, Interest, NewEntity, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::{ClientId, KindId, Protocol, Replicate, ReplicateKinds};

use crate::scene::{Mover, Scene};

/// The game's types.
#[derive(Clone, Debug)]
pub struct Crowd;

/// One kind.
#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
pub enum CrowdEntity {
    /// Whoever moves.
    Mover(Mover),
}

/// The own state: nothing that changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Onlooker {
    /// Always 0.
    #[replicate(number, min = 0, max = 1)]
    pub nothing: u8,
}

impl Protocol for Crowd {
    const NAME: &'static str = "crowd";
    const REVISION: u32 = 1;
    type Entity = CrowdEntity;
    type Private = Onlooker;
    type Spawn = ();
    type Setup = ();
    type Input = u8;
    type Command = u8;
    type Event = u8;
}

/// The rules: the scene's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrowdGame {
    seed: u64,
    count: u32,
    side_m: f32,
    radius_m: f32,
    /// Whether anybody moves.
    pub moving: bool,
    /// Whether every client whose input is not 0 looks back at everything in every tick.
    pub looking_back: bool,
    #[serde(skip)]
    scene: Option<Scene>,
    keys: Vec<EntityKey>,
}

impl CrowdGame {
    /// `count` entities in a square of `side_m` metres, seen up to `radius_m`.
    #[must_use]
    pub fn new(seed: u64, count: u32, side_m: f32, radius_m: f32) -> Self {
        Self {
            seed,
            count,
            side_m,
            radius_m,
            moving: true,
            looking_back: false,
            scene: None,
            keys: Vec::new(),
        }
    }
}

impl Game for CrowdGame {
    type Protocol = Crowd;

    fn setup(&self) {}

    fn begin(&mut self, stage: &mut Stage<'_, Crowd>) {
        let scene = Scene::new(self.seed, self.count, self.side_m);
        for mover in scene.movers() {
            let state = CrowdEntity::Mover(mover.clone());
            self.keys.push(stage.world.spawn(NewEntity { state, spawn: (), owner: None, team: Team::NONE }));
        }
        self.scene = Some(scene);
    }

    fn join(&mut self, _: &mut Stage<'_, Crowd>, _: ClientId, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn leave(&mut self, _: &mut Stage<'_, Crowd>, _: ClientId) {}

    fn weapon_reach(&self) -> Option<f32> {
        self.looking_back.then_some(0.0)
    }

    fn step(&mut self, stage: &mut Stage<'_, Crowd>, inputs: &Inputs<Crowd>) {
        for (client, _) in inputs.held.iter().filter(|(_, input)| self.looking_back && *input > 0) {
            let mut shown = stage.rewind(*client);
            let seen = self.keys.iter().filter(|key| shown.entity(**key).is_some()).count();
            std::hint::black_box(seen);
        }
        let (Some(scene), true) = (&mut self.scene, self.moving) else { return };
        scene.step();
        for (key, mover) in self.keys.iter().zip(scene.movers()) {
            if let Some(entity) = stage.world.get_mut(*key) {
                entity.state = CrowdEntity::Mover(mover.clone());
            }
        }
    }

    fn viewpoint(&self, world: &World<Crowd>, client: ClientId) -> Viewpoint {
        let key = self.keys[client.0 as usize % self.keys.len()];
        let position = world.get(key).map_or(Vec3::ZERO, |entity| {
            let CrowdEntity::Mover(mover) = &entity.state;
            mover.position.extend(0.0)
        });
        Viewpoint { position, avatar: None, team: Team::NONE }
    }

    fn private(&self, _: &World<Crowd>, _: ClientId) -> Onlooker {
        Onlooker::default()
    }

    fn interest(&self, _: KindId) -> Interest {
        Interest::Radius { enter: self.radius_m, leave: self.radius_m * 1.125 }
    }
}
