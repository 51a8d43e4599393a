//! Which values may be others while the server runs, and what a configuration that was read again changes of it. A
//! configuration that is wrong, alone or together with what stays, changes nothing.

use figment::Figment;
use figment::providers::Serialized;

use super::{Config, ConfigError, keys};

/// What is looked up anew for each connection, or each line of the log. Everything else was built into something
/// when the server began.
pub const RELOADABLE: [&str; 21] = [
    "allowed_origins",
    "absent_origin",
    "log.level",
    "metrics.top_rooms",
    "limits.head_deadline",
    "limits.partial_frame_deadline",
    "limits.ping_after",
    "limits.write_stall_deadline",
    "limits.hello_bytes_max",
    "limits.message_bytes_max",
    "limits.fragments_max",
    "limits.frames_per_s",
    "limits.frames_burst",
    "limits.messages_per_tick_max",
    "limits.bytes_burst",
    "limits.pings_per_s",
    "limits.pings_burst",
    "limits.commands_per_s",
    "limits.commands_burst",
    "limits.excess_deadline",
    "limits.send_buffer_bytes",
];

/// A configuration with what can be taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct Reloaded {
    /// With it.
    pub config: Config,
    /// The keys that are other now.
    pub taken: Vec<String>,
    /// Those that would be, after a restart.
    pub waiting: Vec<String>,
}

impl Config {
    /// This configuration with what may change of another one.
    ///
    /// # Errors
    /// [`ConfigError`] when the two do not go together.
    pub fn reloaded(&self, wanted: &Self) -> Result<Reloaded, ConfigError> {
        let now = keys::values(self);
        let mut layers = Figment::from(Serialized::defaults(self));
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        for (key, value) in keys::values(wanted) {
            if now.get(&key) == Some(&value) {
                continue;
            }
            if RELOADABLE.contains(&key.as_str()) {
                layers = layers.merge((key.as_str(), value));
                taken.push(key);
            } else {
                waiting.push(key);
            }
        }
        let config: Self = layers.extract().map_err(|error| ConfigError::Layer(Box::new(error)))?;
        config.validate()?;
        Ok(Reloaded { config, taken, waiting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_does_and_the_rest_is_named() {
        let mut wanted = Config { tick_hz: 20, ..Config::default() };
        wanted.limits.pings_burst = 9;
        wanted.allowed_origins.push("https://game.example".to_owned());
        wanted.arena.bots = 1;
        let Reloaded { config, taken, waiting } = Config::default().reloaded(&wanted).expect("taken over");
        assert_eq!(taken, ["allowed_origins", "limits.pings_burst"]);
        assert_eq!(waiting, ["arena.bots", "tick_hz"]);
        assert_eq!((config.tick_hz, config.limits.pings_burst), (30, 9));
        assert_eq!(config.allowed_origins, wanted.allowed_origins);
        // And back again: a list that was longer is replaced, not appended to.
        assert_eq!(config.reloaded(&Config::default()).expect("back").config, Config::default());
    }

    #[test]
    fn what_does_not_go_together_with_what_stays_is_refused() {
        let now = Config { tick_hz: 60, ..Config::default() };
        let mut wanted = Config { tick_hz: 10, ..Config::default() };
        wanted.limits.frames_per_s = 30;
        wanted.validate().expect("good in itself");
        let words = now.reloaded(&wanted).expect_err("too few for 60 Hz").to_string();
        assert!(words.contains("limits.frames_per_s = 30"), "{words}");
    }

    #[test]
    fn every_reloadable_key_is_one() {
        let known = keys::values(&Config::default());
        RELOADABLE.iter().for_each(|key| assert!(known.contains_key(*key), "{key}"));
    }
}
