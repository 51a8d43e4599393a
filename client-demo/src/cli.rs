//! The command line: what can be asked for, and what the exit code says. 0 is fine, 1 is a failure at run time,
//! 2 is bad usage.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tickwire_shared::limits::{NAME_BYTES_MAX, ROOM_BYTES_MAX};
use tickwire_shared::wire::message::AccessToken;

use crate::bots::{self, BotsConfig, CLIENTS_MAX, Expectations, Progress, Style};
use crate::endpoint::{Endpoint, Security, Trust};
use crate::link::{LinkProfile, Stall};
use crate::play::{self, PlayConfig, PlayError};
use crate::probe::{self, Afterwards, ProbeConfig};

/// Exit code of bad usage.
const USAGE: u8 = 2;
/// Longest measurement, in seconds.
const SECONDS_MAX: f64 = 86_400.0;

/// The demo client of Tickwire. Without a command it plays.
#[derive(Parser, Debug)]
#[command(name = "tickwire-demo", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Example: tickwire-demo bots --clients 50 --seconds 10")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    play: PlayArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Play in a window
    #[command(after_help = "Example: tickwire-demo play ws://127.0.0.1:7777/ws --name ann")]
    Play(PlayArgs),
    /// Let many clients play at once, and measure
    #[command(after_help = "Example: tickwire-demo bots --clients 200 --seconds 30 --profile wifi --json")]
    Bots(Box<BotsArgs>),
    /// Join for a moment and say whether the server is healthy
    #[command(after_help = "Example: tickwire-demo probe 127.0.0.1:7777")]
    Probe(ProbeArgs),
}

/// Where the server is, and what to show it.
#[derive(Args, Debug)]
struct ServerArgs {
    /// The server: wss://host, ws://host:port/path, https://host, http://host:port or host:port
    #[arg(default_value_t)]
    url: Endpoint,
    /// Believe servers that the authorities in this PEM file vouch for, in place of those of the web
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Believe whoever answers; for development certificates
    #[arg(long, conflicts_with = "tls_ca")]
    tls_insecure: bool,
    /// A file with the token that this server wants, as `tickwire-server token` prints it
    #[arg(long, value_name = "FILE", value_parser = read_token)]
    token_file: Option<AccessToken>,
}

/// Not the token itself: others can read command lines.
fn read_token(path: &str) -> Result<AccessToken, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(AccessToken::from(text.trim().to_owned()))
}

impl ServerArgs {
    fn parts(self) -> (Endpoint, Option<AccessToken>) {
        let trust = match self.tls_ca {
            Some(file) => Trust::File(file),
            None if self.tls_insecure => Trust::Anything,
            None => Trust::Web,
        };
        let endpoint = match self.url.security {
            Security::Plain => self.url,
            Security::Tls(_) => Endpoint { security: Security::Tls(trust), ..self.url },
        };
        (endpoint, self.token_file)
    }
}

#[derive(Args, Debug)]
struct PlayArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Display name
    #[arg(long, default_value = "player", value_parser = short::<NAME_BYTES_MAX>)]
    name: String,
    /// Room; the server's default one when left out
    #[arg(long, default_value = "", hide_default_value = true, value_parser = short::<ROOM_BYTES_MAX>)]
    room: String,
}

