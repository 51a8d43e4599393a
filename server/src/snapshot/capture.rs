//! The world as integers: once per tick every entity's state is quantized into a table. For each tier that samples it
//! at this tick it is put beside the four samples before, and the update between them is coded, once for all clients
//! that are told of it so.

use std::collections::VecDeque;
use std::sync::Arc;

use glam::Vec3;
use slotmap::SecondaryMap;
use tickwire_shared::limits::{COLUMNS_MAX, HISTORY};
use tickwire_shared::schema::{FieldClass, FieldPlan, KindPlan, Plan, ReplicateKinds, View};
use tickwire_shared::wire::cadence::{Cadences, TIERS, Tier};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::quantize;
use tickwire_shared::wire::residual::{Coder, Window};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::wire::training::Recorded;
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::{ClientId, KindId, NetId, Protocol, Tick};

use super::blend::{self, Share};
use super::cadence::{Schedule, Section};
use super::history::{History, Samples};
use super::roster::Source;
use super::updates::{Lane, Update, Updates};
use super::weights::{KindBits, is_weighed};
use crate::simulation::{EntityKey, Team, World};

/// About what an enter takes besides the spawn blob, in bits.
const RECORD_BITS: i64 = 140;

/// One entity in the table. A row is used again after its entity is gone; the id tells them apart.
#[derive(Clone, Debug)]
pub struct Row {
    /// The entity.
    pub id: NetId,
    /// Whether it is still there.
    pub alive: bool,
    /// Its key in the world.
    pub key: EntityKey,
    /// Its kind.
    pub kind: KindId,
    /// Who sees its owner fields.
    pub owner: Option<ClientId>,
    /// Who sees its team fields.
    pub team: Team,
    /// Where it is, in the game's unit, as quantized; `None` for kinds without a position.
    pub place: Option<Vec3>,
    /// The widest view that differs from the ones below it.
    views: View,
    /// About what its spawn blob takes.
    spawn_bytes: u32,
}

/// What only the capture looks at of a row, apart from what every client does.
#[derive(Clone, Debug)]
struct Course {
    tiers: [Sampling; TIERS],
    /// The tick of its spawn.
    born_at: u64,
    /// The tick of its last cut; 0 before the first.
    cut_at: u64,
    /// How many roster slots are told of it, by lane: nothing is coded that nobody is told.
    told: [u32; Lane::COUNT],
}

/// How a row fares at one tier.
#[derive(Clone, Copy, Debug)]
struct Sampling {
    section: Section,
    /// For each view, the tick since when its window is four equal states, or will be if nothing changes.
    still_at: [u64; View::ALL.len()],
    /// The tick at which its window last became one state, four times: of its spawn, or of the sample after a cut.
    whole_at: u64,
    /// Whether it was cut since the last sample.
    cut: bool,
}

/// The table.
#[derive(Debug)]
pub struct Capture {
    plan: Plan,
    tables: Arc<Tables>,
    schedule: Schedule,
    rows: Vec<Row>,
    courses: Vec<Course>,
    history: History,
    updates: Updates,
    free: VecDeque<(u64, u32)>,
    by_key: SecondaryMap<EntityKey, u32>,
    tick: u64,
    edited: Vec<u32>,
    is_edited: Vec<bool>,
    seen: Vec<bool>,
    cuts: Vec<EntityKey>,
    weights: KindBits,
}

impl Capture {
    /// An empty table, coding with `tables`, from which one can look back for `rewind_ticks` ticks.
    #[must_use]
    pub fn new(plan: Plan, tables: Arc<Tables>, cadences: Cadences, rewind_ticks: u32) -> Self {
        // The sample before the oldest moment may be a whole period older.
        let ring_ticks = rewind_ticks + cadences.period(Tier::SLOW) + 1;
        Self {
            history: History::new(plan.stride, ring_ticks),
            schedule: Schedule::new(cadences),
            weights: KindBits::of_kinds(plan.kinds.len()),
            plan,
            tables,
            rows: Vec::new(),
            courses: Vec::new(),
            updates: Updates::default(),
            free: VecDeque::new(),
            by_key: SecondaryMap::new(),
            tick: 0,
            edited: Vec::new(),
            is_edited: Vec::new(),
            seen: Vec::new(),
            cuts: Vec::new(),
        }
    }

    /// An empty one like it: as if nothing had been told of the world yet.
    #[must_use]
    pub fn anew(&self, rewind_ticks: u32) -> Self {
        Self::new(self.plan.clone(), Arc::clone(&self.tables), *self.schedule.cadences(), rewind_ticks)
    }

