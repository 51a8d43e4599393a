//! Looking back: the world as a client was shown it when its player aimed. A game asks for it while it makes a step, once
//! for each shot. Knows no roster and no ring: whoever runs the game lends the past.

use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::ReplicateKinds;
use tickwire_shared::{ClientId, Protocol};

use super::game::Stage;
use super::world::{EntityKey, World};

/// What clients were shown, for one after the other.
pub trait Past {
    /// Turns to the moment that `client` was shown when it decided on the input that counts at this tick. `false` where
    /// there is nothing to look back with.
    fn turn_to(&mut self, client: ClientId) -> bool;

    /// Writes an entity's state, as that client was shown it, into `columns`.
    fn shown(&mut self, entity: EntityKey, columns: &mut [i32]) -> Shown;
}

/// How an entity was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// In the state that was written.
    Then,
    /// As it is now.
    Now,
    /// Not at all.
    Never,
}

/// The world as one client was shown it.
pub struct Rewound<'a, P: Protocol> {
    world: &'a World<P>,
    past: Option<&'a mut (dyn Past + 'a)>,
}

impl<P: Protocol> Stage<'_, P> {
    /// The world as `client` was shown it when its player decided on the input that counts at this tick, if that input
    /// [aims](Protocol::aims); no farther back than the room is configured. Where a game or a room does not look back, it
    /// is the world as it is.
    ///
    /// Only others are looked at like this: the client's own avatar is where it is.
    pub fn rewind(&mut self, client: ClientId) -> Rewound<'_, P> {
        let past: Option<&mut dyn Past> = match &mut self.past {
            Some(past) => past.turn_to(client).then_some(&mut **past),
            None => None,
        };
        Rewound { world: self.world, past }
    }
}

impl<P: Protocol> Rewound<'_, P> {
    /// An entity as the client was shown it: positions, angles and rotations between two samples, everything else as of
    /// the sample before. `None` where it was not shown, or is gone by now: it cannot be hit. Whether it still is what it
    /// was then, alive above all, is for the game to compare.
    pub fn entity(&mut self, key: EntityKey) -> Option<P::Entity> {
        let entity = self.world.get(key)?;
        let Some(past) = &mut self.past else { return Some(entity.state.clone()) };
        let mut columns = [0; COLUMNS_MAX];
        match past.shown(key, &mut columns) {
            Shown::Then => P::Entity::restore(entity.state.kind(), &columns),
            Shown::Now => Some(entity.state.clone()),
            Shown::Never => None,
        }
    }
}
