//! `bench rooms`: one server with many small rooms. First with the default room alone, asleep; then swarm clients play in all rooms,
//! while ticks are timed by the server's own metrics and the metrics are asked for as often as a dashboard does; at last everybody
//! has left and all rooms sleep: what the process takes then beyond what it took at first is what sleeping rooms cost.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tickwire_server::config::units::parse_duration;

use super::machine::{self, Machine};
use super::now;
use super::processes::{Addresses, Programs, RigArgs, Running};
use super::scrape::{self, Metrics};
use crate::commands::{fail, refuse};

/// Clients that join per second.
const RAMP_PER_S: usize = 400;
/// How long joining may take besides, and falling asleep (the sessions end with a goodbye, then it is `room_suspend_after`).
const JOINED_WITHIN: Duration = Duration::from_secs(30);
const ASLEEP_WITHIN: Duration = Duration::from_secs(40);
/// By then memory that rooms held is the system's again.
const GIVEN_BACK: Duration = Duration::from_secs(8);
/// The world settles before it is measured.
const SETTLE: Duration = Duration::from_millis(2500);
/// What the swarm plays longer than is measured.
const BESIDES_S: u64 = 4;
/// Shares of the ticks.
const SHARES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// What `bench rooms` is asked.
#[derive(Args)]
pub(crate) struct RoomsArgs {
    /// Rooms besides the default one
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rooms: u32,
    /// Clients in each
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    clients_per_room: u32,
    /// Drones in each
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1000))]
    drones: u32,
    /// Ticks per second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=240))]
    tick_hz: u16,
    /// How long each of the three parts is measured
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=3600))]
    seconds: u64,
    /// How often the metrics are asked for while clients play
    #[arg(long, value_name = "R", default_value_t = 2.0)]
    scrapes_per_s: f64,
    /// Exit with 1 when 1 in 100 ticks begins later than this
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    lateness_p99: Option<Duration>,
    /// Exit with 1 when 1 in 100 scrapes takes longer than this
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    scrape_p99: Option<Duration>,
    /// Exit with 1 when a sleeping room costs more CPU than so many microseconds per second
    #[arg(long, value_name = "MICROS")]
    sleeping_us_max: Option<f64>,
    /// How much the swarm stands back behind the server, as `nice` counts: clients stand for other machines
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=19))]
    swarm_nice: u8,
    #[command(flatten)]
    rig: RigArgs,
    /// Write all that was measured there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is written with `--json`.
#[derive(Serialize)]
struct Results {
    bench: &'static str,
    version: &'static str,
    machine: Machine,
    rooms: u32,
    clients_per_room: u32,
    drones: u32,
    tick_hz: u16,
    swarm_nice: u8,
    seconds: u64,
    playing: Playing,
    sleeping: Sleeping,
    /// What was more than it was allowed to be.
    exceeded: Vec<String>,
}

/// While clients are in all rooms. Shares of ticks are p50, p90, p99 and p99.9.
#[derive(Serialize)]
struct Playing {
    ticks: u64,
    skipped: u64,
    lateness_ms: [f64; SHARES.len()],
    /// Since the server began, joins included.
    lateness_max_ms: f64,
    tick_ms: [f64; SHARES.len()],
    /// p50, p99, the longest.
    scrape_ms: [f64; 3],
    scrapes: usize,
    server_cores: f64,
    swarm_cores: f64,
    other_cores: f64,
    server_resident_mib: f64,
    /// The swarm's whole report.
    swarm: Value,
}

/// While nobody is.
#[derive(Serialize)]
struct Sleeping {
    /// Of the process with one sleeping room, and with all of them.
    cores_before: f64,
    cores: f64,
    /// The difference, by rooms: microseconds of CPU per second.
    us_per_room_s: f64,
    resident_mib_before: f64,
    resident_mib: f64,
    /// The difference, by rooms, the games' own state included, and whatever the allocator keeps of what rooms had before.
    resident_kib_per_room: f64,
}

/// Runs it and prints what it found.
pub(crate) fn run(args: &RoomsArgs) -> Result<(), ExitCode> {
    let results = measure(args).map_err(|why| refuse(&why))?;
    print!("{}", results.sentences());
    if let Some(path) = &args.json {
        let text = serde_json::to_string(&results).map_err(|error| fail(&error))?;
        std::fs::write(path, text).map_err(|error| fail(&format!("{}: {error}", path.display())))?;
    }
    if results.exceeded.is_empty() { Ok(()) } else { Err(ExitCode::FAILURE) }
}

