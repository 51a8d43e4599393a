//! The window: a player's hands and eyes.
//!
//! `player` is the session with all around it that needs no socket, and `network` moves its bytes, in a thread or in a browser's
//! page; `world` makes a `scene` of it for each drawn frame, as `controls` say; `screen` shows that and sends what the hands do,
//! in a native `window` and in a page alike. Only what is behind the feature `window` knows the toolkit.

pub mod scene;

pub mod controls;

pub mod world;

pub mod port;

pub mod player;

pub mod network;

#[cfg(feature = "window")]
mod camera;

#[cfg(feature = "window")]
mod palette;

#[cfg(feature = "window")]
mod sprites;

#[cfg(feature = "window")]
mod draw;

#[cfg(feature = "window")]
mod hands;

#[cfg(feature = "window")]
mod hud;

#[cfg(feature = "window")]
mod history;

#[cfg(feature = "window")]
mod panel;

#[cfg(feature = "window")]
pub mod screen;

#[cfg(all(feature = "window", not(target_arch = "wasm32")))]
mod window;

use tickwire_shared::wire::message::AccessToken;

#[cfg(not(target_arch = "wasm32"))]
use crate::endpoint::Endpoint;

/// Where the server is: in a page, as the browser wants it.
#[cfg(target_arch = "wasm32")]
pub type Endpoint = String;

/// What to play.
#[derive(Clone, Debug)]
pub struct PlayConfig {
    /// Where.
    pub endpoint: Endpoint,
    /// Display name.
    pub name: String,
    /// Room; empty means the default one.
    pub room: String,
    /// Proof of who this is, where the server asks for one.
    pub token: Option<AccessToken>,
}

/// Why nobody plays.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// Built without the feature `window`.
    #[error(
        "this build has no window; get it with\n  \
         cargo run --release -p tickwire-demo --features window -- play"
    )]
    NoWindow,
    /// The system gives no window, or no thread.
    #[error("cannot open a window: {0}")]
    Window(String),
}

/// Plays until the window is closed.
///
/// # Errors
/// [`PlayError`] when there is no window.
#[cfg(not(target_arch = "wasm32"))]
pub fn run(config: &PlayConfig) -> Result<(), PlayError> {
    #[cfg(feature = "window")]
    return window::run(config);
    #[cfg(not(feature = "window"))]
    {
        let _ = config;
        Err(PlayError::NoWindow)
    }
}
