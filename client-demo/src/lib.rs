//! The demo client of the arena: a window to play in, a headless swarm that measures, and a probe.
//!
//! [`tickwire_shared::client::Session`] does the protocol; this crate is the shell around it: sockets, clocks,
//! tasks, the command line and, with the feature `window`, the drawing. It knows the server only through the
//! shared crate.

pub mod time;

pub mod endpoint;

pub use tickwire_shared::client::link;

pub mod transport;

pub mod comeback;

pub mod probe;

pub mod bots;

pub mod play;

pub mod cli;
