//! The world as integers: once per tick every entity's state is quantized into a table, beside its four states
//! before, and the update between them is coded, once for all clients that see it.

use std::sync::Arc;

use glam::Vec3;
use slotmap::SecondaryMap;
use tickwire_shared::limits::{COLUMNS_MAX, HISTORY};
use tickwire_shared::schema::{FieldClass, FieldPlan, KindPlan, Plan, ReplicateKinds, View};
use tickwire_shared::wire::bits::{BitStrings, BitWriter};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::quantize;
use tickwire_shared::wire::residual::{Coder, Window};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::wire::training::Recorded;
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::{ClientId, KindId, NetId, Protocol};

use crate::simulation::{EntityKey, Team, World};

/// Most bits that are spliced in one go.
const SHORT_BITS: u16 = 56;

/// For so many ticks a paused client can be told differences to what it holds.
const RING_TICKS: usize = 64;

/// States in one row: the new one and the four that clients hold before it.
const STATES: usize = HISTORY + 1;

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
    /// For each view, the first tick at which the four states before it are equal, if nothing changes again.
    rests_from: [u64; View::ALL.len()],
    /// The tick of its last cut; 0 before the first.
    cut_at: u64,
    /// The tick at which its window last became one state, four times: of its spawn or its last cut.
    whole_at: u64,
}

/// One row's update of this tick as one view sees it, small enough that packing a client stays in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// The bits themselves, or where they are when there are more than a word holds.
    word: u64,
    bits: u16,
    /// What it asks of a client.
    pub due: Due,
}

impl Update {
    /// Nothing to do.
    pub const STILL: Self = Self { word: 0, bits: 0, due: Due::Still };
}

/// What a client would have to do about a row at this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Four equal states and the same again: nothing.
    Still,
    /// Four equal states and now another.
    Awakes,
    /// It has been moving: an update is due even if it was foreseen.
    Moves,
}

/// The table.
#[derive(Debug)]
pub struct Capture {
    plan: Plan,
    tables: Arc<Tables>,
    rows: Vec<Row>,
    /// `STATES` states of `plan.stride` columns for each row, the newest first.
    states: Vec<i32>,
    /// The newest states of all rows at each of the last ticks, in a ring: what paused clients still hold.
    past: Vec<Vec<i32>>,
    free: Vec<u32>,
    by_key: SecondaryMap<EntityKey, u32>,
    strings: BitStrings,
    /// For each view, this tick's update of each row.
    updates: [Vec<Update>; View::ALL.len()],
    tick: u64,
    last_edit: u64,
    seen: Vec<bool>,
}

impl Capture {
    /// An empty table, coding with `tables`.
    #[must_use]
    pub fn new(plan: Plan, tables: Arc<Tables>) -> Self {
        Self {
            plan,
            tables,
            rows: Vec::new(),
            states: Vec::new(),
            past: vec![Vec::new(); RING_TICKS],
            free: Vec::new(),
            by_key: SecondaryMap::new(),
            strings: BitStrings::default(),
            updates: Default::default(),
            tick: 0,
            last_edit: 0,
            seen: Vec::new(),
        }
    }

    /// Takes in the world as it is after the step of `tick`. To be called for every tick, once.
    pub fn capture<P: Protocol>(&mut self, world: &mut World<P>, tick: u64) {
        self.tick = tick;
        self.strings.clear();
        self.seen.clear();
        self.seen.resize(self.rows.len(), false);
        let mut cuts = Vec::new();
        for (key, entity) in world.iter() {
            let mut state = [0; COLUMNS_MAX];
            entity.state.capture(&mut state);
            let row = match self.by_key.get(key).copied() {
                Some(row) => {
                    self.seen[row as usize] = true;
                    self.advance(row, &state, entity.cut);
                    row
                }
                None => self.add(key, entity.id, entity.state.kind(), &state),
            };
            let entry = &mut self.rows[row as usize];
            if (entry.owner, entry.team) != (entity.owner, entity.team) {
                (entry.owner, entry.team) = (entity.owner, entity.team);
                self.last_edit = tick;
            }
            if entity.cut {
                cuts.push(key);
            }
        }
        cuts.into_iter().for_each(|key| world.clear_cut(key));
        self.drop_unseen();
        self.remember();
        if world.take_visibility_changed() {
            self.last_edit = tick;
        }
    }

