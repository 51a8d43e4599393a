//! Which entities a client should see now, compared with its roster: who leaves, who enters, nearest first.

use glam::Vec3;
use tickwire_shared::ClientId;
use tickwire_shared::limits::{ENTERS_PER_FRAME_MAX, ROSTER_MAX};
use tickwire_shared::schema::View;

use super::capture::{Capture, Row};
use super::roster::{Roster, RosterSlot};
use crate::simulation::{Grid, Interest, Team, Viewpoint};

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
    /// Rows without a position: in everybody's view.
    placeless: Vec<u32>,
    /// For each row, whether the roster at hand has it.
    held: Vec<bool>,
    found: Vec<u32>,
    entering: Vec<(f32, RosterSlot)>,
}

impl InterestStage {
    /// To be called once per tick, after the capture.
    pub(super) fn prepare(&mut self, capture: &Capture, interest: Interest) {
        let Interest::Radius { enter, .. } = interest else { return };
        let places = || {
            let rows = capture.rows().iter().enumerate().filter(|(_, row)| row.alive);
            rows.map(|(index, row)| (index as u32, row.place))
        };
        self.grid.rebuild(enter, places().filter_map(|(index, place)| Some((index, place?))));
        self.placeless.clear();
        self.placeless.extend(places().filter(|(_, place)| place.is_none()).map(|(index, _)| index));
    }

    /// Removes from the roster what is not to be seen any more; tells the index at which each was removed.
    pub(super) fn leaves(
        &mut self,
        capture: &Capture,
        interest: Interest,
        seen: &Seen,
        roster: &mut Roster,
        leaves: &mut Vec<usize>,
    ) {
        let mut index = 0;
        while index < roster.slots().len() {
            let slot = roster.slots()[index];
            let row = capture.row(slot.row);
            let stays = row.alive
                && row.id == slot.id
                && slot.view == view_of(row, seen)
                && seen.viewpoint.avatar != Some(row.key)
                && in_reach(row, seen.viewpoint.position, interest, Bound::Leave);
            if stays {
                index += 1;
            } else {
                roster.leave(index);
                leaves.push(index);
            }
        }
    }

    /// What should enter the roster, nearest first, as many as one frame may carry.
    pub(super) fn enters(
        &mut self,
        capture: &Capture,
        interest: Interest,
        seen: &Seen,
        roster: &Roster,
    ) -> impl Iterator<Item = RosterSlot> + '_ {
        let Self { grid, placeless, held, found, entering } = self;
        held.clear();
        held.resize(capture.rows().len(), false);
        roster.slots().iter().for_each(|slot| held[slot.row as usize] = true);
        found.clear();
        match interest {
            Interest::Everything => found.extend(0..capture.rows().len() as u32),
            Interest::Radius { enter, .. } => {
                found.extend_from_slice(placeless);
                grid.near(seen.viewpoint.position, enter, |row| found.push(row));
            }
        }
        entering.clear();
        for index in found.iter().copied() {
            let row = capture.row(index);
            let wanted = row.alive
                && !held[index as usize]
                && seen.viewpoint.avatar != Some(row.key)
                && in_reach(row, seen.viewpoint.position, interest, Bound::Enter);
            if wanted {
                held[index as usize] = true;
                let distance = row.place.map_or(0.0, |place| place.distance_squared(seen.viewpoint.position));
                entering.push((distance, RosterSlot { row: index, id: row.id, view: view_of(row, seen) }));
            }
        }
        entering.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
        entering.truncate(ENTERS_PER_FRAME_MAX.min(ROSTER_MAX.saturating_sub(roster.slots().len())));
        entering.iter().map(|(_, slot)| *slot)
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
