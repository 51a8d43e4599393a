//! Which entities a client should see now, compared with its roster: who leaves, who enters, nearest first.

use glam::Vec3;
use tickwire_shared::ClientId;
use tickwire_shared::limits::{ENTERS_PER_FRAME_MAX, ROSTER_MAX};
use tickwire_shared::schema::View;

use super::capture::{Capture, Row};
use super::roster::{Roster, RosterSlot};
use crate::simulation::{EntityKey, Grid, Interest, Team, Viewpoint};

/// A client as interest sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Who looks; the owner of its entities.
    pub client: ClientId,
    /// From where.
    pub viewpoint: Viewpoint,
}

/// Finds leaves and enters. Holds scratch memory only, and the grid of this tick.
#[derive(Debug, Default)]
pub(super) struct InterestStage {
    grid: Grid,
    /// The largest radius of any kind.
    radius_max: f32,
    /// Rows in everybody's reach: without a position, or of a kind that is seen from everywhere.
    everywhere: Vec<u32>,
    /// For each row, whether the roster at hand has it.
    held: Vec<bool>,
    found: Vec<u32>,
    entering: Vec<(f32, RosterSlot)>,
}

impl InterestStage {
    /// To be called once per tick, after the capture. `interests` is by kind.
    pub(super) fn prepare(&mut self, capture: &Capture, interests: &[Interest]) {
        self.radius_max = interests
            .iter()
            .map(|interest| if let Interest::Radius { enter, .. } = interest { *enter } else { 0.0 })
            .fold(0.0, f32::max);
        let in_grid = |row: &Row| matches!(interests[usize::from(row.kind.0)], Interest::Radius { .. });
        let rows = || capture.rows().iter().enumerate().filter(|(_, row)| row.alive);
        let places = rows().filter(|(_, row)| in_grid(row));
        self.grid
            .rebuild(self.radius_max, places.filter_map(|(index, row)| Some((index as u32, row.place?))));
        self.everywhere.clear();
        let everywhere = rows().filter(|(_, row)| row.place.is_none() || !in_grid(row));
        self.everywhere.extend(everywhere.map(|(index, _)| index as u32));
    }

    /// Removes from the roster what is not to be seen any more; tells the index at which each was removed.
    pub(super) fn leaves(&self, eye: &Eye<'_>, roster: &mut Roster, leaves: &mut Vec<usize>) {
        let mut index = 0;
        while index < roster.slots().len() {
            let slot = roster.slots()[index];
            let row = eye.capture.row(slot.row);
            if row.id == slot.id && slot.view == view_of(row, &eye.seen) && eye.sees(row, Bound::Leave) {
                index += 1;
            } else {
                roster.leave(index);
                leaves.push(index);
            }
        }
    }

    /// What should enter the roster, nearest first, as many as one frame may carry.
    pub(super) fn enters(&mut self, eye: &Eye<'_>, roster: &Roster) -> impl Iterator<Item = RosterSlot> + '_ {
        let Self { grid, radius_max, everywhere, held, found, entering } = self;
        let from = eye.seen.viewpoint.position;
        held.clear();
        held.resize(eye.capture.rows().len(), false);
        roster.slots().iter().for_each(|slot| held[slot.row as usize] = true);
        found.clear();
        found.extend_from_slice(everywhere);
        grid.near(from, *radius_max, |row| found.push(row));
        entering.clear();
        for index in found.iter().copied() {
            let row = eye.capture.row(index);
            if !held[index as usize] && eye.sees(row, Bound::Enter) {
                held[index as usize] = true;
                let distance = row.place.map_or(0.0, |place| place.distance_squared(from));
                entering
                    .push((distance, RosterSlot { row: index, id: row.id, view: view_of(row, &eye.seen) }));
            }
        }
        entering.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
        entering.truncate(ENTERS_PER_FRAME_MAX.min(ROSTER_MAX.saturating_sub(roster.slots().len())));
        entering.iter().map(|(_, slot)| *slot)
    }
}

/// One client's eye on one tick.
pub(super) struct Eye<'a> {
    pub(super) capture: &'a Capture,
    /// By kind.
    pub(super) interests: &'a [Interest],
    pub(super) seen: Seen,
    /// The game's own rule.
    pub(super) may_see: &'a dyn Fn(EntityKey) -> bool,
}

impl Eye<'_> {
    fn sees(&self, row: &Row, bound: Bound) -> bool {
        let interest = self.interests[usize::from(row.kind.0)];
        row.alive
            && self.seen.viewpoint.avatar != Some(row.key)
            && in_reach(row, self.seen.viewpoint.position, interest, bound)
            && (self.may_see)(row.key)
    }
}

/// Which of the two radii counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Enter,
    Leave,
}

fn in_reach(row: &Row, from: Vec3, interest: Interest, bound: Bound) -> bool {
    let (Some(place), Interest::Radius { enter, leave }) = (row.place, interest) else { return true };
    let radius = if bound == Bound::Enter { enter } else { leave.max(enter) };
    place.distance_squared(from) <= radius * radius
}

/// How much of an entity this client is shown.
fn view_of(row: &Row, seen: &Seen) -> View {
    if row.owner == Some(seen.client) {
        View::Owner
    } else if row.team != Team::NONE && row.team == seen.viewpoint.team {
        View::Team
    } else {
        View::Public
    }
}
