//! The processes that are measured.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use clap::ValueEnum;

use super::Scene;

/// Length of a unit of the system's CPU times, in microseconds (`getconf CLK_TCK` is 100 wherever this runs).
const CLOCK_TICK_MICROS: f64 = 10_000.0;

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Peer {
    /// The real server.
    Tickwire,
    /// Plain writes.
    Floor,
    /// Plain writes and reads.
    FloorWithReading,
    /// Full states on tokio-tungstenite.
    Plain,
}

impl Peer {
    /// In the order in which they run: the floor needs what our server's clients were sent.
    pub(super) const ALL: [Self; 4] = [Self::Tickwire, Self::Floor, Self::FloorWithReading, Self::Plain];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tickwire => "tickwire",
            Self::Floor => "floor",
            Self::FloorWithReading => "floor with reading",
            Self::Plain => "plain",
        }
    }
}

/// A running process. It ends however this program ends.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a peer; the floor sends what was recorded.
pub(super) fn start(peer: Peer, scene: &Scene, recorded: &[Vec<u8>]) -> Server {
    let here = std::env::current_exe().expect("a program knows where it is");
    let folder = here.parent().expect("a folder").to_owned();
    let port = scene.port + peer as u16;
    let address = format!("127.0.0.1:{port}");
    let (drones, size_m, view) =
        (scene.drones.to_string(), scene.size_m.to_string(), scene.view_radius_m.to_string());
    let mut command = match peer {
        Peer::Tickwire => {
            let mut command = Command::new(folder.join("tickwire-server"));
            let admin = format!("127.0.0.1:{}", scene.port + Peer::ALL.len() as u16);
            command.args(["serve", "--listen", &address, "--admin-listen", &admin, "--bots", "0"]);
            command.args(["--drones", &drones, "--size-m", &size_m, "--view-radius-m", &view]);
            command.env("RUST_LOG", "warn");
            command
        }
        Peer::Plain => {
            let mut command = Command::new(folder.join("plain_server"));
            command.args([&address, &drones, &size_m, &view]);
            command
        }
        Peer::Floor | Peer::FloorWithReading => {
            let mut command = Command::new(folder.join("floor"));
            command.args([address.as_str(), if peer == Peer::Floor { "write" } else { "exchange" }]);
            command
        }
    };
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child =
        child.expect("all servers are built: cargo build --release -p tickwire-server -p tickwire-tests");
    if let (Some(mut input), Peer::Floor | Peer::FloorWithReading) = (child.stdin.take(), peer) {
        for messages in recorded {
            let length = (messages.len() as u32).to_le_bytes();
            let written = input.write_all(&length).and_then(|()| input.write_all(messages));
            written.expect("the floor reads what it will send");
        }
    }
    Server { child, address }
}

impl Server {
    /// CPU time, user and system.
    pub(super) fn cpu_micros(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the server runs");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<f64> =
            after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        fields.iter().sum::<f64>() * CLOCK_TICK_MICROS
    }

    pub(super) fn rss_kib(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
    }
}
