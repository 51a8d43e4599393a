//! The demo client of the arena: a window to play in, the same in a browser's page, a headless swarm that measures, and a
//! probe.
//!
//! [`tickwire_shared::client::Session`] does the protocol; this crate is the shell around it: sockets, clocks,
//! tasks, the command line and, with the feature `window`, the drawing. It knows the server only through the
//! shared crate. Built for `wasm32` it is the page: `play` and `page` only, over the browser's WebSocket.

pub mod time;

pub use tickwire_shared::client::link;

#[cfg(not(target_arch = "wasm32"))]
pub mod endpoint;

#[cfg(not(target_arch = "wasm32"))]
pub mod transport;

#[cfg(not(target_arch = "wasm32"))]
pub mod comeback;

#[cfg(not(target_arch = "wasm32"))]
pub mod probe;

#[cfg(not(target_arch = "wasm32"))]
pub mod bots;

pub mod play;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;

#[cfg(all(target_arch = "wasm32", feature = "window"))]
pub mod page;
