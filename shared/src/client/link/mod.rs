//! A worse network than the one there is: delay, jitter, a rate cap, and stalls that end in a burst. Nothing is
//! lost and nothing is reordered, because above TCP neither exists. The one model of a link: the tests, the swarm and the
//! demo's sliders use it.

mod profile;

mod conditioner;

pub use conditioner::{Direction, LinkConditioner};
pub use profile::{LinkProfile, ProfileError, Stall};
