//! What one tick of the core costs, without sockets: CPU time per (client × visible entity) and bytes per
//! client-tick, in scenes of different density. Acknowledgements come at once, so nobody is ever paused.
//!
//! `cargo run --release -p tickwire-tests --bin core_bench`

use std::time::{Duration, Instant};

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::hello;

struct Scene {
    name: &'static str,
    clients: u32,
    arena: ArenaConfig,
}

fn main() {
    let everything = ArenaConfig { bots: 0, pickups: 0, ..ArenaConfig::default() };
    let scenes = [
        Scene { name: "all see all", clients: 200, arena: ArenaConfig { drones: 300, ..everything } },
        Scene {
            name: "1,000 clients, radius 100 m in 1 km²",
            clients: 1000,
            arena: ArenaConfig { size_m: 1000, drones: 2000, view_radius_m: 100.0, ..everything },
        },
        Scene {
            name: "1 client, 2,000 drones",
            clients: 1,
            arena: ArenaConfig { drones: 2000, ..everything },
        },
    ];
    println!(
        "{:<40} {:>8} {:>10} {:>12} {:>14} {:>12}",
        "", "visible", "ms/tick", "ns/(c×v)", "B/client-tick", "bits/update"
    );
    scenes.iter().for_each(run);
}

fn run(scene: &Scene) {
    let config = RoomConfig {
        name: "bench".to_owned(),
        tick_hz: 30,
        capacity: 5000,
        seed: 1,
        ..RoomConfig::default()
    };
    let mut room = Room::new(ArenaGame::new(scene.arena), config).expect("a schema");
    for number in 0..scene.clients {
        let event = Event::Join {
            client: ClientId(number),
            hello: hello::<Arena>("bench"),
            resume: ResumeToken([0; 16]),
            subject: None,
        };
        room.handle(event, Micros(0));
    }
    let mut dice = Dice::new(1);
    let (mut spent, mut bytes, mut frames) = (Duration::ZERO, 0, 0);
    let (warm_up, ticks) = (60, 300);
    let mut before = room.counters().clone();
    for tick in 0..warm_up + ticks {
        let now = Micros(tick * 33_333);
        if tick == warm_up {
            (spent, bytes, frames) = (Duration::ZERO, 0, 0);
            before = room.counters().clone();
        }
        for number in 0..scene.clients {
            if dice.one_in(12) {
                let walk = [dice.word() as i8 / 2, dice.word() as i8 / 2];
                let input = ArenaInput { walk, aim: dice.word() as u16, fire: dice.one_in(8) };
                let message =
                    ClientMessage::Input { seq: tick as u16, tick: room.status().tick, ack: None, input };
                room.handle(Event::Message { client: ClientId(number), message }, now);
            }
        }
        let number = room.status().tick;
        let started = clock();
        room.tick(now);
        spent += started.elapsed();
        while let Some(output) = room.poll_output() {
            let Output::Send { client, bytes: frame } = output else { panic!("somebody was closed") };
            bytes += frame.len();
            frames += 1;
            let message = ClientMessage::Ack(Ack { applied: number, held_ms: 0 });
            room.handle(Event::Message { client, message }, now);
        }
    }
    let visible: usize = (0..scene.clients)
        .filter_map(|number| room.packed(ClientId(number)))
        .map(|packed| packed.roster().slots().len())
        .sum();
    assert!(frames as u64 > u64::from(scene.clients) * ticks * 9 / 10, "frames were not packed");
    let counters = room.counters();
    let tick_ns = spent.as_nanos() as f64 / ticks as f64;
    println!(
        "{:<40} {:>8.1} {:>10.3} {:>12.1} {:>14.1} {:>12.2}",
        scene.name,
        visible as f64 / f64::from(scene.clients),
        tick_ns / 1e6,
        tick_ns / visible as f64,
        bytes as f64 / frames as f64,
        (counters.updates_spliced_bits - before.updates_spliced_bits) as f64
            / (counters.updates_spliced - before.updates_spliced) as f64,
    );
}

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}
