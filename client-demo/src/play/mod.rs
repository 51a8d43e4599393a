//! The window: a player's hands and eyes.
//!
//! `network` owns the session in its own thread and keeps `world` up to date; `window` shows that world and
//! sends what the hands do; `draw` turns it into shapes. Only the last two know the toolkit, and they exist only
//! with the feature `window`.

pub mod world;

pub mod network;

#[cfg(feature = "window")]
mod window;

#[cfg(feature = "window")]
mod draw;

#[cfg(feature = "window")]
mod panel;

use tickwire_shared::wire::message::AccessToken;

use crate::endpoint::Endpoint;

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
pub fn run(config: &PlayConfig) -> Result<(), PlayError> {
    #[cfg(feature = "window")]
    return window::run(config);
    #[cfg(not(feature = "window"))]
    {
        let _ = config;
        Err(PlayError::NoWindow)
    }
}
