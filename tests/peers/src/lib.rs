//! Tickwire beside its peers: what the programs in here share. `README.md` says what is compared and how.

pub mod game;

pub mod bodies;

pub mod plan;

pub mod socket;

pub mod truth;

pub mod dialects;

pub mod board;

pub mod swarm;

pub mod servers;

pub mod results;

pub mod series;

pub mod plot;

mod verdict;

pub mod report;
