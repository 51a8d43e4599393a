//! From the world to each client's bytes, in the order of the files: at which ticks entities are sampled, the world as
//! integers with its past, every update coded once; then for each client who is seen, what is told of them within its
//! budget, and the frame. Reads the world and never writes it.

mod cadence;

mod history;

mod blend;

mod updates;

mod weights;

mod capture;

mod roster;

mod interest;

mod share;

mod packed;

mod journal;

mod sightings;

mod edits;

mod pack;

mod why;

mod recount;

mod scales;

pub use cadence::{Schedule, Section};
pub(crate) use capture::place_of;
pub use capture::{Capture, Row};
pub use interest::{Neighbours, Rule, Seen, Sight};
pub use pack::{FRAMING_BYTES, Packer, Snapshot};
pub use packed::{FrameParts, PackCounts, Packed, PartBits, QueuedEvent};
pub use recount::FieldBits;
pub use roster::{Roster, RosterSlot};
pub use sightings::{Sights, Telling};
pub use updates::{Due, Lane, Update, Updates};
pub use weights::{GroupBits, KindBits};
pub use why::{Holding, Insight, Standing, Why};
