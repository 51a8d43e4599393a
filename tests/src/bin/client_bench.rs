//! What one drawn frame costs a client that sees 500 others: reading and applying what came since the last one, and working
//! out where everything is shown. Counted CPU time of this thread, without sockets and without drawing.
//!
//! `cargo run --release -p tickwire-tests --bin client_bench`

use std::hint::black_box;

use rustix::time::{ClockId as Clocks, clock_gettime};
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_shared::arena::{ArenaEntity, ArenaInput};
use tickwire_shared::client::link::LinkProfile;
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::Sim;

const HZ: u16 = 30;
const TICKS: u32 = 600;

fn main() {
    println!(
        "{:<34} {:>8} {:>14} {:>12} {:>18}",
        "", "visible", "µs per snapshot", "µs per look", "ms per frame, 60/s"
    );
    for (name, size_m, visible) in
        [("all at every tick", 80, 500), ("three cadences", 400, 500), ("three cadences", 400, 2_000)]
    {
        run(name, ArenaConfig { size_m, bots: 0, pickups: 0, drones: visible, ..ArenaConfig::default() });
    }
}

fn run(name: &str, arena: ArenaConfig) {
    let mut sim = Sim::new(ArenaGame::new(arena), HZ, 1);
    let id = sim.join("bench", LinkProfile::default());
    sim.run(60);
    // What the room sent is kept, and read again by the same session without anything around it.
    let frames = record(&mut sim, id);
    let mut dice = Dice::new(1);
    let (mut applied, mut looked, mut looks, mut visible) = (0, 0, 0_u64, 0);
    let session = &mut sim.client(id).session;
    for (at, bytes) in frames {
        let input = ArenaInput { walk: [dice.word() as i8 / 2, 7], aim: 0, fire: false };
        session.set_input(input, at);
        while session.poll_transmit(at).is_some() {}
        let began = cpu_ns();
        session.handle_message(&bytes, at).expect("a frame that was made for it");
        while let Some(happening) = session.poll_happening() {
            black_box(&happening);
        }
        applied += cpu_ns() - began;
        for half in 0..2 {
            let now = at.plus(half * 16_667);
            let began = cpu_ns();
            let view = session.view(now).expect("it has a frame");
            let mut sum = view.own().state.position;
            visible = 0;
            for shown in view.entities() {
                if let ArenaEntity::Drone(drone) = shown.state {
                    sum += drone.position;
                    visible += 1;
                }
            }
            black_box(sum);
            looked += cpu_ns() - began;
            looks += 1;
        }
    }
    assert_eq!(session.stats().mismatches, 0);
    assert!(session.stats().frames > u64::from(TICKS), "frames are missing");
    let (snapshot, look) = (applied as f64 / f64::from(TICKS) / 1e3, looked as f64 / looks as f64 / 1e3);
    println!("{name:<34} {visible:>8} {snapshot:>14.1} {look:>12.1} {:>18.3}", (snapshot / 2.0 + look) / 1e3);
}

/// Runs the room and takes the client's frames out of its link before it has read them.
fn record(sim: &mut Sim<ArenaGame>, id: ClientId) -> Vec<(Micros, Vec<u8>)> {
    let mut frames = Vec::new();
    for _ in 0..TICKS {
        sim.step();
        let now = sim.now;
        while let Some((at, bytes)) = sim.client(id).down.receive(now) {
            frames.push((at, bytes));
        }
    }
    frames
}

fn cpu_ns() -> i64 {
    let now = clock_gettime(Clocks::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
