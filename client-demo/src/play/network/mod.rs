//! What moves a player's bytes: a thread with a socket of its own in a native program, the browser's WebSocket in a page. Both
//! are called [`Network`], begin with `Network::start(config)` and are a [`Port`](super::port::Port), so that what draws and
//! what the hands do know no difference.
//!
//! A message is handled and acknowledged when it arrives, never when the next frame is drawn.

#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::Network;
#[cfg(target_arch = "wasm32")]
pub use web::{Network, Watcher, Work};
