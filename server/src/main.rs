//! The binary: reads the command line and runs the demo arena. The only place besides tests that names it.

#[cfg(target_os = "linux")]
mod bench;
mod commands;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tickwire_server::arena::ArenaGame;
use tickwire_server::auth::{Wanted, mint};
use tickwire_server::config::Config;
use tickwire_server::config::units::parse_duration;
use tickwire_server::host::recording::{Divergence, Outcome, replay};
use tickwire_shared::Protocol;
use tickwire_shared::arena::Arena;
use tickwire_shared::schema::{Schema, diff};

use commands::flags::{ConfigArgs, check_config, print_config};
use commands::healthcheck::healthcheck;
use commands::serve::serve;
use commands::{EXIT_USAGE, fail, refuse};

/// A replay says how far it is this often.
const REPLAY_SHOWS_EVERY_TICKS: u64 = 1000;

/// Authoritative multiplayer state server over WebSocket, with a demo arena.
#[derive(Parser)]
#[command(name = "tickwire-server", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command it serves.\n\nExample: tickwire-server --tick-hz 20 --bots 12")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ConfigArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    #[command(after_help = "Example: tickwire-server serve --listen 127.0.0.1:9000 --drones 300")]
    Serve(ConfigArgs),
    /// Exits with 0 when the configuration makes sense, else with 2 and the reason.
    #[command(after_help = "Example: tickwire-server check-config --config tickwire.toml")]
    CheckConfig(ConfigArgs),
    /// Prints the effective configuration as TOML.
    #[command(after_help = "Example: TICKWIRE_TICK_HZ=20 tickwire-server print-config > tickwire.toml")]
    PrintConfig {
        /// Prints CONFIG.md instead: every key with its default and the reason for it.
        #[arg(long)]
        reference: bool,
        #[command(flatten)]
        args: Box<ConfigArgs>,
    },
    /// Exits with 0 when a server is ready for players, else with 1.
    #[command(after_help = "Example: tickwire-server healthcheck --url http://127.0.0.1:7777/readyz")]
    Healthcheck {
        /// What to ask.
        #[arg(long, default_value = "http://127.0.0.1:7777/readyz")]
        url: String,
    },
    /// Runs a recording of a room again; exits with 1 at the first tick that is not what was recorded.
    #[command(after_help = "Example: tickwire-server --record-dir recordings\n         \
                            tickwire-server replay recordings/main.twrec")]
    Replay {
        /// Made by a server with --record-dir.
        file: PathBuf,
        /// The last tick to run.
        #[arg(long, value_name = "TICK")]
        to: Option<u64>,
    },
    /// Measures how much this server carries on this machine.
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Signs a token for development and prints it.
    #[command(after_help = "Example: openssl rand -hex 32 > secret\n         \
                            tickwire-server token --key secret --name ann --room main --expires-in 1h")]
    Token(TokenArgs),
    /// Prints the schema of the arena, or compares two.
    #[command(after_help = "Example: tickwire-server schema --json > new.json\n         \
                            tickwire-server schema diff old.json new.json")]
    #[command(args_conflicts_with_subcommands = true)]
    Schema {
        #[command(subcommand)]
        command: Option<SchemaCommand>,
        /// As JSON, to be kept and compared later.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum SchemaCommand {
    /// Prints what breaks which client; exits with 1 when there is a difference.
    #[command(after_help = "Example: tickwire-server schema diff old.json new.json")]
    Diff {
        /// Made by `schema --json`.
        old: PathBuf,
        /// Made by `schema --json`.
        new: PathBuf,
    },
}

