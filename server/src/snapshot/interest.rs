//! Which entities a client should see now, compared with its roster: who leaves, who may enter, nearest first.

use tickwire_shared::ClientId;
use tickwire_shared::limits::{ENTERS_PER_FRAME_MAX, ROSTER_MAX};
use tickwire_shared::schema::View;
use tickwire_shared::wire::cadence::Tier;

use super::capture::{Capture, Row};
use super::roster::{Roster, RosterSlot};
use crate::simulation::{Detail, EntityKey, Grid, Interest, Team, Viewpoint};

/// Cells of the grid to a radius: few enough to visit, small enough that little lies in them beyond the radius.
const CELLS_PER_RADIUS: f32 = 3.0;
/// A tier is left for a slower one only this much beyond its distance.
const DETAIL_SLACK: f32 = 1.1;

/// A client as interest sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Who looks; the owner of its entities.
    pub client: ClientId,
    /// From where.
    pub viewpoint: Viewpoint,
}

/// What a game says of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// How far it is seen.
    pub interest: Interest,
    /// How often it is told of.
    pub detail: Detail,
}

/// What may be near whom at this tick.
#[derive(Debug, Default)]
pub struct Neighbours {
    grid: Grid,
    /// The largest radius of any kind.
    radius_max: f32,
    /// Rows in everybody's reach: without a position, or of a kind that is seen from everywhere.
    everywhere: Vec<u32>,
}

/// Scratch memory for one client after the other.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// For each row, whether the roster at hand has it.
    held: Vec<bool>,
    found: Vec<u32>,
    entering: Vec<RosterSlot>,
}

impl Neighbours {
    /// To be called once per tick, after the capture. `sights` is by kind.
    pub fn prepare(&mut self, capture: &Capture, sights: &[Sight]) {
        let radius = |sight: &Sight| match sight.interest {
            Interest::Radius { enter, .. } => enter,
            Interest::Everything => 0.0,
        };
        self.radius_max = sights.iter().map(radius).fold(0.0, f32::max);
        let in_grid = |row: &Row| matches!(sights[usize::from(row.kind.0)].interest, Interest::Radius { .. });
        let rows = || capture.rows().iter().enumerate().filter(|(_, row)| row.alive);
        let places = rows().filter(|(_, row)| in_grid(row));
        self.grid.rebuild(
            self.radius_max / CELLS_PER_RADIUS,
            places.filter_map(|(index, row)| Some((index as u32, row.place?))),
        );
        self.everywhere.clear();
        let everywhere = rows().filter(|(_, row)| row.place.is_none() || !in_grid(row));
        self.everywhere.extend(everywhere.map(|(index, _)| index as u32));
    }
}

impl Search {
    /// What should enter the roster, nearest first, as many as one frame may carry; and how many it would be in all.
    pub(super) fn enters(
        &mut self,
        neighbours: &Neighbours,
        eye: &Eye<'_>,
        roster: &Roster,
    ) -> (&[RosterSlot], usize) {
        let Self { held, found, entering } = self;
        held.resize(eye.capture.rows().len(), false);
        roster.slots().iter().for_each(|slot| held[slot.row as usize] = true);
        found.clear();
        found.extend_from_slice(&neighbours.everywhere);
        neighbours
            .grid
            .near(eye.seen.viewpoint.position, neighbours.radius_max * eye.reach, |row| found.push(row));
        entering.clear();
        for index in found.iter().copied() {
            // Twice in the grid, or held.
            if !std::mem::replace(&mut held[index as usize], true) && eye.notices(index) {
                entering.push(eye.slot(index));
            }
        }
        found.iter().for_each(|row| held[*row as usize] = false);
        roster.slots().iter().for_each(|slot| held[slot.row as usize] = false);
        let most = ENTERS_PER_FRAME_MAX.min(ROSTER_MAX.saturating_sub(roster.slots().len()));
        let order = |a: &RosterSlot, b: &RosterSlot| {
            a.distance_squared.total_cmp(&b.distance_squared).then(a.id.cmp(&b.id))
        };
        let all = entering.len();
        if all > most {
            entering.select_nth_unstable_by(most, order);
            entering.truncate(most);
        }
        entering.sort_unstable_by(order);
        (entering, all)
    }
}

/// One client's eye on one tick.
pub(super) struct Eye<'a> {
    pub(super) capture: &'a Capture,
    /// By kind.
    pub(super) sights: &'a [Sight],
    pub(super) seen: Seen,
    /// The game's own rule.
    pub(super) may_see: &'a dyn Fn(EntityKey) -> bool,
    /// Share of every radius that this client's bandwidth is enough for.
    pub(super) reach: f32,
}

