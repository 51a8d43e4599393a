//! Takes over, while the server runs, what may change of its configuration: when the process is told to (SIGHUP).
//! Nothing is taken over from a configuration that is wrong, and what needs a restart is said by name.

use std::sync::{Arc, PoisonError, RwLock};

use super::refresh::Hangup;
use crate::config::{AuthMode, Config, ConfigError};

/// Where the configuration comes from.
pub trait Reload: Send + Sync {
    /// All layers, read again and validated.
    ///
    /// # Errors
    /// [`ConfigError`], and everything stays as it was.
    fn load(&self) -> Result<Config, ConfigError>;

    /// From now on this one holds.
    fn taken_over(&self, _config: &Config) {}
}

/// The configuration as it is now. Only what may change of it is looked up here.
pub(super) struct Live(RwLock<Arc<Config>>);

impl Live {
    pub(super) fn new(config: Config) -> Self {
        Self(RwLock::new(Arc::new(config)))
    }

    pub(super) fn get(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what may change, until dropped.
    pub(super) async fn keep_fresh(self: Arc<Self>, source: Arc<dyn Reload>) {
        let mut hangup = Hangup::listen();
        loop {
            hangup.received().await;
            self.reload(&*source);
        }
    }

    fn reload(&self, source: &dyn Reload) {
        let now = self.get();
        let taken_over = |mut wanted: Config| {
            if now.auth.mode == AuthMode::Hook {
                // The program said so when the server began; no file can.
                wanted.auth.mode = AuthMode::Hook;
            }
            now.reloaded(&wanted)
        };
        let reloaded = match source.load().and_then(taken_over) {
            Ok(reloaded) => reloaded,
            Err(error) => return tracing::error!(%error, "the configuration stays as it was"),
        };
        for key in &reloaded.waiting {
            tracing::warn!(key, "this key was changed and needs a restart; its value stays as it was");
        }
        let config = Arc::new(reloaded.config);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&config);
        source.taken_over(&config);
        tracing::info!(changed = reloaded.taken.join(" "), "configuration reloaded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(&'static str);

    impl Reload for File {
        fn load(&self) -> Result<Config, ConfigError> {
            let config: Config = toml::from_str(self.0).expect("TOML");
            config.validate()?;
            Ok(config)
        }
    }

    #[test]
    fn a_wrong_configuration_changes_nothing() {
        let live = Live::new(Config::default());
        live.reload(&File("limits.pings_burst = 7\ntick_hz = 1000"));
        assert_eq!(*live.get(), Config::default());
        live.reload(&File("limits.pings_burst = 7\ntick_hz = 10"));
        assert_eq!((live.get().limits.pings_burst, live.get().tick_hz), (7, 30));
    }
}
