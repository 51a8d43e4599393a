//! What the snapshots of a large room cost, stage by stage, without sockets and rules: the scene of the codec's numbers
//! (60 % of the entities change in a tick) with many clients, each looking from another entity. CPU time of the thread,
//! medians over ticks; the memory is what the allocator gave out. Every frame of every 50th client is applied and its
//! checksums compared, so that what is measured has done its job.
//!
//! `cargo run --release -p tickwire-tests --bin scale_bench`; a number from 0 on after it runs one row alone, for a profiler.

use std::sync::Mutex;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tickwire_server::host::{Crew, Event, Output, Room, RoomConfig};
use tickwire_shared::client::Session;
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::counting::Counting;
use tickwire_tests::crowd::{Crowd, CrowdGame};
use tickwire_tests::scene::Scene;
use tickwire_tests::sim::hello;

#[global_allocator]
static MEMORY: Counting = Counting::new();

struct Load {
    name: &'static str,
    clients: u32,
    entities: u32,
    side_m: f32,
    radius_m: f32,
    tick_hz: u16,
}

const LOADS: [Load; 4] = [
    Load {
        name: "200 × all of 1,000 × 30 Hz",
        clients: 200,
        entities: 1000,
        side_m: 1000.0,
        radius_m: 10_000.0,
        tick_hz: 30,
    },
    Load {
        name: "1,000 × 100 × 20 Hz",
        clients: 1000,
        entities: 1000,
        side_m: 360.0,
        radius_m: 64.0,
        tick_hz: 20,
    },
    Load {
        name: "2,000 × 117 × 30 Hz",
        clients: 2000,
        entities: 2000,
        side_m: 500.0,
        radius_m: 64.0,
        tick_hz: 30,
    },
    Load {
        name: "5,000 × 50 × 20 Hz",
        clients: 5000,
        entities: 5000,
        side_m: 1210.0,
        radius_m: 64.0,
        tick_hz: 20,
    },
];

