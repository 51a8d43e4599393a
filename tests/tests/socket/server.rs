//! Servers to test against.

use std::time::Duration;

use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::config::Config;
use tickwire_server::driver::{self, Running};

/// Free ports, a small arena, otherwise as it is by default.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.listen.set_port(0);
    config.admin_listen.set_port(0);
    config
}

pub(crate) async fn start(config: Config) -> Running {
    let make_game = |_: &str, seed| {
        ArenaGame::new(ArenaConfig { size_m: 100, seed, bots: 2, drones: 10, ..ArenaConfig::default() })
    };
    driver::start(make_game, ArenaDialect, config).await.expect("a server")
}

/// One counter of the server.
pub(crate) fn metric(server: &Running, name: &str) -> u64 {
    let text = server.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name);
    line.parse().expect("a number")
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}
