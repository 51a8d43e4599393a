//! What the coding of updates costs, in bits and in time, on the scene of `tickwire_tests::scene`. Every update is
//! decoded again and compared, so the table cannot be about states that were lost.
//!
//! `cargo run --release -p tickwire-tests --bin codec_bench`

use std::time::Instant;

use tickwire_shared::limits::HISTORY;
use tickwire_shared::schema::{KindPlan, Plan, Replicate, Schema, View};
use tickwire_shared::wire::bits::{BitReader, BitSink, BitWriter};
use tickwire_shared::wire::residual::Window;
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::wire::{codec, record};
use tickwire_tests::scene::{Mover, Scene};

const ENTITIES: u32 = 1000;
const TICKS: u32 = 1200;

/// Every entity's quantized state at every tick.
struct Recording {
    plan: Plan,
    ticks: Vec<Vec<Vec<i32>>>,
    bincode_bytes: u64,
}

fn record_scene(seed: u64) -> Recording {
    let kind = Mover::kind_schema();
    let private = tickwire_shared::schema::NoPrivate::kind_schema();
    let schema = Schema { game: "scene".to_owned(), revision: 1, kinds: vec![kind], private };
    schema.check().expect("a schema that makes sense");
    let plan = Plan::new(&schema);
    let mut scene = Scene::new(seed, ENTITIES, 1000.0);
    let (mut ticks, mut bincode_bytes) = (Vec::new(), 0);
    (0..300).for_each(|_| scene.step());
    for _ in 0..TICKS {
        scene.step();
        let states = scene.movers().map(|mover| {
            let mut columns = vec![0; plan.stride];
            mover.capture(&mut columns);
            columns
        });
        ticks.push(states.collect());
        bincode_bytes = scene.movers().map(|mover| codec::encode(mover).len() as u64 + 2).sum();
    }
    Recording { plan, ticks, bincode_bytes }
}

/// Bits of one coding over the whole recording.
#[derive(Default)]
struct Totals {
    changed: u64,
    bits: u64,
}

impl Totals {
    fn per_changed(&self) -> f64 {
        self.bits as f64 / self.changed as f64
    }
}

fn window_of(recording: &Recording, tick: usize, entity: usize) -> Vec<i32> {
    (1..=HISTORY).flat_map(|age| recording.ticks[tick - age][entity].clone()).collect()
}

/// Ours: every entity that moves or comes to rest pays for its string; the resting pay an eighth of a bit.
fn ours(recording: &Recording) -> (Totals, f64, f64) {
    let plan = &recording.plan;
    let (kind, stride) = (&plan.kinds[0], plan.stride);
    let (mut totals, mut encode_nanos, mut decode_nanos, mut coded) = (Totals::default(), 0, 0, 0_u64);
    let mut writer = BitWriter::default();
    for tick in HISTORY..recording.ticks.len() {
        let windows: Vec<_> =
            (0..ENTITIES as usize).map(|entity| window_of(recording, tick, entity)).collect();
        let due: Vec<_> = (0..ENTITIES as usize)
            .filter(|entity| {
                let state = &recording.ticks[tick][*entity];
                !windows[*entity].chunks_exact(stride).all(|old| old == state)
            })
            .collect();
        let resting = ENTITIES as usize - due.len();
        let started = clock();
        writer.clear();
        for entity in &due {
            let window = Window::new(&windows[*entity], stride);
            let state = &recording.ticks[tick][*entity];
            update::write(kind, View::Public, Step::Moved, window, state, &mut writer);
        }
        encode_nanos += started.elapsed().as_nanos();
        totals.bits += writer.len_bits() as u64 + resting as u64 / 8;
        let bytes = writer.take_bytes();
        let started = clock();
        let mut reader = BitReader::new(&bytes);
        let mut state = vec![0; stride];
        for entity in &due {
            let window = Window::new(&windows[*entity], stride);
            update::read(kind, View::Public, window, &mut state, &mut reader).expect("own bits");
            assert_eq!(state, recording.ticks[tick][*entity], "decoded another state");
        }
        decode_nanos += started.elapsed().as_nanos();
        reader.finish().expect("nothing left over");
        coded += due.len() as u64;
        totals.changed += changed(recording, tick);
    }
    (totals, encode_nanos as f64 / coded as f64, decode_nanos as f64 / coded as f64)
}

