//! What a user implements.

use glam::Vec3;
use serde::{Serialize, de::DeserializeOwned};
use tickwire_shared::{ClientId, KindId, NetId, Protocol, Tick};

use super::rewind::Past;
use super::world::{EntityKey, Team, World};

/// The rules of one room. Implemented in the game's own crate; the server calls it, and never the other way
/// round.
///
/// A game must be deterministic: the same calls in the same order give the same world. It takes randomness from
/// a seeded generator in its own state, and time from [`Stage::tick`] alone. A panic in any of these functions
/// ends the room (close code 1011) and no other.
pub trait Game: Serialize + DeserializeOwned + Sized + Send + Sync + 'static {
    /// The types that server and clients share.
    type Protocol: Protocol;

    /// Told to every client in Welcome.
    fn setup(&self) -> <Self::Protocol as Protocol>::Setup;

    /// Called once, when a new room begins; not when one is restored.
    fn begin(&mut self, stage: &mut Stage<'_, Self::Protocol>) {
        let _ = stage;
    }

    /// A client wants in. After `Ok` it counts as a player until [`Self::leave`].
    ///
    /// # Errors
    /// [`Refusal`] with a sentence for the client.
    fn join(
        &mut self,
        stage: &mut Stage<'_, Self::Protocol>,
        client: ClientId,
        name: &str,
    ) -> Result<(), Refusal>;

    /// A client is gone.
    fn leave(&mut self, stage: &mut Stage<'_, Self::Protocol>, client: ClientId);

    /// A client's connection is gone, and it may come back: then this is called again, with `false`, before anything
    /// else of that client. In between it sends no input. When its time is over, [`Self::leave`] follows.
    fn away(&mut self, stage: &mut Stage<'_, Self::Protocol>, client: ClientId, away: bool) {
        let _ = (stage, client, away);
    }

    /// One tick.
    fn step(&mut self, stage: &mut Stage<'_, Self::Protocol>, inputs: &Inputs<Self::Protocol>);

    /// Where a client looks from.
    fn viewpoint(&self, world: &World<Self::Protocol>, client: ClientId) -> Viewpoint;

    /// What only this client is told.
    fn private(
        &self,
        world: &World<Self::Protocol>,
        client: ClientId,
    ) -> <Self::Protocol as Protocol>::Private;

    /// How far clients see entities of a kind. Asked once per tick and kind.
    fn interest(&self, kind: KindId) -> Interest {
        let _ = kind;
        Interest::Everything
    }

    /// How often clients are told of entities of a kind, by their distance. Asked once per tick and kind.
    fn detail(&self, kind: KindId) -> Detail {
        let _ = kind;
        Detail::default()
    }

    /// How far weapons reach, in the game's unit, if the game judges shots by what shooters were shown:
    /// [`Stage::rewind`]. `None` keeps nothing for that. A room begins only if the [detail](Self::detail) of every kind
    /// tells of what is within that reach at the first cadence. Asked once.
    fn weapon_reach(&self) -> Option<f32> {
        None
    }

    /// Whether a client may know of an entity at all, however near: stealth, fog, secrets of a team. Asked for
    /// entities within reach, every few ticks and in every tick after [`World::visibility_changed`]; a client that
    /// may not is told nothing of it, not even that it exists.
    fn may_see(&self, world: &World<Self::Protocol>, client: ClientId, entity: EntityKey) -> bool {
        let _ = (world, client, entity);
        true
    }
}

/// One tick's surroundings.
pub struct Stage<'a, P: Protocol> {
    /// The tick being made.
    pub tick: Tick,
    /// Length of a tick, in seconds.
    pub tick_seconds: f32,
    /// The entities.
    pub world: &'a mut World<P>,
    events: &'a mut Vec<(Recipients, P::Event)>,
    /// What clients were shown, where the room looks back.
    pub(super) past: Option<&'a mut (dyn Past + 'a)>,
}

impl<'a, P: Protocol> Stage<'a, P> {
    /// For whoever runs a game without a room: tests of rules, tools.
    pub fn new(
        tick: Tick,
        tick_seconds: f32,
        world: &'a mut World<P>,
        events: &'a mut Vec<(Recipients, P::Event)>,
    ) -> Self {
        world.begin_tick(tick);
        Self { tick, tick_seconds, world, events, past: None }
    }

    /// The same, with a past to look back to.
    #[must_use]
    pub fn with_past(self, past: Option<&'a mut (dyn Past + 'a)>) -> Self {
        Self { past, ..self }
    }

    /// Tells clients that something happened in this tick.
    pub fn emit(&mut self, recipients: Recipients, event: P::Event) {
        self.events.push((recipients, event));
    }
}

/// What the clients want in one tick, in the order of their ids.
#[derive(Clone, Debug)]
pub struct Inputs<P: Protocol> {
    /// One per client, always: an input is held until the next one.
    pub held: Vec<(ClientId, P::Input)>,
    /// In the order in which each client sent them.
    pub commands: Vec<(ClientId, P::Command)>,
}

impl<P: Protocol> Default for Inputs<P> {
    fn default() -> Self {
        Self { held: Vec::new(), commands: Vec::new() }
    }
}

/// Who is told of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Recipients {
    /// Everybody in the room.
    Everyone,
    /// One client.
    One(ClientId),
    /// Clients whose viewpoint is within `radius` of a place, in the game's unit.
    Near(Vec3, f32),
    /// Clients of a team.
    Team(Team),
}

/// Where a client looks from. A spectator has a position and no avatar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewpoint {
    /// The middle of what it sees, in the game's unit; two-dimensional games leave z at 0.
    pub position: Vec3,
    /// The entity that it plays. Left out of its roster: the private state tells more of it.
    pub avatar: Option<EntityKey>,
    /// Whose `team` fields it sees.
    pub team: Team,
}

/// How far clients see. Entities without a position are always in view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interest {
    /// All that there is.
    Everything,
    /// A circle (or ball) around the viewpoint, in the game's unit.
    Radius {
        /// Closer than this enters.
        enter: f32,
        /// Farther than this leaves; at least `enter`.
        leave: f32,
    },
}

/// How often clients are told of entities: up to a distance at the first of the room's cadences, up to another at the
/// second, beyond it at the third. A client that lacks the bandwidth is told less often, of the farthest first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// In the game's unit; entities without a position are always within. A weapon should reach no farther.
    pub fast_within: f32,
    /// In the game's unit; at least `fast_within`.
    pub medium_within: f32,
}

impl Default for Detail {
    fn default() -> Self {
        Self { fast_within: f32::INFINITY, medium_within: f32::INFINITY }
    }
}

/// Why a game does not let a client in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// An avatar's id, for a client that plays one.
pub(crate) fn avatar_id<P: Protocol>(viewpoint: &Viewpoint, world: &World<P>) -> Option<NetId> {
    viewpoint.avatar.and_then(|key| world.get(key)).map(|entity| entity.id)
}
