//! The coder of `shared` and the plain one of the harness agree bit for bit, in both directions.

use std::sync::atomic::{AtomicU64, Ordering};

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::Arena;
use tickwire_shared::client::{Identity, Replica, Session};
use tickwire_shared::limits::HISTORY;
use tickwire_shared::schema::{FieldClass, NoPrivate, Plan, Replicate, Schema, View};
use tickwire_shared::wire::bits::{BitReader, BitWriter};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::frame::{Header, Slots};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken, TAG_FRAME};
use tickwire_shared::wire::record::{self, Gap};
use tickwire_shared::wire::residual::{self, Coder, Decoder};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::wire::training::{Recording, replay};
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::{ClientId, Micros, Protocol, Tick};
use tickwire_tests::chaos::{Chaos, ChaosGame};
use tickwire_tests::recordings;
use tickwire_tests::reference::{
    self, Caught, Codes, Edits, Entered, Next, Refused, Seen, State, Tape, Window,
};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};

use super::updates::{hide, random_kind, random_state};

/// The generic tables, or the arena's.
fn some_tables(dice: &mut Dice) -> std::sync::Arc<Tables> {
    if dice.one_in(2) { Tables::generic() } else { Arena::tables() }
}

/// A slot of a client as the plain coder wants it.
fn plain_window(window: residual::Window<'_>, columns: usize) -> Window {
    [0, 1, 2, 3].map(|age| plain_state(&window.state(age)[..columns]))
}

