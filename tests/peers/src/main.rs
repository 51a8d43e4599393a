//! Measures Tickwire beside its peers, and writes what came of it: `tests/peers/run` and `tests/peers/report` build and
//! call this.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tickwire_peers::plan::{Cell, Inputs, Peer};
use tickwire_peers::results::Series;
use tickwire_peers::{report, series, servers};

#[derive(Parser)]
#[command(about = "Tickwire beside its peers: the same scene, the same measuring client")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures and writes results/SERIES.json.
    Run(RunArguments),
    /// Writes the part of BENCHMARKS.md and of README.md that the results make, and the plots.
    Report {
        /// Writes nothing; says whether what is there is what the results make.
        #[arg(long)]
        check: bool,
    },
}

#[derive(clap::Args)]
struct RunArguments {
    /// Whom to measure; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Peer>,
    /// At what: 50, 100, 200, interest, bodies; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    cells: Vec<Cell>,
    /// How inputs change; both by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    inputs: Vec<Inputs>,
    /// Runs of each; 2 or 3 by default.
    #[arg(long)]
    runs: Option<u32>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Nothing is begun that could not end within so many minutes.
    #[arg(long, default_value_t = 12.0)]
    minutes: f64,
    /// First of a hundred ports to use.
    #[arg(long, default_value_t = 22_500)]
    port: u16,
    /// Another file than results/series.json.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run(arguments),
        Command::Report { check } => report::write(check),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("peers: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: RunArguments) -> Result<(), String> {
    let chosen = |cell: &Cell| arguments.cells.is_empty() || arguments.cells.contains(cell);
    let wanted = |inputs: &Inputs| arguments.inputs.is_empty() || arguments.inputs.contains(inputs);
    let workloads = series::whole().into_iter().filter(|(cell, inputs, _)| chosen(cell) && wanted(inputs));
    let plan = series::Plan {
        peers: Peer::ALL
            .into_iter()
            .filter(|peer| arguments.only.is_empty() || arguments.only.contains(peer))
            .collect(),
        workloads: workloads
            .map(|(cell, inputs, runs)| (cell, inputs, arguments.runs.unwrap_or(runs)))
            .collect(),
        lasting: Duration::from_secs(arguments.seconds),
        within: Duration::from_secs_f64(arguments.minutes * 60.0),
        port: arguments.port,
    };
    let out = arguments.out.unwrap_or_else(|| servers::home().join("results/series.json"));
    tickwire_peers::dialects::bodies::record()?;
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]).output();
    let date = date.map_err(|error| error.to_string())?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let mut unsaved = Ok(());
    let series = series::run(&plan, date, |series| {
        if let Err(error) = save(series, &out) {
            unsaved = Err(error);
        }
    });
    unsaved?;
    match series.failures.first() {
        None => Ok(()),
        Some(failure) => Err(format!("{} measurements failed, first {failure:?}", series.failures.len())),
    }
}

fn save(series: &Series, out: &PathBuf) -> Result<(), String> {
    let text = serde_json::to_string_pretty(series).map_err(|error| error.to_string())?;
    std::fs::write(out, text + "\n").map_err(|error| format!("{}: {error}", out.display()))
}