fn main() {
    println!(
        "{:<28}{:>9}{:>10}{:>10}{:>12}{:>12}{:>12}{:>12}{:>9}{:>10}{:>8}",
        "clients × visible",
        "visible",
        "ms/tick",
        "alone",
        "ns/(c×v)",
        "B/c-tick",
        "enters/c-s",
        "bits/update",
        "core %",
        "KiB/cli",
        "allocs"
    );
    match std::env::args().nth(1).and_then(|row| row.parse::<usize>().ok()) {
        Some(row) => LOADS.get(row).into_iter().for_each(run),
        None => {
            LOADS.iter().for_each(run);
            rooms();
            println!(
                "\n{:<28}{:>9}{:>9}{:>9}{:>9}{:>9}   ms of CPU per tick",
                "stages", "step", "capture", "tokens", "rosters", "pack"
            );
            LOADS.iter().filter(|load| load.clients >= 1000).for_each(stages);
        }
    }
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn run(load: &Load) {
    let config = RoomConfig {
        tick_hz: load.tick_hz,
        capacity: 10_000,
        budget_bytes_per_s: 1 << 24,
        ..RoomConfig::default()
    };
    let mut game = CrowdGame::new(7, load.entities, load.side_m, load.radius_m);
    game.moving = true;
    let mut room = Room::new(game, config).expect("a schema");
    let alone = capture_ns(&mut room);
    let before = MEMORY.held_bytes();
    let mut watched: Vec<(ClientId, Session<Crowd>)> = Vec::new();
    for number in 0..load.clients {
        let client = ClientId(number);
        if number % 50 == 0 {
            let session = Session::new(Default::default()).expect("a schema");
            watched.push((client, session));
        }
        room.handle(
            Event::Join {
                client,
                hello: hello::<Crowd>("bench"),
                resume: ResumeToken([0; 16]),
                subject: None,
            },
            Micros(0),
        );
    }
    let (warm_up, ticks) = (4 * u64::from(load.tick_hz), 5 * u64::from(load.tick_hz));
    let (mut spent, mut bytes, mut frames, mut allocations) = (Vec::new(), 0, 0, 0);
    let mut start = room.counters().clone();
    for tick in 1..warm_up + ticks {
        let now = Micros(tick * 1_000_000 / u64::from(load.tick_hz));
        if tick == warm_up {
            (bytes, frames, allocations) = (0, 0, 0);
            start = room.counters().clone();
            spent.clear();
        }
        let (began, allocated) = (cpu(), MEMORY.allocations());
        room.tick(now);
        spent.push(cpu() - began);
        allocations += MEMORY.allocations() - allocated;
        let mut sent = Vec::with_capacity(load.clients as usize);
        while let Some(output) = room.poll_output() {
            let Output::Send { client, bytes: frame } = output else { panic!("somebody was closed") };
            bytes += frame.len();
            frames += 1;
            sent.push(client);
            if let Some((_, session)) = watched.iter_mut().find(|(id, _)| *id == client) {
                session.handle_message(frame, now).expect("own message");
            }
        }
        for client in sent {
            let message = ClientMessage::Ack(Ack { applied: room.status().tick.minus(1), held_ms: 0 });
            room.handle(Event::Message { client, message }, now);
        }
    }
    let held = MEMORY.held_bytes().saturating_sub(before);
    let checked: u64 = watched.iter().map(|(_, session)| session.stats().checksums).sum();
    let wrong: u64 = watched.iter().map(|(_, session)| session.stats().mismatches).sum();
    assert!(checked > 0 && wrong == 0, "{checked} checksums, {wrong} of them wrong");
    assert!(frames as u64 >= u64::from(load.clients) * ticks * 99 / 100, "frames were not packed");
    let visible: usize = (0..load.clients)
        .filter_map(|number| room.packed(ClientId(number)))
        .map(|packed| packed.roster().slots().len())
        .sum();
    spent.sort_unstable();
    let tick_ns = spent[spent.len() / 2].as_nanos() as f64;
    let counters = room.counters();
    println!(
        "{:<28}{:>9.1}{:>10.3}{:>10.3}{:>12.1}{:>12.1}{:>12.2}{:>12.2}{:>9.1}{:>10.1}{:>8.1}",
        load.name,
        visible as f64 / f64::from(load.clients),
        tick_ns / 1e6,
        alone / 1e6,
        (tick_ns - alone) / visible as f64,
        bytes as f64 / frames as f64,
        (counters.enters - start.enters) as f64 / f64::from(load.clients) / 5.0,
        (counters.updates_spliced_bits - start.updates_spliced_bits) as f64
            / (counters.updates_spliced - start.updates_spliced) as f64,
        tick_ns * f64::from(load.tick_hz) / 1e7,
        held as f64 / 1024.0 / f64::from(load.clients),
        allocations as f64 / ticks as f64,
    );
}

/// What a tick costs without clients: the scene's step and the capture. Updates are coded for clients only; that part of
/// their cost is counted with the clients.
fn capture_ns(room: &mut Room<CrowdGame>) -> f64 {
    let mut spent: Vec<_> = (0..60)
        .map(|_| {
            let began = cpu();
            room.tick(Micros(0));
            cpu() - began
        })
        .collect();
    spent.sort_unstable();
    spent[spent.len() / 2].as_nanos() as f64
}

/// Measures what is lent to it: the packing of all clients.
#[derive(Default)]
struct Timed(Mutex<Duration>);

impl Crew for Timed {
    fn width(&self) -> usize {
        2
    }

    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let began = cpu();
        (0..jobs).for_each(job);
        *self.0.lock().expect("one thread") += cpu() - began;
    }
}

