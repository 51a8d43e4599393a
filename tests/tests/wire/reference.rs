//! The coder of `shared` and the plain one of the harness agree bit for bit, in both directions.

use std::sync::atomic::{AtomicU64, Ordering};

use tickwire_shared::Protocol;
use tickwire_shared::arena::Arena;
use tickwire_shared::limits::{CADENCE_TICKS_MAX, HISTORY};
use tickwire_shared::schema::{FieldClass, NoPrivate, Plan, Replicate, Schema, View};
use tickwire_shared::wire::bits::{BitReader, BitWriter};
use tickwire_shared::wire::record::{self, Gap};
use tickwire_shared::wire::residual::{self, Coder, Decoder};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::wire::training::{Recording, replay};
use tickwire_shared::wire::update::{self, Step};
use tickwire_tests::recordings;
use tickwire_tests::reference::{self, Codes, Next, Refused, Seen, State, Tape, Window};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};

use super::updates::{hide, random_kind, random_state};

/// The generic tables, or the arena's.
fn some_tables(dice: &mut Dice) -> std::sync::Arc<Tables> {
    if dice.one_in(2) { Tables::generic() } else { Arena::tables() }
}

/// A slot of a client as the plain coder wants it.
pub(super) fn plain_window(window: residual::Window<'_>, columns: usize) -> Window {
    [0, 1, 2, 3].map(|age| plain_state(&window.state(age)[..columns]))
}

pub(super) fn plain_state(state: &[i32]) -> State {
    state.iter().map(|column| i64::from(*column)).collect()
}

fn plain_next(step: Step, state: &[i32]) -> Next {
    match step {
        Step::Moved => Next::Moved(plain_state(state)),
        Step::Cut => Next::Cut(plain_state(state)),
    }
}

/// What the fast coder writes, bit by bit.
fn written(tables: &Tables, write: impl FnOnce(&mut Coder<'_, BitWriter>)) -> (Vec<bool>, Vec<u8>) {
    let mut writer = BitWriter::default();
    write(&mut Coder { tables, out: &mut writer });
    let length = writer.len_bits();
    let bytes = writer.take_bytes();
    (Tape::reading(&bytes, 0).bits()[..length].to_vec(), bytes)
}

/// A kind, what is known of it, and the codes, for both coders.
struct Both<'a> {
    plan: &'a Plan,
    kind: usize,
    view: View,
    seen: Seen,
    tables: &'a Tables,
    codes: &'a Codes,
}

