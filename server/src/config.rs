//! The configuration: what can be set, where it comes from, and what makes sense. Read once, before any port
//! opens; nothing below knows where a value came from.
//!
//! Defaults, then the TOML file, then the environment (`TICKWIRE_LISTEN`, `TICKWIRE_ARENA__BOTS`), then flags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickwire_shared::arena::SIZE_M;

mod replication;

pub mod units;

mod error;

mod limits;

mod tls;

mod proxy;

mod auth;

mod log;

mod metrics;

mod recording;

mod inspector;

mod overload;

mod keys;

mod layers;

mod relations;

mod reload;

mod reference;

pub use auth::{AuthMode, AuthSection};
pub use error::ConfigError;
pub use inspector::InspectorSection;
pub use layers::Flags;
pub use limits::Limits;
pub use log::{LogFormat, LogSection};
pub use metrics::MetricsSection;
pub use overload::{OverloadSection, OverloadStep};
pub use proxy::{ForwardedHeader, ProxyProtocol, ProxySection};
pub use recording::RecordingSection;
pub use reload::{RELOADABLE, Reloaded};
pub use replication::Replication;
pub use tls::TlsSection;

/// Ticks on the wire have 16 bits: nobody may be without news for longer.
pub const SESSION_GRACE_MAX: Duration = Duration::from_secs(30);
/// Who is told of an end that is further away has forgotten it when it comes.
pub const DRAIN_NOTICE_MAX: Duration = Duration::from_secs(3600);
/// Whoever is in cover for longer than this is safe, whatever is configured.
pub const LAG_COMPENSATION_MAX: Duration = Duration::from_millis(500);

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the public port. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Address of the admin port, never public by default.
    pub admin_listen: SocketAddr,
    /// Says that everybody may connect to a public address without TLS.
    pub allow_plaintext: bool,
    /// Says that the admin port may be on another address than this machine's own.
    pub allow_public_admin: bool,
    /// Seed of the default room; the others' seeds come from it and their names.
    pub seed: u64,
    /// Ticks per second of every room.
    pub tick_hz: u16,
    /// Clients in one room.
    pub room_capacity: usize,
    /// WebSocket sessions at once.
    pub connections_max: usize,
    /// Rooms at once, the default one included.
    pub rooms_max: usize,
    /// How long a room other than the default one stays without clients, those that may come back counted.
    #[serde(with = "units::duration")]
    pub room_empty_after: Duration,
    /// How long a room without clients goes on ticking before it sleeps until somebody comes.
    #[serde(with = "units::duration")]
    pub room_suspend_after: Duration,
    /// Threads that rooms live on; 0 is one for each core.
    pub room_workers: usize,
    /// Whether each of them stays on one core.
    pub pin_room_workers: bool,
    /// Whether the JSON session may be used.
    pub json_session: JsonSession,
    /// States per second in the JSON session.
    pub json_state_hz: u16,
    /// Origins besides the server's own from which pages may connect, like `https://game.example`; `null` stands
    /// for pages without one.
    pub allowed_origins: Vec<String>,
    /// What a request without an origin gets. Browsers always send one, other programs do not.
    pub absent_origin: AbsentOrigin,
    /// What a client is told to wait after a close that is not its fault.
    #[serde(with = "units::duration")]
    pub retry_after: Duration,
    /// How long players are told that the server goes away before it closes their sessions; 0s closes them at once. All
    /// of it has to fit into the time that whoever stops the process gives it.
    #[serde(with = "units::duration")]
    pub drain_notice: Duration,
    /// Folder in which rooms are kept when the server goes away, to be there again at the next start; without one they end.
    pub state_dir: Option<PathBuf>,
    /// How long the session of a client whose connection was lost is held, its avatar away, for the client to come
    /// back: long enough for a phone to change networks, 30s at most; 0s holds none.
    #[serde(with = "units::duration")]
    pub session_grace: Duration,
    /// How far back a shot is judged by what its shooter was shown, 500ms at most; 0s judges all by the present.
    #[serde(with = "units::duration")]
    pub lag_compensation_max: Duration,
    /// How often and how much clients are told.
    pub replication: Replication,
    /// What a room gives up while it has more to do than time.
    pub overload: OverloadSection,
    /// Deadlines and budgets.
    pub limits: Limits,
    /// TLS on the public port.
    pub tls: TlsSection,
    /// Proxies in front of the public port.
    pub proxy: ProxySection,
    /// Who may play.
    pub auth: AuthSection,
    /// The flight recorder.
    pub recording: RecordingSection,
    /// What is written to the log, and how.
    pub log: LogSection,
    /// What is counted for the operator.
    pub metrics: MetricsSection,
    /// The inspector on the admin port.
    pub inspector: InspectorSection,
    /// The demo game.
    pub arena: ArenaSection,
}

