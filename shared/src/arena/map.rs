//! Where one cannot walk: axis-aligned boxes, worked out from the seed by both sides.

use glam::Vec2;

/// Side of a cell of the obstacle index, in metres.
const CELL_M: f32 = 16.0;
/// Side of a plot, in metres: each has at most one obstacle.
const PLOT_M: f32 = 25.0;
/// Bounds of half a side of an obstacle, in metres.
const HALF_M: (f32, f32) = (0.8, 5.0);
/// An obstacle keeps this far from the edge of its plot, in metres, so that a player fits between any two.
const MARGIN_M: f32 = 1.0;
/// This share of the plots is free.
const FREE_SHARE: f32 = 0.2;

/// A box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Obstacle {
    /// Its middle, in metres.
    pub centre: Vec2,
    /// Half its sides, in metres.
    pub half: Vec2,
}

/// All obstacles of an arena, findable by place.
#[derive(Clone, Debug)]
pub struct Map {
    half_m: f32,
    obstacles: Vec<Obstacle>,
    cells_per_side: usize,
    /// Indices of the obstacles that may touch something in each cell, cell by cell: all that is looked at lies together.
    reachable: Vec<u32>,
    /// Where each cell's begin; one more for where the last ones end.
    cells: Vec<u32>,
}

impl Map {
    /// The map of a seed. The same on every platform: integer hashing, exact arithmetic.
    #[must_use]
    pub fn new(seed: u64, size_m: u16) -> Self {
        let half_m = f32::from(size_m) / 2.0;
        let plots_per_side = (f32::from(size_m) / PLOT_M) as u64;
        let obstacles: Vec<_> = (0..plots_per_side * plots_per_side)
            .filter_map(|plot| {
                let fraction = |what: u64| (hash(seed, plot * 5 + what) >> 40) as f32 / (1 << 24) as f32;
                let corner =
                    Vec2::new((plot % plots_per_side) as f32, (plot / plots_per_side) as f32) * PLOT_M;
                let half =
                    Vec2::new(fraction(0), fraction(1)) * (HALF_M.1 - HALF_M.0) + Vec2::splat(HALF_M.0);
                let least = half + Vec2::splat(MARGIN_M);
                let place = least + Vec2::new(fraction(2), fraction(3)) * (Vec2::splat(PLOT_M) - least * 2.0);
                let centre = corner + place - Vec2::splat(half_m);
                (fraction(4) >= FREE_SHARE).then_some(Obstacle { centre, half })
            })
            .collect();
        let cells_per_side = (f32::from(size_m) / CELL_M) as usize + 1;
        let mut map = Self { half_m, obstacles, cells_per_side, reachable: Vec::new(), cells: Vec::new() };
        let mut cells = vec![Vec::new(); cells_per_side * cells_per_side];
        for index in 0..map.obstacles.len() {
            let Obstacle { centre, half } = map.obstacles[index];
            let reach = half + Vec2::splat(2.0);
            let (low, high) = (map.cell(centre - reach), map.cell(centre + reach));
            for y in low.1..=high.1 {
                for x in low.0..=high.0 {
                    cells[y * cells_per_side + x].push(index as u32);
                }
            }
        }
        map.cells.push(0);
        for cell in cells {
            map.reachable.extend(cell);
            map.cells.push(map.reachable.len() as u32);
        }
        map
    }

    /// Half the arena's side, in metres.
    #[must_use]
    pub fn half_m(&self) -> f32 {
        self.half_m
    }

    /// All obstacles.
    #[must_use]
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// The obstacles that may be within 2 m of `place`, always in the same order.
    pub fn near(&self, place: Vec2) -> impl Iterator<Item = &Obstacle> {
        let (x, y) = self.cell(place);
        self.in_cell(x, y).iter().map(|index| &self.obstacles[*index as usize])
    }

