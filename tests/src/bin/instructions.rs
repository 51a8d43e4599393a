//! Instructions that the core spends per (client × visible entity), counted by callgrind: the same on every machine
//! and however busy it is, so that it can be a gate where time cannot.
//!
//! `cargo build --release -p tickwire-tests --bin instructions && target/release/instructions` counts fixed scenes
//! with `valgrind` (from the package of that name) and fails when a figure is above its bound. The bounds are what
//! was counted last, and a few percent for what compilers do; whoever makes the core cheaper lowers them.

use std::process::{Command, ExitCode};

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::crowd::{Crowd, CrowdGame};
use tickwire_tests::sim::hello;

/// Ticks before counting: joins, and what is told once.
const WARM_UP_TICKS: u64 = 40;
const TICKS: u64 = 40;
const CLIENTS: u32 = 200;
/// Above a bound by more than this share, the gate fails.
const TOLERANCE: f64 = 0.03;

/// One scene and its bound.
struct Gate {
    name: &'static str,
    moving: bool,
    /// Instructions per tick and (client × visible entity).
    bound: f64,
}

const GATES: [Gate; 2] = [
    Gate { name: "moving", moving: true, bound: 374.0 },
    Gate { name: "resting", moving: false, bound: 198.0 },
];

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(name) => {
            run(GATES.into_iter().find(|gate| gate.name == name).expect("a scene's name").moving);
            ExitCode::SUCCESS
        }
        None if GATES.iter().map(count).fold(true, |all, within| all & within) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// What callgrind runs: the density of the scene that the codec's targets are about, 2,000 entities in 500 m × 500 m,
/// seen up to 64 m. It prints how many pairs of a client and an entity that it sees were counted.
fn run(moving: bool) {
    let config =
        RoomConfig { budget_bytes_per_s: 1 << 24, budget_bytes_per_s_max: 1 << 24, ..RoomConfig::default() };
    let mut game = CrowdGame::new(7, 2000, 500.0, 64.0);
    game.moving = moving;
    let mut room = Room::new(game, config).expect("a schema");
    for client in (0..CLIENTS).map(ClientId) {
        let resume = ResumeToken([0; 16]);
        room.handle(
            Event::Join { client, hello: hello::<Crowd>("counted"), resume, subject: None },
            Micros(0),
        );
    }
    let mut pairs = 0;
    for tick in 1..=WARM_UP_TICKS + TICKS {
        let (now, applied) = (Micros(tick * 33_333), room.status().tick);
        if tick > WARM_UP_TICKS {
            counted(&mut room, now);
            pairs += visible(&room);
        } else {
            room.tick(now);
        }
        let mut told = Vec::new();
        while let Some(output) = room.poll_output() {
            let Output::Send { client, .. } = output else { panic!("somebody was closed") };
            told.push(client);
        }
        for client in told {
            let message = ClientMessage::Ack(Ack { applied, held_ms: 0 });
            room.handle(Event::Message { client, message }, now);
        }
    }
    println!("{pairs}");
}

fn visible(room: &Room<CrowdGame>) -> usize {
    let packed = (0..CLIENTS).filter_map(|number| room.packed(ClientId(number)));
    packed.map(|packed| packed.roster().slots().len()).sum()
}

/// Callgrind counts while this runs.
#[inline(never)]
fn counted(room: &mut Room<CrowdGame>, now: Micros) {
    room.tick(now);
}

/// Counts a scene and says whether it is within its bound.
fn count(gate: &Gate) -> bool {
    let this = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*instructions*counted*")
        .arg(this)
        .arg(gate.name)
        .output()
        .expect("valgrind is installed: apt-get install valgrind");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let collected = report.lines().find_map(|line| line.split("Collected :").nth(1)).expect("a count");
    let instructions: f64 = collected.trim().parse().expect("a number");
    let pairs: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("the scene's count");
    let client_ticks = f64::from(CLIENTS) * TICKS as f64;
    let each = instructions / pairs;
    println!(
        "{:<8} {each:>6.1} instructions per tick and (client × visible entity), bound {:.1}; {:.0} per client-tick \
         that sees {:.1}",
        gate.name,
        gate.bound,
        instructions / client_ticks,
        pairs / client_ticks
    );
    each <= gate.bound * (1.0 + TOLERANCE)
}
