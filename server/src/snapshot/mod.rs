//! From the world to each client's bytes, in the order of the files: the world is captured once, every update
//! is coded once, each client's roster is brought up to date, and its frame is packed. Reads the world and
//! never writes it.

mod capture;

mod roster;

mod interest;

mod pack;

pub use capture::{Capture, Row};
pub use interest::Seen;
pub use pack::{FrameParts, Packed, Packer, QueuedEvent};
pub use roster::{Roster, RosterSlot};
