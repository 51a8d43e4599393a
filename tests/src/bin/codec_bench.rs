//! What the coding of updates costs, in bits and in time. Every update is decoded again and compared, so the table
//! cannot be about states that were lost. Tables are trained on other seeds, and never on recorded movement.
//!
//! `cargo run --release -p tickwire-tests --bin codec_bench`

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use tickwire_shared::schema::{Audience, FieldClass, FieldSchema, KindSchema, Plan, View};
use tickwire_shared::wire::bits::{BitReader, BitSink, BitWriter};
use tickwire_shared::wire::residual::{Coder, Decoder, Window};
use tickwire_shared::wire::tables::{Counts, Tables};
use tickwire_shared::wire::training::{self, Recorded, Recording, Update};
use tickwire_shared::wire::update::{self, Step};
use tickwire_shared::wire::{codec, record};
use tickwire_shared::{KindId, NetId};
use tickwire_tests::recordings;

/// Recorded movement, where somebody has put it beside the project.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

fn main() {
    let mut scene_counts = Counts::default();
    (100..103).for_each(|seed| training::count(&recordings::scene(seed, 500, 900), &mut scene_counts));
    let scene_tables = scene_counts.train();
    let generic = Tables::generic();

    println!("bits per changed update, lossless, every update decoded and compared\n");
    println!("{:<44} {:>9} {:>10} {:>10} {:>10}", "", "changing", "bit-packed", "generic", "own tables");
    for seed in [1, 2, 3] {
        let recording = recordings::scene(seed, 1000, 1200);
        row(
            &format!("arena scene, 1,000 in 1 km², 1 cm, seed {seed}"),
            &recording,
            &generic,
            Some(&scene_tables),
        );
    }
    let mut arena_counts = Counts::default();
    (100..103).for_each(|seed| training::count(&recordings::arena(seed, 80, 120, 900), &mut arena_counts));
    row(
        "the demo game, 80 bots and 120 drones",
        &recordings::arena(1, 80, 120, 900),
        &generic,
        Some(&arena_counts.train()),
    );
    let mut body_counts = Counts::default();
    (100..103).for_each(|seed| training::count(&recordings::rigid_bodies(seed, 250, 900), &mut body_counts));
    let bodies = recordings::rigid_bodies(1, 250, 900);
    let body_tables = body_counts.train();
    row("250 rigid bodies, 1 cm, rotation 0.0007", &bodies, &generic, Some(&body_tables));
    if let Some(recording) = pedestrians() {
        row("recorded pedestrians, x y, 25 Hz", &recording, &generic, None);
    }
    if let Some(recording) = vehicles() {
        row("recorded vehicles, x y z yaw, 20-30 Hz", &recording, &generic, None);
    }
    let seconds = bodies.ticks.len() as f64 / 30.0;
    let goodput = training::cost(&bodies, &body_tables).bits as f64 / 8.0 / seconds / 1000.0;
    println!("\nrigid bodies, goodput per client that sees all: {goodput:.1} kB/s");
    times(&recordings::scene(1, 1000, 300), &scene_tables);
}

fn row(name: &str, recording: &Recording, generic: &Tables, own: Option<&Tables>) {
    let packed = bit_packed(recording);
    check(recording, generic);
    let total: usize = recording.ticks.iter().map(Vec::len).sum();
    let cost = training::cost(recording, generic);
    let own = own.map_or_else(String::new, |tables| {
        check(recording, tables);
        format!("{:>10.2}", training::cost(recording, tables).bits_per_changed())
    });
    let changing = 100.0 * cost.changed as f64 / total as f64;
    println!("{name:<44} {changing:>8.1}% {packed:>10.2} {:>10.2} {own}", cost.bits_per_changed());
}

/// Decodes every update and compares.
fn check(recording: &Recording, tables: &Tables) {
    let mut writer = BitWriter::default();
    training::replay(recording, |plan, update| {
        let Update { step, state, due, .. } = update;
        if !due {
            return;
        }
        let (kind, window) = (plan.kind(update.kind), Window::new(update.window, plan.stride));
        let mut coder = Coder { tables, out: &mut writer };
        update::write(kind, View::Public, step, window, state, &mut coder);
        let bytes = writer.take_bytes();
        let mut bits = BitReader::new(&bytes);
        let mut decoded = vec![0; plan.stride];
        let mut decoder = Decoder { tables, bits: &mut bits };
        let read = update::read(kind, View::Public, window, &mut decoded, &mut decoder);
        assert_eq!(read, Ok(step));
        for field in kind.seen(View::Public) {
            assert_eq!(field.of(&decoded), field.of(state), "decoded another state");
        }
        bits.finish().expect("nothing left over");
    });
}

