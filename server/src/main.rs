//! The binary: reads the command line and runs the demo arena. The only place besides tests that names it.

use std::io::{IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use figment::value::Value;
use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::auth::{Wanted, mint};
use tickwire_server::config::units::parse_duration;
use tickwire_server::config::{Config, Flags};
use tickwire_server::driver::{self, RunError};
use tickwire_server::host::recording::{Divergence, Outcome, replay};
use tickwire_shared::Protocol;
use tickwire_shared::arena::Arena;
use tickwire_shared::schema::{Schema, diff};

/// Bad usage or configuration.
const EXIT_USAGE: u8 = 2;
/// A replay says how far it is this often.
const REPLAY_SHOWS_EVERY_TICKS: u64 = 1000;
/// How long a health check may take.
const HEALTH_DEADLINE: Duration = Duration::from_secs(3);

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
    PrintConfig(ConfigArgs),
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

/// Flags beat the environment (TICKWIRE_TICK_HZ, TICKWIRE_ARENA__BOTS), which beats the file.
#[derive(Args)]
struct ConfigArgs {
    /// A TOML file; `print-config` shows what can be in it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the public port [default: 127.0.0.1:7777].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address of the admin port [default: 127.0.0.1:7778].
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
    /// Serve everybody on a public address without TLS.
    #[arg(long)]
    allow_plaintext: bool,
    /// Let the admin port be on another address than this machine's own.
    #[arg(long)]
    allow_public_admin: bool,
    /// PEM file with the certificate chain; with --tls-key it switches TLS on. Read again when it changes.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// TLS with a certificate that is made now and that no client knows, for development.
    #[arg(long)]
    tls_self_signed: bool,
    /// A network of proxies that are believed, like 10.0.0.0/8; may be repeated.
    #[arg(long = "trusted-proxy", value_name = "NETWORK")]
    trusted_proxies: Vec<String>,
    /// Connections from trusted proxies begin with a PROXY header: off or v2 [default: off].
    #[arg(long, value_name = "VERSION", value_parser = ["off", "v2"])]
    proxy_protocol: Option<String>,
    /// Who may play: auto, anonymous or jwt; auto is jwt with a key, else anonymous on loopback [default: auto].
    #[arg(long, value_name = "MODE", value_parser = ["auto", "anonymous", "jwt"])]
    auth: Option<String>,
    /// Secret that tokens are signed with by HS256, 32 bytes or more.
    #[arg(long, value_name = "FILE")]
    auth_secret: Option<PathBuf>,
    /// Public key in PEM that tokens are checked with, Ed25519 or RSA.
    #[arg(long, value_name = "FILE")]
    auth_key: Option<PathBuf>,
    /// Public keys as a JWK set.
    #[arg(long, value_name = "FILE")]
    auth_jwks: Option<PathBuf>,
    /// What every token's `aud` must name [default: tickwire].
    #[arg(long, value_name = "NAME")]
    auth_audience: Option<String>,
    /// Ticks per second, 1 to 240 [default: 30].
    #[arg(long, value_name = "N")]
    tick_hz: Option<u16>,
    /// Players that the server plays itself [default: 6].
    #[arg(long, value_name = "N")]
    bots: Option<u32>,
    /// Wandering drones [default: 40].
    #[arg(long, value_name = "N")]
    drones: Option<u32>,
    /// Seed of the map, the bots and the drones [default: 1].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Length of the arena's side in metres, 50 to 4000 [default: 200].
    #[arg(long, value_name = "M")]
    size_m: Option<u16>,
    /// How far a player sees, in metres [default: 300].
    #[arg(long, value_name = "M")]
    view_radius_m: Option<u16>,
    /// Clients in one room [default: 1000].
    #[arg(long, value_name = "N")]
    room_capacity: Option<usize>,
    /// Rooms at once [default: 64].
    #[arg(long, value_name = "N")]
    rooms_max: Option<usize>,
    /// How long the session of a client whose connection was lost waits for it, at most 30s [default: 15s].
    #[arg(long, value_name = "TIME")]
    session_grace: Option<String>,
    /// Records every room into files in this folder, for `replay`.
    #[arg(long, value_name = "DIR")]
    record_dir: Option<PathBuf>,
    /// Let the inspector pause rooms and step them tick by tick; for development.
    #[arg(long)]
    allow_pause: bool,
    /// Sessions at once [default: 5000].
    #[arg(long, value_name = "N")]
    connections_max: Option<usize>,
    /// The JSON session: auto (on loopback), on or off [default: auto].
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "on", "off"])]
    json_session: Option<String>,
    /// States per second in the JSON session, 1 to 20 [default: 10].
    #[arg(long, value_name = "N")]
    json_state_hz: Option<u16>,
    /// An origin besides the server's own from which pages may connect; may be repeated.
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
}

impl ConfigArgs {
    fn load(self) -> Result<Config, ExitCode> {
        self.load_with_warnings().map(|(config, _)| config)
    }