/// One load, stage by stage. All clients look around in the same ticks here, so that the others show what packing takes
/// alone; what the former take more is the rosters' share. Tokens are what capture and the views of all clients take more
/// with clients than the capture takes without.
fn stages(load: &Load) {
    let look_ticks = u32::from(load.tick_hz) / 5;
    let mut scene = Scene::new(7, load.entities, load.side_m);
    let step = median((0..60).map(|_| timed(|| scene.step())).collect());
    let mut game = CrowdGame::new(7, load.entities, load.side_m, load.radius_m);
    game.moving = true;
    let config = RoomConfig {
        tick_hz: load.tick_hz,
        capacity: 10_000,
        budget_bytes_per_s: 1 << 24,
        ..RoomConfig::default()
    };
    let mut room = Room::new(game, config).expect("a schema");
    let alone = capture_ns(&mut room) / 1e6;
    for number in 0..load.clients {
        let client = ClientId(number * look_ticks);
        let join = Event::Join {
            client,
            hello: hello::<Crowd>("bench"),
            resume: ResumeToken([0; 16]),
            subject: None,
        };
        room.handle(join, Micros(0));
    }
    let (mut before_packing, mut packing) = (Vec::new(), Vec::new());
    for tick in 1..9 * u64::from(load.tick_hz) {
        let (now, crew) = (Micros(tick * 1_000_000 / u64::from(load.tick_hz)), Timed::default());
        let all = timed(|| room.tick_with(now, &crew));
        let packed = crew.0.into_inner().expect("one thread").as_secs_f64() * 1e3;
        if tick >= 4 * u64::from(load.tick_hz) {
            before_packing.push(all - packed);
            packing.push(packed);
        }
        let mut sent = Vec::with_capacity(load.clients as usize);
        while let Some(output) = room.poll_output() {
            let Output::Send { client, .. } = output else { panic!("somebody was closed") };
            sent.push(client);
        }
        assert!(tick < 60 || sent.len() == load.clients as usize, "frames were not packed");
        for client in sent {
            let message = ClientMessage::Ack(Ack { applied: room.status().tick.minus(1), held_ms: 0 });
            room.handle(Event::Message { client, message }, now);
        }
    }
    let mean = packing.iter().sum::<f64>() / packing.len() as f64;
    let (tokens, pack) = (median(before_packing) - alone, median(packing));
    println!("{:<28}{step:>9.3}{:>9.3}{tokens:>9.3}{:>9.3}{pack:>9.3}", load.name, alone - step, mean - pack);
}

/// CPU time, in milliseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let began = cpu();
    work();
    (cpu() - began).as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// 100 rooms of 100 entities with one client each, idle and moving.
fn rooms() {
    for moving in [false, true] {
        let mut rooms: Vec<_> = (0..100_u64)
            .map(|seed| {
                let mut game = CrowdGame::new(seed, 100, 200.0, 1000.0);
                game.moving = moving;
                let mut room = Room::new(game, RoomConfig::default()).expect("a schema");
                let join = Event::Join {
                    client: ClientId(0),
                    hello: hello::<Crowd>("bench"),
                    resume: ResumeToken([0; 16]),
                    subject: None,
                };
                room.handle(join, Micros(0));
                room
            })
            .collect();
        let (mut spent, mut frames) = (Vec::new(), 0);
        for tick in 1..240_u64 {
            let now = Micros(tick * 33_333);
            let began = cpu();
            rooms.iter_mut().for_each(|room| room.tick(now));
            spent.push(cpu() - began);
            for room in &mut rooms {
                while room.poll_output().is_some() {
                    frames += u32::from(tick > 60);
                }
                let message = ClientMessage::Ack(Ack { applied: room.status().tick.minus(1), held_ms: 0 });
                room.handle(Event::Message { client: ClientId(0), message }, now);
            }
        }
        let mut spent = spent.split_off(60);
        spent.sort_unstable();
        assert!(frames > if moving { 17_000 } else { 1_000 }, "{frames} frames");
        println!(
            "100 rooms × 100 entities × 1 client, {}: {:.3} ms a tick for all, {frames} frames in 6 s",
            if moving { "moving" } else { "idle" },
            spent[spent.len() / 2].as_secs_f64() * 1e3
        );
    }
}
