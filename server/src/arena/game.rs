//! The arena as a whole: who plays, what stands around, and the order of one tick.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use glam::{Vec2, Vec3};
use serde::{Deserialize, Serialize};
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::{
    Arena, ArenaEntity, ArenaEvent, ArenaInput, ArenaSetup, ArenaSpawn, Command, Own, Pickup,
};
use tickwire_shared::{ClientId, KindId};

use super::combat::SHOT_REACH_M;
use super::dice::Dice;
use super::drone::DroneMind;
use super::player::PlayerMind;
use crate::simulation::{
    Detail, EntityKey, Game, Inputs, Interest, NewEntity, Recipients, Refusal, Stage, Team, Viewpoint, World,
};

/// Longest chat line, in characters.
const CHAT_CHARS_MAX: usize = 200;
/// A pick-up comes back after this long, in seconds.
const PICKUP_SECONDS: f32 = 15.0;
/// Hit points that a pick-up gives.
const PICKUP_HEALS: u8 = 40;

/// Up to where clients are told of everything at every tick, and up to where at the second cadence, in metres.
const FAST_M: f32 = 60.0;
const MEDIUM_M: f32 = 120.0;
const _: () = assert!(SHOT_REACH_M < FAST_M, "who can be hit is told of at every tick");

/// What an arena is made with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArenaConfig {
    /// Length of a side, in metres, 50 to 4000.
    pub size_m: u16,
    /// Seed of the map and of all chance.
    pub seed: u64,
    /// Players that the server itself plays.
    pub bots: u32,
    /// Wandering drones.
    pub drones: u32,
    /// Things to pick up.
    pub pickups: u32,
    /// How far a client sees, in metres; it forgets an eighth farther.
    pub view_radius_m: f32,
}

impl Default for ArenaConfig {
    fn default() -> Self {
        Self { size_m: 200, seed: 1, bots: 6, drones: 40, pickups: 12, view_radius_m: 300.0 }
    }
}

/// Who plays an avatar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Who {
    Client(ClientId),
    Bot(u32),
}

/// The arena's rules and everything about it that is not replicated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArenaGame {
    config: ArenaConfig,
    pub(super) dice: Dice,
    pub(super) players: BTreeMap<Who, PlayerMind>,
    pub(super) drones: Vec<DroneMind>,
    pickups: Vec<PickupPlace>,
    #[serde(skip)]
    map: OnceLock<Arc<Map>>,
}

/// A place where something to pick up appears.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PickupPlace {
    position: Vec2,
    entity: Option<EntityKey>,
    back_in_ticks: u32,
}

impl ArenaGame {
    /// An arena that is about to begin.
    #[must_use]
    pub fn new(config: ArenaConfig) -> Self {
        Self {
            config,
            dice: Dice::new(config.seed),
            players: BTreeMap::new(),
            drones: Vec::new(),
            pickups: Vec::new(),
            map: OnceLock::new(),
        }
    }

    pub(super) fn map(&self) -> Arc<Map> {
        let make = || Arc::new(Map::new(self.config.seed, self.config.size_m));
        Arc::clone(self.map.get_or_init(make))
    }

    /// A free place to appear at.
    pub(super) fn free_place(&mut self) -> Vec2 {
        let map = self.map();
        let place = self.dice.place(map.half_m() - 3.0);
        map.push_out(place, 1.0)
    }

    fn step_pickups(&mut self, stage: &mut Stage<'_, Arena>) {
        let back = (PICKUP_SECONDS / stage.tick_seconds) as u32;
        for pickup in &mut self.pickups {
            let Some(key) = pickup.entity else {
                pickup.back_in_ticks = pickup.back_in_ticks.saturating_sub(1);
                if pickup.back_in_ticks == 0 {
                    pickup.entity = Some(spawn_pickup(stage, pickup.position));
                }
                continue;
            };
            let taker = self.players.values_mut().find(|player| {
                player.is_hurt() && player.motion.position.distance_squared(pickup.position) < 1.0
            });
            if let Some(player) = taker {
                player.heal(PICKUP_HEALS);
                if let Some(entity) = stage.world.get(player.key) {
                    let by = entity.id;
                    stage.emit(Recipients::Near(pickup.position.extend(0.0), 40.0), ArenaEvent::Taken { by });
                }
                stage.world.despawn(key);
                pickup.entity = None;
                pickup.back_in_ticks = back;
            }
        }
    }

