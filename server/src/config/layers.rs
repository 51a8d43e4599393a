//! Where values come from: defaults, the TOML file, the environment, flags, each on top of the one before. What is
//! no key is refused here, layer by layer, so that the sentence says where it stands and what was probably meant.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Dict;
use figment::{Figment, Provider};

use super::{Config, ConfigError, keys};

/// What every variable of the environment begins with.
const PREFIX: &str = "TICKWIRE_";
/// Between the name of a section and that of a key in it.
const SECTION_MARK: &str = "__";

/// Values given on the command line, by their dotted keys.
pub type Flags = Vec<(&'static str, figment::value::Value)>;

impl Config {
    /// All layers on top of each other, validated.
    ///
    /// # Errors
    /// [`ConfigError`], a sentence for the operator.
    pub fn load(file: Option<&Path>, flags: Flags) -> Result<Self, ConfigError> {
        let mut layers = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|why| ConfigError::File { path: place.clone(), why })?;
            let toml = Toml::string(&text);
            refuse_unknown(&toml, |key| (format!("{key} in {place}"), str::to_owned))?;
            layers = layers.merge(toml);
        }
        if let Ok(port) = std::env::var("PORT") {
            let number = port.parse::<u16>().map_err(|_| ConfigError::Port(port))?;
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), number);
            layers = layers.merge(("listen", address));
        }
        // `TICKWIRE_TEST_…` steers tests and is no configuration.
        let environment = Env::prefixed(PREFIX).filter(|key| !key.starts_with("test_")).split(SECTION_MARK);
        refuse_unknown(&environment, |key| (variable(key), variable))?;
        layers = layers.merge(environment);
        for (key, value) in flags {
            layers = layers.merge((key, value));
        }
        let config: Self = layers.extract().map_err(|error| ConfigError::Layer(Box::new(error)))?;
        config.validate()?;
        Ok(config)
    }
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', SECTION_MARK).to_uppercase())
}

/// `named` says how a layer writes the key that is none, and how it would write another.
fn refuse_unknown(
    layer: &impl Provider,
    named: impl Fn(&str) -> (String, fn(&str) -> String),
) -> Result<(), ConfigError> {
    let profiles = layer.data().map_err(|error| ConfigError::Layer(Box::new(error)))?;
    for dict in profiles.into_values() {
        if let Some((key, nearest)) = first_unknown(dict) {
            let (place, write) = named(&key);
            return Err(ConfigError::Unknown { place, nearest: write(&nearest) });
        }
    }
    Ok(())
}

/// With the nearest that there is.
fn first_unknown(dict: Dict) -> Option<(String, String)> {
    let known = keys::values(&Config::default());
    let is_below = |key: &str, section: &str| {
        key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // What is a section and was set like a key, or the other way round, is told by its type.
    let is_known = |key: &String| known.keys().any(|other| is_below(other, key) || is_below(key, other));
    let key = keys::flat(dict.into()).into_keys().find(|key| !is_known(key))?;
    let nearest = keys::nearest(&key, known.keys().map(String::as_str)).to_owned();
    Some((key, nearest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(toml: &str) -> String {
        let layer = Toml::string(toml);
        let refused = refuse_unknown(&layer, |key| (key.to_owned(), str::to_owned));
        refused.expect_err(toml).to_string()
    }

    #[test]
    fn what_was_probably_meant_is_named() {
        for (toml, nearest) in [
            ("tickrate = 30", "tick_hz"),
            ("tick_rate = 30", "tick_hz"),
            ("max_connections = 3", "connections_max"),
            ("allow_origins = []", "allowed_origins"),
            ("bots = 3", "arena.bots"),
            ("[limit]\nhello_deadline = '3s'", "limits.hello_deadline"),
            ("limits.helo_deadline = '3s'", "limits.hello_deadline"),
            ("[tls]\ncertificate = 'a'", "tls.cert"),
            ("[log]\nformats = 'json'", "log.format"),
            ("[arenas]", "arena."),
        ] {
            let words = refused(toml);
            assert!(words.contains(&format!("did you mean {nearest}")), "{toml}: {words}");
        }
    }

    #[test]
    fn a_layer_may_be_empty() {
        assert_eq!(first_unknown(Dict::new()), None);
        assert_eq!(
            first_unknown(Toml::string("[limits]").data().expect("data").into_values().next().expect("one")),
            None
        );
    }

    #[test]
    fn every_key_is_one() {
        let whole = Toml::string(&toml::to_string(&Config::default()).expect("toml")).data().expect("data");
        whole.into_values().for_each(|dict| assert_eq!(first_unknown(dict), None));
    }
}
