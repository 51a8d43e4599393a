//! The C example as a client of the real server: it plays, and comes back to a server that was restarted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use std::{fs, thread};

use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::config::Config;
use tickwire_server::driver::{self, Running};

use crate::{compiled, here};

/// How long to wait for what ought to come soon.
const PATIENCE: Duration = Duration::from_secs(60);

async fn serve(port: u16) -> Running {
    let mut config = Config::default();
    config.listen.set_port(port);
    config.admin_listen.set_port(0);
    (config.drain_notice, config.retry_after) = (Duration::from_millis(700), Duration::from_millis(900));
    let make_game = |_: &str, seed| {
        ArenaGame::new(ArenaConfig { size_m: 100, seed, bots: 2, drones: 10, ..ArenaConfig::default() })
    };
    driver::start(make_game, ArenaDialect, config).await.expect("a server")
}

/// The example at work; it does not outlive its test.
struct Player(Child);

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it; gives also what it says line by line.
fn play(program: &Path, port: u16, seconds: u32) -> (Player, Receiver<String>) {
    let vectors = here().join("../vectors");
    let mut child = Command::new(program)
        .args(["127.0.0.1", &port.to_string(), &seconds.to_string()])
        .args([vectors.join("arena_schema.json"), here().join("../src/arena/arena.tables")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was just compiled");
    let (lines, said) = sync_channel(4096);
    let from = BufReader::new(child.stdout.take().expect("it is piped"));
    thread::spawn(move || from.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
    (Player(child), said)
}

/// Where it says that it is, at the next time that it says so.
fn place(said: &Receiver<String>) -> String {
    let line = said.recv_timeout(PATIENCE).expect("it says where it is once a second");
    let place = line.split(" at ").nth(1).and_then(|rest| rest.split(',').next());
    place.unwrap_or_else(|| panic!("no place in {line:?}")).to_owned()
}

/// What it says when it is told that the server goes away.
fn farewell(said: &Receiver<String>) -> String {
    loop {
        let line = said.recv_timeout(PATIENCE).expect("it is told before the close");
        if !line.contains(" at ") {
            return line;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_c_plays_on_a_server_and_comes_back_to_it() {
    let server = serve(0).await;
    let port = server.public_addr().port();
    let program = compiled("play");
    let (player, said) = play(&program, port, 600);
    let first = place(&said);
    assert!((0..8).any(|_| place(&said) != first), "it walks in a square, and stays at {first}");
    let drained = tokio::spawn(server.drain());
    assert_eq!(farewell(&said), "the server goes away in 700 ms, come again 900 ms later");
    assert_eq!(drained.await.expect("it ended").sessions_left, 0);
    while said.try_recv().is_ok() {}
    let server = serve(port).await;
    let back = place(&said);
    assert!((0..8).any(|_| place(&said) != back), "it walks again, and stays at {back}");
    drop(player);

    let (mut player, said) = play(&program, port, 5);
    let lines: Vec<_> = said.iter().collect();
    assert!(player.0.wait().expect("it ends by itself").success(), "{lines:?}");
    assert!(
        lines.last().is_some_and(|line| line.contains("frames") && line.ends_with(" 0 wrong")),
        "{lines:?}"
    );
    server.shutdown().await;
    fs::remove_file(program).expect("it was just run");
}
