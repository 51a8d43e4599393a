//! What the arena's two sides say to each other besides state.

use std::ops::RangeInclusive;

use glam::Vec2;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::id::NetId;

/// What a player wants, held until the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArenaInput {
    /// Direction to walk, each axis in 1/127; −128 is impossible.
    pub walk: [i8; 2],
    /// Where to look, 65,536 steps per turn.
    pub aim: u16,
    /// Whether the trigger is held.
    pub fire: bool,
}

impl ArenaInput {
    /// From a direction, an angle in radians and the trigger; lengths over 1 are cut to 1.
    #[must_use]
    pub fn new(walk: Vec2, aim: f32, fire: bool) -> Self {
        let walk = if walk.is_finite() { walk.clamp_length_max(1.0) } else { Vec2::ZERO };
        let turns = f64::from(if aim.is_finite() { aim } else { 0.0 }) / std::f64::consts::TAU;
        let steps = ((turns - turns.floor()) * 65_536.0).round() as u32;
        Self {
            walk: [(walk.x * 127.0).round() as i8, (walk.y * 127.0).round() as i8],
            aim: steps as u16,
            fire,
        }
    }

    /// Direction to walk, at most 1 long.
    #[must_use]
    pub fn direction(&self) -> Vec2 {
        let [x, y] = self.walk.map(|axis| f32::from(axis) / 127.0);
        Vec2::new(x, y).clamp_length_max(1.0)
    }

    /// Where to look, in radians.
    #[must_use]
    pub fn aim_radians(&self) -> f32 {
        f32::from(self.aim) * (std::f32::consts::TAU / 65_536.0)
    }
}

/// A reliable wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Say something to everybody.
    Chat(String),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArenaEvent {
    /// Somebody came.
    Joined {
        /// Display name.
        name: String,
    },
    /// Somebody went.
    Left {
        /// Display name.
        name: String,
    },
    /// Somebody said something.
    Chat {
        /// Display name.
        name: String,
        /// The words.
        text: String,
    },
    /// A shot, seen nearby.
    Shot {
        /// Who fired.
        by: NetId,
        /// Where it ended, in decimetres.
        end: [i16; 2],
        /// What it hit.
        hit: Option<NetId>,
    },
    /// Somebody died.
    Killed {
        /// Who.
        victim: String,
        /// By whose hand.
        by: String,
    },
    /// A pick-up was taken.
    Taken {
        /// By whom.
        by: NetId,
    },
}

/// Told once when an entity enters the view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArenaSpawn {
    /// Display name; empty for what has none.
    pub name: String,
    /// Colour index, 0..=7.
    pub colour: u8,
}

/// Told once in Welcome: what the map and the step need.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArenaSetup {
    /// Seed of the obstacles.
    pub seed: u64,
    /// Length of a side, in metres, within [`SIZE_M`].
    #[serde(deserialize_with = "size_m")]
    pub size_m: u16,
}

/// How long the side of an arena may be, in metres. Whoever hears of one makes its map, and must not be made to make one that
/// takes half a gibibyte.
pub const SIZE_M: RangeInclusive<u16> = 50..=4000;

fn size_m<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let size_m = u16::deserialize(deserializer)?;
    let refuse = || D::Error::custom(format_args!("the side of an arena is {SIZE_M:?} m"));
    SIZE_M.contains(&size_m).then_some(size_m).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codec::{self, CodecError};

    #[test]
    fn a_setup_of_impossible_size_is_refused() {
        for (size_m, fine) in
            [(0, false), (49, false), (50, true), (4000, true), (4001, false), (u16::MAX, false)]
        {
            let setup = ArenaSetup { seed: 7, size_m };
            let read = codec::decode::<ArenaSetup>(&codec::encode(&setup));
            assert_eq!(read, if fine { Ok(setup) } else { Err(CodecError::Malformed) }, "{size_m} m");
        }
    }
}
