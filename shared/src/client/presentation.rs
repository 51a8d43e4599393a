//! What is shown and when: a track for each entity in view, kept beside the roster, and the events that wait for the view
//! to reach them. Follows frames as they are applied; is asked once per drawn frame. Knows no bytes.

use std::collections::VecDeque;

use super::between::Columns;
use super::prediction::Prediction;
use super::replica::{Replica, Slot};
use super::staged::Staged;
use super::track::{Freshness, Track};
use crate::protocol::Protocol;
use crate::schema::KindPlan;
use crate::tick::{Tick, ViewTick};
use crate::wire::cadence::{Cadences, Tier};

/// Entities that have left and are still shown, because the view has not come to that yet.
const LEAVING_MAX: usize = 512;
/// Events that wait for the view; of more, the oldest come at once.
const EVENTS_MAX: usize = 1024;
/// By how much of the time that passes an entity is shown earlier or later while its cadence changes.
const CADENCE_SLEW: f64 = 0.25;

/// What a drawn frame is made from.
pub(super) struct Presentation<P: Protocol> {
    /// Ticks are counted from here.
    base: Tick,
    /// In the order of the roster.
    pub(super) bodies: Vec<Body<P::Spawn>>,
    pub(super) leaving: Vec<Body<P::Spawn>>,
    /// The own private state, for when it is not predicted.
    pub(super) own: Track,
    pub(super) prediction: Option<Prediction<P>>,
    events: VecDeque<(Tick, P::Event)>,
    /// The moment of the view, in 256ths of a tick after `base`.
    parts: i64,
    /// Whether the session's first frame has been followed: what it brings was there before.
    begun: bool,
}

/// One entity as it is shown.
pub(super) struct Body<S> {
    pub(super) slot: Slot<S>,
    track: Track,
    /// Shown from this tick on; `None` is from the beginning.
    entered: Option<Tick>,
    /// No longer shown at this tick.
    left: Option<Tick>,
    /// How much later than what is told of at every frame it is shown, in 256ths of a tick.
    later: f64,
}

impl<P: Protocol> Presentation<P> {
    pub(super) fn new(stride: usize, base: Tick, prediction: Option<Prediction<P>>) -> Self {
        Self {
            base,
            bodies: Vec::new(),
            leaving: Vec::new(),
            own: Track::new(stride),
            prediction,
            events: VecDeque::new(),
            parts: -256,
            begun: false,
        }
    }

    /// A frame is about to be applied.
    pub(super) fn before(&mut self, staged: &Staged<P::Spawn>) {
        let tick = staged.summary.tick;
        if staged.reset {
            // The same entities come again; until then they are kept as if they had left.
            self.leaving.extend(self.bodies.drain(..).map(|body| Body { left: Some(tick), ..body }));
        }
        for index in &staged.leaves {
            let body = self.bodies.swap_remove(*index);
            self.leaving.push(Body { left: Some(tick), ..body });
        }
    }

    /// The frame was applied.
    pub(super) fn after(&mut self, replica: &Replica<P::Spawn>) {
        let (tick, cadences) = (replica.tick(), replica.cadences());
        for slot in &replica.slots()[self.bodies.len()..] {
            let body = self.entering(slot, replica);
            self.bodies.push(body);
        }
        let (parts, base) = (self.parts, self.base);
        for (index, (body, slot)) in self.bodies.iter_mut().zip(replica.slots()).enumerate() {
            debug_assert_eq!(body.slot.id, slot.id, "the roster and what is shown of it go apart");
            (body.slot.tier, body.slot.parked) = (slot.tier, slot.parked);
            let due = cadences.last_due(slot.tier, slot.id, slot.parked.unwrap_or(tick));
            let period = cadences.period(slot.tier);
            let cut = slot.cut == tick && body.track.newest_tick().is_some();
            let kind = replica.plan().kind(slot.kind);
            let window = replica.window(index);
            // What was cut is told at the tick of its frame, whatever its cadence.
            let newest = if cut { tick } else { due };
            let at = (base, parts - body.later as i64);
            // The view is beyond what was known: what is told now may not be where it was guessed to be.
            let guessed = body.track.newest_tick().filter(|newest| parts_of(base, *newest) < at.1);
            let shown = guessed.map(|_| body.track.at(kind, slot.view, at, period).0);
            body.track.follow(window, (newest, period), cut);
            match shown {
                Some(_) if cut => body.track.forget_offset(),
                Some(shown) => body.track.ease_from(kind, &shown, (slot.view, period), at),
                None => {}
            }
        }
        let leaving = self.leaving.len().saturating_sub(LEAVING_MAX);
        self.leaving.drain(..leaving);
        self.begun = true;
    }

