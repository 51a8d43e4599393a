//! Which authenticator a server has, and that its keys are those in their file.

use std::sync::Arc;

use super::refresh::Watch;
use super::server::Hooks;
use crate::auth::{Anonymous, Authenticator, JwtAuthenticator};
use crate::config::{AuthMode, AuthSection, Config, ConfigError};

/// Whoever says who may play.
pub(super) enum Doorkeeper {
    Jwt(Arc<JwtAuthenticator>),
    Other(Arc<dyn Authenticator>),
}

impl Doorkeeper {
    /// As the configuration says.
    ///
    /// # Errors
    /// [`ConfigError`] for a key that cannot be used, or a hook that is not there.
    pub(super) fn of(config: &Config, hooks: Hooks) -> Result<Self, ConfigError> {
        let refuse = |value: &str, allowed: &str| ConfigError::Value {
            key: "auth.mode",
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        };
        let mode = config.auth.resolved(config.is_public());
        match (mode, hooks.authenticator) {
            (Some(AuthMode::Hook), Some(authenticator)) => Ok(Self::Other(authenticator)),
            (Some(AuthMode::Hook), None) => {
                Err(refuse("hook", "this program brings no authenticator; choose anonymous or jwt"))
            }
            (_, Some(_)) => {
                Err(refuse("not hook", "this program brings an authenticator; choose hook or auto"))
            }
            (Some(AuthMode::Jwt), None) => Ok(Self::Jwt(Arc::new(JwtAuthenticator::load(&config.auth)?))),
            (Some(AuthMode::Anonymous | AuthMode::Auto) | None, _) => Ok(Self::Other(Arc::new(Anonymous))),
        }
    }

    pub(super) fn authenticator(&self) -> Arc<dyn Authenticator> {
        match self {
            Self::Jwt(jwt) => Arc::clone(jwt) as Arc<dyn Authenticator>,
            Self::Other(other) => Arc::clone(other),
        }
    }

    /// Takes new keys over as they come, until dropped.
    pub(super) async fn keep_fresh(self, section: AuthSection) {
        let (Self::Jwt(jwt), Some(file)) = (self, section.file().cloned()) else { return };
        let reload = || match jwt.reload() {
            Ok(()) => tracing::info!(file = %file.display(), "keys of tokens reloaded"),
            Err(error) => tracing::error!(%error, "the keys of tokens stay as they were"),
        };
        Watch { files: vec![file.clone()], every: section.reload_every, reload }.run().await;
    }
}
