//! The real server beside three yardsticks, in the same minute, with the same measuring client:
//! - `floor`: plain non-blocking writes of the very same bytes to the same clients, and nothing else;
//! - `floor with reading`: the same, and it takes what the clients send;
//! - `plain`: tokio-tungstenite, what each client sees by bincode once per tick.
//!
//! Each one is a process of its own, whose CPU time is read from the system. Whatever is measured has to have done its
//! job: frames at the rate, every snapshot decoded, no mismatch, as many entities in view.
//!
//! `cargo build --release -p tickwire-server -p tickwire-tests && target/release/compare --clients 500`

mod peers;
mod players;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use peers::Peer;
use players::{Count, Players};

/// Before measuring, for joins and for what is told once.
const WARM_UP: Duration = Duration::from_secs(3);
/// After measuring the real server, so that the floor does not run out of what to send.
const SPARE: Duration = Duration::from_secs(2);

#[derive(Parser)]
#[command(about = "Compares the server's cost with plain writes and with a plain full-state server")]
struct Arguments {
    /// Clients; several numbers make several tables.
    #[arg(long, value_delimiter = ',', default_values_t = [200])]
    clients: Vec<u32>,
    /// Drones besides.
    #[arg(long, default_value_t = 300)]
    drones: u32,
    /// Entities that a client sees, about; 0 for all.
    #[arg(long, default_value_t = 100)]
    visible: u32,
    /// How often each client's input changes.
    #[arg(long, value_enum, default_value = "twice-a-second")]
    inputs: Inputs,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Runs of each, in turn; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Which to leave out.
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Peer>,
    /// First of the ports to use.
    #[arg(long, default_value_t = 7785)]
    port: u16,
    /// Ends with an error when the server costs more than this many times the floor.
    #[arg(long)]
    floor_ratio_max: Option<f64>,
}

/// How often a client's input changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Inputs {
    /// Keys that are held for half a second.
    TwiceASecond,
    /// A stick, or a mouse in motion.
    EachTick,
}

/// Share of the ticks whose snapshots have to arrive for a run to count.
const RATE_MIN: f64 = 0.95;
/// Runs below that which are repeated: other programs took the machine.
const BUSY_MAX: u32 = 4;

/// What is played, by all peers alike.
#[derive(Clone, Copy, Debug)]
struct Scene {
    clients: u32,
    drones: u32,
    size_m: u32,
    view_radius_m: f64,
    inputs: Inputs,
    port: u16,
}

/// One run's figures, per client and second where nothing else is said.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    cpu_us_per_snapshot: f64,
    snapshots: f64,
    bytes: f64,
    messages: f64,
    message_bytes: f64,
    visible: f64,
    rss_mib: f64,
}

/// The arena's default size and radius: everything is in view.
const ALL: (u32, f64) = (200, 300.0);
/// How far a client sees when it does not see all, in metres.
const RADIUS_M: f64 = 64.0;
/// Of the arena's size, in metres.
const SIZE_M: std::ops::RangeInclusive<f64> = 50.0..=4000.0;

impl Scene {
    fn new(arguments: &Arguments, clients: u32) -> Self {
        let (size_m, view_radius_m) = match arguments.visible {
            0 => ALL,
            visible => {
                let entities = f64::from(clients + arguments.drones);
                let area = std::f64::consts::PI * RADIUS_M * RADIUS_M * entities / f64::from(visible);
                (area.sqrt().clamp(*SIZE_M.start(), *SIZE_M.end()) as u32, RADIUS_M)
            }
        };
        let Arguments { drones, inputs, port, .. } = *arguments;
        Self { clients, drones, size_m, view_radius_m, inputs, port }
    }
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut too_dear = false;
    for clients in &arguments.clients {
        let scene = Scene::new(&arguments, *clients);
        let ratio = compare(&arguments, scene).await;
        too_dear |= arguments.floor_ratio_max.is_some_and(|max| ratio > max);
    }
    assert!(!too_dear, "more than the allowed multiple of the floor");
}

