//! The inspector on the admin port: what it may do besides looking, and by which names it is reached.

use serde::{Deserialize, Serialize};

use super::{ConfigError, refuse};

/// The section `[inspector]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InspectorSection {
    /// Whether rooms may be paused and stepped tick by tick; for development, since their players stand still.
    pub allow_pause: bool,
    /// Names besides `localhost` and IP addresses by which browsers reach the admin port, like `ops.example`.
    pub hosts: Vec<String>,
}

impl InspectorSection {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let is_name = |host: &String| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
            !host.is_empty() && host.len() <= 253 && host.chars().all(fits)
        };
        match self.hosts.iter().find(|host| !is_name(host)) {
            Some(host) => {
                Err(refuse("inspector.hosts", host, "a name is like ops.example, without scheme and port"))
            }
            None => Ok(()),
        }
    }
}
