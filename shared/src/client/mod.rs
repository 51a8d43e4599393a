//! What every client needs and no server: bytes and times in, world and bytes out. No socket, no clock.
//!
//! [`Session`] is the whole of it; the others are its parts, in the order in which bytes pass through them.

mod replica;

mod staged;

mod clock;

mod session;

pub use clock::Clock;
pub use replica::{FrameError, FrameSummary, Replica, Slot};
pub use session::{Happening, Identity, Session, SessionError, Stats};