    /// Takes in the world as it is after the step of `tick`. To be called for every tick, once.
    pub fn capture<P: Protocol>(&mut self, world: &mut World<P>, tick: u64) {
        self.begin(tick);
        for (key, entity) in world.iter() {
            let mut state = [0; COLUMNS_MAX];
            entity.state.capture(&mut state);
            let row = match self.by_key.get(key).copied() {
                Some(row) => row,
                None => {
                    let row = self.add(key, entity.id, entity.state.kind(), &state);
                    self.rows[row as usize].spawn_bytes = codec::encode(&entity.spawn).len() as u32;
                    row
                }
            };
            self.seen[row as usize] = true;
            self.advance(row, &state, entity.cut);
            let entry = &mut self.rows[row as usize];
            if (entry.owner, entry.team) != (entity.owner, entity.team) {
                (entry.owner, entry.team) = (entity.owner, entity.team);
                self.edit(row);
            }
            if entity.cut {
                self.cuts.push(key);
            }
        }
        self.cuts.drain(..).for_each(|key| world.clear_cut(key));
        for key in world.drain_visibility_changed() {
            if let Some(row) = self.by_key.get(key).copied() {
                self.edit(row);
            }
        }
        self.drop_unseen();
    }

    fn begin(&mut self, tick: u64) {
        if self.schedule.is_frame_tick() {
            self.edited.drain(..).for_each(|row| self.is_edited[row as usize] = false);
        }
        self.tick = tick;
        self.schedule.at(Tick(tick as u32));
        self.history.begin(tick, self.rows.len());
        self.updates.begin(self.rows.len());
        self.seen.fill(false);
    }

    fn add(&mut self, key: EntityKey, id: NetId, kind: KindId, state: &[i32]) -> u32 {
        let tick = self.tick;
        // By then every client that is in step has dropped it, and nobody looks back to it.
        let rested = self.free.front().is_some_and(|(gone, _)| gone + self.history.ring_ticks() <= tick);
        let reused = if rested { self.free.pop_front() } else { None };
        let row = reused.map_or(self.rows.len() as u32, |(_, row)| row);
        let plan = self.plan.kind(kind);
        let entry = Row {
            id,
            alive: true,
            key,
            kind,
            owner: None,
            team: Team::NONE,
            place: place_of(plan, state),
            views: plan.views,
            spawn_bytes: 0,
        };
        let course = Course {
            tiers: Tier::ALL.map(|tier| Sampling {
                section: self.schedule.section(tier, id),
                still_at: [tick; View::ALL.len()],
                whole_at: tick,
                cut: false,
            }),
            born_at: tick,
            cut_at: 0,
            told: [0; Lane::COUNT],
        };
        match self.rows.get_mut(row as usize) {
            Some(old) => (*old, self.courses[row as usize]) = (entry, course),
            None => {
                self.rows.push(entry);
                self.courses.push(course);
                self.history.grow(self.rows.len());
                self.updates.grow(self.rows.len());
                self.seen.push(true);
                self.is_edited.push(false);
            }
        }
        for tier in Tier::ALL {
            fill(self.history.window_mut(row, tier), self.plan.stride, state);
            View::ALL.into_iter().for_each(|view| self.updates.still(row, Lane::new(tier, view)));
        }
        self.by_key.insert(key, row);
        self.edit(row);
        row
    }

    fn edit(&mut self, row: u32) {
        if !std::mem::replace(&mut self.is_edited[row as usize], true) {
            self.edited.push(row);
        }
    }

    /// A known entity's state at this tick.
    fn advance(&mut self, row: u32, state: &[i32], cut: bool) {
        let course = &mut self.courses[row as usize];
        // One that is made at this very tick is shown nowhere else before.
        let cut = cut && course.born_at < self.tick;
        if cut {
            course.cut_at = self.tick;
            course.tiers.iter_mut().for_each(|sampling| sampling.cut = true);
        }
        self.history.note(row, state, cut);
        let entry = &mut self.rows[row as usize];
        entry.place = place_of(self.plan.kind(entry.kind), state);
        for tier in Tier::ALL {
            let sampling = &self.courses[row as usize].tiers[tier.index()];
            if self.schedule.is_due(sampling.section) && sampling.whole_at < self.tick {
                self.sample(row, tier, state);
            }
        }
    }