impl Both<'_> {
    fn update(&self, window: residual::Window<'_>, step: Step, state: &[i32]) {
        let kind = &self.plan.kinds[self.kind];
        let (fast, bytes) =
            written(self.tables, |coder| update::write(kind, self.view, step, window, state, coder));
        let held = plain_window(window, self.seen.columns);
        let next = plain_next(step, &state[..self.seen.columns]);
        let mut tape = Tape::writing();
        assert_eq!(reference::update(&mut tape, self.codes, &self.seen, &held, &next), Ok(next.clone()));
        assert_eq!(tape.bits(), fast, "{kind:?} as {:?}, {window:?} to {state:?}", self.view);
        let mut tape = Tape::reading(&bytes, 0);
        let nothing = Next::Moved(vec![0; self.seen.columns]);
        assert_eq!(reference::update(&mut tape, self.codes, &self.seen, &held, &nothing), Ok(next));
        assert_eq!(tape.position(), fast.len());
    }

    /// The full record of `window`.
    fn record(&self, window: residual::Window<'_>) {
        let (kind, view, stride) = (&self.plan.kinds[self.kind], self.view, self.plan.stride);
        let plain = plain_window(window, self.seen.columns);
        let nothing = [0; HISTORY].map(|_| vec![0; self.seen.columns]);
        let (fast, bytes) = written(self.tables, |coder| record::write(kind, view, stride, window, coder));
        let mut tape = Tape::writing();
        assert_eq!(reference::record(&mut tape, self.codes, &self.seen, &plain), Ok(plain.clone()));
        assert_eq!(tape.bits(), fast, "record of {kind:?} as {view:?}, {window:?}");
        let mut tape = Tape::reading(&bytes, 0);
        assert_eq!(reference::record(&mut tape, self.codes, &self.seen, &nothing), Ok(plain));
        assert_eq!(tape.position(), fast.len());
    }

    /// What whoever holds `held` is told when it lacks some states of `window`.
    fn gap(&self, held: residual::Window<'_>, window: residual::Window<'_>, plain_gap: &reference::Gap) {
        let (kind, view, stride) = (&self.plan.kinds[self.kind], self.view, self.plan.stride);
        let reference::Gap { states, ahead, from, to } = *plain_gap;
        let gap = Gap {
            kind,
            view,
            stride,
            states,
            ahead: ahead as i32,
            from_period: from as u32,
            to_period: to as u32,
        };
        let (fast, bytes) = written(self.tables, |coder| record::write_gap(&gap, held, window, coder));
        let plain_held = plain_window(held, self.seen.columns);
        // What it does not lack it has.
        let mut expected = plain_window(window, self.seen.columns);
        expected[states..].clone_from_slice(&plain_held[..HISTORY - states]);
        let read = |tape: &mut Tape, window| {
            reference::gap_record(tape, self.codes, &self.seen, &plain_held, plain_gap, window)
        };
        let mut tape = Tape::writing();
        assert_eq!(read(&mut tape, &expected), Ok(expected.clone()));
        assert_eq!(tape.bits(), fast, "{plain_gap:?}, {kind:?} as {view:?}, {held:?} to {window:?}");
        let mut tape = Tape::reading(&bytes, 0);
        let nothing = [0; HISTORY].map(|_| vec![0; self.seen.columns]);
        assert_eq!(read(&mut tape, &nothing), Ok(expected.clone()));
        assert_eq!(tape.position(), fast.len());
        let mut back = vec![0; stride * HISTORY];
        let mut reader = BitReader::new(&bytes);
        let mut decoder = Decoder { tables: self.tables, bits: &mut reader };
        assert_eq!(record::read_gap(&gap, held, &mut back, &mut decoder), Ok(()));
        assert_eq!(plain_window(residual::Window::new(&back, stride), self.seen.columns), expected);
    }

    /// Whatever the bits are, both read the same from them or both refuse.
    fn hostile(&self, window: residual::Window<'_>, bytes: &[u8]) -> Result<Next, Refused> {
        let mut reader = BitReader::new(bytes);
        let mut state = vec![0; self.plan.stride];
        let mut decoder = Decoder { tables: self.tables, bits: &mut reader };
        let fast = update::read(&self.plan.kinds[self.kind], self.view, window, &mut state, &mut decoder);
        let held = plain_window(window, self.seen.columns);
        let mut tape = Tape::reading(bytes, 0);
        let nothing = Next::Moved(vec![0; self.seen.columns]);
        let plain = reference::update(&mut tape, self.codes, &self.seen, &held, &nothing);
        assert_eq!(fast.ok().map(|step| plain_next(step, &state[..self.seen.columns])), plain.clone().ok());
        if plain.is_ok() {
            assert_eq!(tape.position(), reader.position());
        }
        plain
    }
}

/// Updates of one seed's walk.
const WALK: usize = 60;

