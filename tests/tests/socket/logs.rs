//! What the server writes: for people, for programs, and never so much that a peer could fill a disk with it.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::command_line::tickwire;
use crate::player::Player;
use crate::process::Process;
use crate::raw::{BINARY, Raw};

/// Connections that are all refused: each is worth a line.
const NUISANCES: usize = 400;
/// Lines that one place may write in a minute.
const LINES_PER_MINUTE: usize = 20;

fn annoy(address: &str) {
    let mut stream = TcpStream::connect(address).expect("connect");
    // The server may have hung up already.
    let _ =
        write!(stream, "GET /ws HTTP/1.1\r\nHost: {address}\r\nOrigin: https://elsewhere.example\r\n\r\n");
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_hostile_peer_fills_no_disk() {
    let process = Process::start(
        tickwire()
            .args(["--log-level", "debug"])
            .env("TICKWIRE_LOG__LINES_PER_MINUTE", LINES_PER_MINUTE.to_string()),
    );
    (0..NUISANCES).for_each(|_| annoy(&process.address));
    let lines = process.into_lines();
    let refusals = lines.iter().filter(|line| line.contains("upgrade refused")).count();
    // A minute may have ended meanwhile.
    assert!((1..=2 * LINES_PER_MINUTE).contains(&refusals), "{refusals} lines for {NUISANCES} refusals");
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(bytes < 64 * 1024, "{bytes} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_can_read_it_and_see_whose_line_it_is() {
    let process = tokio::task::spawn_blocking(|| {
        Process::start(tickwire().args(["--log-format", "json", "--log-level", "debug"]))
    });
    let process = process.await.expect("started");
    let address = process.address.parse().expect("an address");
    let mut player = Player::over(Raw::open(address, BINARY).await, "ann", "").await;
    player.until("it plays", |session| session.stats().frames > 3).await;
    drop(player);
    let lines =
        tokio::task::spawn_blocking(move || process.lines_until("connection ended")).await.expect("lines");
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let with = |words: &str| {
        lines
            .iter()
            .find(|line| line["fields"]["message"] == words)
            .unwrap_or_else(|| panic!("no line: {words}"))
    };
    assert_eq!(with("listening")["level"], "INFO");
    assert!(with("listening")["timestamp"].is_string() && with("listening")["target"].is_string());
    let session = &with("connection ended")["span"];
    assert_eq!(session["name"], "session");
    assert!(
        session["client"].is_u64() && session["peer"].as_str().is_some_and(|peer| peer.starts_with("127.")),
        "{session}"
    );
    assert_eq!(
        with("let in")["span"]["client"],
        session["client"],
        "one number for all of a session's lines"
    );
}