fn measure(args: &RoomsArgs) -> Result<Results, String> {
    let machine = Machine::look();
    let clients = (args.rooms * args.clients_per_room) as usize;
    let programs = Programs::find(&args.rig, clients + args.rooms as usize)?.nice(args.swarm_nice);
    let at = Addresses::new(args.rig.port)?;
    let server = programs.start_server(&args.server_flags(), clients, at)?;
    let metrics = || scrape::metrics(at.admin).map_err(|error| error.to_string());
    let asleep = |rooms: u32| {
        let all = || metrics().map(|metrics| metrics.value("sleeping_rooms") >= f64::from(rooms));
        wait("rooms sleep", ASLEEP_WITHIN, all)
    };
    asleep(1)?;
    let (cores_before, mib_before) = at_rest(&server, args.seconds);
    eprintln!("at rest; now {clients} clients join {} rooms", args.rooms);

    let mut swarm = programs.start_bots(&args.bots_flags(), clients, at.public)?;
    wait("all clients joined", JOINED_WITHIN + Duration::from_secs((clients / RAMP_PER_S) as u64), || {
        if swarm.is_over() {
            return Err("the clients ended early".to_owned());
        }
        metrics().map(|metrics| metrics.value("clients") >= clients as f64)
    })?;
    std::thread::sleep(SETTLE);
    let playing = Playing::measure(args, &server, swarm, &metrics)?;
    eprintln!("everybody has left; now all rooms fall asleep");

    asleep(args.rooms + 1)?;
    std::thread::sleep(GIVEN_BACK);
    let (cores, mib) = at_rest(&server, args.seconds);
    let by_room = |difference: f64| difference / f64::from(args.rooms);
    let sleeping = Sleeping {
        cores_before,
        cores,
        us_per_room_s: by_room((cores - cores_before) * 1e6),
        resident_mib_before: mib_before,
        resident_mib: mib,
        resident_kib_per_room: by_room((mib - mib_before) * 1024.0),
    };
    let exceeded = args.exceeded(&playing, &sleeping);
    let RoomsArgs { rooms, clients_per_room, drones, tick_hz, swarm_nice, seconds, .. } = *args;
    let version = env!("CARGO_PKG_VERSION");
    Ok(Results {
        bench: "rooms",
        version,
        machine,
        rooms,
        clients_per_room,
        drones,
        tick_hz,
        swarm_nice,
        seconds,
        playing,
        sleeping,
        exceeded,
    })
}