    fn add(&mut self, key: EntityKey, id: NetId, kind: KindId, state: &[i32]) -> u32 {
        let stride = self.plan.stride;
        let row = self.free.pop().unwrap_or_else(|| {
            self.states.resize(self.states.len() + STATES * stride, 0);
            self.seen.push(true);
            self.updates.iter_mut().for_each(|updates| updates.push(Update::STILL));
            self.rows.len() as u32
        });
        let entry = Row {
            id,
            alive: true,
            key,
            kind,
            owner: None,
            team: Team::NONE,
            place: place_of(self.plan.kind(kind), state),
            rests_from: [self.tick + 1; View::ALL.len()],
            cut_at: 0,
            whole_at: self.tick,
        };
        self.updates.iter_mut().for_each(|updates| updates[row as usize] = Update::STILL);
        match self.rows.get_mut(row as usize) {
            Some(old) => *old = entry,
            None => self.rows.push(entry),
        }
        self.seen[row as usize] = true;
        fill(self.row_states(row), stride, state);
        self.by_key.insert(key, row);
        self.last_edit = self.tick;
        row
    }

    /// One more state of a known entity: shift, note what changed, and code the update.
    fn advance(&mut self, row: u32, state: &[i32], cut: bool) {
        let stride = self.plan.stride;
        let (index, tick) = (row as usize, self.tick);
        let Self { plan, tables, rows, states, strings, updates, .. } = self;
        let entry = &mut rows[index];
        let kind = plan.kind(entry.kind);
        let table = &mut states[index * STATES * stride..(index + 1) * STATES * stride];
        updates.iter_mut().for_each(|updates| updates[index] = Update::STILL);
        let changed = table[..kind.columns] != state[..kind.columns];
        if !changed && !cut && entry.rests_from.iter().all(|from| *from < tick) {
            return;
        }
        table.copy_within(0..HISTORY * stride, stride);
        let old = Window::new(&table[stride..], stride);
        for view in View::ALL.into_iter().filter(|view| *view <= kind.views) {
            let differs = cut || kind.seen(view).any(|field| field.of(old.state(0)) != field.of(state));
            let rested = entry.rests_from[view as usize] <= tick;
            if rested && !differs {
                continue;
            }
            let from = strings.len_bits();
            let step = if cut { Step::Cut } else { Step::Moved };
            update::write(kind, view, step, old, state, &mut Coder { tables, out: strings });
            let bits = strings.len_bits() - from;
            let due = if rested { Due::Awakes } else { Due::Moves };
            let word = strings.short(from, bits).unwrap_or(from as u64);
            updates[view as usize][index] = Update { word, bits: bits as u16, due };
            if cut {
                entry.rests_from[view as usize] = tick + 1;
            } else if differs {
                entry.rests_from[view as usize] = tick + HISTORY as u64;
            }
        }
        // Kinds without team or owner fields are coded once, whoever looks.
        for view in View::ALL.into_iter().filter(|view| *view > kind.views) {
            updates[view as usize][index] = updates[kind.views as usize][index];
            entry.rests_from[view as usize] = entry.rests_from[kind.views as usize];
        }
        if cut {
            (entry.cut_at, entry.whole_at) = (tick, tick);
            fill(table, stride, state);
        } else {
            table[..stride].copy_from_slice(&state[..stride]);
        }
        entry.place = place_of(kind, state);
    }

    fn remember(&mut self) {
        let stride = self.plan.stride;
        let past = &mut self.past[self.tick as usize % RING_TICKS];
        past.clear();
        for states in self.states.chunks_exact((STATES * stride).max(1)) {
            past.extend_from_slice(&states[..stride]);
        }
    }

    fn drop_unseen(&mut self) {
        for row in 0..self.rows.len() {
            if self.rows[row].alive && !self.seen[row] {
                self.rows[row].alive = false;
                self.by_key.remove(self.rows[row].key);
                self.free.push(row as u32);
                self.last_edit = self.tick;
            }
        }
    }

