//! The entities of one room.

use serde::{Deserialize, Serialize};
use slotmap::{SlotMap, new_key_type};
use tickwire_shared::limits::{COLUMNS_MAX, SPAWN_BYTES_MAX};
use tickwire_shared::schema::{Plan, ReplicateKinds, View};
use tickwire_shared::wire::codec;
use tickwire_shared::{ClientId, NetId, Protocol, Tick};

use super::id_dealer::{Birth, IdDealer};

new_key_type! {
    /// An entity inside its room. Never leaves the server; clients know a [`NetId`].
    pub struct EntityKey;
}

/// A team's number. Only equality counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Team(pub u8);

impl Team {
    /// Belongs to nobody: `team` fields of such an entity are seen by its owner only.
    pub const NONE: Self = Self(0);
}

/// One entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Entity<P: Protocol> {
    /// What clients call it.
    pub id: NetId,
    /// Its replicated state; the game writes here.
    pub state: P::Entity,
    /// Told once to each client that comes to see it.
    pub spawn: P::Spawn,
    /// The client that sees its `owner` fields.
    pub owner: Option<ClientId>,
    /// The team that sees its `team` fields.
    pub team: Team,
    /// Set by [`World::cut`] until the next snapshot.
    pub(crate) cut: bool,
}

/// What a game says of an entity that it makes.
#[derive(Clone, Debug)]
pub struct NewEntity<P: Protocol> {
    /// Its state.
    pub state: P::Entity,
    /// Told once to each client that comes to see it.
    pub spawn: P::Spawn,
    /// The client that sees its `owner` fields.
    pub owner: Option<ClientId>,
    /// The team that sees its `team` fields.
    pub team: Team,
}

/// The entities of one room, iterated in the order in which they were made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct World<P: Protocol> {
    entities: SlotMap<EntityKey, Entity<P>>,
    order: Vec<EntityKey>,
    ids: IdDealer,
    /// Entities that `order` still names and that are gone.
    gone: usize,
    /// Noted by [`World::visibility_changed`] until the next snapshot.
    visibility_changed: Vec<EntityKey>,
    /// The step that is being made.
    tick: Tick,
    /// Tells which fields are public.
    #[serde(skip, default = "plan_of::<P>")]
    plan: Plan,
}

fn plan_of<P: Protocol>() -> Plan {
    Plan::new(&P::schema())
}

impl<P: Protocol> World<P> {
    /// An empty one whose ids come from `key`.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self {
            entities: SlotMap::with_key(),
            order: Vec::new(),
            ids: IdDealer::new(key),
            gone: 0,
            visibility_changed: Vec::new(),
            tick: Tick(0),
            plan: plan_of::<P>(),
        }
    }

    /// Makes an entity.
    ///
    /// # Panics
    /// When its spawn blob takes more than [`SPAWN_BYTES_MAX`]: no client could read it. A game that puts words
    /// of its players there cuts them first.
    pub fn spawn(&mut self, new: NewEntity<P>) -> EntityKey {
        let NewEntity { state, spawn, owner, team } = new;
        let blob = codec::encode(&spawn);
        let bytes = blob.len();
        assert!(bytes <= SPAWN_BYTES_MAX, "a spawn blob of {bytes} bytes, over {SPAWN_BYTES_MAX}");
        let id = self.deal_id(&state, &blob);
        let key = self.entities.insert(Entity { id, state, spawn, owner, team, cut: false });
        self.order.push(key);
        key
    }

    fn deal_id(&mut self, state: &P::Entity, spawn: &[u8]) -> NetId {
        let mut columns = [0; COLUMNS_MAX];
        state.capture(&mut columns);
        let kind = state.kind();
        let mut public = [0; COLUMNS_MAX];
        for field in self.plan.kind(kind).seen(View::Public) {
            public[field.first..field.first + field.columns].copy_from_slice(field.of(&columns));
        }
        self.ids.deal(&Birth { tick: self.tick, kind: kind.0, columns: &public[..self.plan.stride], spawn })
    }

    /// Removes an entity; `None` when it is gone already.
    pub fn despawn(&mut self, key: EntityKey) -> Option<Entity<P>> {
        let entity = self.entities.remove(key)?;
        self.ids.free(entity.id, self.tick);
        self.gone += 1;
        if self.gone * 2 > self.order.len() {
            self.order.retain(|key| self.entities.contains_key(*key));
            self.gone = 0;
        }
        Some(entity)
    }

    /// Says that an entity was put where it is (teleport, respawn): no client shows it moving there.
    pub fn cut(&mut self, key: EntityKey) {
        if let Some(entity) = self.entities.get_mut(key) {
            entity.cut = true;
        }
    }

    /// Says that [`Game::may_see`](super::Game::may_see) may now answer otherwise than before for this entity, so that
    /// clients follow in this very tick.
    pub fn visibility_changed(&mut self, key: EntityKey) {
        self.visibility_changed.push(key);
    }

    /// One entity.
    #[must_use]
    pub fn get(&self, key: EntityKey) -> Option<&Entity<P>> {
        self.entities.get(key)
    }

    /// One entity, to change it.
    #[must_use]
    pub fn get_mut(&mut self, key: EntityKey) -> Option<&mut Entity<P>> {
        self.entities.get_mut(key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// All entities, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (EntityKey, &Entity<P>)> {
        self.order.iter().filter_map(|key| Some((*key, self.entities.get(*key)?)))
    }

    /// The keys of all entities, oldest first, for loops that change the world as they go.
    #[must_use]
    pub fn keys(&self) -> Vec<EntityKey> {
        self.iter().map(|(key, _)| key).collect()
    }

    pub(crate) fn drain_visibility_changed(&mut self) -> impl Iterator<Item = EntityKey> + '_ {
        self.visibility_changed.drain(..)
    }

    /// What a capture does, for who needs none.
    pub(crate) fn settle(&mut self) {
        self.entities.values_mut().for_each(|entity| entity.cut = false);
        self.visibility_changed.clear();
    }

    /// From now on keys are given as they are in `restored`, which was read from what was written of this very world. The
    /// entities stay as they are, what is never written of them included.
    pub(crate) fn adopt_free_slots(&mut self, mut restored: Self) {
        for (key, entity) in &mut self.entities {
            if let Some(place) = restored.entities.get_mut(key) {
                std::mem::swap(place, entity);
            }
        }
        self.entities = restored.entities;
    }

    pub(crate) fn begin_tick(&mut self, tick: Tick) {
        self.tick = tick;
    }

    pub(crate) fn clear_cut(&mut self, key: EntityKey) {
        if let Some(entity) = self.entities.get_mut(key) {
            entity.cut = false;
        }
    }
}