    fn entering(&mut self, slot: &Slot<P::Spawn>, replica: &Replica<P::Spawn>) -> Body<P::Spawn> {
        let tick = replica.tick();
        // It was here until this very frame: a reset tells everything anew.
        let known = self.leaving.iter().position(|body| body.slot.id == slot.id && body.left == Some(tick));
        if let Some(known) = known {
            let body = self.leaving.swap_remove(known);
            return Body { left: None, slot: slot.clone(), ..body };
        }
        let entered = self.begun.then_some(tick);
        let track = Track::new(replica.plan().stride);
        let later = later_parts(replica.cadences(), slot.tier);
        Body { slot: slot.clone(), track, entered, left: None, later }
    }

    /// The server's own state of a frame; `before` is that of the frame before, where nothing was left out in between.
    pub(super) fn own_told(&mut self, tick: Tick, before: Option<&[i32]>, state: &[i32]) {
        if let Some(before) = before {
            self.own.push(tick.minus(1), before, false);
        }
        self.own.push(tick, state, false);
    }

    /// Something happened.
    pub(super) fn push_event(&mut self, tick: Tick, event: P::Event) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back((tick, event));
    }

    /// The oldest event, if the view has reached its tick.
    pub(super) fn poll_event(&mut self) -> Option<(Tick, P::Event)> {
        let (tick, _) = self.events.front()?;
        let reached = i64::from(tick.since(self.base)) * 256 <= self.parts;
        if reached { self.events.pop_front() } else { None }
    }

    /// The view goes on to this moment.
    pub(super) fn advance(&mut self, parts: i64, cadences: &Cadences) {
        let passed = (parts - self.parts).max(0);
        self.parts = self.parts.max(parts);
        let reach = passed as f64 * CADENCE_SLEW;
        for body in &mut self.bodies {
            let wanted = later_parts(cadences, body.slot.tier);
            body.later += (wanted - body.later).clamp(-reach, reach);
        }
        let (base, parts) = (self.base, self.parts);
        self.leaving
            .retain(|body| body.left.is_some_and(|left| parts_of(base, left) > parts - body.later as i64));
    }

    pub(super) fn parts(&self) -> i64 {
        self.parts
    }

    pub(super) fn base(&self) -> Tick {
        self.base
    }
}

fn parts_of(base: Tick, tick: Tick) -> i64 {
    i64::from(tick.since(base)) * 256
}

/// How much later than what is told of at every frame something of a tier is shown: as much as its cadence is longer.
fn later_parts(cadences: &Cadences, tier: Tier) -> f64 {
    f64::from(cadences.period(tier) - cadences.period(Tier::FAST)) * 256.0
}

impl<S> Body<S> {
    /// The moment at which it is shown, while the view is at this one.
    pub(super) fn moment(&self, (base, parts): (Tick, i64)) -> ViewTick {
        ViewTick::after(base, parts - self.later as i64)
    }

    /// How it looks at a moment of the view; `None` while it is not to be seen.
    pub(super) fn at(
        &self,
        kind: &KindPlan,
        (base, parts): (Tick, i64),
        cadences: &Cadences,
    ) -> Option<(Columns, Freshness)> {
        let parts = parts - self.later as i64;
        let hidden = self.entered.is_some_and(|entered| parts_of(base, entered) > parts);
        let gone = self.left.is_some_and(|left| parts_of(base, left) <= parts);
        if hidden || gone {
            return None;
        }
        let (columns, freshness) =
            self.track.at(kind, self.slot.view, (base, parts), cadences.period(self.slot.tier));
        Some((columns, if self.slot.parked.is_some() { Freshness::Held } else { freshness }))
    }
}