#[derive(Args, Debug)]
struct BotsArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clients)]
    clients: usize,
    /// How long is measured, once everybody has joined
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Room; the server's default one when left out
    #[arg(long, default_value = "", hide_default_value = true, value_parser = short::<ROOM_BYTES_MAX>)]
    room: String,
    /// Rooms that they are spread over, called by the room's name and a number
    #[arg(long, value_name = "N", default_value_t = 1)]
    rooms: usize,
    /// Link to imitate, each way: lan, wifi, mobile, bad or delay=80ms,jitter=20ms,rate=1Mbit,stall=2s/30s
    #[arg(long)]
    profile: Option<LinkProfile>,
    /// Clients that join per second
    #[arg(long, value_name = "R/s", default_value = "100/s", value_parser = ramp)]
    ramp: f64,
    /// How they play: wander, crowd, fight or idle; several, with commas between, are dealt out in turn
    #[arg(long, value_name = "STYLE", value_delimiter = ',', default_value = "wander")]
    style: Vec<Style>,
    /// How often each client's input changes, at random moments; the style decides when left out
    #[arg(long, value_name = "R/s", value_parser = ramp)]
    input_rate: Option<f64>,
    /// Share of the clients that read whole frames and verify checksums; the others read only what they need to answer
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    decode_share: f64,
    /// Clients of the whole swarm that leave per second, at random, and come back as somebody new 1 to 3 s later
    #[arg(long, value_name = "R/s", value_parser = ramp)]
    churn: Option<f64>,
    /// Each client neither reads nor writes for so long, so often, for example 2s/30s
    #[arg(long, value_name = "LEN/EVERY", value_parser = stall)]
    stall: Option<Stall>,
    /// Each client cuts its connection this often, in seconds, and comes back
    #[arg(long, value_name = "S", value_parser = seconds)]
    cut_every: Option<f64>,
    /// Decides every input
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    expectations: Expectations,
}

#[derive(Args, Debug)]
struct ProbeArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Room; the server's default one when left out
    #[arg(long, default_value = "", hide_default_value = true, value_parser = short::<ROOM_BYTES_MAX>)]
    room: String,
    /// How long it looks
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Cut the connection then, come back to the session, and look for as long again
    #[arg(long)]
    resume: bool,
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Play(cli.play)) {
        Command::Play(PlayArgs { server, name, room }) => {
            let (endpoint, token) = server.parts();
            match play::run(&PlayConfig { endpoint, name, room, token }) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error}");
                    match error {
                        PlayError::NoWindow => ExitCode::from(USAGE),
                        PlayError::Window(_) => ExitCode::FAILURE,
                    }
                }
            }
        }
        Command::Bots(arguments) => run(bots(*arguments)),
        Command::Probe(arguments) => run(probe(arguments)),
    }
}

