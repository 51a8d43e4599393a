//! The pure step of a player: the server runs it with the inputs it got, the client runs it ahead.
//!
//! It ends by rounding to [`QUANTUM`], so what the private state carries *is* the state.

use glam::Vec2;

use super::map::Map;
use super::messages::ArenaInput;

/// Grid of position and velocity: a power of two, so every value on it is exact.
pub const QUANTUM: f32 = 1.0 / 1024.0;
/// Radius of a player, in metres.
pub const PLAYER_RADIUS_M: f32 = 0.5;
/// Top speed, in metres per second.
pub const SPEED_MAX: f32 = 8.0;
/// Acceleration and friction, in metres per second squared.
pub const ACCELERATION: f32 = 48.0;

/// From shot to shot, in seconds.
pub const COOLDOWN_SECONDS: f32 = 0.4;

/// How a player moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Motion {
    /// In metres.
    pub position: Vec2,
    /// In metres per second.
    pub velocity: Vec2,
}

/// One tick of `seconds`.
#[must_use]
pub fn step(motion: Motion, input: &ArenaInput, map: &Map, seconds: f32) -> Motion {
    let wanted = input.direction() * SPEED_MAX;
    let change = (wanted - motion.velocity).clamp_length_max(ACCELERATION * seconds);
    let velocity = motion.velocity + change;
    let reached = motion.position + velocity * seconds;
    let position = map.push_out(reached, PLAYER_RADIUS_M);
    // What an obstacle took from the way it takes from the speed.
    let velocity = if position == reached { velocity } else { (position - motion.position) / seconds };
    settle(Motion { position, velocity: velocity.clamp_length_max(SPEED_MAX * 2.0) })
}

/// Ticks from a shot to the next one.
#[must_use]
pub fn cooldown_ticks(tick_seconds: f32) -> u8 {
    (COOLDOWN_SECONDS / tick_seconds).clamp(1.0, 255.0) as u8
}

/// Rounds to the grid. Whatever changes a motion ends with this.
#[must_use]
pub fn settle(motion: Motion) -> Motion {
    let round = |value: Vec2| (value / QUANTUM).round() * QUANTUM;
    Motion { position: round(motion.position), velocity: round(motion.velocity) }
}
