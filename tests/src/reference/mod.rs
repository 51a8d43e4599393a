//! The coder of `shared/WIRE.md` once more, as slow and as plain as possible: bits in a `Vec<bool>`, words of codes
//! looked up bit by bit, all arithmetic in 64 bits. What the fast one in `shared/src/wire` writes and reads is
//! compared with it bit for bit.
//!
//! It takes schemas and table files from `shared` and nothing else, so that a mistake there is not made here too.
//! Every part is described once and runs both ways: a [`Tape`] writes what it is given, or ignores that and gives
//! what it reads.

mod cadence;
mod checksum;
mod client;
mod codes;
mod edits;
mod prediction;
mod slots;
mod tape;
mod update;

pub use cadence::{Cadences, Gap};
pub use client::{Client, Frame, Slot, Told};
pub use codes::Codes;
pub use edits::{Edits, Entered, Moved};
pub use slots::Brought;
pub use tape::{Refused, Tape};
pub use update::{Next, Seen, State, Window, gap_record, record, update};