    /// Pushes a disc out of everything that it may not be in.
    #[must_use]
    pub fn push_out(&self, mut centre: Vec2, radius: f32) -> Vec2 {
        for obstacle in self.near(centre) {
            let offset = centre - obstacle.centre;
            let nearest = offset.clamp(-obstacle.half, obstacle.half);
            let away = offset - nearest;
            let distance_squared = away.length_squared();
            if distance_squared >= radius * radius {
                continue;
            }
            centre = if distance_squared > 1e-6 {
                obstacle.centre + nearest + away * (radius / distance_squared.sqrt())
            } else {
                // The centre itself is inside: out by the nearest side.
                let depth = obstacle.half - offset.abs();
                let out = if depth.x < depth.y {
                    Vec2::new((depth.x + radius) * sign(offset.x), 0.0)
                } else {
                    Vec2::new(0.0, (depth.y + radius) * sign(offset.y))
                };
                centre + out
            };
        }
        let limit = Vec2::splat(self.half_m - radius);
        centre.clamp(-limit, limit)
    }

    /// How far a ray of unit `direction` goes before an obstacle or the arena's edge stops it, at most `reach` metres.
    #[must_use]
    pub fn ray(&self, origin: Vec2, direction: Vec2, reach: f32) -> f32 {
        let reach = reach.min(self.to_the_edge(origin, direction));
        let steps = (reach / CELL_M) as usize + 2;
        let mut free = reach;
        let mut visited = usize::MAX;
        for step in 0..=steps * 2 {
            let along = (step as f32 * CELL_M / 2.0).min(reach);
            let (x, y) = self.cell(origin + direction * along);
            let cell = y * self.cells_per_side + x;
            if cell == visited {
                continue;
            }
            visited = cell;
            for index in self.reachable(x, y) {
                free = free.min(ray_box(origin, direction, &self.obstacles[index as usize]).unwrap_or(reach));
            }
            if free + CELL_M < along {
                break;
            }
        }
        free
    }

    /// How far a ray goes before it leaves the arena.
    fn to_the_edge(&self, origin: Vec2, direction: Vec2) -> f32 {
        let along = |place: f32, step: f32| {
            if step.abs() < 1e-6 { f32::MAX } else { ((self.half_m * step.signum() - place) / step).max(0.0) }
        };
        along(origin.x, direction.x).min(along(origin.y, direction.y))
    }

    /// The obstacles of a cell and its neighbours: a ray that cuts a corner misses none.
    fn reachable(&self, x: usize, y: usize) -> impl Iterator<Item = u32> {
        let last = self.cells_per_side - 1;
        let rows = y.saturating_sub(1)..=(y + 1).min(last);
        rows.flat_map(move |row| (x.saturating_sub(1)..=(x + 1).min(last)).map(move |column| (column, row)))
            .flat_map(|(column, row)| self.in_cell(column, row).iter().copied())
    }

    fn in_cell(&self, x: usize, y: usize) -> &[u32] {
        let cell = y * self.cells_per_side + x;
        &self.reachable[self.cells[cell] as usize..self.cells[cell + 1] as usize]
    }

    fn cell(&self, place: Vec2) -> (usize, usize) {
        let last = (self.cells_per_side - 1) as f32;
        let cell = ((place + Vec2::splat(self.half_m)) / CELL_M).clamp(Vec2::ZERO, Vec2::splat(last));
        (cell.x as usize, cell.y as usize)
    }
}

/// Distance along a ray to a disc, if it hits.
#[must_use]
pub fn ray_disc(origin: Vec2, direction: Vec2, centre: Vec2, radius: f32) -> Option<f32> {
    let offset = centre - origin;
    let along = offset.dot(direction);
    let aside_squared = offset.length_squared() - along * along;
    if along < 0.0 || aside_squared > radius * radius {
        return None;
    }
    Some((along - (radius * radius - aside_squared).sqrt()).max(0.0))
}

fn ray_box(origin: Vec2, direction: Vec2, obstacle: &Obstacle) -> Option<f32> {
    let (mut near, mut far) = (0.0_f32, f32::MAX);
    for axis in 0..2 {
        let low = obstacle.centre[axis] - obstacle.half[axis] - origin[axis];
        let high = obstacle.centre[axis] + obstacle.half[axis] - origin[axis];
        if direction[axis].abs() < 1e-6 {
            if low > 0.0 || high < 0.0 {
                return None;
            }
            continue;
        }
        let (first, second) = (low / direction[axis], high / direction[axis]);
        near = near.max(first.min(second));
        far = far.min(first.max(second));
    }
    (near <= far).then_some(near)
}

fn sign(value: f32) -> f32 {
    if value < 0.0 { -1.0 } else { 1.0 }
}

/// A well-mixed 64-bit hash: the output step of SplitMix64 (Steele, Lea, Flood 2014).
fn hash(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}