fn changed(recording: &Recording, tick: usize) -> u64 {
    let pairs = recording.ticks[tick].iter().zip(&recording.ticks[tick - 1]);
    pairs.filter(|(now, before)| now != before).count() as u64
}

/// The yardstick that says whether the scene is the right one: changed fields only, as differences in fixed
/// classes of 4, 8 and 12 bits, no prediction.
fn bit_packed_delta(recording: &Recording) -> Totals {
    let kind: &KindPlan = &recording.plan.kinds[0];
    let mut totals = Totals::default();
    let mut writer = BitWriter::default();
    for tick in HISTORY..recording.ticks.len() {
        writer.clear();
        for (now, before) in recording.ticks[tick].iter().zip(&recording.ticks[tick - 1]) {
            writer.bit(now != before);
            if now == before {
                continue;
            }
            totals.changed += 1;
            for field in &kind.fields {
                let differs = field.of(now) != field.of(before);
                writer.bit(differs);
                if differs {
                    for column in field.first..field.first + field.columns {
                        write_difference(now[column] - before[column], &mut writer);
                    }
                }
            }
        }
        totals.bits += writer.len_bits() as u64;
    }
    totals
}

fn write_difference(difference: i32, writer: &mut BitWriter) {
    let zigzag = ((difference << 1) ^ (difference >> 31)) as u32;
    for (class, bits) in [(0, 4), (1, 6), (2, 8), (3, 24)] {
        if zigzag >> bits == 0 || class == 3 {
            writer.bits(class, 2);
            return writer.bits(zigzag & 0xFF_FFFF, bits);
        }
    }
}

fn full_records(recording: &Recording) -> f64 {
    let plan = &recording.plan;
    let mut writer = BitWriter::default();
    let (mut bits, mut count) = (0, 0);
    for tick in (HISTORY..recording.ticks.len()).step_by(50) {
        for entity in 0..ENTITIES as usize {
            writer.clear();
            let window = window_of(recording, tick, entity);
            let window = Window::new(&window, plan.stride);
            record::write(&plan.kinds[0], View::Public, plan.stride, window, &mut writer);
            bits += writer.len_bits();
            count += 1;
        }
    }
    bits as f64 / f64::from(count) / 8.0
}

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}

fn main() {
    println!("{ENTITIES} entities, 1 km², 1 cm, {TICKS} ticks at 30 Hz; every update decoded and compared\n");
    println!("{:<44} {:>10} {:>10} {:>10}", "", "seed 1", "seed 2", "seed 3");
    let recordings: Vec<_> = [1, 2, 3].map(record_scene).into_iter().collect();
    let row = |name: &str, value: &dyn Fn(&Recording) -> f64| {
        let values: Vec<_> =
            recordings.iter().map(|recording| format!("{:>10.2}", value(recording))).collect();
        println!("{name:<44} {}", values.join(" "));
    };
    row("entity-ticks that change, %", &|recording| {
        let total: u64 = (HISTORY..recording.ticks.len()).map(|tick| changed(recording, tick)).sum();
        100.0 * total as f64 / f64::from(ENTITIES) / (recording.ticks.len() - HISTORY) as f64
    });
    row("bincode, full state, bits per entity", &|recording| {
        recording.bincode_bytes as f64 * 8.0 / f64::from(ENTITIES)
    });
    row("bit-packed delta, bits per changed update", &|recording| bit_packed_delta(recording).per_changed());
    row("ours, bits per changed update", &|recording| ours(recording).0.per_changed());
    row("ours, full record, bytes", &full_records);
    row("encode, ns per coded update", &|recording| ours(recording).1);
    row("decode and compare, ns per coded update", &|recording| ours(recording).2);
}