#[test]
fn every_field_class() {
    let outcomes = [AtomicU64::new(0), AtomicU64::new(0)];
    for_seeds(seed_count(400, 20_000), |seed| {
        let mut dice = Dice::new(seed);
        let tables = some_tables(&mut dice);
        let codes = Codes::new(&tables.to_bytes());
        let schema = Schema {
            game: "random".to_owned(),
            revision: 1,
            kinds: vec![random_kind(&mut dice)],
            private: NoPrivate::kind_schema(),
        };
        let plan = Plan::new(&schema);
        let stride = plan.stride;
        let view = View::ALL[dice.below(3) as usize];
        let seen = Seen::new(&schema.kinds[0], view);
        let both = Both { plan: &plan, kind: 0, view, seen, tables: &tables, codes: &codes };
        let mut start = vec![0; stride];
        for field in &plan.kinds[0].fields {
            if let FieldClass::Position { min, .. } | FieldClass::Number { min, .. } = field.class {
                start[field.first..field.first + field.columns].fill(min);
            }
        }
        hide(&plan, view, &mut start);
        let mut window = start.repeat(HISTORY);
        let mut held = window.clone();
        for _ in 0..WALK {
            let old = residual::Window::new(&window, stride);
            let mut state = match dice.below(4) {
                0 => old.state(0).to_vec(),
                // Goes on as it went, which is what is predicted.
                1 => (0..stride).map(|at| going_on(&plan, old, at)).collect(),
                _ => random_state(&plan, old.state(0), &mut dice),
            };
            hide(&plan, view, &mut state);
            let step = if dice.one_in(20) { Step::Cut } else { Step::Moved };
            both.update(old, step, &state);
            let noise: Vec<u8> = (0..dice.below(40)).map(|_| dice.word() as u8).collect();
            let outcome = usize::from(both.hostile(old, &noise).is_ok());
            outcomes[outcome].fetch_add(1, Ordering::Relaxed);
            if dice.one_in(4) {
                let held = residual::Window::new(&held, stride);
                both.record(old);
                both.gap(held, old, &random_gap(&mut dice));
            }
            if dice.one_in(8) {
                held.clone_from(&window);
            }
            update::shift(&mut window, stride, step, &state);
        }
    });
    let [refused, read] = outcomes.map(AtomicU64::into_inner);
    println!("of the noise {refused} refused, {read} read alike");
    assert!(refused > 1_000 && read > 1_000 || seed_is_chosen(), "{refused} refused, {read} read");
}

/// Some states missing in a row, or all four and at another cadence.
fn random_gap(dice: &mut Dice) -> reference::Gap {
    let mut period = || i64::from(1 + dice.below(u32::from(CADENCE_TICKS_MAX)));
    let (from, to) = (period(), period());
    if dice.one_in(2) {
        return reference::Gap { states: 1 + dice.below(4) as usize, ahead: from, from, to: from };
    }
    let ahead = i64::from(dice.below(511)) - 255;
    reference::Gap { states: HISTORY, ahead, from, to: if dice.one_in(2) { from } else { to } }
}

fn seed_is_chosen() -> bool {
    std::env::var_os("TICKWIRE_SEED").is_some()
}

/// A column after another step like its last one, within its range.
fn going_on(plan: &Plan, window: residual::Window<'_>, column: usize) -> i32 {
    let [s1, s2, ..] = window.column(column);
    let field = plan.kinds[0]
        .fields
        .iter()
        .find(|field| (field.first..field.first + field.columns).contains(&column));
    match field.map(|field| field.class) {
        Some(FieldClass::Position { min, max, .. } | FieldClass::Number { min, max, .. }) => {
            (s1 + (s1 - s2)).clamp(min, max)
        }
        Some(FieldClass::Angle { bits }) => (s1 + (s1 - s2)).rem_euclid(1 << bits),
        _ => s1,
    }
}

/// Makes a recording from a seed.
type Record = fn(u64) -> Recording;

#[test]
fn recorded_games() {
    let games: [(&str, Record); 3] = [
        ("arena", |seed| recordings::arena(seed, 20, 20, 120)),
        ("scene", |seed| recordings::scene(seed, 60, 60)),
        ("rigid bodies", |seed| recordings::rigid_bodies(seed, 30, 120)),
    ];
    for_seeds(seed_count(1, 40), |seed| {
        let mut dice = Dice::new(seed);
        for (name, record) in games {
            let recording = record(seed);
            let tables = some_tables(&mut dice);
            let codes = Codes::new(&tables.to_bytes());
            let mut compared = 0;
            replay(&recording, |plan, moved| {
                let kind = usize::from(moved.kind.0);
                let seen = Seen::new(&recording.schema.kinds[kind], View::Public);
                let both = Both { plan, kind, view: View::Public, seen, tables: &tables, codes: &codes };
                let window = residual::Window::new(moved.window, plan.stride);
                both.update(window, moved.step, moved.state);
                compared += 1;
            });
            assert!(compared > 3_000, "only {compared} updates of {name}");
        }
    });
}
