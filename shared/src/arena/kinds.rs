//! What is replicated in the arena.

use glam::Vec2;
use serde::{Deserialize, Serialize};
use tickwire_derive::{Replicate, ReplicateKinds};

/// Everything that clients see move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ReplicateKinds)]
pub enum ArenaEntity {
    /// A person or a bot.
    Player(Player),
    /// A wanderer that shoots at nobody and is worth a point.
    Drone(Drone),
    /// Something to walk over.
    Pickup(Pickup),
}

/// A person or a bot, as others see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Player {
    /// In metres, the arena's centre is the origin.
    #[replicate(position, min = -2048.0, max = 2048.0, quantum = 0.01)]
    pub position: Vec2,
    /// Where it looks, in radians.
    #[replicate(angle, bits = 10)]
    pub aim: f32,
    /// Hit points, 0 is dead.
    #[replicate(number, min = 0, max = 100)]
    pub hp: u8,
    /// Bits of [`flags`].
    #[replicate(flags, bits = 2)]
    pub flags: u8,
    /// Kills less deaths by own hand.
    #[replicate(number, min = -999, max = 9999)]
    pub score: i16,
}

/// Bits of [`Player::flags`].
pub mod flags {
    /// Waits to respawn.
    pub const DEAD: u8 = 1;
    /// Its client is gone for the moment.
    pub const AWAY: u8 = 2;
}

/// A wandering drone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Drone {
    /// In metres.
    #[replicate(position, min = -2048.0, max = 2048.0, quantum = 0.01)]
    pub position: Vec2,
    /// Where it goes, in radians.
    #[replicate(angle, bits = 10)]
    pub heading: f32,
    /// Hit points.
    #[replicate(number, min = 0, max = 50)]
    pub hp: u8,
}

/// Something to walk over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Pickup {
    /// In metres.
    #[replicate(position, min = -2048.0, max = 2048.0, quantum = 0.01)]
    pub position: Vec2,
    /// Hit points that it gives.
    #[replicate(number, min = 0, max = 100)]
    pub heals: u8,
}

/// What only the player itself is told: all that its own step needs, exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Own {
    /// In metres, on the grid of [`motion::QUANTUM`](super::motion::QUANTUM).
    #[replicate(position, min = -2048.0, max = 2048.0, quantum = super::motion::QUANTUM)]
    pub position: Vec2,
    /// In metres per second, on the same grid.
    #[replicate(position, min = -64.0, max = 64.0, quantum = super::motion::QUANTUM)]
    pub velocity: Vec2,
    /// Hit points.
    #[replicate(number, min = 0, max = 100)]
    pub hp: u8,
    /// Ticks until the next shot.
    #[replicate(number, min = 0, max = 255)]
    pub cooldown_ticks: u8,
    /// Ticks until the respawn; 0 is alive.
    #[replicate(number, min = 0, max = 1023)]
    pub respawn_ticks: u16,
    /// Kills less deaths by own hand.
    #[replicate(number, min = -999, max = 9999)]
    pub score: i16,
}