impl Eye<'_> {
    /// How often a slot of the roster should be told of if bandwidth were no matter, or `None` when it is to be seen
    /// no more. Brings its distance up to date.
    pub(super) fn keeps(&self, slot: &mut RosterSlot) -> Option<Tier> {
        let row = self.capture.row(slot.row);
        let distance_squared = self.distance_squared(row);
        slot.distance_squared = distance_squared;
        self.stays_at(row, slot, distance_squared)
            .then(|| self.natural_tier(row, distance_squared, slot.tier))
    }

    /// Whether a slot of the roster is still to be seen, and as it is.
    pub(super) fn stays(&self, slot: &RosterSlot) -> bool {
        let row = self.capture.row(slot.row);
        self.stays_at(row, slot, self.distance_squared(row))
    }

    #[inline]
    fn stays_at(&self, row: &Row, slot: &RosterSlot, distance_squared: f32) -> bool {
        row.id == slot.id
            && slot.view == view_of(row, &self.seen)
            && self.rule_at(row, Bound::Leave, distance_squared).shows()
    }

    /// Whether an entity that was edited is one that this client may come to see by it.
    pub(super) fn notices(&self, row: u32) -> bool {
        self.rule(self.capture.row(row), Bound::Enter).shows()
    }

    /// A slot that was to enter some ticks ago, as it is now, if it is still to be seen.
    pub(super) fn again(&self, slot: &RosterSlot) -> Option<RosterSlot> {
        let row = self.capture.row(slot.row);
        (row.id == slot.id && self.rule(row, Bound::Enter).shows()).then(|| self.slot(slot.row))
    }

    fn slot(&self, index: u32) -> RosterSlot {
        let row = self.capture.row(index);
        let distance_squared = self.distance_squared(row);
        let (tier, view) = (self.natural_tier(row, distance_squared, Tier::SLOW), view_of(row, &self.seen));
        RosterSlot {
            row: index,
            id: row.id,
            view,
            tier,
            lane: row.lane(tier, view),
            section: self.capture.schedule().section(tier, row.id),
            distance_squared,
            parked_at: 0,
        }
    }

    #[inline]
    pub(super) fn natural_tier(&self, row: &Row, distance_squared: f32, now: Tier) -> Tier {
        let Detail { fast_within, medium_within } = self.sights[usize::from(row.kind.0)].detail;
        let within = |tier: Tier, radius: f32| {
            let radius = radius * if now <= tier { DETAIL_SLACK } else { 1.0 };
            distance_squared <= radius * radius
        };
        if within(Tier::ALL[0], fast_within) {
            Tier::ALL[0]
        } else if within(Tier::ALL[1], medium_within) {
            Tier::ALL[1]
        } else {
            Tier::ALL[2]
        }
    }

    #[inline]
    pub(super) fn distance_squared(&self, row: &Row) -> f32 {
        row.place.map_or(0.0, |place| place.distance_squared(self.seen.viewpoint.position))
    }

    /// Whether this client is to see an entity, and what decides that.
    pub(super) fn rule(&self, row: &Row, bound: Bound) -> Rule {
        self.rule_at(row, bound, self.distance_squared(row))
    }

    #[inline]
    fn rule_at(&self, row: &Row, bound: Bound, distance_squared: f32) -> Rule {
        if !row.alive {
            return Rule::Gone;
        }
        if self.seen.viewpoint.avatar == Some(row.key) {
            return Rule::Avatar;
        }
        let in_reach = match self.radius(row, bound) {
            None => Rule::Everywhere,
            Some(radius) if distance_squared <= radius * radius => Rule::Near,
            Some(_) => Rule::TooFar,
        };
        if in_reach.shows() && !(self.may_see)(row.key) { Rule::Hidden } else { in_reach }
    }

    /// How far away an entity may be, where that matters.
    #[inline]
    pub(super) fn radius(&self, row: &Row, bound: Bound) -> Option<f32> {
        let interest = self.sights[usize::from(row.kind.0)].interest;
        let (Some(_), Interest::Radius { enter, leave }) = (row.place, interest) else { return None };
        Some(self.reach * if bound == Bound::Enter { enter } else { leave.max(enter) })
    }
}

/// Which of the two radii counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Enter,
    Leave,
}

/// What decides whether a client is to see an entity: the first of these that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is not there any more.
    Gone,
    /// The client plays it, and is told of it as its private state.
    Avatar,
    /// It is beyond the radius of its kind.
    TooFar,
    /// The game's own rule hides it.
    Hidden,
    /// It is within the radius of its kind.
    Near,
    /// It has no position, or is of a kind that is seen from everywhere.
    Everywhere,
}

impl Rule {
    /// Whether the client is to see it.
    #[must_use]
    pub fn shows(self) -> bool {
        matches!(self, Self::Near | Self::Everywhere)
    }
}

/// How much of an entity this client is shown.
#[inline]
pub(super) fn view_of(row: &Row, seen: &Seen) -> View {
    if row.owner == Some(seen.client) {
        View::Owner
    } else if row.team != Team::NONE && row.team == seen.viewpoint.team {
        View::Team
    } else {
        View::Public
    }
}
