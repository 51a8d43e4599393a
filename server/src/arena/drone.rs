//! Drones: they wander from place to place, and half of them rest at any time.

use glam::Vec2;
use serde::{Deserialize, Serialize};
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaSpawn, Drone};

use super::dice::Dice;
use super::game::ArenaGame;
use crate::simulation::{EntityKey, NewEntity, Stage, Team};

/// Hit points of a fresh drone.
pub(super) const DRONE_HP_MAX: u8 = 50;
/// Radius of a drone, in metres.
pub(super) const DRONE_RADIUS_M: f32 = 0.4;
const SPEED_MAX: f32 = 4.0;
const ACCELERATION: f32 = 6.0;
/// Bounds of a rest and of a walk, in seconds: equal, so that half of the drones rest.
const LEG_SECONDS: (f32, f32) = (3.0, 9.0);

/// What a drone is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DroneMind {
    pub(super) key: EntityKey,
    pub(super) position: Vec2,
    velocity: Vec2,
    pub(super) hp: u8,
    /// Where it walks to; `None` rests.
    goal: Option<Vec2>,
    leg_ticks: u32,
}

impl DroneMind {
    pub(super) fn spawn(stage: &mut Stage<'_, Arena>, position: Vec2, dice: &mut Dice) -> Self {
        let key = stage.world.spawn(NewEntity {
            state: ArenaEntity::Drone(Drone { position, heading: 0.0, hp: DRONE_HP_MAX }),
            spawn: ArenaSpawn::default(),
            owner: None,
            team: Team::NONE,
        });
        let leg_ticks = (dice.between(0.0, LEG_SECONDS.1) / stage.tick_seconds) as u32;
        let goal = (dice.index(2) == 0).then(|| position + dice.place(20.0));
        Self { key, position, velocity: Vec2::ZERO, hp: DRONE_HP_MAX, goal, leg_ticks }
    }

    /// Chooses the next leg when this one is over.
    fn turn(&mut self, tick_seconds: f32, dice: &mut Dice, half_m: f32) {
        self.leg_ticks = self.leg_ticks.saturating_sub(1);
        if self.leg_ticks > 0 {
            return;
        }
        self.leg_ticks = (dice.between(LEG_SECONDS.0, LEG_SECONDS.1) / tick_seconds) as u32;
        self.goal = match self.goal {
            Some(_) => None,
            None => Some((self.position + dice.place(30.0)).clamp(Vec2::splat(-half_m), Vec2::splat(half_m))),
        };
    }
}

impl ArenaGame {
    pub(super) fn step_drones(&mut self, stage: &mut Stage<'_, Arena>) {
        let map = self.map();
        let seconds = stage.tick_seconds;
        for index in 0..self.drones.len() {
            if self.drones[index].hp == 0 {
                self.replace_drone(stage, index);
            }
            let drone = &mut self.drones[index];
            drone.turn(seconds, &mut self.dice, map.half_m() - 2.0);
            let wanted =
                drone.goal.map_or(Vec2::ZERO, |goal| (goal - drone.position).clamp_length_max(SPEED_MAX));
            drone.velocity += (wanted - drone.velocity).clamp_length_max(ACCELERATION * seconds);
            if drone.velocity.length_squared() < 1e-4 {
                drone.velocity = Vec2::ZERO;
                continue;
            }
            drone.position = map.push_out(drone.position + drone.velocity * seconds, DRONE_RADIUS_M);
            let Some(entity) = stage.world.get_mut(drone.key) else { continue };
            if let ArenaEntity::Drone(shown) = &mut entity.state {
                shown.position = drone.position;
                if drone.velocity.length_squared() > 0.25 {
                    shown.heading = drone.velocity.to_angle();
                }
            }
        }
    }

    /// A dead drone's place is taken by a fresh one elsewhere.
    fn replace_drone(&mut self, stage: &mut Stage<'_, Arena>, index: usize) {
        stage.world.despawn(self.drones[index].key);
        let place = self.free_place();
        self.drones[index] = DroneMind::spawn(stage, place, &mut self.dice);
    }
}