#[derive(Args)]
struct TokenArgs {
    /// A private key in PEM (Ed25519 or RSA), or the secret that the server has as --auth-secret.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Display name of its bearer.
    #[arg(long)]
    name: Option<String>,
    /// A room where its bearer may play; may be repeated. Without it, everywhere.
    #[arg(long)]
    room: Vec<String>,
    /// Who its bearer is, for the server's log.
    #[arg(long)]
    subject: Option<String>,
    /// The server that it is for.
    #[arg(long, default_value = "tickwire")]
    audience: String,
    /// How long it is good for.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    expires_in: Duration,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => args.clone().load().and_then(|config| serve(config, args)),
        Command::CheckConfig(args) => check_config(args),
        Command::PrintConfig { reference: true, .. } => {
            print!("{}", Config::reference());
            Ok(())
        }
        Command::PrintConfig { args, .. } => args.load().and_then(|config| print_config(&config)),
        Command::Healthcheck { url } => healthcheck(&url).map_err(|error| fail(&error)),
        Command::Replay { file, to } => run_again(&file, to),
        #[cfg(target_os = "linux")]
        Command::Bench(bench) => bench::run(bench),
        Command::Token(args) => token(args),
        Command::Schema { command: Some(SchemaCommand::Diff { old, new }), .. } => diff_files(&old, &new),
        Command::Schema { command: None, json } => print_schema(json),
    };
    done.err().unwrap_or(ExitCode::SUCCESS)
}

fn run_again(path: &Path, to: Option<u64>) -> Result<(), ExitCode> {
    let unusable = |why: &dyn std::fmt::Display| refuse(&format!("{}: {why}", path.display()));
    let file = std::fs::read(path).map_err(|error| unusable(&error))?;
    let progress = |tick: u64, entities: usize| {
        if tick.is_multiple_of(REPLAY_SHOWS_EVERY_TICKS) {
            println!("tick {tick}: {entities} entities, equal");
        }
    };
    let Outcome { header, ticks, last_tick, missed_ticks, is_cut, panicked, divergence } =
        replay::<ArenaGame>(&file, to, |tick, world| progress(tick, world.len()))
            .map_err(|error| unusable(&error))?;
    println!(
        "room {}, seed {}, {} Hz, recorded by {}",
        header.room, header.seed, header.tick_hz, header.version
    );
    if missed_ticks > 0 {
        println!("{missed_ticks} ticks are not in the recording: the disk was too slow for them");
    }
    if is_cut {
        println!("the end of the file is missing; the complete ticks count");
    }
    if let Some(Divergence { tick, differences, unnamed }) = divergence {
        println!("{ticks} ticks are equal, tick {tick} is the first that differs:");
        differences.iter().for_each(|difference| println!("  {difference}"));
        if unnamed > 0 {
            println!("  and {unnamed} more");
        }
        return Err(ExitCode::FAILURE);
    }
    println!("{ticks} ticks are equal, the last is tick {last_tick}");
    if panicked {
        println!("the room ended by a panic there, as recorded");
    }
    Ok(())
}

fn token(args: TokenArgs) -> Result<(), ExitCode> {
    let TokenArgs { key, name, room, subject, audience, expires_in } = args;
    let unusable = |why: &dyn std::fmt::Display| refuse(&format!("--key {}: {why}", key.display()));
    let bytes = std::fs::read(&key).map_err(|error| unusable(&error))?;
    let wanted = Wanted { subject, name, rooms: room, audience, lifetime: expires_in };
    println!("{}", mint(&bytes, wanted).map_err(|error| unusable(&error))?);
    Ok(())
}

fn print_schema(json: bool) -> Result<(), ExitCode> {
    let schema = Arena::schema();
    if json {
        println!("{}", serde_json::to_string_pretty(&schema).map_err(|error| fail(&error))?);
    } else {
        println!("{:032x}", schema.hash());
        schema.describe().iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}

fn diff_files(old: &Path, new: &Path) -> Result<(), ExitCode> {
    let (old, new) = (read_schema(old)?, read_schema(new)?);
    let differences = diff(&old, &new);
    if differences.is_empty() {
        println!("No difference: clients of one are clients of the other.");
        return Ok(());
    }
    differences.iter().for_each(|difference| println!("{}: {}", difference.part, difference.what));
    println!("Each of these breaks clients of the other schema (close code 4001).");
    Err(ExitCode::FAILURE)
}

fn read_schema(path: &Path) -> Result<Schema, ExitCode> {
    let refuse = |why: &dyn std::fmt::Display| {
        eprintln!("tickwire-server: {} is no schema made by `schema --json`: {why}", path.display());
        ExitCode::from(EXIT_USAGE)
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    serde_json::from_str(&text).map_err(|error| refuse(&error))
}
