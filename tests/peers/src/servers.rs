//! The processes that are measured: one at a time, each with nothing but the clients to do, its costs read from the system.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::plan::{Cell, Peer, ServerArguments};

/// How long a server may take until it says that it is ready.
const READY_DEADLINE: Duration = Duration::from_secs(20);

/// A running process. It ends however this program ends.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it said it is.
    pub version: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder that this is in.
#[must_use]
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where what is made with a series and not committed lies.
#[must_use]
pub fn bodies_file() -> PathBuf {
    std::env::temp_dir().join("tickwire-peers-bodies.bin")
}

/// Starts a peer. The floor sends what was recorded.
///
/// # Errors
/// When it does not start, naming what is missing.
pub fn start(peer: Peer, cell: Cell, port: u16, recorded: &[Vec<u8>]) -> Result<Server, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = |name: &str| here.with_file_name(name);
    let script = |name: &str| home().join("node").join(name);
    let node = home().join("node/node_modules/node/bin/node");
    let is_bodies = cell == Cell::Bodies;
    let mut command = match peer {
        Peer::Tickwire if is_bodies => Command::new(program("bodies_peer")),
        Peer::Tickwire => Command::new(program("tickwire_peer")),
        Peer::Bincode => Command::new(program("bincode_peer")),
        Peer::Replicon => Command::new(program("replicon-peer")),
        Peer::Floor => Command::new(program("floor")),
        Peer::Colyseus | Peer::Ws | Peer::Socketio => Command::new(node),
    };
    match peer {
        Peer::Colyseus if is_bodies => command.arg(script("colyseus_bodies.mjs")),
        Peer::Colyseus => command.arg(script("colyseus.mjs")),
        Peer::Ws => command.arg(script("ws.mjs")),
        Peer::Socketio => command.arg(script("socketio.mjs")),
        _ => &mut command,
    };
    let (size_m, drones, players, radius) = (cell.size_m(), cell.drones(), cell.players(), cell.radius());
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if peer == Peer::Floor {
        command.args([&address.to_string(), "exchange"]);
    } else {
        command.args(ServerArguments { port, size_m, drones, players, radius }.words());
    }
    if is_bodies {
        command.arg(bodies_file());
    }
    command.env("NODE_ENV", "production").env("RUST_LOG", "warn");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let child = command.spawn().map_err(|error| {
        format!(
            "{}: {error}; `tests/peers/run` builds and installs it",
            command.get_program().to_string_lossy()
        )
    })?;
    let mut server = Server { child, address, version: String::new() };
    if peer == Peer::Floor {
        server.feed(recorded)?;
        std::thread::sleep(Duration::from_millis(300));
        return Ok(server);
    }
    server.version = server.wait_until_ready()?;
    Ok(server)
}

impl Server {
    fn feed(&mut self, recorded: &[Vec<u8>]) -> Result<(), String> {
        let mut input = self.child.stdin.take().ok_or("no way in")?;
        for messages in recorded {
            let length = (messages.len() as u32).to_le_bytes();
            let written = input.write_all(&length).and_then(|()| input.write_all(messages));
            written.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<String, String> {
        let lines = BufReader::new(self.child.stdout.take().ok_or("no way out")?).lines();
        let (sender, said) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(version) = line.strip_prefix("ready ") {
                    let _ = sender.try_send(version.to_owned());
                }
            }
        });
        said.recv_timeout(READY_DEADLINE).map_err(|_| "the server does not get ready".to_owned())
    }

    /// CPU time of all its threads, user and system: what `/proc/PID/stat` has in hundredths of a second, in nanoseconds.
    #[must_use]
    pub fn cpu_micros(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let ran = |thread: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        };
        threads.into_iter().flatten().filter_map(ran).sum::<f64>() / 1000.0
    }

    /// What is resident, in MiB.
    #[must_use]
    pub fn rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        let kib: Option<f64> = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok());
        kib.unwrap_or_default() / 1024.0
    }
}
