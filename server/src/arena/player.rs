//! Players: how they appear, move, push each other, die and come back.

use std::collections::BTreeMap;

use glam::Vec2;
use serde::{Deserialize, Serialize};
use tickwire_shared::arena::motion::{self, Motion, PLAYER_RADIUS_M};
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaInput, ArenaSpawn, Own, Player, flags};

use super::bot::BotMind;
use super::game::{ArenaGame, Who};
use crate::simulation::{EntityKey, Grid, NewEntity, Stage, Team};

/// Hit points of a fresh player.
pub(super) const HP_MAX: u8 = 100;
/// From death to respawn, in seconds.
const RESPAWN_SECONDS: f32 = 3.0;
/// How long a player whose connection is lost can still be hit, in seconds.
const EXPOSED_SECONDS: f32 = 3.0;
/// Colours that clients tell apart.
const COLOURS: u32 = 8;

/// What the rules know of a player beyond what others see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlayerMind {
    pub(super) key: EntityKey,
    pub(super) name: String,
    pub(super) motion: Motion,
    pub(super) hp: u8,
    pub(super) cooldown_ticks: u8,
    pub(super) respawn_ticks: u16,
    pub(super) score: i16,
    pub(super) bot: Option<BotMind>,
    /// For how long its client has been without a connection.
    pub(super) away_ticks: Option<u32>,
}

impl PlayerMind {
    pub(super) fn is_alive(&self) -> bool {
        self.respawn_ticks == 0
    }

    /// Whether shots hit it. Who is away is out of the fight, but not at once: nobody gets out of it by pulling a plug.
    pub(super) fn is_target(&self, tick_seconds: f32) -> bool {
        let protected = |ticks: u32| ticks as f32 * tick_seconds >= EXPOSED_SECONDS;
        self.is_alive() && !self.away_ticks.is_some_and(protected)
    }

    pub(super) fn is_hurt(&self) -> bool {
        self.is_alive() && self.hp < HP_MAX
    }

    pub(super) fn heal(&mut self, hp: u8) {
        self.hp = self.hp.saturating_add(hp).min(HP_MAX);
    }

    pub(super) fn add_score(&mut self, points: i16) {
        self.score = self.score.saturating_add(points).clamp(-999, 9999);
    }

    pub(super) fn die(&mut self, tick_seconds: f32) {
        self.hp = 0;
        self.respawn_ticks = (RESPAWN_SECONDS / tick_seconds).clamp(1.0, 1023.0) as u16;
        self.motion.velocity = Vec2::ZERO;
    }

    pub(super) fn own(&self) -> Own {
        Own {
            position: self.motion.position,
            velocity: self.motion.velocity,
            hp: self.hp,
            cooldown_ticks: self.cooldown_ticks,
            respawn_ticks: self.respawn_ticks,
            score: self.score,
        }
    }
}

impl ArenaGame {
    pub(super) fn add_player(&mut self, stage: &mut Stage<'_, Arena>, who: Who, name: String) {
        let position = self.free_place();
        let colour = self.dice.index(COLOURS) as u8;
        let owner = match who {
            Who::Client(client) => Some(client),
            Who::Bot(_) => None,
        };
        let key = stage.world.spawn(NewEntity {
            state: ArenaEntity::Player(Player { position, hp: HP_MAX, ..Player::default() }),
            spawn: ArenaSpawn { name: name.clone(), colour },
            owner,
            team: Team::NONE,
        });
        let bot = matches!(who, Who::Bot(_)).then(BotMind::default);
        let motion = motion::settle(Motion { position, velocity: Vec2::ZERO });
        let mind = PlayerMind {
            key,
            name,
            motion,
            hp: HP_MAX,
            cooldown_ticks: 0,
            respawn_ticks: 0,
            score: 0,
            bot,
            away_ticks: None,
        };
        self.players.insert(who, mind);
    }

    /// Everybody takes a step, the dead come nearer to coming back, and whoever overlaps is pushed apart.
    pub(super) fn move_players(&mut self, stage: &mut Stage<'_, Arena>, wishes: &BTreeMap<Who, ArenaInput>) {
        let map = self.map();
        let mut returning = Vec::new();
        for (who, player) in &mut self.players {
            player.cooldown_ticks = player.cooldown_ticks.saturating_sub(1);
            player.away_ticks = player.away_ticks.map(|ticks| ticks.saturating_add(1));
            if player.is_alive() {
                let wish = wishes.get(who).copied().unwrap_or_default();
                player.motion = motion::step(player.motion, &wish, &map, stage.tick_seconds);
            } else {
                player.respawn_ticks -= 1;
                if player.respawn_ticks == 0 {
                    returning.push(*who);
                }
            }
        }
        for who in returning {
            let position = self.free_place();
            if let Some(player) = self.players.get_mut(&who) {
                player.motion = motion::settle(Motion { position, velocity: Vec2::ZERO });
                player.hp = HP_MAX;
                stage.world.cut(player.key);
            }
        }
        self.push_apart();
    }

    /// Players are soft: each of a pair that overlaps gives way by half. No client can foresee this of others.
    fn push_apart(&mut self) {
        let map = self.map();
        let mut players: Vec<_> = self.players.values_mut().filter(|player| player.is_alive()).collect();
        let places: Vec<_> = players.iter().map(|player| player.motion.position).collect();
        let mut grid = Grid::default();
        let points = places.iter().enumerate();
        grid.rebuild(4.0, points.map(|(index, place)| (index as u32, place.extend(0.0))));
        for (index, place) in places.iter().enumerate() {
            let mut near = Vec::new();
            grid.near(place.extend(0.0), 2.0 * PLAYER_RADIUS_M, |other| near.push(other as usize));
            near.sort_unstable();
            near.dedup();
            let mut push = Vec2::ZERO;
            for other in near.into_iter().filter(|other| *other != index) {
                let apart = *place - places[other];
                let distance = apart.length();
                if distance < 2.0 * PLAYER_RADIUS_M {
                    // Two at the very same place part along the x axis, the older one to the left.
                    let aside = if index < other { -Vec2::X } else { Vec2::X };
                    let away = if distance > 1e-3 { apart / distance } else { aside };
                    push += away * ((2.0 * PLAYER_RADIUS_M - distance) / 2.0);
                }
            }
            if push != Vec2::ZERO {
                let Motion { position, velocity } = players[index].motion;
                let position = map.push_out(position + push, PLAYER_RADIUS_M);
                players[index].motion = motion::settle(Motion { position, velocity });
            }
        }
    }

    /// Copies what others may see into the world.
    pub(super) fn show_players(&mut self, stage: &mut Stage<'_, Arena>, wishes: &BTreeMap<Who, ArenaInput>) {
        for (who, player) in &self.players {
            let Some(entity) = stage.world.get_mut(player.key) else { continue };
            if let ArenaEntity::Player(shown) = &mut entity.state {
                shown.position = player.motion.position;
                shown.hp = player.hp;
                shown.score = player.score;
                shown.flags = if player.is_alive() { 0 } else { flags::DEAD };
                shown.flags |= if player.away_ticks.is_some() { flags::AWAY } else { 0 };
                if let Some(wish) = wishes.get(who) {
                    shown.aim = wish.aim_radians();
                }
            }
        }
    }
}
