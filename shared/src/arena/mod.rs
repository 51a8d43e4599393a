//! The demo game as both sides know it: its kinds, its messages, its map and its pure step. The rules that only
//! the server runs (shots, drones, scores) are in the server's `arena`.

mod kinds;

mod messages;

pub mod map;

pub mod motion;

mod foresight;

pub use kinds::{ArenaEntity, Drone, Own, Pickup, Player, flags};
pub use messages::{ArenaEvent, ArenaInput, ArenaSetup, ArenaSpawn, Command, SIZE_M};

use std::sync::{Arc, OnceLock};

use crate::client::Predictor;
use crate::protocol::Protocol;
use crate::wire::tables::Tables;

/// The arena's types.
#[derive(Clone, Copy, Debug)]
pub struct Arena;

impl Protocol for Arena {
    const NAME: &'static str = "arena";
    const REVISION: u32 = 1;

    type Entity = ArenaEntity;
    type Private = Own;
    type Spawn = ArenaSpawn;
    type Setup = ArenaSetup;
    type Input = ArenaInput;
    type Command = Command;
    type Event = ArenaEvent;

    fn tables() -> Arc<Tables> {
        static ARENA: OnceLock<Arc<Tables>> = OnceLock::new();
        Tables::shipped(include_bytes!("arena.tables"), &ARENA)
    }

    fn predictor(setup: &ArenaSetup, tick_hz: u16) -> Option<Box<dyn Predictor<Self>>> {
        Some(Box::new(foresight::Foresight::new(setup, tick_hz)))
    }

    fn is_possible(input: &ArenaInput) -> bool {
        input.walk.iter().all(|axis| *axis != i8::MIN)
    }

    fn aims(input: &ArenaInput) -> bool {
        input.fire
    }
}