/// What a request without an origin gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AbsentOrigin {
    /// It is a program, not a page, and may connect.
    Allow,
    /// 403: pages only.
    Refuse,
}

/// Who may speak to the public port without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// Nobody: the port speaks TLS.
    TlsOnly,
    /// It is this machine's own port, or the operator said so.
    Everybody,
    /// Those who end TLS for it.
    TrustedProxies,
    /// No server begins like this.
    Refused,
}

/// When the JSON session may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonSession {
    /// When nobody but this machine can come in.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// The demo game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArenaSection {
    /// Length of a side, in metres.
    pub size_m: u16,
    /// Players that the server plays itself.
    pub bots: u32,
    /// Wanderers.
    pub drones: u32,
    /// Things to pick up.
    pub pickups: u32,
    /// How far a player sees, in metres.
    pub view_radius_m: u16,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            listen: local(7777),
            admin_listen: local(7778),
            allow_plaintext: false,
            allow_public_admin: false,
            seed: 1,
            tick_hz: 30,
            room_capacity: 1000,
            connections_max: 5000,
            rooms_max: 64,
            room_empty_after: Duration::from_secs(30),
            room_suspend_after: Duration::from_secs(5),
            room_workers: 0,
            pin_room_workers: false,
            json_session: JsonSession::Auto,
            json_state_hz: 10,
            allowed_origins: Vec::new(),
            absent_origin: AbsentOrigin::Allow,
            retry_after: Duration::from_secs(2),
            drain_notice: Duration::from_secs(2),
            state_dir: None,
            session_grace: Duration::from_secs(15),
            lag_compensation_max: Duration::from_millis(250),
            replication: Replication::default(),
            overload: OverloadSection::default(),
            limits: Limits::default(),
            tls: TlsSection::default(),
            proxy: ProxySection::default(),
            auth: AuthSection::default(),
            recording: RecordingSection::default(),
            log: LogSection::default(),
            metrics: MetricsSection::default(),
            inspector: InspectorSection::default(),
            arena: ArenaSection::default(),
        }
    }
}

impl Default for ArenaSection {
    fn default() -> Self {
        Self { size_m: 200, bots: 6, drones: 40, pickups: 12, view_radius_m: 300 }
    }
}