    /// One more sample of a tier: note what changed, code the update, shift the window.
    fn sample(&mut self, row: u32, tier: Tier, state: &[i32]) {
        let Self { plan, tables, rows, courses, history, updates, tick, schedule, weights, .. } = self;
        let (stride, tick) = (plan.stride, *tick);
        let Course { tiers, told, .. } = &mut courses[row as usize];
        let (kind, sampling) = (plan.kind(rows[row as usize].kind), &mut tiers[tier.index()]);
        let cut = std::mem::take(&mut sampling.cut);
        let table = history.window_mut(row, tier);
        let changed = table[..kind.columns] != state[..kind.columns];
        let old = Window::new(table, stride);
        for view in View::ALL.into_iter().filter(|view| *view <= kind.views) {
            let lane = Lane::new(tier, view);
            let differs =
                cut || changed && kind.seen(view).any(|field| field.of(old.state(0)) != field.of(state));
            let still_at = &mut sampling.still_at[view as usize];
            let rested = *still_at < tick;
            if rested && !differs || told[lane.index()] == 0 {
                updates.still(row, lane);
            } else {
                let step = if cut { Step::Cut } else { Step::Moved };
                updates.code(row, lane, rested, |out| {
                    update::write(kind, view, step, old, state, &mut Coder { tables, out });
                });
                if is_weighed(row, tick) {
                    weights.weigh(tables, rows[row as usize].kind, told[lane.index()], |scales| {
                        update::write(kind, view, step, old, state, scales);
                    });
                }
            }
            if cut {
                *still_at = tick;
            } else if differs {
                *still_at = tick + (HISTORY as u64 - 1) * u64::from(schedule.cadences().period(tier));
            }
        }
        if cut {
            sampling.whole_at = tick;
            fill(table, stride, state);
        } else {
            update::shift(table, stride, Step::Moved, &state[..stride]);
        }
    }

    fn drop_unseen(&mut self) {
        for row in 0..self.rows.len() {
            if self.rows[row].alive && !self.seen[row] {
                self.rows[row].alive = false;
                self.by_key.remove(self.rows[row].key);
                self.free.push_back((self.tick, row as u32));
                self.edit(row as u32);
                for lane in Tier::ALL.into_iter().flat_map(|tier| View::ALL.map(|view| Lane::new(tier, view)))
                {
                    self.updates.still(row as u32, lane);
                }
            }
        }
    }

    /// Clients' rosters changed: from the next sample on, a row is coded for so many more or fewer in a lane.
    pub fn told(&mut self, row: u32, id: NetId, lane: Lane, more: bool) {
        if self.rows[row as usize].id == id {
            let told = &mut self.courses[row as usize].told[lane.index()];
            *told = if more { *told + 1 } else { told.saturating_sub(1) };
        }
    }

    /// What bits of updates were spent on since it was asked last.
    pub fn hand_over_weights(&mut self, sum: &mut KindBits) {
        self.weights.hand_over(sum);
    }

    /// Codes with other tables from the next capture on.
    pub fn use_tables(&mut self, tables: Arc<Tables>) {
        self.tables = tables;
    }

    /// The coding tables.
    #[must_use]
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// The layout that the table follows.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// When which entities are sampled.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The tick of the last capture.
    #[must_use]
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// This tick's updates.
    #[must_use]
    pub fn updates(&self) -> &Updates {
        &self.updates
    }

    /// The update of a slot that is due at this tick.
    #[must_use]
    #[inline]
    pub fn sample_of(&self, source: &Source) -> Option<&Update> {
        let due = self.schedule.is_due(source.section);
        due.then(|| &self.updates.of(source.lane)[source.row as usize])
    }

    /// The rows of entities that, since the frames before, are new or gone, changed owner or team, or may be seen by
    /// others than before.
    #[must_use]
    pub fn edited(&self) -> &[u32] {
        &self.edited
    }

    /// Whether a row is one of these.
    #[must_use]
    pub fn is_edited(&self, row: u32) -> bool {
        self.is_edited[row as usize]
    }

    /// All rows, dead ones included.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A row.
    #[must_use]
    pub fn row(&self, row: u32) -> &Row {
        &self.rows[row as usize]
    }

