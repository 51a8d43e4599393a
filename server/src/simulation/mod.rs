//! Games and their worlds. Knows no client's view, no byte and no time but the tick.

mod game;

mod rewind;

mod world;

mod id_dealer;

mod grid;

pub(crate) use game::avatar_id;
pub use game::{Detail, Game, Inputs, Interest, Recipients, Refusal, Stage, Viewpoint};
pub use grid::Grid;
pub use id_dealer::IdDealer;
pub use rewind::{Past, Rewound, Shown};
pub use world::{Entity, EntityKey, NewEntity, Team, World};
