//! `bench capacity`: doubles the clients until something breaks, then bisects, each time with a server and a swarm of their
//! own, and says how many were fine and what broke beyond. It never takes longer than it says at its beginning.

mod plot;

mod probe;

mod results;

mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tickwire_server::config::units::parse_duration;

use probe::Probe;
use results::Results;
use verdict::{Limits, Part};

use super::now;
use super::processes::{Programs, RigArgs};
use crate::commands::refuse;

/// Clients that join per second.
const RAMP_PER_S: usize = 250;
/// How far a client sees, in metres: the arena's size follows from that.
const VIEW_RADIUS_M: u16 = 64;
/// Of the arena, in metres.
const SIZE_M: std::ops::RangeInclusive<f64> = 50.0..=4000.0;
/// What a probe takes besides ramp and measurement: a server that begins, a world that settles, clients that leave.
const PROBE_OVERHEAD: Duration = Duration::from_secs(5);
/// So often one is made again that broke while other programs had the machine.
const AGAIN_MAX: usize = 3;

/// What `bench capacity` is asked.
#[derive(Args)]
pub(crate) struct CapacityArgs {
    /// Search for the largest number of clients; so without --clients
    #[arg(long)]
    find_max: bool,
    /// Measure this number of clients only, and exit with 1 when it is too many
    #[arg(long, value_name = "N", conflicts_with = "find_max")]
    clients: Option<usize>,
    /// 99 of 100 ticks take this long at most
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = parse_duration)]
    p99: Duration,
    /// What of a tick that is about: all of it, or hearing clients and the step, without packing and sending
    #[arg(long, value_enum, value_name = "PART", default_value = "whole")]
    part: Part,
    /// 99 of 100 ticks begin this much after their deadline at most
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = parse_duration)]
    lateness_p99: Duration,
    /// 99 of 100 states at the clients are replaced before they are this old; three ticks when left out
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    staleness_p99: Option<Duration>,
    /// Ticks per second
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=240))]
    tick_hz: u16,
    /// Entities that each client sees, about: the arena is as large as that takes
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=2000))]
    visible: u16,
    /// Exit with 1 when fewer clients than this are fine
    #[arg(long, value_name = "N")]
    at_least: Option<usize>,
    /// How long each number is measured
    #[arg(long, value_name = "S", default_value_t = 6, value_parser = clap::value_parser!(u64).range(2..=3600))]
    seconds: u64,
    /// The first number that is tried
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = at_least_one)]
    start: usize,
    /// The largest number that is tried
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = at_least_one)]
    most: usize,
    /// How close the answer is, as a share of it
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    precision: f64,
    /// Ends the search with what is known by then
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = parse_duration)]
    within: Duration,
    #[command(flatten)]
    rig: RigArgs,
    /// Write all that was measured there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw it there
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a number from 1 on".to_owned())
}

impl CapacityArgs {
    fn limits(&self) -> Limits {
        let three_ticks = Duration::from_secs(3) / u32::from(self.tick_hz);
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        Limits {
            part: self.part,
            tick_p99_ms: ms(self.p99),
            lateness_p99_ms: ms(self.lateness_p99),
            staleness_p99_ms: ms(self.staleness_p99.unwrap_or(three_ticks)),
        }
    }