    /// This tick as the trainer of tables wants it.
    pub fn record(&self) -> impl Iterator<Item = Recorded> + '_ {
        self.rows.iter().enumerate().filter(|(_, row)| row.alive).map(|(index, row)| {
            let columns = self.plan.kind(row.kind).columns;
            let state = self.window(index as u32, Tier::FAST).state(0)[..columns].to_vec();
            let cut = self.courses[index].tiers[Tier::FAST.index()].whole_at == self.tick;
            Recorded { id: row.id, kind: row.kind, cut, state }
        })
    }

    /// The row of an entity.
    #[must_use]
    pub fn row_of(&self, key: EntityKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The window of a tier as it is after this tick: what a record carries, and what a client then holds.
    #[must_use]
    pub fn window(&self, row: u32, tier: Tier) -> Window<'_> {
        self.history.window(row, tier)
    }

    /// Writes a tier's window as it was at the end of tick `held` into `window`. `false` when that is too long ago,
    /// or when the row has been cut since.
    #[must_use]
    pub fn past_window(&self, row: u32, tier: Tier, held: u64, window: &mut [i32]) -> bool {
        let course = &self.courses[row as usize];
        let first = course.tiers[tier.index()].whole_at;
        let newest = self.sampled_at(row, tier, held);
        let samples = Samples { newest, period: u64::from(self.schedule.cadences().period(tier)), first };
        first.max(course.cut_at) <= held && self.history.past_window(row, samples, window)
    }

    /// The tick of the last sample of a tier, at `held` or before; or it would be, had the row been there.
    pub(super) fn sampled_at(&self, row: u32, tier: Tier, held: u64) -> u64 {
        let cadences = self.schedule.cadences();
        let age = cadences.age(tier, cadences.phase(tier, self.row(row).id), Tick(held as u32));
        held.saturating_sub(u64::from(age))
    }

    /// The tick of a row's spawn.
    pub(super) fn born_at(&self, row: u32) -> u64 {
        self.courses[row as usize].born_at
    }

    /// The last tick at which a row's entity was there: this one, while it lives.
    #[must_use]
    pub fn last_seen(&self, row: u32) -> u64 {
        let gone = |row| self.free.iter().find(|(_, other)| *other == row).map_or(1, |(gone, _)| *gone);
        if self.row(row).alive { self.tick } else { gone(row) - 1 }
    }

    /// A row's state at one of the last ticks, if it was there and that is still known.
    #[must_use]
    pub fn past_state(&self, row: u32, tick: u64) -> Option<&[i32]> {
        let was_there = tick >= self.born_at(row) && tick <= self.last_seen(row);
        (was_there && tick + self.history.ring_ticks() > self.tick).then(|| self.history.state(row, tick))
    }

    /// Writes a row's state as clients that are told of it at `tier` are shown it at a moment, in 256ths of a tick from
    /// the start: between two samples of that tier, but never on the way of a cut.
    pub fn state_at(&self, row: u32, tier: Tier, moment: u64, state: &mut [i32]) {
        let (entry, course, cadences) =
            (self.row(row), &self.courses[row as usize], self.schedule.cadences());
        let tick = moment / 256;
        let age = u64::from(cadences.age(tier, cadences.phase(tier, entry.id), Tick(tick as u32)));
        let older = tick.saturating_sub(age).max(course.born_at);
        let newer = tick + u64::from(cadences.period(tier)) - age;
        state[..self.plan.stride].copy_from_slice(self.history.state(row, older));
        let passed = moment.saturating_sub(older * 256);
        if passed > 0 && newer <= self.tick && !self.history.is_cut(row, older, newer) {
            let share = Share { passed: passed as i64, way: (newer - older) as i64 * 256 };
            blend::towards(self.plan.kind(entry.kind), self.history.state(row, newer), share, state);
        }
    }

    /// Whether a client that holds the row's window as of the end of tick `held` would hold the same now.
    #[must_use]
    pub fn unchanged_since(&self, row: u32, tier: Tier, view: View, held: u64) -> bool {
        let view = view.min(self.row(row).views);
        self.courses[row as usize].tiers[tier.index()].still_at[view as usize] <= held
    }
}

impl Row {
    /// About what an enter of it takes, in bits.
    pub(super) fn enter_bits(&self) -> i64 {
        RECORD_BITS + 8 * i64::from(self.spawn_bytes)
    }

    /// Which updates a client gets that is told of it at `tier` as much as `view` shows.
    #[must_use]
    pub fn lane(&self, tier: Tier, view: View) -> Lane {
        Lane::new(tier, view.min(self.views))
    }
}

fn fill(table: &mut [i32], stride: usize, state: &[i32]) {
    for slot in table.chunks_exact_mut(stride.max(1)) {
        slot.copy_from_slice(&state[..stride]);
    }
}

/// Where an entity with this state is, in the game's unit.
pub(crate) fn place_of(kind: &KindPlan, state: &[i32]) -> Option<Vec3> {
    let field: &FieldPlan = kind.position.as_ref()?;
    let FieldClass::Position { quantum, .. } = field.class else { return None };
    let axis = |axis: usize| {
        field.of(state).get(axis).map_or(0.0, |column| quantize::from_quanta(*column, quantum) as f32)
    };
    Some(Vec3::new(axis(0), axis(1), axis(2)))
}