    fn chat(&self, stage: &mut Stage<'_, Arena>, client: ClientId, text: &str) {
        let text: String = text.chars().filter(|c| !c.is_control()).take(CHAT_CHARS_MAX).collect();
        let Some(player) = self.players.get(&Who::Client(client)) else { return };
        if !text.trim().is_empty() {
            stage.emit(Recipients::Everyone, ArenaEvent::Chat { name: player.name.clone(), text });
        }
    }
}

impl Game for ArenaGame {
    type Protocol = Arena;

    fn setup(&self) -> ArenaSetup {
        ArenaSetup { seed: self.config.seed, size_m: self.config.size_m }
    }

    fn begin(&mut self, stage: &mut Stage<'_, Arena>) {
        for number in 0..self.config.bots {
            self.add_player(stage, Who::Bot(number), format!("bot {}", number + 1));
        }
        for _ in 0..self.config.drones {
            let place = self.free_place();
            let mind = DroneMind::spawn(stage, place, &mut self.dice);
            self.drones.push(mind);
        }
        for _ in 0..self.config.pickups {
            let position = self.free_place();
            let entity = Some(spawn_pickup(stage, position));
            self.pickups.push(PickupPlace { position, entity, back_in_ticks: 0 });
        }
    }

    fn join(&mut self, stage: &mut Stage<'_, Arena>, client: ClientId, name: &str) -> Result<(), Refusal> {
        self.add_player(stage, Who::Client(client), name.to_owned());
        stage.emit(Recipients::Everyone, ArenaEvent::Joined { name: name.to_owned() });
        Ok(())
    }

    fn leave(&mut self, stage: &mut Stage<'_, Arena>, client: ClientId) {
        if let Some(player) = self.players.remove(&Who::Client(client)) {
            stage.world.despawn(player.key);
            stage.emit(Recipients::Everyone, ArenaEvent::Left { name: player.name });
        }
    }

    fn away(&mut self, _stage: &mut Stage<'_, Arena>, client: ClientId, away: bool) {
        if let Some(player) = self.players.get_mut(&Who::Client(client)) {
            player.away_ticks = away.then_some(0);
        }
    }

    fn step(&mut self, stage: &mut Stage<'_, Arena>, inputs: &Inputs<Arena>) {
        for (client, command) in &inputs.commands {
            let Command::Chat(text) = command;
            self.chat(stage, *client, text);
        }
        let wishes = self.wishes(stage, &inputs.held);
        self.move_players(stage, &wishes);
        self.fire(stage, &wishes);
        self.step_drones(stage);
        self.step_pickups(stage);
        self.show_players(stage, &wishes);
    }

    fn viewpoint(&self, _world: &World<Arena>, client: ClientId) -> Viewpoint {
        let player = self.players.get(&Who::Client(client));
        Viewpoint {
            position: player.map_or(Vec3::ZERO, |player| player.motion.position.extend(0.0)),
            avatar: player.map(|player| player.key),
            team: Team::NONE,
        }
    }

    fn private(&self, _world: &World<Arena>, client: ClientId) -> Own {
        self.players.get(&Who::Client(client)).map(PlayerMind::own).unwrap_or_default()
    }

    fn weapon_reach(&self) -> Option<f32> {
        Some(SHOT_REACH_M)
    }

    /// Fast as far as a shot is heard, which is farther than one goes.
    fn detail(&self, _kind: KindId) -> Detail {
        Detail { fast_within: FAST_M, medium_within: MEDIUM_M }
    }

    fn interest(&self, _kind: KindId) -> Interest {
        let enter = self.config.view_radius_m;
        Interest::Radius { enter, leave: enter * 1.125 }
    }
}

impl ArenaGame {
    /// What everybody wants in this tick: clients as they say, bots as they think.
    fn wishes(
        &mut self,
        stage: &Stage<'_, Arena>,
        held: &[(ClientId, ArenaInput)],
    ) -> BTreeMap<Who, ArenaInput> {
        let mut wishes: BTreeMap<_, _> =
            held.iter().map(|(client, input)| (Who::Client(*client), *input)).collect();
        wishes.extend(self.think(stage));
        wishes
    }

    pub(super) fn config(&self) -> &ArenaConfig {
        &self.config
    }
}

fn spawn_pickup(stage: &mut Stage<'_, Arena>, position: Vec2) -> EntityKey {
    stage.world.spawn(NewEntity {
        state: ArenaEntity::Pickup(Pickup { position, heals: PICKUP_HEALS }),
        spawn: ArenaSpawn::default(),
        owner: None,
        team: Team::NONE,
    })
}