/// Runs all peers in turn and prints a table; the result is how many times the floor the server costs.
async fn compare(arguments: &Arguments, scene: Scene) -> f64 {
    let peers: Vec<_> = Peer::ALL.into_iter().filter(|peer| !arguments.without.contains(peer)).collect();
    let mut runs = vec![Vec::new(); peers.len()];
    for run in 0..arguments.runs {
        eprintln!("{} clients, run {} of {}", scene.clients, run + 1, arguments.runs);
        let (mut recorded, mut ours) = (Vec::new(), Figures::default());
        for (peer, figures) in peers.iter().zip(&mut runs) {
            let mut measured = measure(*peer, scene, arguments.seconds, &mut recorded).await;
            for _ in 0..BUSY_MAX {
                if measured.snapshots > 30.0 * RATE_MIN {
                    break;
                }
                eprintln!("the machine is busy: {} is measured again", peer.name());
                measured = measure(*peer, scene, arguments.seconds, &mut recorded).await;
            }
            check(*peer, scene, &measured, &ours);
            if *peer == Peer::Tickwire {
                ours = measured;
            }
            figures.push(measured);
        }
    }
    let medians: Vec<_> = runs.iter().map(|runs| median(runs)).collect();
    println!(
        "\n{} clients + {} drones on {} m, view {} m, inputs {:?}, 30 Hz; {} s, medians of {} interleaved runs",
        scene.clients,
        scene.drones,
        scene.size_m,
        scene.view_radius_m,
        scene.inputs,
        arguments.seconds,
        arguments.runs
    );
    println!(
        "{:<20} {:>12} {:>10} {:>10} {:>12} {:>12} {:>9} {:>9}",
        "", "µs/(c×snap)", "snaps/c/s", "B/c/s", "messages/c/s", "B/message", "visible", "RSS MiB"
    );
    for (peer, figures) in peers.iter().zip(&medians) {
        println!(
            "{:<20} {:>12.2} {:>10.1} {:>10.0} {:>12.1} {:>12.1} {:>9.1} {:>9.1}",
            peer.name(),
            figures.cpu_us_per_snapshot,
            figures.snapshots,
            figures.bytes,
            figures.messages,
            figures.message_bytes,
            figures.visible,
            figures.rss_mib
        );
    }
    let cost = |wanted| {
        let place = peers.iter().position(|peer| *peer == wanted)?;
        Some(medians[place].cpu_us_per_snapshot)
    };
    let mut floor_ratio = 0.0;
    if let Some(ours) = cost(Peer::Tickwire) {
        for other in [Peer::Floor, Peer::FloorWithReading, Peer::Plain] {
            if let Some(other_cost) = cost(other) {
                println!("tickwire / {:<20} {:>5.2}", other.name(), ours / other_cost);
            }
        }
        floor_ratio = cost(Peer::Floor).map_or(0.0, |floor| ours / floor);
    }
    floor_ratio
}

fn median(runs: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| {
        let mut values: Vec<_> = runs.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        cpu_us_per_snapshot: of(|figures| figures.cpu_us_per_snapshot),
        snapshots: of(|figures| figures.snapshots),
        bytes: of(|figures| figures.bytes),
        messages: of(|figures| figures.messages),
        message_bytes: of(|figures| figures.message_bytes),
        visible: of(|figures| figures.visible),
        rss_mib: of(|figures| figures.rss_mib),
    }
}

/// One run. `recorded` is filled in by our server's run and handed on to the floor's.
async fn measure(peer: Peer, scene: Scene, seconds: u64, recorded: &mut Vec<Vec<u8>>) -> Figures {
    let server = peers::start(peer, &scene, recorded);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut players = Players::default();
    players.connect(peer, &scene, &server.address).await;
    tokio::time::sleep(WARM_UP).await;
    let before = (server.cpu_micros(), players.count());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = (server.cpu_micros(), players.count());
    let rss_mib = server.rss_kib() / 1024.0;
    if peer == Peer::Tickwire {
        tokio::time::sleep(SPARE).await;
        *recorded = players.take_recorded();
    }
    assert_eq!(players.endings(), Vec::<String>::new(), "{}: clients were closed", peer.name());
    drop(server);
    let Count { snapshots, bytes, messages, message_bytes, entities, mismatches } = after.1.since(before.1);
    assert_eq!(mismatches, 0, "a replica differed");
    let client_seconds = f64::from(scene.clients) * seconds as f64;
    Figures {
        cpu_us_per_snapshot: (after.0 - before.0) / snapshots as f64,
        snapshots: snapshots as f64 / client_seconds,
        bytes: bytes as f64 / client_seconds,
        messages: messages as f64 / client_seconds,
        message_bytes: message_bytes as f64 / messages.max(1) as f64,
        visible: entities as f64 / snapshots as f64,
        rss_mib,
    }
}

/// Whether it was the same work.
fn check(peer: Peer, scene: Scene, figures: &Figures, ours: &Figures) {
    let near = |what: &str, value: f64, wanted: f64, share: f64| {
        let fits = (value - wanted).abs() <= wanted * share;
        assert!(fits, "{}: {value:.1} {what}, wanted {wanted:.1}", peer.name());
    };
    near("snapshots per client and second", figures.snapshots, 30.0, 1.0 - RATE_MIN);
    if ours.snapshots > 0.0 {
        // The plain server has no hysteresis.
        near(
            "entities in view",
            figures.visible,
            ours.visible,
            if peer == Peer::Plain { 0.15 } else { 0.05 },
        );
    } else if scene.view_radius_m == ALL.1 {
        near("entities in view", figures.visible, f64::from(scene.clients + scene.drones), 0.05);
    }
    if matches!(peer, Peer::Floor | Peer::FloorWithReading) {
        near("bytes per client and second", figures.bytes, ours.bytes, 0.05);
        // A client sends one input per tick of its clock, which nobody steers here: that shows when each is another. And while
        // frames come late, which on a busy machine is chance, it acknowledges up to twice as often: the table says how often.
        let share = if scene.inputs == Inputs::EachTick { 0.6 } else { 0.4 };
        near("messages per client and second", figures.messages, ours.messages, share);
    }
}
