//! What can be set on the command line, and the commands that only look at the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use figment::value::Value;
use tickwire_server::config::{Config, Flags};
use tickwire_server::driver;

use super::{fail, refuse};

/// Flags beat the environment (TICKWIRE_TICK_HZ, TICKWIRE_ARENA__BOTS), which beats the file.
#[derive(Args, Clone)]
pub(crate) struct ConfigArgs {
    /// A TOML file; `print-config` shows what can be in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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
    /// Keeps every room in a file in this folder when the server goes away, to be there again at the next start.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// How long players are told before the server goes away [default: 2s].
    #[arg(long, value_name = "TIME")]
    drain_notice: Option<String>,
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
    /// How lines of the log look: text or json [default: text].
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,
    /// What is logged: off, error, warn, info, debug or trace, also by part; RUST_LOG beats it [default: info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl ConfigArgs {
    pub(crate) fn load(self) -> Result<Config, ExitCode> {
        self.load_with_warnings().map(|(config, _)| config)
    }

    /// What can be used, and what is strange about it all the same.
    fn load_with_warnings(self) -> Result<(Config, Vec<String>), ExitCode> {
        let file = self.config.clone();
        let config = Config::load(file.as_deref(), self.flags()).map_err(|error| refuse(&error))?;
        let warnings = driver::check_files(&config).map_err(|error| refuse(&error))?;
        Ok((config, warnings))
    }

    pub(crate) fn flags(self) -> Flags {
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
            ("state_dir", path(self.state_dir)),
            ("drain_notice", self.drain_notice.map(Value::from)),
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
            ("log.format", self.log_format.map(Value::from)),
            ("log.level", self.log_level.map(Value::from)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}

pub(crate) fn check_config(args: ConfigArgs) -> Result<(), ExitCode> {
    let (_, warnings) = args.load_with_warnings()?;
    warnings.iter().for_each(|warning| eprintln!("tickwire-server: {warning}"));
    println!("The configuration makes sense.");
    Ok(())
}

pub(crate) fn print_config(config: &Config) -> Result<(), ExitCode> {
    let text = toml::to_string(config).map_err(|error| fail(&error))?;
    print!("{text}");
    Ok(())
}
