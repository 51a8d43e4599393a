//! The server as a process of its own, and what the system says of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::papers;
use crate::raw::Raw;

pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) entry: Entry,
    _secret: Option<SecretFile>,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Anybody,
    /// Whoever has a token by [`papers::SECRET`].
    ByToken,
}

/// The file that a server checks tokens with. Gone with the server.
struct SecretFile(PathBuf);

impl SecretFile {
    fn write() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tickwire-hostile-{}-{number}", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, papers::SECRET).expect("a file");
        Self(file)
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        // A test that ends early leaves it behind.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holding {
    pub(crate) rss_kib: u64,
    pub(crate) files: u64,
    pub(crate) tasks: u64,
}

impl Served {
    /// With its defaults, but for limits by address, which hold for loopback too.
    pub(crate) fn start(entry: Entry) -> Self {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let (address, admin) = (free().expect("a port"), free().expect("a port"));
        let secret = (entry == Entry::ByToken).then(SecretFile::write);
        let mut child = Command::new(binary())
            .env_clear()
            .env("TICKWIRE_LIMITS__LOOPBACK", "true")
            .args(["--listen", &address.to_string(), "--admin-listen", &admin.to_string()])
            .args(secret.iter().flat_map(|file| [Path::new("--auth-secret"), &file.0]))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert!(line.contains(&address.to_string()), "{line}");
        Self { child, address, admin, entry, _secret: secret }
    }

    pub(crate) async fn metrics(&self) -> String {
        let mut raw = Raw::connect(self.admin).await;
        raw.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        raw.rest().await
    }

    pub(crate) async fn holding(&self) -> Holding {
        let tasks = value(&self.metrics().await, "tickwire_tasks");
        Holding { rss_kib: self.rss_kib(), files: self.files(), tasks }
    }

    pub(crate) fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn files(&self) -> u64 {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("its files").count() as u64
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of one line of the metrics; 0 where it is not there yet.
pub(crate) fn value(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |line| line.parse().expect("a number"))
}

/// The binary beside this test. Cargo builds it for tests of its own package only, so it is built here.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "tickwire-server", "--bin", "tickwire-server"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .status()
        .expect("cargo");
    assert!(status.success(), "the server builds");
    let own = std::env::current_exe().expect("this test");
    own.parent().and_then(|deps| deps.parent()).expect("a target directory").join("tickwire-server")
}