impl Config {
    /// Whether the values make sense, each and together.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.plaintext() == Plaintext::Refused {
            return Err(refuse(
                "listen",
                self.listen,
                "a public address needs TLS (--tls-cert and --tls-key), or a proxy that ends it \
                 (--trusted-proxy NETWORK), or --allow-plaintext (allow_plaintext = true) if you mean it",
            ));
        }
        if !self.admin_listen.ip().is_loopback() && !self.allow_public_admin {
            return Err(refuse(
                "admin_listen",
                self.admin_listen,
                "the admin port asks nobody who they are: keep it on loopback, or say --allow-public-admin \
                 (allow_public_admin = true) where nobody else reaches it",
            ));
        }
        within("seed", self.seed, 0, 1 << 53)?;
        within("tick_hz", self.tick_hz, 1, 240)?;
        within("room_capacity", self.room_capacity, 1, 100_000)?;
        within("connections_max", self.connections_max, 1, 1_000_000)?;
        within("rooms_max", self.rooms_max, 1, 100_000)?;
        within("room_workers", self.room_workers, 0, 256)?;
        within("json_state_hz", self.json_state_hz, 1, 20)?;
        spans("room_empty_after", self.room_empty_after, Duration::from_millis(10))?;
        spans("room_suspend_after", self.room_suspend_after, Duration::from_millis(10))?;
        spans("retry_after", self.retry_after, Duration::ZERO)?;
        if self.drain_notice > DRAIN_NOTICE_MAX {
            let notice = format!("{:?}", self.drain_notice);
            return Err(refuse("drain_notice", notice, "it must be from 0s to 1h"));
        }
        if self.session_grace > SESSION_GRACE_MAX {
            let grace = format!("{:?}", self.session_grace);
            return Err(refuse("session_grace", grace, "it must be from 0s to 30s"));
        }
        if self.lag_compensation_max > LAG_COMPENSATION_MAX {
            let max = format!("{:?}", self.lag_compensation_max);
            return Err(refuse("lag_compensation_max", max, "it must be from 0s to 500ms"));
        }
        for origin in &self.allowed_origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if origin != "null" && host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                return Err(refuse("allowed_origins", origin, "an origin is like https://game.example:8443"));
            }
        }
        self.replication.validate()?;
        self.overload.validate()?;
        self.limits.validate()?;
        self.tls.validate()?;
        self.proxy.validate()?;
        self.auth.validate(self.is_public())?;
        self.recording.validate()?;
        self.log.validate()?;
        self.metrics.validate()?;
        self.validate_relations()?;
        self.inspector.validate()?;
        within("arena.size_m", self.arena.size_m, *SIZE_M.start(), *SIZE_M.end())?;
        within("arena.bots", self.arena.bots, 0, 1000)?;
        within("arena.drones", self.arena.drones, 0, 10_000)?;
        within("arena.pickups", self.arena.pickups, 0, 1000)?;
        within("arena.view_radius_m", self.arena.view_radius_m, 10, 6000)
    }

    /// Whether anybody but this machine can come in.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.listen.ip().is_loopback() || !self.proxy.trusted.is_empty()
    }

    /// Who may speak to the public port without TLS.
    #[must_use]
    pub fn plaintext(&self) -> Plaintext {
        if self.tls.is_on() {
            Plaintext::TlsOnly
        } else if self.allow_plaintext || self.listen.ip().is_loopback() {
            Plaintext::Everybody
        } else if !self.proxy.trusted.is_empty() {
            Plaintext::TrustedProxies
        } else {
            Plaintext::Refused
        }
    }

    /// Whether the JSON session may be used with these settings.
    #[must_use]
    pub fn json_allowed(&self) -> bool {
        match self.json_session {
            JsonSession::Auto => !self.is_public(),
            JsonSession::On => true,
            JsonSession::Off => false,
        }
    }

    /// Frames per second that one client may send.
    #[must_use]
    pub fn frames_per_s(&self) -> u32 {
        match self.limits.frames_per_s {
            0 => 2 * u32::from(self.tick_hz) + 20,
            set => set,
        }
    }

    /// Frames that one client may send at once.
    #[must_use]
    pub fn frames_burst(&self) -> u32 {
        match self.limits.frames_burst {
            0 => self.frames_per_s(),
            set => set,
        }
    }

    /// Messages of one client that may wait for one tick.
    #[must_use]
    pub fn messages_per_tick_max(&self) -> usize {
        match self.limits.messages_per_tick_max {
            0 => 2 * self.frames_burst() as usize,
            set => set,
        }
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    min: T,
    max: T,
) -> Result<(), ConfigError> {
    if value < min || value > max {
        return Err(refuse(key, value, &format!("it must be from {min} to {max}")));
    }
    Ok(())
}

/// Durations have one upper bound: a day is as good as never.
fn spans(key: &'static str, value: Duration, min: Duration) -> Result<(), ConfigError> {
    let max = Duration::from_secs(24 * 3600);
    if value < min || value > max {
        return Err(refuse(key, format!("{value:?}"), &format!("it must be from {min:?} to 24h")));
    }
    Ok(())
}

