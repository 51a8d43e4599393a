//! One drawn frame: what a session shows at a moment. Made by [`Session::view`](super::Session::view); everything in it is
//! worked out when it is asked for, without an allocation.

use super::between::{self, Columns};
use super::presentation::{Body, Presentation};
use super::replica::Replica;
use super::track::Freshness;
use crate::id::{KindId, NetId};
use crate::protocol::Protocol;
use crate::schema::{Replicate, ReplicateKinds};
use crate::tick::{Tick, ViewTick};
use crate::wire::cadence::Tier;

/// What of the art is used; all of it by default. Each can be switched off to see what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smoothing {
    /// The own avatar is shown ahead of the server, as it will be when the inputs have arrived there.
    pub prediction: bool,
    /// The prediction follows what the server tells.
    pub reconciliation: bool,
    /// Others are shown a little later than they are told of, between their states, rather than in the newest one.
    pub interpolation: bool,
}

impl Default for Smoothing {
    fn default() -> Self {
        Self { prediction: true, reconciliation: true, interpolation: true }
    }
}

/// The own avatar.
#[derive(Clone, Debug)]
pub struct OwnView<P: Protocol> {
    /// Its id, where there is one.
    pub id: Option<NetId>,
    /// As it is to be shown: predicted, with corrections blended out.
    pub state: P::Private,
    /// As the server told it last.
    pub told: P::Private,
    /// The tick of that.
    pub told_tick: Tick,
}

/// Everything to be shown at one moment.
pub struct View<'a, P: Protocol> {
    pub(super) replica: &'a Replica<P::Spawn>,
    pub(super) presentation: &'a Presentation<P>,
    pub(super) smoothing: Smoothing,
    pub(super) shown: ViewTick,
    pub(super) own: OwnView<P>,
}

/// One entity as it is to be shown.
#[derive(Clone, Debug)]
pub struct Shown<'a, P: Protocol> {
    /// Its id.
    pub id: NetId,
    /// Its kind.
    pub kind: KindId,
    /// What was told once, when it entered.
    pub spawn: &'a P::Spawn,
    /// Its state, between two that were told.
    pub state: P::Entity,
    /// The moment that it is shown at: later than [`View::tick`] by as much as its cadence is longer, and on the way there
    /// while its cadence changes.
    pub moment: ViewTick,
    /// How sure that is.
    pub freshness: Freshness,
    /// How often it is told of.
    pub tier: Tier,
    /// Whether it is told nothing of for the moment, for lack of bandwidth.
    pub is_parked: bool,
}

impl<'a, P: Protocol> View<'a, P> {
    /// The moment that is shown of others, where they are told of at every tick. Inputs that aim carry it.
    #[must_use]
    pub fn tick(&self) -> ViewTick {
        self.shown
    }

    /// The own avatar.
    #[must_use]
    pub fn own(&self) -> &OwnView<P> {
        &self.own
    }

    /// Everything else that is to be seen.
    pub fn entities(&self) -> impl Iterator<Item = Shown<'a, P>> {
        let (replica, presentation, smoothing) = (self.replica, self.presentation, self.smoothing);
        let bodies = presentation.bodies.iter().enumerate().map(|(index, body)| (Some(index), body));
        let leaving = presentation.leaving.iter().map(|body| (None, body));
        bodies.chain(leaving.filter(move |_| smoothing.interpolation)).filter_map(move |(index, body)| {
            let (columns, freshness) = match index {
                Some(index) if !smoothing.interpolation => {
                    (between::told(replica.state(index)), Freshness::Interpolated)
                }
                _ => look(replica, presentation, body)?,
            };
            let moment = if smoothing.interpolation {
                body.moment((presentation.base(), presentation.parts()))
            } else {
                ViewTick { tick: replica.tick(), fraction: 0 }
            };
            shown::<P>(body, &columns, (moment, freshness))
        })
    }

    /// The entities in view as the server told of them last: where they are as far as is known, which is later than where
    /// they are shown.
    pub fn told(&self) -> impl Iterator<Item = Shown<'a, P>> {
        let replica = self.replica;
        self.presentation.bodies.iter().enumerate().filter_map(move |(index, body)| {
            let moment = ViewTick { tick: replica.tick(), fraction: 0 };
            let columns = between::told(replica.state(index));
            shown::<P>(body, &columns, (moment, Freshness::Interpolated))
        })
    }

    /// One entity, by its id.
    #[must_use]
    pub fn entity(&self, id: NetId) -> Option<Shown<'a, P>> {
        self.entities().find(|shown| shown.id == id)
    }
}

fn look<P: Protocol>(
    replica: &Replica<P::Spawn>,
    presentation: &Presentation<P>,
    body: &Body<P::Spawn>,
) -> Option<(Columns, Freshness)> {
    let kind = replica.plan().kind(body.slot.kind);
    body.at(kind, (presentation.base(), presentation.parts()), replica.cadences())
}

fn shown<'a, P: Protocol>(
    body: &'a Body<P::Spawn>,
    columns: &Columns,
    (moment, freshness): (ViewTick, Freshness),
) -> Option<Shown<'a, P>> {
    let slot = &body.slot;
    Some(Shown {
        id: slot.id,
        kind: slot.kind,
        spawn: &slot.spawn,
        state: P::Entity::restore_between(slot.kind, columns)?,
        moment,
        freshness,
        tier: slot.tier,
        is_parked: slot.parked.is_some(),
    })
}

/// A private state between two others.
pub(super) fn own<P: Protocol>(columns: &Columns) -> P::Private {
    P::Private::restore_between(columns)
}
