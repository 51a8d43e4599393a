//! The Tickwire server: a sans-IO core that owns the worlds, and a thin shell that moves bytes.
//!
//! A game implements [`Game`](simulation::Game) in a crate of its own and calls [`driver::run`]. The modules
//! stand in the order of the data flow, from the shell inwards; `ARCHITECTURE.md` says what none of them may do.

pub mod config;

pub mod driver;

pub mod auth;

pub mod host;

pub mod session;

pub mod simulation;

pub mod snapshot;

pub mod arena;

#[doc(hidden)]
pub mod counting;