    /// An arena in which so many clients see as many entities as asked for.
    fn server_flags(&self, clients: usize) -> [(&'static str, String); 6] {
        [
            ("--bots", "0".to_owned()),
            ("--drones", "0".to_owned()),
            ("--tick-hz", self.tick_hz.to_string()),
            ("--size-m", size_m(clients, self.visible).to_string()),
            ("--view-radius-m", VIEW_RADIUS_M.to_string()),
            ("--room-capacity", (clients + 1).to_string()),
        ]
    }

    fn probe_time(&self, clients: usize) -> Duration {
        Duration::from_secs((clients / RAMP_PER_S) as u64 + self.seconds) + PROBE_OVERHEAD
    }
}

/// Searches, and writes what it found.
pub(crate) fn run(args: &CapacityArgs) -> Result<(), ExitCode> {
    let unusable = |why: String| refuse(&why);
    // Looked at before anything is pinned.
    let (mut results, bounds) = (Results::new(args), plan(args));
    let programs = Programs::find(&args.rig, args.most.max(args.clients.unwrap_or(0))).map_err(unusable)?;
    let began = now();
    eprintln!(
        "at most {} probes of {} s each and {} s in all; {}",
        bounds.probes,
        args.seconds,
        bounds.time.as_secs(),
        results.conditions()
    );
    let mut search = Search::new(args);
    while let Some(clients) = search.next() {
        let left = bounds.time.saturating_sub(began.elapsed());
        if left < args.probe_time(clients) {
            results.cut_short(clients);
            break;
        }
        eprint!("{clients:6} clients ... ");
        let mut probe = Probe::run(args, &programs, clients).map_err(unusable)?;
        if probe.is_worth_again() && results.again < AGAIN_MAX && args.probe_time(clients) * 2 < left {
            results.again += 1;
            eprintln!("{}\n         other programs had the machine: once more", probe.line());
            eprint!("{clients:6} clients ... ");
            probe = Probe::run(args, &programs, clients).map_err(unusable)?;
        }
        eprintln!("{}", probe.line());
        search.note(clients, probe.is_fine());
        results.take(probe);
    }
    results.finish(search.fine, began.elapsed());
    print!("{results}");
    results.write(args).map_err(unusable)?;
    if results.passed() { Ok(()) } else { Err(ExitCode::FAILURE) }
}

/// Of the square in which so many are spread so that each sees as many as asked for.
fn size_m(clients: usize, visible: u16) -> u32 {
    let radius = f64::from(VIEW_RADIUS_M);
    let area = std::f64::consts::PI * radius * radius * clients as f64 / f64::from(visible);
    area.sqrt().clamp(*SIZE_M.start(), *SIZE_M.end()) as u32
}

/// How much it may take.
struct Bounds {
    probes: usize,
    time: Duration,
}

fn plan(args: &CapacityArgs) -> Bounds {
    let (mut search, mut probes, mut time) = (Search::new(args), AGAIN_MAX, Duration::ZERO);
    time += args.probe_time(args.most) * AGAIN_MAX as u32;
    // The longest way there is: everything is fine but the very most, and what is between is searched.
    while let Some(clients) = search.next() {
        (probes, time) = (probes + 1, time + args.probe_time(clients));
        search.note(clients, clients < args.most);
    }
    Bounds { probes, time: time.min(args.within) }
}

/// What is tried next: twice as many until something breaks, then the middle.
#[derive(Clone, Debug)]
struct Search {
    /// The most that were fine.
    fine: usize,
    /// The fewest that were not.
    broken: Option<usize>,
    start: usize,
    most: usize,
    precision: f64,
    /// One number only.
    single: bool,
}

impl Search {
    fn new(args: &CapacityArgs) -> Self {
        let (start, most) = args.clients.map_or((args.start, args.most), |clients| (clients, clients));
        let (fine, single) = (0, args.clients.is_some());
        Self { fine, broken: None, start: start.min(most), most, precision: args.precision.max(0.01), single }
    }

    fn next(&self) -> Option<usize> {
        match self.broken {
            None if self.fine >= self.most => None,
            None if self.fine == 0 => Some(self.start),
            None => Some((self.fine * 2).min(self.most)),
            Some(_) if self.single => None,
            Some(broken) => {
                let middle = (self.fine + broken) / 2;
                let near = (broken - self.fine) as f64 <= (broken as f64 * self.precision).max(1.0);
                (!near && middle > 0).then_some(middle)
            }
        }
    }

    fn note(&mut self, clients: usize, fine: bool) {
        if fine {
            self.fine = self.fine.max(clients);
        } else {
            self.broken = Some(self.broken.map_or(clients, |broken| broken.min(clients)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(start: usize, most: usize) -> Search {
        Search { fine: 0, broken: None, start, most, precision: 0.05, single: false }
    }

    #[test]
    fn finds_whatever_there_is_in_few_steps() {
        for truth in [1, 7, 249, 250, 1000, 1713, 3999, 4000, 9000] {
            let mut search = search(250, 4000);
            let mut steps = 0;
            while let Some(clients) = search.next() {
                search.note(clients, clients <= truth);
                steps += 1;
                assert!(steps <= 16, "{truth} takes more than {steps} steps");
            }
            let reached = truth.min(4000);
            assert!(search.fine <= reached, "{} of {truth}", search.fine);
            assert!(search.fine as f64 >= reached as f64 * 0.94 - 1.0, "{} of {truth}", search.fine);
        }
    }

    #[test]
    fn the_arena_is_as_large_as_the_view_takes() {
        assert_eq!(size_m(1500, 60), 567);
        assert_eq!(size_m(10, 2000), 50);
    }

    #[test]
    fn one_number_is_tried_once() {
        let mut search = Search { single: true, ..search(500, 500) };
        assert_eq!(search.next(), Some(500));
        search.note(500, false);
        assert_eq!((search.next(), search.fine), (None, 0));
    }
}
