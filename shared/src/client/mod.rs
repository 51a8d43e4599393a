//! What every client needs and no server: bytes and times in, world and bytes out. No socket, no clock.
//!
//! [`Session`] is the whole of it; the others are its parts, in the order in which bytes pass through them.

mod replica;

mod staged;
mod timeline;

mod lateness;

mod clock;

mod between;

mod track;

mod prediction;

mod presentation;

mod view;

mod account;

mod figures;

mod live;

mod session;

mod unacknowledged;

mod looking;

mod reconnect;

pub mod link;

pub use account::{Happening, Identity, SessionError, State, Stats};
pub use clock::Clock;
pub use figures::Figures;
pub use prediction::{BLEND_MICROS, Corrections, Predictor};
pub use reconnect::{Ended, Next, Reconnect};
pub use replica::{FrameError, FrameSummary, Replica, Slot};
pub use session::Session;
pub use track::Freshness;
pub use view::{OwnView, Shown, Smoothing, View};
