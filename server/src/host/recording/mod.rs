//! The flight recorder, without its file: what a room writes down while it runs, and how that is run again.
//!
//! Recorded is what the *game* is given, not what the room is: calls with their names, held inputs, commands, and the
//! answers it gets when it looks back. So a recording can begin at any tick (its start is a saved room, in which no
//! client's link is), holds no token, and a replay needs no clients. Beside it, at each tick, how every entity's
//! quantized state changed: the first tick that differs can be named with the field and both values.

mod states;

mod block;

mod looks;

mod tape;

mod difference;

mod replay;

pub use block::{Header, RecordingError};
pub use difference::{Difference, Divergence};
pub(super) use looks::Overheard;
#[doc(hidden)]
pub use replay::with_other_inputs;
pub use replay::{Outcome, replay};
pub(super) use tape::{Call, Tape};
