//! What one drawn frame costs a client that sees 500 others: reading and applying what came since the last one, and working
//! out where everything is shown. Counted CPU time of this thread, without sockets and without drawing.
//!
//! `cargo run --release -p tickwire-tests --bin client_bench`

use std::hint::black_box;

use rustix::time::{ClockId as Clocks, clock_gettime};
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_shared::Micros;
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaInput};
use tickwire_shared::client::link::LinkProfile;
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::{Sim, SimClient};

const HZ: u16 = 30;
const TICKS: u32 = 600;

fn main() {
    println!(
        "{:<34} {:>8} {:>15} {:>12} {:>18}",
        "", "visible", "µs per snapshot", "µs per look", "ms per frame, 60/s"
    );
    for (name, size_m, visible) in
        [("all at every tick", 80, 500), ("three cadences", 400, 500), ("three cadences", 400, 2_000)]
    {
        run(
            name,
            ArenaConfig {
                size_m,
                view_radius_m: 1000.0,
                bots: 0,
                pickups: 0,
                drones: visible,
                ..ArenaConfig::default()
            },
        );
    }
}

/// What one client did in a run.
struct Work {
    dice: Dice,
    applied_ns: i64,
    looked_ns: i64,
    looks: u64,
    visible: usize,
}

fn run(name: &str, arena: ArenaConfig) {
    let mut sim = Sim::new(ArenaGame::new(arena), HZ, 1);
    let id = sim.join("bench", LinkProfile::default());
    sim.run(300);
    // From here on its program is this one, which looks at the time.
    sim.client(id).stalled = true;
    let frames = sim.client(id).session.stats().frames;
    let mut work = Work { dice: Dice::new(1), applied_ns: 0, looked_ns: 0, looks: 0, visible: 0 };
    for _ in 0..TICKS {
        sim.step();
        let now = sim.now;
        work.tick(sim.client(id), now);
    }
    let stats = sim.client(id).session.stats();
    assert_eq!(stats.mismatches, 0);
    assert!(stats.frames - frames >= u64::from(TICKS - 1), "frames are missing");
    assert!(work.visible * 10 >= arena.drones as usize * 9, "{} in view", work.visible);
    let snapshot = work.applied_ns as f64 / f64::from(TICKS) / 1e3;
    let look = work.looked_ns as f64 / work.looks as f64 / 1e3;
    println!(
        "{name:<34} {:>8} {snapshot:>15.1} {look:>12.1} {:>18.3}",
        work.visible,
        (snapshot / 2.0 + look) / 1e3
    );
}

impl Work {
    /// What comes is read and answered, and two frames are drawn.
    fn tick(&mut self, client: &mut SimClient<Arena>, now: Micros) {
        let walk = [(self.dice.word() >> 24) as i8 / 2, 7];
        client.session.set_input(ArenaInput { walk, aim: 0, fire: false }, now);
        while let Some((at, bytes)) = client.down.receive(now) {
            let began = cpu_ns();
            client.session.handle_message(&bytes, at).expect("a frame that was made for it");
            while let Some(happening) = client.session.poll_happening() {
                black_box(&happening);
            }
            self.applied_ns += cpu_ns() - began;
        }
        while let Some(bytes) = client.session.poll_transmit(now) {
            client.up.send(bytes, now);
        }
        for half in 0..2 {
            let began = cpu_ns();
            let view = client.session.view(now.plus(half * 16_000)).expect("it has a frame");
            let mut sum = view.own().state.position;
            self.visible = 0;
            for shown in view.entities() {
                if let ArenaEntity::Drone(drone) = shown.state {
                    sum += drone.position;
                    self.visible += 1;
                }
            }
            black_box(sum);
            self.looked_ns += cpu_ns() - began;
            self.looks += 1;
        }
    }
}

fn cpu_ns() -> i64 {
    let now = clock_gettime(Clocks::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
