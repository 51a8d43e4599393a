//! `bench core`: what one tick costs without sockets, stage by stage, in scenes of different density. The demo game included:
//! rules, capture, coding, interest, packing. Acknowledgements come at once, so nobody is ever paused. CPU time of the one thread
//! that does it all; memory as the allocator gives it out.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::counting::Counting;
use tickwire_server::host::{Crew, Event, Output, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::limits::PROTOCOL_VERSION;
use tickwire_shared::wire::message::{Ack, ClientMessage, Hello, ResumeToken};
use tickwire_shared::{ClientId, Micros, Protocol};

#[global_allocator]
static MEMORY: Counting = Counting::new();

/// Before measuring: joins, and what is told once.
const WARM_UP_TICKS: u32 = 90;
const TICK_HZ: u16 = 30;
/// Each client's input changes once in so many ticks: twice a second.
const INPUT_EVERY_TICKS: u32 = 15;

/// What `bench core` is asked.
#[derive(Args)]
pub(crate) struct CoreArgs {
    /// Only scenes whose name has this word
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    scene: String,
    /// Ticks that are measured, after a warm-up
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(30..=100_000))]
    ticks: u32,
    /// Write all that was measured there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

struct Scene {
    name: &'static str,
    clients: u32,
    arena: ArenaConfig,
}

/// What a scene cost. Times are microseconds of CPU per tick, means.
#[derive(Debug, Serialize)]
struct Cost {
    scene: &'static str,
    clients: u32,
    visible: f64,
    stages_us: Stages,
    tick_us: f64,
    /// Per client and visible entity, in nanoseconds.
    ns_per_client_entity: f64,
    bytes_per_client_tick: f64,
    bits_per_update: f64,
    allocations_per_tick: f64,
    /// What the room holds for each client.
    kib_per_client: f64,
}

/// The stages of a tick, in order.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Stages {
    /// Inputs and acknowledgements.
    hear: f64,
    /// The game's step, capture, coding of updates, who sees what: all that comes before packing.
    world: f64,
    /// Each client's frame.
    pack: f64,
    /// Frames to whoever sends them.
    hand_out: f64,
}

fn scenes() -> [Scene; 4] {
    let everything = ArenaConfig { bots: 0, pickups: 0, ..ArenaConfig::default() };
    let wide = ArenaConfig { size_m: 1000, view_radius_m: 100.0, ..everything };
    [
        Scene { name: "all see all", clients: 200, arena: ArenaConfig { drones: 300, ..everything } },
        Scene { name: "interest", clients: 1000, arena: ArenaConfig { drones: 2000, ..wide } },
        Scene {
            name: "capacity",
            clients: 1500,
            arena: ArenaConfig { size_m: 567, drones: 0, view_radius_m: 64.0, ..everything },
        },
        Scene { name: "one client", clients: 1, arena: ArenaConfig { drones: 2000, ..everything } },
    ]
}

/// Runs the scenes and prints a table.
pub(crate) fn run(args: &CoreArgs) -> Result<(), String> {
    let scenes: Vec<_> = scenes().into_iter().filter(|scene| scene.name.contains(&args.scene)).collect();
    if scenes.is_empty() {
        return Err(format!("no scene is called `{}`", args.scene));
    }
    println!(
        "{:<12} {:>7} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>7} {:>8} {:>8}",
        "scene",
        "clients",
        "visible",
        "µs/tick",
        "hear",
        "world",
        "pack",
        "hand out",
        "ns/(c×v)",
        "B/c-tick",
        "b/upd",
        "allocs",
        "KiB/cli"
    );
    let mut costs = Vec::new();
    for scene in &scenes {
        let cost = measure(scene, args.ticks)?;
        println!("{cost}");
        costs.push(cost);
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "bench": "core", "scenes": costs }));
        let text = text.map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Measures what is lent to it: the packing of all clients.
#[derive(Default)]
struct Timed(Mutex<f64>);

impl Crew for Timed {
    fn width(&self) -> usize {
        2
    }

    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let took = timed(|| (0..jobs).for_each(job));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += took;
    }
}

