//! What a client foresees of its own avatar: that it walks, that it fires and its weapon cools down, that it waits to
//! respawn. Hits, pushes and where it comes back are the server's to tell.

use super::Arena;
use super::kinds::Own;
use super::map::Map;
use super::messages::{ArenaInput, ArenaSetup};
use super::motion::{self, Motion};
use crate::client::Predictor;

/// Nobody walks or is pushed this far in a tick, in metres: it was a respawn.
const JUMP_M: f32 = 4.0;

/// The arena's walking, with the map that it needs.
pub(super) struct Foresight {
    map: Map,
    tick_seconds: f32,
}

impl Foresight {
    pub(super) fn new(setup: &ArenaSetup, tick_hz: u16) -> Self {
        Self { map: Map::new(setup.seed, setup.size_m), tick_seconds: 1.0 / f32::from(tick_hz.max(1)) }
    }
}

impl Predictor<Arena> for Foresight {
    fn step(&self, own: &Own, input: &ArenaInput) -> Own {
        let cooldown_ticks = own.cooldown_ticks.saturating_sub(1);
        if own.respawn_ticks > 0 {
            // The last of these ticks is the server's: it alone knows the place.
            return Own { cooldown_ticks, respawn_ticks: (own.respawn_ticks - 1).max(1), ..own.clone() };
        }
        let motion = Motion { position: own.position, velocity: own.velocity };
        let Motion { position, velocity } = motion::step(motion, input, &self.map, self.tick_seconds);
        let fires = input.fire && cooldown_ticks == 0;
        let cooldown_ticks = if fires { motion::cooldown_ticks(self.tick_seconds) } else { cooldown_ticks };
        Own { position, velocity, cooldown_ticks, ..own.clone() }
    }

    fn is_jump(&self, predicted: &Own, told: &Own) -> bool {
        let is_alive = |own: &Own| own.respawn_ticks == 0;
        predicted.position.distance_squared(told.position) > JUMP_M * JUMP_M
            || is_alive(told) && !is_alive(predicted)
    }
}
