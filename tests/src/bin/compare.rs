//! The real server beside the yardstick of `plain_server`, in the same minute, with the same measuring client: all
//! clients see all, inputs change 2.5 times a second. Both servers are separate processes; their CPU time is read
//! from the system. Every snapshot is decoded.
//!
//! `cargo build --release -p tickwire-server -p tickwire-tests && target/release/compare --clients 200`

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use glam::Vec2;
use tickwire_demo::transport::{self, Connection, Event};
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaInput};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::{Micros, NetId};
use tickwire_tests::seeds::Dice;

/// Between changes of one client's input.
const HOLD_MICROS: u64 = 400_000;
/// Length of a unit of the system's CPU times, in microseconds (`getconf CLK_TCK` is 100 wherever this runs).
const CLOCK_TICK_MICROS: f64 = 10_000.0;

#[derive(Parser)]
#[command(about = "Compares the server with a plain full-state broadcast")]
struct Arguments {
    /// Clients that see each other.
    #[arg(long, default_value_t = 200)]
    clients: u32,
    /// Drones that all of them see.
    #[arg(long, default_value_t = 300)]
    drones: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Runs of each server, in turn; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Peer {
    Tickwire,
    Plain,
}

/// What all clients of one run counted together.
#[derive(Default)]
struct Counts {
    snapshots: AtomicU64,
    bytes: AtomicU64,
    mismatches: AtomicU64,
    entities: AtomicU64,
}

/// One run's figures.
#[derive(Clone, Copy, Debug)]
struct Figures {
    cpu_us_per_snapshot: f64,
    snapshots_per_client_s: f64,
    bytes_per_client_s: f64,
    rss_mib: f64,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for run in 0..arguments.runs {
        eprintln!("run {} of {}", run + 1, arguments.runs);
        ours.push(measure(Peer::Tickwire, &arguments).await);
        plain.push(measure(Peer::Plain, &arguments).await);
    }
    println!(
        "{} clients + {} drones, all see all, 30 Hz, {} s, medians of {} interleaved runs\n",
        arguments.clients, arguments.drones, arguments.seconds, arguments.runs
    );
    println!("{:<44} {:>12} {:>12} {:>8}", "", "tickwire", "plain", "ratio");
    row("server CPU, µs per (client × snapshot)", &ours, &plain, |figures| figures.cpu_us_per_snapshot);
    row("payload, bytes per client and second", &ours, &plain, |figures| figures.bytes_per_client_s);
    row("snapshots per client and second", &ours, &plain, |figures| figures.snapshots_per_client_s);
    row("resident memory, MiB", &ours, &plain, |figures| figures.rss_mib);
}

fn row(name: &str, ours: &[Figures], plain: &[Figures], figure: impl Fn(&Figures) -> f64) {
    let median = |runs: &[Figures]| {
        let mut values: Vec<_> = runs.iter().map(&figure).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (ours, plain) = (median(ours), median(plain));
    println!("{name:<44} {ours:>12.2} {plain:>12.2} {:>8.2}", plain / ours);
}

/// Ends its process however this program ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(peer: Peer, drones: u32) -> (Server, &'static str) {
    let here = std::env::current_exe().expect("a program knows where it is");
    let folder = here.parent().expect("a folder").to_owned();
    let (address, mut command) = match peer {
        Peer::Tickwire => {
            let mut command = Command::new(folder.join("tickwire-server"));
            command.args(["serve", "--listen", "127.0.0.1:7786", "--admin-listen", "127.0.0.1:7785"]);
            command.args(["--bots", "0", "--drones", &drones.to_string()]);
            command.env("RUST_LOG", "warn");
            ("127.0.0.1:7786", command)
        }
        Peer::Plain => {
            let mut command = Command::new(folder.join("plain_server"));
            command.args(["127.0.0.1:7787", &drones.to_string()]);
            ("127.0.0.1:7787", command)
        }
    };
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    (Server(child.expect("both servers are built: cargo build --release")), address)
}

async fn measure(peer: Peer, arguments: &Arguments) -> Figures {
    let (server, address) = start(peer, arguments.drones);
    let pid = server.0.id();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let counts = Arc::new(Counts::default());
    let mut tasks = Vec::new();
    for number in 0..arguments.clients {
        let endpoint = address.parse().expect("an address");
        let connection = transport::connect(&endpoint, None).await.expect("the server answers");
        tasks.push(tokio::spawn(play(peer, connection, number, Arc::clone(&counts))));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = (cpu_micros(pid), load(&counts));
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let after = (cpu_micros(pid), load(&counts));
    let rss_mib = rss_kib(pid) / 1024.0;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    drop(server);
    assert_eq!(counts.mismatches.load(Ordering::Relaxed), 0, "a replica differed");
    let seen = counts.entities.load(Ordering::Relaxed);
    let all = u64::from(arguments.clients + arguments.drones);
    assert!(seen + 20 >= all, "a client saw {seen} of {all} entities: that is not the same work");
    let snapshots = (after.1.0 - before.1.0) as f64;
    let client_seconds = f64::from(arguments.clients) * arguments.seconds as f64;
    Figures {
        cpu_us_per_snapshot: (after.0 - before.0) / snapshots,
        snapshots_per_client_s: snapshots / client_seconds,
        bytes_per_client_s: (after.1.1 - before.1.1) as f64 / client_seconds,
        rss_mib,
    }
}

fn load(counts: &Counts) -> (u64, u64) {
    (counts.snapshots.load(Ordering::Relaxed), counts.bytes.load(Ordering::Relaxed))
}

async fn play(peer: Peer, mut connection: Connection, number: u32, counts: Arc<Counts>) {
    let mut dice = Dice::new(u64::from(number));
    let mut session = Session::<Arena>::new(Identity::default()).expect("a schema");
    let mut change_at = Micros(0);
    let mut timer = tokio::time::interval(Duration::from_millis(33));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = connection.next() => {
                let Event::Message { bytes, at } = event else { return };
                take(peer, &bytes, at, &mut session, &counts);
            }
            _ = timer.tick() => {
                let now = tickwire_demo::time::now();
                if now >= change_at {
                    change_at = now.plus(HOLD_MICROS);
                    let walk = Vec2::new(dice.between(-1.0, 1.0), dice.between(-1.0, 1.0));
                    let input = ArenaInput::new(walk, dice.between(-3.0, 3.0), dice.one_in(8));
                    match peer {
                        Peer::Tickwire => session.set_input(input, now),
                        Peer::Plain => connection.send(codec::encode(&input)).await,
                    }
                }
            }
        }
        if peer == Peer::Tickwire {
            while session.poll_happening().is_some() {}
            while let Some(bytes) = session.poll_transmit(tickwire_demo::time::now()) {
                connection.send(bytes).await;
            }
        }
    }
}

fn take(peer: Peer, bytes: &[u8], at: Micros, session: &mut Session<Arena>, counts: &Counts) {
    counts.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    let seen = match peer {
        Peer::Tickwire => {
            session.handle_message(bytes, at).expect("valid messages");
            counts.mismatches.fetch_add(session.stats().mismatches, Ordering::Relaxed);
            session.replica().map_or(0, |replica| replica.slots().len() + 1)
        }
        Peer::Plain => {
            let state: (u32, Vec<(NetId, ArenaEntity)>) = codec::decode_blob(bytes).expect("valid messages");
            state.1.len()
        }
    };
    counts.snapshots.fetch_add(1, Ordering::Relaxed);
    counts.entities.fetch_max(seen as u64, Ordering::Relaxed);
}

/// CPU time of a process, user and system.
fn cpu_micros(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the server runs");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    fields.iter().sum::<f64>() * CLOCK_TICK_MICROS
}

fn rss_kib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}