/// The yardstick that says whether the scene is the right one: changed fields only, as differences in classes of 4,
/// 6, 8 and 24 bits, no prediction.
fn bit_packed(recording: &Recording) -> f64 {
    let plan = Plan::new(&recording.schema);
    let mut before: BTreeMap<NetId, &Vec<i32>> = BTreeMap::new();
    let (mut writer, mut bits, mut changed) = (BitWriter::default(), 0, 0_u64);
    for tick in &recording.ticks {
        writer.clear();
        for entity in tick {
            let Some(old) = before.insert(entity.id, &entity.state) else { continue };
            writer.bit(*old != entity.state);
            if *old == entity.state {
                continue;
            }
            changed += 1;
            for field in &plan.kind(entity.kind).fields {
                let differs = field.of(&entity.state) != field.of(old);
                writer.bit(differs);
                if differs {
                    for column in field.first..field.first + field.columns {
                        write_difference(entity.state[column].wrapping_sub(old[column]), &mut writer);
                    }
                }
            }
        }
        bits += writer.len_bits();
    }
    bits as f64 / changed as f64
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

fn times(recording: &Recording, tables: &Tables) {
    let plan = Plan::new(&recording.schema);
    let (kind, stride) = (&plan.kinds[0], plan.stride);
    let mut all: Vec<(Vec<i32>, Vec<i32>)> = Vec::new();
    training::replay(recording, |_, update| {
        if update.due {
            all.push((update.window.to_vec(), update.state.to_vec()));
        }
    });
    let (mut writer, mut encode, mut decode) = (BitWriter::default(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let started = clock();
        for (window, state) in &all {
            let window = Window::new(window, stride);
            update::write(
                kind,
                View::Public,
                Step::Moved,
                window,
                state,
                &mut Coder { tables, out: &mut writer },
            );
        }
        encode.push(started.elapsed().as_nanos() as f64 / all.len() as f64);
        let bytes = writer.take_bytes();
        let (mut bits, mut decoded) = (BitReader::new(&bytes), vec![0; stride]);
        let started = clock();
        for (window, state) in &all {
            let mut decoder = Decoder { tables, bits: &mut bits };
            let window = Window::new(window, stride);
            update::read(kind, View::Public, window, &mut decoded, &mut decoder).expect("own bits");
            assert_eq!(decoded[0], state[0]);
        }
        decode.push(started.elapsed().as_nanos() as f64 / all.len() as f64);
    }
    let (mut records, mut count) = (0, 0);
    for (window, _) in all.iter().step_by(97) {
        let window = Window::new(window, stride);
        record::write(kind, View::Public, stride, window, &mut Coder { tables, out: &mut writer });
        records += writer.len_bits();
        count += 1;
        writer.clear();
    }
    let median = |mut runs: Vec<f64>| {
        runs.sort_by(f64::total_cmp);
        runs[runs.len() / 2]
    };
    println!("\narena scene, medians of 5 runs over {} updates", all.len());
    println!("encode, ns per coded update: {:.0}", median(encode));
    println!("decode, ns per coded update: {:.0}", median(decode));
    println!("full record of an entity in motion, bytes: {:.2}", records as f64 / 8.0 / f64::from(count));
    println!("bincode of the state, bytes: {}", codec::encode(&recording.ticks[0][0].state).len());
}

fn position(name: &str, dims: u8) -> FieldSchema {
    let class = FieldClass::Position { dims, quantum: 0.01, min: -(1 << 20), max: 1 << 20 };
    FieldSchema { name: name.to_owned(), class, audience: Audience::All }
}

/// Columns `id frame x y z`, in centimetres, 25 Hz.
fn pedestrians() -> Option<Recording> {
    let text = std::fs::read_to_string(Path::new(RECORDED).join("ped_bidirectional_25hz.txt")).ok()?;
    let schema = recordings::schema_of(KindSchema {
        name: "Pedestrian".to_owned(),
        fields: vec![position("place", 2)],
    });
    let mut ticks: BTreeMap<u32, Vec<Recorded>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [id, frame, x, y, ..] = numbers[..] else { continue };
        let state = vec![x.round() as i32, y.round() as i32];
        let entity = Recorded { id: NetId(id as u32), kind: KindId(0), cut: false, state };
        ticks.entry(frame as u32).or_default().push(entity);
    }
    Some(Recording { schema, ticks: ticks.into_values().collect() })
}

/// Columns `frame,slot,x,y,z,yaw1024,vx,vy`, in centimetres.
fn vehicles() -> Option<Recording> {
    let text = std::fs::read_to_string(Path::new(RECORDED).join("rl_match_a_30hz.csv")).ok()?;
    let yaw = FieldSchema {
        name: "yaw".to_owned(),
        class: FieldClass::Angle { bits: 10 },
        audience: Audience::All,
    };
    let kind = KindSchema { name: "Vehicle".to_owned(), fields: vec![position("place", 3), yaw] };
    let mut ticks: BTreeMap<u32, Vec<Recorded>> = BTreeMap::new();
    for line in text.lines() {
        let numbers: Vec<i32> = line.split(',').filter_map(|word| word.parse().ok()).collect();
        let [frame, slot, x, y, z, yaw, ..] = numbers[..] else { continue };
        let state = vec![x, y, z, yaw & 1023];
        let entity = Recorded { id: NetId(slot as u32), kind: KindId(0), cut: false, state };
        ticks.entry(frame as u32).or_default().push(entity);
    }
    Some(Recording { schema: recordings::schema_of(kind), ticks: ticks.into_values().collect() })
}

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}