    fn row_states(&mut self, row: u32) -> &mut [i32] {
        let size = STATES * self.plan.stride;
        &mut self.states[row as usize * size..(row as usize + 1) * size]
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

    /// The tick of the last capture.
    #[must_use]
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// The last tick at which an entity was new or gone, changed owner or team, or the game said that visibility
    /// changed: rosters may have to follow.
    #[must_use]
    pub fn last_edit(&self) -> u64 {
        self.last_edit
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
            let state = self.window(index as u32).state(0)[..columns].to_vec();
            Recorded { id: row.id, kind: row.kind, cut: row.cut_at == self.tick, state }
        })
    }

    /// The row of an entity.
    #[must_use]
    pub fn row_of(&self, key: EntityKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The window as it is after this tick: what a record carries, and what a client then holds.
    #[must_use]
    pub fn window(&self, row: u32) -> Window<'_> {
        let size = STATES * self.plan.stride;
        Window::new(&self.states[row as usize * size..(row as usize + 1) * size], self.plan.stride)
    }

    /// This tick's updates of all rows, as `view` sees them, for clients that followed until the tick before.
    #[must_use]
    #[inline]
    pub fn updates(&self, view: View) -> &[Update] {
        &self.updates[view as usize]
    }

    /// Writes the row's window as it was at the end of tick `held` into `window`. `false` when that is too long ago, or
    /// when the row has been cut since.
    pub fn past_window(&self, row: u32, held: u64, window: &mut [i32]) -> bool {
        let whole_at = self.row(row).whole_at;
        let oldest = held.saturating_sub(HISTORY as u64 - 1).max(whole_at);
        if whole_at > held || oldest + RING_TICKS as u64 <= self.tick {
            return false;
        }
        let stride = self.plan.stride;
        for age in 0..HISTORY {
            let tick = held.saturating_sub(age as u64).max(whole_at);
            let past = &self.past[tick as usize % RING_TICKS];
            let state = &past[row as usize * stride..(row as usize + 1) * stride];
            window[age * stride..(age + 1) * stride].copy_from_slice(state);
        }
        true
    }

    /// Whether a client that holds the row's window as of the end of tick `held` would hold the same now.
    #[must_use]
    pub fn unchanged_since(&self, row: u32, view: View, held: u64) -> bool {
        self.row(row).rests_from[view as usize] <= held + 1
    }

    /// Appends an update; returns its length in bits.
    pub fn splice(&self, update: &Update, out: &mut BitWriter) -> usize {
        let bits = usize::from(update.bits);
        if bits <= 64 {
            out.put(update.word, bits as u32);
        } else {
            out.splice(self.strings.words(), update.word as usize, bits);
        }
        bits
    }

    /// Appends an update if its row moves, and nothing otherwise: without a branch for the usual lengths, since
    /// which of its rows move is what a processor cannot foresee.
    #[inline]
    pub fn splice_moving(&self, update: &Update, out: &mut BitWriter) -> usize {
        let moves = update.due == Due::Moves;
        let mask = u64::from(moves).wrapping_neg();
        if update.bits > SHORT_BITS {
            return if moves { self.splice(update, out) } else { 0 };
        }
        let bits = u64::from(update.bits) & mask;
        out.put(update.word & mask, bits as u32);
        bits as usize
    }

    /// Bits of all updates coded in this tick.
    #[must_use]
    pub fn coded_bits(&self) -> usize {
        self.strings.len_bits()
    }
}

fn fill(table: &mut [i32], stride: usize, state: &[i32]) {
    for slot in table.chunks_exact_mut(stride.max(1)) {
        slot.copy_from_slice(&state[..stride]);
    }
}

fn place_of(kind: &KindPlan, state: &[i32]) -> Option<Vec3> {
    let field: &FieldPlan = kind.position.as_ref()?;
    let FieldClass::Position { quantum, .. } = field.class else { return None };
    let axis = |axis: usize| {
        field.of(state).get(axis).map_or(0.0, |column| quantize::from_quanta(*column, quantum) as f32)
    };
    Some(Vec3::new(axis(0), axis(1), axis(2)))
}

/// The spawn blob of an entity, as enters carry it.
#[must_use]
pub(super) fn spawn_blob<P: Protocol>(world: &World<P>, key: EntityKey) -> Vec<u8> {
    world.get(key).map(|entity| codec::encode(&entity.spawn)).unwrap_or_default()
}
