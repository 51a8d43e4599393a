//! What one game's server and clients share: its types. A game implements [`Protocol`] once, in a crate that
//! both its server and its client use.

use std::fmt::Debug;
use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use crate::client::Predictor;
use crate::schema::{Replicate, ReplicateKinds, Schema};
use crate::wire::tables::Tables;

/// The types of one game. Everything in here is either replicated by the schema (entities, private state) or
/// travels by bincode (setup, input, command, event).
pub trait Protocol: Sized + Clone + Debug + Send + Sync + 'static {
    /// The game's name, part of the schema hash.
    const NAME: &'static str;
    /// To be raised whenever input, command, event, setup or spawn types change: bincode cannot tell.
    const REVISION: u32;

    /// An enum of all replicated kinds.
    type Entity: ReplicateKinds + Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// What only its own client is told: the exact step state of its avatar, ammunition, cooldowns.
    type Private: Replicate + Clone + Debug + PartialEq + Send + Sync + 'static;
    /// Told once per entity when it enters a client's view: name, colour, loadout.
    type Spawn: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// Told once in Welcome: seed of the map, rules.
    type Setup: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// Held until the next one; stamped with the tick that it is for. `Default` is "hands off".
    type Input: Serialize + DeserializeOwned + Clone + Debug + Default + PartialEq + Send + Sync + 'static;
    /// Reliable and ordered, never dropped as late: chat, buy, vote.
    type Command: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// What happened, told with its tick: hits, deaths, chat.
    type Event: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;

    /// Whether an input is possible at all; a client that sends another one is closed with code 4000.
    #[must_use]
    fn is_possible(input: &Self::Input) -> bool {
        let _ = input;
        true
    }

    /// Whether an input is aimed at what its player sees. It then carries which moment that was, two bytes more, and the
    /// server can look back to it: `Stage::rewind`.
    #[must_use]
    fn aims(input: &Self::Input) -> bool {
        let _ = input;
        false
    }

    /// The coding tables that the game ships with: the generic ones, or better ones trained on its own movement. A
    /// client with others is sent the server's when it joins.
    #[must_use]
    fn tables() -> Arc<Tables> {
        Tables::generic()
    }

    /// What clients foresee of their own avatar: its pure step, which the server runs too. `None` shows it between what was
    /// told, like all others. Called once per session, so it may work out a map.
    #[must_use]
    fn predictor(setup: &Self::Setup, tick_hz: u16) -> Option<Box<dyn Predictor<Self>>> {
        let _ = (setup, tick_hz);
        None
    }

    /// The schema value of this game.
    #[must_use]
    fn schema() -> Schema {
        Schema {
            game: Self::NAME.to_owned(),
            revision: Self::REVISION,
            kinds: Self::Entity::kind_schemas(),
            private: Self::Private::kind_schema(),
        }
    }
}
