//! The scene on Tickwire, with the server's defaults: `tickwire_peer PORT SIZE_M DRONES PLAYERS all|radius`.

use std::net::{Ipv4Addr, SocketAddr};

use tickwire_peers::game::{NoDialect, PeersGame};
use tickwire_peers::plan::ServerArguments;
use tickwire_server::config::Config;
use tickwire_server::driver;

#[tokio::main]
async fn main() {
    let ServerArguments { port, size_m, drones, players, radius } = ServerArguments::read();
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut config = Config { listen: address(port), admin_listen: address(0), ..Config::default() };
    config.room_capacity = players;
    let make_game = move |_: &str, _| PeersGame::new(size_m, drones, players, radius);
    let running = driver::start(make_game, NoDialect, config).await.expect("a free port");
    println!("ready tickwire {}", env!("CARGO_PKG_VERSION"));
    std::future::pending::<()>().await;
    running.shutdown().await;
}
