//! A configuration that is read again while the server runs: what is taken over, what waits for a restart, and that a
//! wrong one changes nothing.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::command_line::{Server, tickwire};
use crate::secure::Folder;

/// For a line of the log, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines that wait to be looked at.
const LINES_MAX: usize = 10_000;

/// A server as a process of its own, and what it writes.
pub(crate) struct Process {
    server: Server,
    pub(crate) address: String,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let spawned = command
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut server = Server(spawned.expect("the server runs"));
        let mut first = String::new();
        let stdout = server.0.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut first).expect("a line");
        let address =
            first.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("a URL").to_owned();
        let stderr = BufReader::new(server.0.stderr.take().expect("its log"));
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| {
                // Fails when the test is over.
                let _ = sender.send(line);
            });
        });
        Self { server, address, lines }
    }

    fn hang_up(&self) {
        let id = self.server.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().expect("kill").success());
    }

    /// Lines up to the first with these words, that one included.
    pub(crate) fn lines_until(&self, words: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        while seen.last().is_none_or(|line| !line.contains(words)) {
            let line = self.lines.recv_timeout(PATIENCE);
            seen.push(line.unwrap_or_else(|_| panic!("never said: {words}; but {seen:#?}")));
        }
        seen
    }

    /// Everything that it says until it is told to end.
    pub(crate) fn into_lines(mut self) -> Vec<String> {
        self.server.0.kill().expect("it ran");
        self.lines.iter().collect()
    }

    /// The first line of what a page of another origin is answered.
    fn status_for(&self, origin: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        let host = &self.address;
        write!(
            stream,
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: tickwire.v1\r\n\r\n"
        )
        .expect("sent");
        let mut head = [0; 12];
        stream.read_exact(&mut head).expect("an answer");
        String::from_utf8_lossy(&head).into_owned()
    }
}

fn started(file: &Path) -> Process {
    let process = Process::start(tickwire().arg("--config").arg(file));
    process.lines_until("listening");
    process
}

#[test]
fn what_may_change_does_without_a_restart_and_the_rest_is_named() {
    let folder = Folder::new("reload");
    let file = folder.write("tickwire.toml", "");
    let process = started(&file);
    let origin = "https://game.example";
    assert_eq!(process.status_for(origin), "HTTP/1.1 403");

    folder
        .write("tickwire.toml", "allowed_origins = ['https://game.example']\ntick_hz = 20\narena.bots = 1\n");
    process.hang_up();
    let said = process.lines_until("configuration reloaded");
    assert!(
        said.last().is_some_and(|line| line.contains("allowed_origins") && !line.contains("tick_hz")),
        "{said:?}"
    );
    for key in ["arena.bots", "tick_hz"] {
        let named =
            |line: &String| line.contains("WARN") && line.contains(key) && line.contains("needs a restart");
        assert!(said.iter().any(named), "{key}: {said:?}");
    }
    assert_eq!(process.status_for(origin), "HTTP/1.1 101");

    for (wrong, why) in [
        ("allowed_origins = []\ntick_rate = 20\n", "did you mean tick_hz"),
        ("allowed_origins = []\ntick_hz = 0\n", "tick_hz = 0"),
        ("allowed_origins = [", "TOML"),
    ] {
        folder.write("tickwire.toml", wrong);
        process.hang_up();
        let said = process.lines_until("the configuration stays as it was");
        let last = said.last().expect("a line");
        assert!(last.contains("ERROR") && last.contains(why), "{why}: {last}");
        assert_eq!(process.status_for(origin), "HTTP/1.1 101", "{wrong}");
    }

    folder.write("tickwire.toml", "");
    process.hang_up();
    process.lines_until("configuration reloaded");
    assert_eq!(process.status_for(origin), "HTTP/1.1 403", "and back again");
}

#[test]
fn the_level_of_the_log_changes_while_it_runs() {
    let folder = Folder::new("reload-level");
    let file = folder.write("tickwire.toml", "");
    let process = started(&file);
    process.status_for("https://game.example");
    folder.write("tickwire.toml", "log.level = 'debug'\n");
    process.hang_up();
    let said = process.lines_until("configuration reloaded");
    assert!(!said.iter().any(|line| line.contains("upgrade refused")), "{said:?}");
    process.status_for("https://game.example");
    process.lines_until("upgrade refused");
}
