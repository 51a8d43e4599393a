//! Hitscan shots: who fires, what is hit, who dies by it. Where a client's shot goes is judged by what that client was
//! shown of its targets; from where, by the rules: the shooter stands where it stands, and obstacles stand still.

use std::collections::BTreeMap;

use glam::Vec2;
use tickwire_shared::arena::map::{Map, ray_disc};
use tickwire_shared::arena::motion::{self, PLAYER_RADIUS_M};
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaEvent, ArenaInput, flags};

use super::drone::DRONE_RADIUS_M;
use super::game::{ArenaGame, Who};
use super::player::PlayerMind;
use crate::simulation::{EntityKey, Recipients, Stage};

/// How far a shot goes, in metres.
pub(super) const SHOT_REACH_M: f32 = 40.0;
/// Whoever is farther than this beyond a shot's reach cannot have been in it a moment ago, in metres.
const STRIDE_M: f32 = motion::SPEED_MAX * 2.0 * 0.5 + PLAYER_RADIUS_M;
/// Hit points that a hit takes.
const DAMAGE: u8 = 25;
/// Speed that a hit gives, in metres per second: the victim's client cannot foresee it.
const KNOCK_BACK: f32 = 5.0;
/// Who is told of a shot, in metres from its start.
const HEARD_M: f32 = 60.0;
/// Points for a kill and for a drone.
const POINTS: (i16, i16) = (3, 1);

/// What a shot can hit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Player(Who),
    Drone(usize),
}

/// What may be hit.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    target: Target,
    key: EntityKey,
    now: Vec2,
    radius: f32,
}

/// The way of a shot.
#[derive(Clone, Copy, Debug)]
struct Ray {
    origin: Vec2,
    direction: Vec2,
    /// How far no obstacle is in it.
    free: f32,
}

impl Ray {
    fn may_reach(&self, place: Vec2) -> bool {
        let most = self.free + STRIDE_M;
        place.distance_squared(self.origin) <= most * most
    }
}

/// Where something that can be hit was, unless it was dead.
fn place_alive(shown: &ArenaEntity) -> Option<Vec2> {
    match shown {
        ArenaEntity::Player(player) => (player.flags & flags::DEAD == 0).then_some(player.position),
        ArenaEntity::Drone(drone) => (drone.hp > 0).then_some(drone.position),
        ArenaEntity::Pickup(_) => None,
    }
}

impl ArenaGame {
    /// Everybody who wants to and may fires, in the order of their ids.
    pub(super) fn fire(&mut self, stage: &mut Stage<'_, Arena>, wishes: &BTreeMap<Who, ArenaInput>) {
        let map = self.map();
        for (who, wish) in wishes {
            let Some(player) = self.players.get_mut(who) else { continue };
            if !wish.fire || !player.is_alive() || player.cooldown_ticks > 0 {
                continue;
            }
            player.cooldown_ticks = motion::cooldown_ticks(stage.tick_seconds);
            let (origin, key) = (player.motion.position, player.key);
            self.shoot(stage, &map, *who, key, origin, wish.aim_radians());
        }
    }

    fn shoot(
        &mut self,
        stage: &mut Stage<'_, Arena>,
        map: &Map,
        who: Who,
        key: EntityKey,
        origin: Vec2,
        aim: f32,
    ) {
        let direction = Vec2::from_angle(aim);
        let free = map.ray(origin, direction, SHOT_REACH_M);
        let hit = self.first_hit(stage, who, Ray { origin, direction, free });
        let distance = hit.map_or(free, |(distance, _)| distance);
        let target_key = hit.and_then(|(_, target)| match target {
            Target::Player(victim) => self.players.get(&victim).map(|player| player.key),
            Target::Drone(index) => Some(self.drones[index].key),
        });
        let id = |key: EntityKey| stage.world.get(key).map(|entity| entity.id);
        if let Some(by) = id(key) {
            let end = ((origin + direction * distance) * 10.0).round();
            let end = [end.x as i16, end.y as i16];
            let hit = target_key.and_then(id);
            stage.emit(Recipients::Near(origin.extend(0.0), HEARD_M), ArenaEvent::Shot { by, end, hit });
        }
        match hit {
            Some((_, Target::Player(victim))) => self.hit_player(stage, who, victim, direction),
            Some((_, Target::Drone(index))) => self.hit_drone(stage, who, index),
            None => {}
        }
    }

    /// Whoever is not shown, or was dead then, cannot be hit.
    fn first_hit(&self, stage: &mut Stage<'_, Arena>, who: Who, ray: Ray) -> Option<(f32, Target)> {
        let tick_seconds = stage.tick_seconds;
        let is_target = |other: &Who, player: &PlayerMind| *other != who && player.is_target(tick_seconds);
        let players = self.players.iter().filter(|(other, player)| is_target(other, player));
        let players = players.map(|(other, player)| Candidate {
            target: Target::Player(*other),
            key: player.key,
            now: player.motion.position,
            radius: PLAYER_RADIUS_M,
        });
        let drones = self.drones.iter().enumerate().filter(|(_, drone)| drone.hp > 0);
        let drones = drones.map(|(index, drone)| Candidate {
            target: Target::Drone(index),
            key: drone.key,
            now: drone.position,
            radius: DRONE_RADIUS_M,
        });
        let candidates = players.chain(drones).filter(|it| ray.may_reach(it.now));
        let hit = |candidate: &Candidate, place: Vec2| {
            let distance = ray_disc(ray.origin, ray.direction, place, candidate.radius)?;
            (distance <= ray.free).then_some((distance, candidate.target))
        };
        let first = |a: &(f32, Target), b: &(f32, Target)| a.0.total_cmp(&b.0);
        match who {
            Who::Bot(_) => candidates.filter_map(|it| hit(&it, it.now)).min_by(first),
            Who::Client(client) => {
                let mut shown = stage.rewind(client);
                candidates.filter_map(|it| hit(&it, place_alive(&shown.entity(it.key)?)?)).min_by(first)
            }
        }
    }

    fn hit_player(&mut self, stage: &mut Stage<'_, Arena>, by: Who, victim: Who, direction: Vec2) {
        let Some(player) = self.players.get_mut(&victim) else { return };
        player.hp = player.hp.saturating_sub(DAMAGE);
        player.motion.velocity += direction * KNOCK_BACK;
        player.motion = motion::settle(player.motion);
        if player.hp > 0 {
            return;
        }
        player.die(stage.tick_seconds);
        let victim = player.name.clone();
        if let Some(killer) = self.players.get_mut(&by) {
            killer.add_score(POINTS.0);
            let by = killer.name.clone();
            stage.emit(Recipients::Everyone, ArenaEvent::Killed { victim, by });
        }
    }

    fn hit_drone(&mut self, stage: &mut Stage<'_, Arena>, by: Who, index: usize) {
        let drone = &mut self.drones[index];
        drone.hp = drone.hp.saturating_sub(DAMAGE);
        if let Some(entity) = stage.world.get_mut(drone.key)
            && let ArenaEntity::Drone(shown) = &mut entity.state
        {
            shown.hp = drone.hp;
        }
        if drone.hp == 0
            && let Some(player) = self.players.get_mut(&by)
        {
            player.add_score(POINTS.1);
        }
    }
}
