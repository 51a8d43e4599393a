//! What every client needs and no server: bytes and times in, world and bytes out. No socket, no clock.
//!
//! [`Session`] is the whole of it; the others are its parts, in the order in which bytes pass through them.

mod replica;

mod staged;

mod clock;

mod account;

mod session;

mod reconnect;

pub use account::{Happening, Identity, SessionError, State, Stats};
pub use clock::Clock;
pub use reconnect::{Ended, Next, Reconnect};
pub use replica::{FrameError, FrameSummary, Replica, Slot};
pub use session::Session;
