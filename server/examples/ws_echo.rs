//! The server's connection module as an echo with a limit of 16 MiB, so that public conformance suites can be run
//! against it. `tests/README.md` says how.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_server::arena::ArenaDialect;
use tickwire_server::config::Config;
use tickwire_server::driver::echo;
use tickwire_shared::arena::Arena;

const MESSAGE_BYTES_MAX: usize = 16 << 20;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.hello_bytes_max = MESSAGE_BYTES_MAX;
    limits.message_bytes_max = MESSAGE_BYTES_MAX;
    // Suites send as much as they can, in as small pieces as they can.
    limits.fragments_max = 1 << 20;
    limits.frames_per_s = 1 << 30;
    (limits.bytes_per_s, limits.bytes_burst) = (1 << 30, 1 << 30);
    (limits.pings_per_s, limits.pings_burst) = (1 << 20, 1 << 20);
    limits.write_stall_deadline = Duration::from_secs(60);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("echoes at ws://{}/ (stop with Ctrl-C)", listener.local_addr()?);
    tokio::select! {
        ended = echo::serve::<Arena>(listener, ArenaDialect, config) => ended,
        stopped = tokio::signal::ctrl_c() => stopped,
    }
}