fn measure(scene: &Scene, ticks: u32) -> Result<Cost, String> {
    let mut room = room(scene)?;
    let held_before = MEMORY.held_bytes();
    join(&mut room, scene.clients);
    let mut dice = Pcg32::seed_from_u64(1);
    let (mut stages, mut bytes, mut frames) = (Stages::default(), 0, 0_u64);
    let (mut start, mut allocations) = (room.counters().clone(), 0);
    let mut sent = Vec::with_capacity(scene.clients as usize);
    for tick in 0..WARM_UP_TICKS + ticks {
        if tick == WARM_UP_TICKS {
            (stages, bytes, frames) = (Stages::default(), 0, 0);
            (start, allocations) = (room.counters().clone(), 0);
        }
        let now = Micros(u64::from(tick) * 1_000_000 / u64::from(TICK_HZ));
        let inputs: Vec<_> = inputs(scene.clients, tick, &mut dice).collect();
        let before = MEMORY.allocations();
        stages.hear += timed(|| {
            let at = room.status().tick;
            for (client, input) in inputs {
                let message = ClientMessage::Input { seq: tick as u16, tick: at, ack: None, input };
                room.handle(Event::Message { client, message }, now);
            }
            for client in sent.drain(..) {
                let message = ClientMessage::Ack(Ack { applied: at.minus(1), held_ms: 0 });
                room.handle(Event::Message { client, message }, now);
            }
        });
        let crew = Timed::default();
        let all = timed(|| room.tick_with(now, &crew));
        let packed = crew.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        (stages.world, stages.pack) = (stages.world + all - packed, stages.pack + packed);
        stages.hand_out += timed(|| {
            while let Some(output) = room.poll_output() {
                if let Output::Send { client, bytes: frame } = output {
                    bytes += frame.len();
                    frames += 1;
                    sent.push(client);
                }
            }
        });
        allocations += MEMORY.allocations() - before;
    }
    if frames < u64::from(scene.clients) * u64::from(ticks) * 9 / 10 {
        return Err(format!("{}: only {frames} frames were packed", scene.name));
    }
    let visible: usize = (0..scene.clients)
        .filter_map(|number| room.packed(ClientId(number)))
        .map(|packed| packed.roster().slots().len())
        .sum();
    let per_tick = |micros: f64| (micros / f64::from(ticks) * 10.0).round() / 10.0;
    let Stages { hear, world, pack, hand_out } = stages;
    let counters = room.counters();
    let updates = (counters.updates_spliced - start.updates_spliced).max(1);
    let tick_us = per_tick(hear + world + pack + hand_out);
    Ok(Cost {
        scene: scene.name,
        clients: scene.clients,
        visible: visible as f64 / f64::from(scene.clients),
        stages_us: Stages {
            hear: per_tick(hear),
            world: per_tick(world),
            pack: per_tick(pack),
            hand_out: per_tick(hand_out),
        },
        tick_us,
        ns_per_client_entity: tick_us * 1e3 / visible.max(1) as f64,
        bytes_per_client_tick: bytes as f64 / frames as f64,
        bits_per_update: (counters.updates_spliced_bits - start.updates_spliced_bits) as f64 / updates as f64,
        allocations_per_tick: allocations as f64 / f64::from(ticks),
        kib_per_client: MEMORY.held_bytes().saturating_sub(held_before) as f64
            / 1024.0
            / f64::from(scene.clients),
    })
}

fn room(scene: &Scene) -> Result<Room<ArenaGame>, String> {
    let config = RoomConfig {
        name: "bench".to_owned(),
        tick_hz: TICK_HZ,
        capacity: scene.clients as usize,
        seed: 1,
        ..RoomConfig::default()
    };
    Room::new(ArenaGame::new(scene.arena), config).map_err(|error| error.to_string())
}

fn join(room: &mut Room<ArenaGame>, clients: u32) {
    let schema = Arena::schema();
    for number in 0..clients {
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            schema: schema.hash(),
            parts: schema.part_hashes(),
            name: "bench".to_owned(),
            room: String::new(),
            token: None,
            resume: None,
            tables: Arena::tables().version(),
            budget: 0,
        };
        let (client, resume) = (ClientId(number), ResumeToken([0; 16]));
        room.handle(Event::Join { client, hello, resume, subject: None }, Micros(0));
    }
}

/// Those whose input changes in this tick.
fn inputs(clients: u32, tick: u32, dice: &mut Pcg32) -> impl Iterator<Item = (ClientId, ArenaInput)> {
    (0..clients).filter(move |number| (number + tick).is_multiple_of(INPUT_EVERY_TICKS)).map(|number| {
        let mut walk = || dice.random_range(-64..64_i8);
        let walk = [walk(), walk()];
        let input = ArenaInput { walk, aim: dice.random_range(0..1024), fire: dice.random_bool(0.125) };
        (ClientId(number), input)
    })
}

/// CPU time of this thread, in microseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
    };
    let began = now();
    work();
    now() - began
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stages { hear, world, pack, hand_out } = self.stages_us;
        write!(
            f,
            "{:<12} {:>7} {:>8.1} {:>9.1} {hear:>8.1} {world:>8.1} {pack:>8.1} {hand_out:>8.1} {:>9.1} {:>9.1} {:>7.2} \
             {:>8.1} {:>8.1}",
            self.scene,
            self.clients,
            self.visible,
            self.tick_us,
            self.ns_per_client_entity,
            self.bytes_per_client_tick,
            self.bits_per_update,
            self.allocations_per_tick,
            self.kib_per_client
        )
    }
}