impl RoomsArgs {
    fn server_flags(&self) -> [(&'static str, String); 4] {
        [
            ("--bots", "0".to_owned()),
            ("--drones", self.drones.to_string()),
            ("--tick-hz", self.tick_hz.to_string()),
            ("--rooms-max", (self.rooms + 1).to_string()),
        ]
    }

    fn bots_flags(&self) -> Vec<(&'static str, String)> {
        let mut flags = self.rig.bots_flags(RAMP_PER_S, self.seconds + BESIDES_S);
        flags.push(("--rooms", self.rooms.to_string()));
        flags
    }

    fn exceeded(&self, playing: &Playing, sleeping: &Sleeping) -> Vec<String> {
        let ms = |limit: Option<Duration>| limit.map(|limit| limit.as_secs_f64() * 1e3);
        [
            ("lateness at p99, ms", playing.lateness_ms[2], ms(self.lateness_p99)),
            ("a scrape at p99, ms", playing.scrape_ms[1], ms(self.scrape_p99)),
            ("CPU of a sleeping room, µs per second", sleeping.us_per_room_s, self.sleeping_us_max),
        ]
        .into_iter()
        .filter_map(|(what, value, limit)| Some((what, value, limit.filter(|limit| value > *limit)?)))
        .map(|(what, value, limit)| format!("{what}: {value:.1}, and at most {limit} was allowed"))
        .collect()
    }
}

impl Playing {
    fn measure(
        args: &RoomsArgs,
        server: &Running,
        swarm: Running,
        metrics: &dyn Fn() -> Result<Metrics, String>,
    ) -> Result<Self, String> {
        let cpu = || [server.cpu_s(), swarm.cpu_s(), machine::busy_s()].map(Option::unwrap_or_default);
        let (began, cpu_before, before) = (now(), cpu(), metrics()?);
        let mut scrapes = Vec::new();
        while began.elapsed() < Duration::from_secs(args.seconds) {
            std::thread::sleep(Duration::from_secs_f64(1.0 / args.scrapes_per_s.clamp(0.1, 100.0)));
            let asked = now();
            metrics()?;
            scrapes.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        let (cpu_after, after, seconds) = (cpu(), metrics()?, began.elapsed().as_secs_f64());
        let resident = server.resident_mib().unwrap_or_default();
        let output = swarm.output(Duration::from_secs(BESIDES_S) + JOINED_WITHIN)?;
        let swarm: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("`tickwire-demo bots --json` said what is no report: {error}"))?;
        let passed = after.since(&before);
        let at = |name: &str| SHARES.map(|share| passed.quantile_ms(name, "", share).unwrap_or_default());
        let [server_s, swarm_s, busy_s] = [0, 1, 2].map(|who| (cpu_after[who] - cpu_before[who]) / seconds);
        scrapes.sort_unstable_by(f64::total_cmp);
        let scrape =
            |share: f64| scrapes.get((scrapes.len() as f64 * share) as usize).or(scrapes.last()).copied();
        Ok(Self {
            ticks: passed.value("ticks_total") as u64,
            skipped: passed.value("tick_skipped_total") as u64,
            lateness_ms: at("tick_lateness_seconds"),
            lateness_max_ms: after.value("tick_lateness_max_seconds") * 1e3,
            tick_ms: at("tick_whole_seconds"),
            scrape_ms: [0.5, 0.99, 1.0].map(|share| scrape(share).unwrap_or_default()),
            scrapes: scrapes.len(),
            server_cores: server_s,
            swarm_cores: swarm_s,
            other_cores: (busy_s - server_s - swarm_s).max(0.0),
            server_resident_mib: resident,
            swarm,
        })
    }
}

impl Results {
    fn sentences(&self) -> String {
        let Playing { lateness_ms: late, tick_ms: tick, scrape_ms: scrape, swarm, .. } = &self.playing;
        let Playing { server_cores, swarm_cores, other_cores, .. } = self.playing;
        let Sleeping { cores_before, cores, resident_mib_before, resident_mib, .. } = self.sleeping;
        let number = |path: &str| swarm.pointer(path).and_then(Value::as_f64).unwrap_or_default();
        let mut text = format!(
            "{} rooms, {} clients in each, {} Hz, {} s of {} ticks, {} skipped (p50, p90, p99, p99.9)\n\
             ticks began late  {:.2}, {:.2}, {:.2}, {:.2} ms; at most {:.1} since the start\n\
             ticks took        {:.2}, {:.2}, {:.2}, {:.2} ms\n\
             one scrape took   {:.1} ms at p50, {:.1} at p99, {:.1} at most, of {}\n",
            self.rooms,
            self.clients_per_room,
            self.tick_hz,
            self.seconds,
            self.playing.ticks,
            self.playing.skipped,
            late[0],
            late[1],
            late[2],
            late[3],
            self.playing.lateness_max_ms,
            tick[0],
            tick[1],
            tick[2],
            tick[3],
            scrape[0],
            scrape[1],
            scrape[2],
            self.playing.scrapes,
        );
        text += &format!(
            "cores             server {server_cores:.2}, swarm {swarm_cores:.2}, others {other_cores:.2}; server {:.0} MiB\n\
             clients           {} snapshots per second at p1, input to visible {:.1} ms at p50, {} mismatches\n\
             asleep            {:.1} µs of CPU per room and second ({cores:.4} cores, {cores_before:.4} with one room), \
             {:.0} KiB resident per room ({resident_mib:.0} MiB, {resident_mib_before:.0} with one room)\n",
            self.playing.server_resident_mib,
            number("/snapshots_per_client_s/p1"),
            number("/input_to_visible_ms/p50"),
            number("/state_mismatches"),
            self.sleeping.us_per_room_s,
            self.sleeping.resident_kib_per_room,
        );
        self.exceeded.iter().for_each(|line| text += &format!("{line}\n"));
        text
    }
}

/// CPU as a share of one core, and resident memory in MiB, of a process with which nobody talks meanwhile.
fn at_rest(server: &Running, seconds: u64) -> (f64, f64) {
    let (began, before) = (now(), server.cpu_s().unwrap_or_default());
    std::thread::sleep(Duration::from_secs(seconds));
    let cores = (server.cpu_s().unwrap_or_default() - before) / began.elapsed().as_secs_f64();
    (cores, server.resident_mib().unwrap_or_default())
}

fn wait(what: &str, within: Duration, mut holds: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let began = now();
    while !holds()? {
        if began.elapsed() > within {
            return Err(format!("never: {what}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
