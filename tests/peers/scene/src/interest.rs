//! Who sees whom, the same for all peers that are told so: what is nearer than `ENTER` comes into view, what is farther
//! than `LEAVE` goes, looked at every sixth tick, viewers in turns. A grid proposes who may be near. Also in
//! `node/scene.mjs`.

use crate::Seen;

/// In cm. Nearer than this comes into view.
pub const ENTER: i32 = 10_000;
/// In cm. Farther than this goes out of view.
pub const LEAVE: i32 = 10_500;
/// Ticks between looks.
const EVERY: u32 = 6;

/// What each viewer knows.
pub struct Interest {
    cells_per_side: usize,
    /// By viewer and entity.
    known: Vec<Vec<bool>>,
    /// By viewer, in no order.
    lists: Vec<Vec<usize>>,
    /// Entities by cell.
    cells: Vec<Vec<usize>>,
}

/// Of one viewer at one look.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Came into view.
    pub entered: Vec<usize>,
    /// Went out of view.
    pub left: Vec<usize>,
}

impl Interest {
    /// Nobody knows anything.
    #[must_use]
    pub fn new(size_m: i32, entities: usize, viewers: usize) -> Self {
        let cells_per_side = (size_m * 100 / LEAVE + 1) as usize;
        Self {
            cells_per_side,
            known: vec![vec![false; entities]; viewers],
            lists: vec![Vec::new(); viewers],
            cells: vec![Vec::new(); cells_per_side * cells_per_side],
        }
    }

    /// Whether a viewer looks around in this tick. It does when it joins, too.
    #[must_use]
    pub fn is_due(&self, viewer: usize, tick: u32) -> bool {
        (tick + viewer as u32).is_multiple_of(EVERY) || self.lists[viewer].is_empty()
    }

    /// To be called once per tick, before anybody looks.
    pub fn place(&mut self, seen: &[Seen]) {
        self.cells.iter_mut().for_each(Vec::clear);
        for (entity, at) in seen.iter().enumerate() {
            let cell = self.cell(at);
            self.cells[cell].push(entity);
        }
    }

    fn cell(&self, at: &Seen) -> usize {
        (at.y / LEAVE) as usize * self.cells_per_side + (at.x / LEAVE) as usize
    }

    /// One viewer looks around from where entity `eye` is.
    pub fn look(&mut self, viewer: usize, eye: usize, seen: &[Seen]) -> Changes {
        let at = seen[eye];
        let near = |other: &Seen, radius: i32| {
            let (x, y) = (i64::from(other.x - at.x), i64::from(other.y - at.y));
            x * x + y * y <= i64::from(radius) * i64::from(radius)
        };
        let mut changes = Changes::default();
        let (known, list) = (&mut self.known[viewer], &mut self.lists[viewer]);
        list.retain(|entity| {
            let stays = near(&seen[*entity], LEAVE);
            if !stays {
                known[*entity] = false;
                changes.left.push(*entity);
            }
            stays
        });
        let side = self.cells_per_side as i32;
        let (column, row) = (at.x / LEAVE, at.y / LEAVE);
        for y in (row - 1).max(0)..=(row + 1).min(side - 1) {
            for x in (column - 1).max(0)..=(column + 1).min(side - 1) {
                for entity in &self.cells[(y * side + x) as usize] {
                    if !known[*entity] && near(&seen[*entity], ENTER) {
                        known[*entity] = true;
                        list.push(*entity);
                        changes.entered.push(*entity);
                    }
                }
            }
        }
        changes
    }

    /// What a viewer knows, in no order.
    #[must_use]
    pub fn list(&self, viewer: usize) -> &[usize] {
        &self.lists[viewer]
    }

    /// A viewer is gone.
    pub fn forget(&mut self, viewer: usize) {
        self.known[viewer].fill(false);
        self.lists[viewer].clear();
    }
}