fn plain_state(state: &[i32]) -> State {
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

    /// Both records of `window`, one of them for whoever holds `held`.
    fn records(&self, held: residual::Window<'_>, window: residual::Window<'_>, ticks: u32) {
        let (kind, view, stride) = (&self.plan.kinds[self.kind], self.view, self.plan.stride);
        let plain = plain_window(window, self.seen.columns);
        let nothing = [0; HISTORY].map(|_| vec![0; self.seen.columns]);
        let (fast, bytes) = written(self.tables, |coder| record::write(kind, view, stride, window, coder));
        let mut tape = Tape::writing();
        assert_eq!(reference::record(&mut tape, self.codes, &self.seen, &plain), Ok(plain.clone()));
        assert_eq!(tape.bits(), fast, "record of {kind:?} as {view:?}, {window:?}");
        let mut tape = Tape::reading(&bytes, 0);
        assert_eq!(reference::record(&mut tape, self.codes, &self.seen, &nothing), Ok(plain.clone()));
        assert_eq!(tape.position(), fast.len());

        let gap = Gap { kind, view, stride, ticks };
        let (fast, bytes) = written(self.tables, |coder| record::write_gap(&gap, held, window, coder));
        let held = plain_window(held, self.seen.columns);
        let gap = |tape: &mut Tape, window| {
            reference::gap_record(tape, self.codes, &self.seen, &held, ticks, window)
        };
        let mut tape = Tape::writing();
        assert_eq!(gap(&mut tape, &plain), Ok(plain.clone()));
        assert_eq!(tape.bits(), fast, "gap of {ticks} ticks, {kind:?} as {view:?}, {held:?} to {window:?}");
        let mut tape = Tape::reading(&bytes, 0);
        assert_eq!(gap(&mut tape, &nothing), Ok(plain));
        assert_eq!(tape.position(), fast.len());
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
                both.records(held, old, dice.below(300));
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

/// What was compared of whole frames.
#[derive(Debug, Default)]
struct Compared {
    updates: usize,
    resting: usize,
    awoken: usize,
    gaps: usize,
    records: usize,
    events: usize,
    leaves: usize,
    enters: usize,
    private: usize,
}

/// A client as the plain coder sees it: it applies what it reads on its own.
struct PlainClient {
    schema: Schema,
    codes: Codes,
    tick: Tick,
    slots: Vec<(i64, Seen, Window)>,
    private: Window,
}

impl PlainClient {
    fn new(tick: Tick) -> Self {
        let schema = Chaos::schema();
        let private = [0; HISTORY].map(|_| vec![0; schema.private.columns()]);
        Self { codes: Codes::new(&Chaos::tables().to_bytes()), schema, tick, slots: Vec::new(), private }
    }

    /// Reads a frame, writes the same again, and applies it.
    fn take(&mut self, bytes: &[u8], compared: &mut Compared) {
        let mut reader = BitReader::new(bytes);
        let Ok(header) = Header::read(&mut reader) else { panic!("not a frame") };
        let begin = reader.position();
        let (mut tape, mut again) = (Tape::reading(bytes, begin), Tape::writing());
        let tick = self.tick.expand(header.tick_low);
        let ticks = tick.since(self.tick) as u32;
        self.tick = tick;
        if header.slots == Slots::Reset {
            self.slots.clear();
            self.private.iter_mut().for_each(|state| state.fill(0));
        }
        if header.private {
            let seen = Seen::new(&self.schema.private, View::Owner);
            let nothing = Next::Moved(vec![0; seen.columns]);
            let next = reference::update(&mut tape, &self.codes, &seen, &self.private, &nothing);
            let next = next.expect("the private state");
            reference::update(&mut again, &self.codes, &seen, &self.private, &next).expect("writing");
            apply(&mut self.private, next);
            compared.private += 1;
        }
        if header.events {
            let told = reference::events(&mut tape, &[]).expect("events");
            reference::events(&mut again, &told).expect("writing");
            compared.events += told.len();
        }
        let mut entered = Vec::new();
        if header.edits {
            let length = self.slots.len();
            let edits = |tape: &mut Tape, told: &Edits| {
                reference::edits(tape, &self.codes, &self.schema, length, told).expect("edits")
            };
            let told = edits(&mut tape, &Edits::default());
            edits(&mut again, &told);
            compared.leaves += told.leaves.len();
            told.leaves.iter().for_each(|index| drop(self.slots.swap_remove(*index)));
            entered = told.enters;
        }
        match header.slots {
            Slots::None | Slots::Reset => {}
            Slots::Stream => self.stream(&mut tape, &mut again, compared),
            Slots::Resync => self.catch_up(ticks, &mut tape, &mut again, compared),
        }
        compared.enters += entered.len();
        for Entered { id, kind, view, window, .. } in entered {
            self.slots.push((id, Seen::new(&self.schema.kinds[kind], view), window));
        }
        assert_eq!(again.bits(), &tape.bits()[begin..tape.position()]);
        let left = tape.bits().len() - tape.position();
        assert!(left - if header.checksum { 32 } else { 0 } < 8, "{left} bits are left");
    }

    fn held(&self) -> Vec<(Seen, Window)> {
        self.slots.iter().map(|(_, seen, window)| (seen.clone(), window.clone())).collect()
    }

    fn stream(&mut self, tape: &mut Tape, again: &mut Tape, compared: &mut Compared) {
        let held = self.held();
        let told = reference::stream(tape, &self.codes, &held, &vec![None; held.len()]).expect("a stream");
        reference::stream(again, &self.codes, &held, &told).expect("writing");
        for ((_, _, window), next) in self.slots.iter_mut().zip(told) {
            let resting = window.iter().all(|state| *state == window[0]);
            compared.updates += usize::from(next.is_some());
            compared.resting += usize::from(resting);
            compared.awoken += usize::from(resting && next.is_some());
            if let Some(next) = next {
                apply(window, next);
            }
        }
    }

    fn catch_up(&mut self, ticks: u32, tape: &mut Tape, again: &mut Tape, compared: &mut Compared) {
        let (held, nothing) = (self.held(), vec![Caught::AsItWas; self.slots.len()]);
        let told = reference::caught_up(tape, &self.codes, &held, ticks, &nothing).expect("records");
        reference::caught_up(again, &self.codes, &held, ticks, &told).expect("writing");
        for ((_, _, window), caught) in self.slots.iter_mut().zip(told) {
            compared.gaps += usize::from(matches!(caught, Caught::Gap(_)));
            compared.records += usize::from(matches!(caught, Caught::Record(_)));
            if let Caught::Gap(told) | Caught::Record(told) = caught {
                *window = told;
            }
        }
    }

    fn compare(&self, replica: &Replica<u16>) {
        assert_eq!(self.tick, replica.tick());
        assert_eq!(self.slots.len(), replica.slots().len());
        for (index, (slot, (id, seen, window))) in replica.slots().iter().zip(&self.slots).enumerate() {
            assert_eq!(i64::from(slot.id.0), *id);
            assert_eq!(plain_window(replica.window(index), seen.columns), *window);
        }
        assert_eq!(plain_state(replica.private()), self.private[0]);
    }
}

fn apply(window: &mut Window, next: Next) {
    match next {
        Next::Moved(state) => {
            window.rotate_right(1);
            window[0] = state;
        }
        Next::Cut(state) => window.fill(state),
    }
}

#[test]
fn whole_frames_of_a_room() {
    let mut total = Compared::default();
    for seed in 1..=seed_count(6, 300) {
        println!("seed {seed}");
        let config = RoomConfig { name: "main".to_owned(), tick_hz: 30, capacity: 9, seed };
        let mut room = Room::new(ChaosGame::new(seed, 40, 0.0), config).expect("a schema");
        let client = ClientId(1);
        let mut session = Session::<Chaos>::new(Identity::default()).expect("a schema");
        let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
        let Ok(ClientMessage::<u8, u32>::Hello(hello)) = codec::decode(&hello) else { panic!("no Hello") };
        room.handle(Event::Join { client, hello, resume: ResumeToken([0; 16]) }, Micros(0));
        let mut plain = PlainClient::new(Tick(0));
        for tick in 1..300_u64 {
            let now = Micros(tick * 33_333);
            // Pauses of different lengths, so that there are gap records, and full ones beyond the ring.
            let paused = tick % 50 < 5 || (130..220).contains(&tick);
            room.handle(Event::Writable { client, writable: !paused }, now);
            room.tick(now);
            while let Some(Output::Send { bytes, .. }) = room.poll_output() {
                session.handle_message(&bytes, now).expect("own message");
                if let (Some(replica), true) = (session.replica(), bytes[0] == TAG_FRAME) {
                    plain.take(&bytes, &mut total);
                    plain.compare(replica);
                }
            }
            let message = ClientMessage::Ack(Ack { applied: Tick(tick as u32), held_ms: 0 });
            room.handle(Event::Message { client, message }, now);
        }
    }
    println!("{total:?}");
    let Compared { updates, resting, awoken, gaps, records, events, leaves, enters, private } = total;
    assert!(updates > 20_000 && resting > 5_000 && awoken > 500, "{total:?}");
    assert!(gaps > 200 && records > 50 && events > 50, "{total:?}");
    assert!(leaves > 500 && enters > 500 && private > 100, "{total:?}");
}
