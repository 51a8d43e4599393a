//! The demo game's rules, as far as only the server runs them. One implementation of
//! [`Game`](crate::simulation::Game) like any other: nothing outside this folder but the binary names it.

mod game;

mod player;

mod combat;

mod drone;

mod bot;

mod dice;

mod dialect;

pub use dialect::ArenaDialect;
pub use game::{ArenaConfig, ArenaGame};