    /// What can be used, and what is strange about it all the same.
    fn load_with_warnings(self) -> Result<(Config, Vec<String>), ExitCode> {
        let file = self.config.clone();
        let config = Config::load(file.as_deref(), self.flags()).map_err(|error| refuse(&error))?;
        let warnings = driver::check_files(&config).map_err(|error| refuse(&error))?;
        Ok((config, warnings))
    }

    fn flags(self) -> Flags {
        let number = |value: Option<u64>| value.map(Value::from);
        let list = |list: Vec<String>| (!list.is_empty()).then(|| Value::from(list));
        let path = |path: Option<PathBuf>| path.map(|path| Value::from(path.to_string_lossy().into_owned()));
        [
            ("listen", self.listen.map(|address| Value::from(address.to_string()))),
            ("admin_listen", self.admin_listen.map(|address| Value::from(address.to_string()))),
            ("allow_plaintext", self.allow_plaintext.then(|| Value::from(true))),
            ("allow_public_admin", self.allow_public_admin.then(|| Value::from(true))),
            ("tls.cert", path(self.tls_cert)),
            ("tls.key", path(self.tls_key)),
            ("tls.self_signed", self.tls_self_signed.then(|| Value::from(true))),
            ("proxy.trusted", list(self.trusted_proxies)),
            ("proxy.protocol", self.proxy_protocol.map(Value::from)),
            ("auth.mode", self.auth.map(Value::from)),
            ("auth.secret_file", path(self.auth_secret)),
            ("auth.key_file", path(self.auth_key)),
            ("auth.jwks_file", path(self.auth_jwks)),
            ("auth.audience", self.auth_audience.map(Value::from)),
            ("recording.dir", path(self.record_dir)),
            ("inspector.allow_pause", self.allow_pause.then(|| Value::from(true))),
            ("tick_hz", number(self.tick_hz.map(u64::from))),
            ("arena.bots", number(self.bots.map(u64::from))),
            ("arena.drones", number(self.drones.map(u64::from))),
            ("seed", number(self.seed)),
            ("arena.size_m", number(self.size_m.map(u64::from))),
            ("arena.view_radius_m", number(self.view_radius_m.map(u64::from))),
            ("room_capacity", number(self.room_capacity.map(|value| value as u64))),
            ("rooms_max", number(self.rooms_max.map(|value| value as u64))),
            ("connections_max", number(self.connections_max.map(|value| value as u64))),
            ("session_grace", self.session_grace.map(Value::from)),
            ("json_session", self.json_session.map(Value::from)),
            ("json_state_hz", number(self.json_state_hz.map(u64::from))),
            ("allowed_origins", list(self.allowed_origins)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => args.load().and_then(serve),
        Command::CheckConfig(args) => check_config(args),
        Command::PrintConfig(args) => args.load().and_then(|config| print_config(&config)),
        Command::Healthcheck { url } => healthcheck(&url).map_err(|error| fail(&error)),
        Command::Replay { file, to } => run_again(&file, to),
        Command::Token(args) => token(args),
        Command::Schema { command: Some(SchemaCommand::Diff { old, new }), .. } => diff_files(&old, &new),
        Command::Schema { command: None, json } => print_schema(json),
    };
    done.err().unwrap_or(ExitCode::SUCCESS)
}

fn check_config(args: ConfigArgs) -> Result<(), ExitCode> {
    let (_, warnings) = args.load_with_warnings()?;
    warnings.iter().for_each(|warning| eprintln!("tickwire-server: {warning}"));
    println!("The configuration makes sense.");
    Ok(())
}

fn serve(config: Config) -> Result<(), ExitCode> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let arena = config.arena.clone();
    let make_game = move |_room: &str, seed| {
        ArenaGame::new(ArenaConfig {
            size_m: arena.size_m,
            seed,
            bots: arena.bots,
            drones: arena.drones,
            pickups: arena.pickups,
            view_radius_m: f32::from(arena.view_radius_m),
        })
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| fail(&error))?;
    runtime.block_on(driver::run(make_game, ArenaDialect, config)).map_err(|error| match error {
        RunError::Config(error) => refuse(&error),
        error => fail(&error),
    })
}

fn print_config(config: &Config) -> Result<(), ExitCode> {
    let text = toml::to_string(config).map_err(|error| fail(&error))?;
    print!("{text}");
    Ok(())
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

/// One GET, so that containers need no curl.
fn healthcheck(url: &str) -> Result<(), std::io::Error> {
    let (authority, path) = match url
        .strip_prefix("http://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    {
        Some((authority, path)) if !authority.is_empty() => (authority, path),
        _ => return Err(std::io::Error::other(format!("`{url}` is not like http://127.0.0.1:7777/readyz"))),
    };
    let named = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let address =
        named.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, HEALTH_DEADLINE)?;
    stream.set_read_timeout(Some(HEALTH_DEADLINE))?;
    stream.set_write_timeout(Some(HEALTH_DEADLINE))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    match &head {
        b"HTTP/1.1 200" => Ok(()),
        other => Err(std::io::Error::other(format!("not ready: {}", String::from_utf8_lossy(other)))),
    }
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("tickwire-server: {error}");
    ExitCode::from(EXIT_USAGE)
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("tickwire-server: {error}");
    ExitCode::FAILURE
}
