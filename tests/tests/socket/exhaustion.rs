//! A server that runs out of something: open files, places for handshakes. It says so, goes on, and recovers.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::time::{Instant, sleep, timeout};

use crate::player::Player;
use crate::raw::{BINARY, Raw, upgrade_request};
use crate::server::{config, start};

/// The server as a process of its own.
struct Served {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Served {
    fn start(settings: &[(&str, &str)]) -> Self {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let (address, admin) = (free().expect("a port"), free().expect("a port"));
        let mut child = crate::command_line::tickwire()
            .args(["--listen", &address.to_string(), "--admin-listen", &admin.to_string()])
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.contains(&address.to_string()), "{line}");
        Self { child, address, admin }
    }

    /// Changes the soft limit of open files.
    fn limit_files(&self, files: u64) {
        let pid = Pid::from_child(&self.child);
        let maximum = prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(files), maximum: None });
        // The hard limit is kept where raising it is not allowed.
        if maximum.is_err() {
            let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
            prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(files), maximum: hard })
                .expect("a limit that is lower");
        }
    }

    /// The number that the next open file gets: the limit is about numbers.
    fn next_file(&self) -> u64 {
        let folder = format!("/proc/{}/fd", self.child.id());
        let files = std::fs::read_dir(folder).expect("its files").flatten();
        let open: Vec<u64> =
            files.filter_map(|file| file.file_name().to_string_lossy().parse().ok()).collect();
        (0..).find(|number| !open.contains(number)).expect("a number")
    }

    async fn metric(&self, name: &str) -> u64 {
        let mut raw = Raw::connect(self.admin).await;
        raw.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let text = raw.rest().await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name);
        line.parse().expect("a number")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_open_files_left() {
    let served = Served::start(&[]);
    let mut player = Player::join(served.address, "early", "").await;
    // The next connection is one too many.
    served.limit_files(served.next_file());
    let request = upgrade_request(served.address, &[("Sec-WebSocket-Protocol", BINARY)]);
    let mut late = Raw::connect(served.address).await;
    late.send(request.as_bytes()).await;
    // Who plays plays on, meanwhile nobody is taken, and trying again costs next to nothing.
    let begun = Instant::now();
    let frames = player.session.stats().frames;
    while begun.elapsed() < Duration::from_secs(2) {
        player.turn().await;
    }
    assert!(player.session.stats().frames >= frames + 30, "the player was held up");
    assert!(timeout(Duration::from_millis(100), late.head()).await.is_err(), "nobody can be taken");
    served.limit_files(2000);
    let head = timeout(Duration::from_secs(5), late.head()).await.expect("taken once there are files again");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let errors = served.metric("tickwire_accept_errors_total").await;
    assert!((1..=60).contains(&errors), "{errors} attempts in two seconds: it does not back off");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_open_files_mean_few_places() {
    crate::command_line::tickwire();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let (address, admin) = (free().expect("a port"), free().expect("a port"));
    let program = crate::command_line::tickwire().get_program().to_owned();
    let limited = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let mut child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(program)
        .args(["--listen", &address.to_string(), "--admin-listen", &admin.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let served = Served { child, address, admin };
    let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]);
    let (mut kept, mut refused) = (Vec::new(), 0);
    for _ in 0..80 {
        let mut raw = Raw::connect(address).await;
        raw.send(request.as_bytes()).await;
        let head = raw.head().await;
        if head.starts_with("HTTP/1.1 101 ") {
            kept.push(raw);
        } else {
            assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: "), "{head}");
            refused += 1;
        }
    }
    // What `places` makes of 64 files.
    assert_eq!((kept.len(), refused), (36, 44));
    assert_eq!(served.metric("tickwire_accept_errors_total").await, 0, "files ran out after all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_closes_although_every_handshake_is_taken() {
    let mut config = config();
    config.limits.handshakes_max = 1;
    let server = start(config).await;
    let address = server.public_addr();
    let _silent = Raw::connect(address).await;
    // Time for it to be taken.
    sleep(Duration::from_millis(200)).await;
    timeout(Duration::from_secs(4), server.shutdown()).await.expect("in time");
    let begun = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(2), "the port stays open");
        sleep(Duration::from_millis(50)).await;
    }
}
