//! A uniform grid, rebuilt each tick, that finds what is near a place.
//!
//! Cells are hashed into a fixed number of buckets, so the world has no edge and far cells may share a bucket. Cells side
//! by side lie in buckets side by side, so that a search goes through a few long runs.

use glam::Vec3;

/// Points by cell.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    cell: f32,
    /// Start of each bucket in `members`, and one end.
    starts: Vec<u32>,
    /// With their places, so that whoever is too far away is passed over without being looked up.
    members: Vec<(u32, Vec3)>,
    buckets: Vec<u32>,
    next: Vec<u32>,
}

/// Upper bound of the buckets that one query visits on each axis.
const CELLS_PER_AXIS_MAX: i32 = 64;

impl Grid {
    /// Builds the grid anew, keeping its memory. Each point is a number and a place; cells are columns of any height.
    pub fn rebuild(&mut self, cell: f32, points: impl Iterator<Item = (u32, Vec3)> + Clone) {
        self.cell = cell.max(1e-3);
        let count = points.clone().count();
        let buckets = count.next_power_of_two().max(16);
        self.starts.clear();
        self.starts.resize(buckets + 1, 0);
        self.buckets.clear();
        for (_, place) in points.clone() {
            let bucket = self.bucket(self.cell_of(place.x), self.cell_of(place.y));
            self.buckets.push(bucket);
            self.starts[bucket as usize + 1] += 1;
        }
        for bucket in 0..buckets {
            self.starts[bucket + 1] += self.starts[bucket];
        }
        self.members.clear();
        self.members.resize(count, (0, Vec3::ZERO));
        self.next.clone_from(&self.starts);
        for (point, bucket) in points.zip(&self.buckets) {
            let next = &mut self.next[*bucket as usize];
            self.members[*next as usize] = point;
            *next += 1;
        }
    }

    /// Calls `found` with every point within `radius`, with some twice.
    pub fn near(&self, place: Vec3, radius: f32, mut found: impl FnMut(u32)) {
        if self.members.is_empty() {
            return;
        }
        let mut look = |members: &[(u32, Vec3)]| {
            for (number, at) in members {
                if at.distance_squared(place) <= radius * radius {
                    found(*number);
                }
            }
        };
        let (low_x, high_x) = (self.cell_of(place.x - radius), self.cell_of(place.x + radius));
        let (low_y, high_y) = (self.cell_of(place.y - radius), self.cell_of(place.y + radius));
        let wide = high_x.saturating_sub(low_x) > CELLS_PER_AXIS_MAX
            || high_y.saturating_sub(low_y) > CELLS_PER_AXIS_MAX;
        if wide {
            return look(&self.members);
        }
        let last = self.starts.len() - 2;
        let mut run = |first: usize, last: usize| {
            look(&self.members[self.starts[first] as usize..self.starts[last + 1] as usize]);
        };
        for y in low_y..=high_y {
            let first = self.bucket(low_x, y) as usize;
            let end = first + ((high_x - low_x) as usize).min(last);
            run(first, end.min(last));
            if end > last {
                run(0, end - last - 1);
            }
        }
    }

    fn cell_of(&self, coordinate: f32) -> i32 {
        (coordinate / self.cell).floor() as i32
    }

    fn bucket(&self, x: i32, y: i32) -> u32 {
        let row = (y as u32).wrapping_mul(0x9E37_79B1);
        let mask = self.starts.len() as u32 - 2;
        (row ^ row >> 15).wrapping_add(x as u32) & mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_that_a_search_by_hand_finds() {
        for seed in 0..50_u32 {
            let place = |index: u32| {
                let mixed = (index + seed * 1000).wrapping_mul(2_654_435_761);
                Vec3::new((mixed % 1000) as f32 - 500.0, (mixed / 1000 % 1000) as f32 - 500.0, 0.0)
            };
            let mut grid = Grid::default();
            grid.rebuild(40.0, (0..300).map(|index| (index, place(index))));
            for centre in (0..20).map(place) {
                let mut found = vec![false; 300];
                grid.near(centre, 64.0, |number| found[number as usize] = true);
                for index in 0..300 {
                    let inside = place(index).distance(centre) <= 64.0;
                    assert_eq!(found[index as usize], inside, "seed {seed}: {index}");
                }
            }
        }
    }
}
