//! The sans-IO root: one room. Events in by [`Room::handle`], a tick by [`Room::step`] and
//! [`Room::tell`], or [`Room::tick`] for both, outputs out by
//! [`Room::poll_output`]. Time is an argument; there is no socket, thread, clock or unseeded randomness here.

mod counters;

mod event;

mod outputs;

mod room;

mod retabling;

mod rewinding;

mod ticking;

mod telling;

mod crew;

mod client;

mod clients;

mod resuming;

mod resting;

mod ending;

mod relief;

pub mod inspecting;

mod saved;

pub mod recording;

pub use counters::{Counters, Inputs, Rewinds};
pub use crew::{Alone, Crew};
pub use event::{ClientStatus, Event, Output, Status};
pub use outputs::Sends;
pub(crate) use recording::digest;
pub use relief::Relief;
pub use rewinding::{GameError, check_game};
pub use room::{Room, RoomConfig};
pub use saved::RestoreError;

pub use crate::snapshot::KindBits;
