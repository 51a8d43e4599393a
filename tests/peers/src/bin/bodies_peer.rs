//! The rigid-body scene on Tickwire: `bodies_peer PORT SIZE_M BODIES CLIENTS all RECORDING`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tickwire_peers::bodies::{NoDialect, Player};
use tickwire_peers::dialects::bodies::recorded;
use tickwire_peers::plan::ServerArguments;
use tickwire_server::config::Config;
use tickwire_server::driver;

#[tokio::main]
async fn main() {
    let port = ServerArguments::read().port;
    let recorded = Arc::new(recorded().expect("`peers run` has written it"));
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let config = Config { listen: address(port), admin_listen: address(0), ..Config::default() };
    let make_game = move |_: &str, _| Player::new(Arc::clone(&recorded));
    let running = driver::start(make_game, NoDialect, config).await.expect("a free port");
    println!("ready tickwire {}", env!("CARGO_PKG_VERSION"));
    std::future::pending::<()>().await;
    running.shutdown().await;
}