fn refuse(key: &'static str, value: impl std::fmt::Display, allowed: &str) -> ConfigError {
    ConfigError::Value { key, value: value.to_string(), allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_make_sense_and_come_back_as_toml() {
        let config = Config::default();
        config.validate().expect("defaults");
        let text = toml::to_string(&config).expect("toml");
        assert_eq!(toml::from_str::<Config>(&text).expect("own toml"), config);
    }

    #[test]
    fn a_refusal_names_key_value_and_range() {
        let config = Config { tick_hz: 0, ..Config::default() };
        let words = config.validate().expect_err("0 Hz").to_string();
        assert_eq!(words, "tick_hz = 0 is not allowed; it must be from 1 to 240");
    }

    #[test]
    fn public_and_plain_needs_to_be_said() {
        let auth = AuthSection { mode: AuthMode::Anonymous, ..AuthSection::default() };
        let mut config = Config { listen: ([0, 0, 0, 0], 80).into(), auth, ..Config::default() };
        assert!(config.validate().expect_err("public").to_string().contains("--allow-plaintext"));
        let secured = TlsSection { self_signed: true, ..TlsSection::default() };
        Config { tls: secured, ..config.clone() }.validate().expect("TLS");
        config.proxy.trusted.push("10.0.0.0/8".parse().expect("a network"));
        config.validate().expect("a proxy ends TLS");
        assert_eq!(config.plaintext(), Plaintext::TrustedProxies);
        config.allow_plaintext = true;
        config.validate().expect("said");
        assert!(!config.json_allowed(), "JSON is for loopback unless said otherwise");
    }

    #[test]
    fn the_admin_port_is_public_only_when_said() {
        let public = Config { admin_listen: ([0, 0, 0, 0], 7778).into(), ..Config::default() };
        let words = public.validate().expect_err("public").to_string();
        assert!(words.starts_with("admin_listen = 0.0.0.0:7778") && words.contains("--allow-public-admin"));
        Config { allow_public_admin: true, ..public }.validate().expect("said");
        let own = Config { admin_listen: "[::1]:7778".parse().expect("an address"), ..Config::default() };
        own.validate().expect("this machine's own");
    }

    #[test]
    fn a_certificate_has_a_key_and_trust_has_an_end() {
        let words = |text: &str| {
            let config = toml::from_str::<Config>(text).expect("a configuration");
            config.validate().expect_err(text).to_string()
        };
        assert!(words("[tls]\ncert = 'a.pem'").starts_with("tls.cert = a.pem"));
        assert!(words("[tls]\nkey = 'a.pem'").starts_with("tls.key = a.pem"));
        assert!(words("[tls]\nkey = 'a'\ncert = 'b'\nself_signed = true").contains("--tls-self-signed"));
        assert!(words("[proxy]\ntrusted = ['0.0.0.0/0']").contains("everybody"));
        assert!(words("[proxy]\nprotocol = 'v2'").contains("proxy.trusted"));
    }

    #[test]
    fn others_play_only_by_a_key_or_because_all_may() {
        let said = |text: &str| {
            let config = toml::from_str::<Config>(text).expect("a configuration");
            config.validate().map_err(|error| error.to_string())
        };
        let public = "listen = '0.0.0.0:80'\nallow_plaintext = true\n";
        assert!(said(public).expect_err("who may play").contains("--auth anonymous"));
        said(&format!("{public}auth.mode = 'anonymous'")).expect("all");
        said(&format!("{public}auth.key_file = 'a.pem'")).expect("by a key");
        assert!(said("proxy.trusted = ['127.0.0.1/32']").is_err(), "a proxy brings others");
        said("").expect("this machine only");
        assert!(said("auth.mode = 'jwt'").expect_err("no key").contains("--auth-key"));
        assert!(said("auth.key_file = 'a'\nauth.jwks_file = 'b'").is_err());
        assert!(said("auth.mode = 'anonymous'\nauth.key_file = 'a'").is_err());
    }

    #[test]
    fn nobody_is_held_for_long() {
        let config = |text: &str| toml::from_str::<Config>(text).expect("a configuration").validate();
        config("session_grace = '0s'").expect("nobody at all");
        config("session_grace = '30s'").expect("the most");
        let words = config("session_grace = '31s'").expect_err("too long").to_string();
        assert_eq!(words, "session_grace = 31s is not allowed; it must be from 0s to 30s");
    }

    #[test]
    fn nobody_looks_back_far() {
        let config = |text: &str| toml::from_str::<Config>(text).expect("a configuration").validate();
        config("lag_compensation_max = '0s'").expect("not at all");
        config("lag_compensation_max = '500ms'").expect("the most");
        let words = config("lag_compensation_max = '501ms'").expect_err("too far").to_string();
        assert_eq!(words, "lag_compensation_max = 501ms is not allowed; it must be from 0s to 500ms");
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = toml::from_str::<Config>("tick_rate = 30").expect_err("unknown key");
        assert!(error.to_string().contains("tick_rate"));
    }
}