/// Runs a command in a runtime; the error is a sentence for whoever typed it.
fn run(command: impl Future<Output = Result<(), String>>) -> ExitCode {
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn bots(arguments: BotsArgs) -> Result<(), String> {
    let BotsArgs {
        server,
        clients,
        seconds,
        room,
        rooms,
        profile,
        ramp,
        style,
        input_rate,
        decode_share,
        churn,
        stall,
        cut_every,
        seed,
        json,
        expectations,
    } = arguments;
    let (endpoint, token) = server.parts();
    let report = bots::run(BotsConfig {
        endpoint,
        token,
        clients,
        duration: Duration::from_secs_f64(seconds),
        room,
        rooms,
        profile,
        ramp_per_second: ramp,
        styles: style,
        changes_per_s: input_rate,
        decode_share,
        churn_per_s: churn,
        stall,
        cut_every: cut_every.map(Duration::from_secs_f64),
        seed,
        progress: Progress::Shown,
    })
    .await
    .map_err(|error| error.to_string())?;
    if json {
        println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    } else {
        print!("{report}");
    }
    if report.clients_connected == 0 {
        let why = report.first_problem.as_deref().unwrap_or("none of them answered in time");
        return Err(format!("no client was welcomed: {why}"));
    }
    match expectations.failures(&report) {
        failures if failures.is_empty() => Ok(()),
        failures => Err(failures.join("\n")),
    }
}

async fn probe(arguments: ProbeArgs) -> Result<(), String> {
    let ProbeArgs { server, room, seconds, resume } = arguments;
    let (endpoint, token) = server.parts();
    let afterwards = if resume { Afterwards::ComeBack } else { Afterwards::Leave };
    let duration = Duration::from_secs_f64(seconds);
    let config = ProbeConfig { endpoint, room, token, duration, afterwards };
    let finding = probe::run(&config).await.map_err(|error| format!("not healthy: {error}"))?;
    println!("{finding}healthy");
    Ok(())
}

fn short<const BYTES_MAX: usize>(text: &str) -> Result<String, String> {
    let is_short = text.len() <= BYTES_MAX;
    is_short.then(|| text.to_owned()).ok_or_else(|| format!("write at most {BYTES_MAX} bytes"))
}

fn clients(text: &str) -> Result<usize, String> {
    let clients = text.parse().ok().filter(|clients| (1..=CLIENTS_MAX).contains(clients));
    clients.ok_or_else(|| format!("write a number from 1 to {CLIENTS_MAX}"))
}

/// A number of seconds; the `s` of a duration may be there.
fn seconds(text: &str) -> Result<f64, String> {
    positive(text.strip_suffix('s').unwrap_or(text), SECONDS_MAX)
}

fn ramp(text: &str) -> Result<f64, String> {
    positive(text.strip_suffix("/s").unwrap_or(text), CLIENTS_MAX as f64)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1".to_owned())
}

/// As a profile writes it.
fn stall(text: &str) -> Result<Stall, String> {
    let profile: LinkProfile = format!("stall={text}").parse().map_err(|error| format!("{error}"))?;
    profile.stall.ok_or_else(|| format!("`{text}` is no stall"))
}

fn positive(text: &str, max: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number >= 0.1 && *number <= max);
    number.ok_or_else(|| format!("write a number from 0.1 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_plays() {
        let cli = parse("tickwire-demo localhost:9000 --name ann").unwrap();
        assert!(cli.command.is_none());
        assert_eq!((cli.play.server.url.port, cli.play.name.as_str()), (9000, "ann"));
    }

    #[test]
    fn trust_is_for_tls() {
        let endpoint = |line: &str| match parse(line).unwrap().command {
            Some(Command::Probe(probe)) => probe.server.parts().0.security,
            _ => panic!("no probe"),
        };
        assert_eq!(endpoint("tickwire-demo probe wss://a"), Security::Tls(Trust::Web));
        assert_eq!(endpoint("tickwire-demo probe wss://a --tls-insecure"), Security::Tls(Trust::Anything));
        assert_eq!(
            endpoint("tickwire-demo probe wss://a --tls-ca b"),
            Security::Tls(Trust::File("b".into()))
        );
        assert_eq!(endpoint("tickwire-demo probe a --tls-insecure"), Security::Plain);
    }

    #[test]
    fn a_swarm_as_scripts_write_it() {
        let line = "tickwire-demo bots http://127.0.0.1:7777 --clients 200 --seconds 15s --ramp 50/s --json \
                    --expect-closed 0 --expect-snapshots-share-p1 0.97 --expect-mismatches 0 \
                    --expect-connected 200 --profile delay=80ms,rate=1Mbit --seed 7 --room a \
                    --style crowd,fight --input-rate 2/s --decode-share 0.25 --churn 5/s --stall 2s/30s \
                    --expect-staleness-p99-ms 70 --expect-rig-unsaturated";
        let Some(Command::Bots(bots)) = parse(line).unwrap().command else { panic!("no bots") };
        assert_eq!((bots.clients, bots.seconds, bots.ramp, bots.seed), (200, 15.0, 50.0, 7));
        assert_eq!(bots.expectations.closed, Some(0));
        assert_eq!((bots.style, bots.input_rate), (vec![Style::Crowd, Style::Fight], Some(2.0)));
        assert_eq!((bots.decode_share, bots.churn), (0.25, Some(5.0)));
        assert!(bots.stall.is_some_and(|stall| stall.length_micros == 2_000_000));
        assert!(bots.profile.is_some_and(|profile| profile.delay_micros == 80_000));
    }

    #[test]
    fn bad_usage_is_refused() {
        for line in [
            "tickwire-demo bots --clients 0",
            "tickwire-demo bots --seconds never",
            "tickwire-demo bots --profile moon",
            "tickwire-demo bots --ramp 0",
            "tickwire-demo bots --style dance",
            "tickwire-demo bots --decode-share 2",
            "tickwire-demo bots --stall 2s",
            "tickwire-demo probe wss://arena.example --tls-insecure --tls-ca a.pem",
            "tickwire-demo play --name a-name-of-more-than-thirty-two-bytes",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), i32::from(USAGE), "{line}");
        }
    }
}
