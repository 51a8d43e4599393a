//! The server as a process of its own, as an operator runs it.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::command_line::Server;

/// For a line of the log, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
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

    pub(crate) fn id(&self) -> u32 {
        self.server.0.id()
    }

    /// Its admin port, of which it says where it is before anything else.
    pub(crate) fn admin(&self) -> String {
        let lines = self.lines_until("listening");
        let address = lines.last().and_then(|line| line.split("admin=").nth(1)?.split_whitespace().next());
        address.expect("an address").to_owned()
    }

    /// Sends it a signal, like `-HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
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

    /// Waits until it ends by itself: its exit code, and all that it has said and nobody has looked at.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let code = self.server.0.wait().expect("it ended").code();
        (code, self.lines.iter().collect::<Vec<_>>().join("\n"))
    }
}
