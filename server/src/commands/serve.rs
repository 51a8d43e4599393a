//! Runs the demo arena's server. The configuration is read again from where it came from at first.

use std::process::ExitCode;
use std::sync::Arc;

use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::config::{Config, ConfigError};
use tickwire_server::driver::{self, Hooks, Logging, Reload, RunError};

use super::flags::ConfigArgs;
use super::{fail, refuse};

/// The configuration from where it came from at first.
struct SameSource {
    args: ConfigArgs,
    logging: Arc<Logging>,
}

impl Reload for SameSource {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.args.config.as_deref(), self.args.clone().flags())
    }

    fn taken_over(&self, config: &Config) {
        self.logging.set_level(&config.log.level);
    }
}

pub(crate) fn serve(config: Config, args: ConfigArgs) -> Result<(), ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| fail(&error))?;
    let logging = {
        let _inside = runtime.enter();
        Arc::new(Logging::start(&config.log))
    };
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
    runtime.spawn(Arc::clone(&logging).report());
    let hooks = Hooks {
        reload: Some(Arc::new(SameSource { args, logging: Arc::clone(&logging) })),
        ..Hooks::default()
    };
    let outcome = runtime.block_on(driver::run_with(make_game, ArenaDialect, config, hooks));
    logging.end();
    outcome.map_err(|error| match error {
        RunError::Config(error) => refuse(&error),
        error => fail(&error),
    })
}
