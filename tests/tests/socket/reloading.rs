//! A configuration that is read again while the server runs: what is taken over, what waits for a restart, and that a
//! wrong one changes nothing.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::command_line::tickwire;
use crate::folder::Folder;
use crate::process::{PATIENCE, Process};

fn started(file: &Path) -> Process {
    let process = Process::start(tickwire().arg("--config").arg(file));
    process.lines_until("listening");
    process
}

/// The first line of what a page of another origin is answered.
fn status_for(process: &Process, origin: &str) -> String {
    let mut stream = TcpStream::connect(&process.address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    let host = &process.address;
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

#[test]
fn what_may_change_does_without_a_restart_and_the_rest_is_named() {
    let folder = Folder::new("reload");
    let file = folder.write("tickwire.toml", "");
    let process = started(&file);
    let origin = "https://game.example";
    assert_eq!(status_for(&process, origin), "HTTP/1.1 403");

    folder
        .write("tickwire.toml", "allowed_origins = ['https://game.example']\ntick_hz = 20\narena.bots = 1\n");
    process.signal("-HUP");
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
    assert_eq!(status_for(&process, origin), "HTTP/1.1 101");

    for (wrong, why) in [
        ("allowed_origins = []\ntick_rate = 20\n", "did you mean tick_hz"),
        ("allowed_origins = []\ntick_hz = 0\n", "tick_hz = 0"),
        ("allowed_origins = [", "TOML"),
    ] {
        folder.write("tickwire.toml", wrong);
        process.signal("-HUP");
        let said = process.lines_until("the configuration stays as it was");
        let last = said.last().expect("a line");
        assert!(last.contains("ERROR") && last.contains(why), "{why}: {last}");
        assert_eq!(status_for(&process, origin), "HTTP/1.1 101", "{wrong}");
    }

    folder.write("tickwire.toml", "");
    process.signal("-HUP");
    process.lines_until("configuration reloaded");
    assert_eq!(status_for(&process, origin), "HTTP/1.1 403", "and back again");
}

#[test]
fn the_level_of_the_log_changes_while_it_runs() {
    let folder = Folder::new("reload-level");
    let file = folder.write("tickwire.toml", "");
    let process = started(&file);
    status_for(&process, "https://game.example");
    folder.write("tickwire.toml", "log.level = 'debug'\n");
    process.signal("-HUP");
    let said = process.lines_until("configuration reloaded");
    assert!(!said.iter().any(|line| line.contains("upgrade refused")), "{said:?}");
    status_for(&process, "https://game.example");
    process.lines_until("upgrade refused");
}
