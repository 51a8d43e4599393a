//! What it costs to be there and do nothing, when a ping is sent, and how soon a peer that is gone is noticed.

use std::time::Duration;

use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::driver::{self, Running};
use tokio::time::Instant;

use crate::player::{Player, Witness, hello};
use crate::raw::{BINARY, DATA, JSON, PING, Raw, TEXT, frame};
use crate::server::{config, metric, start, until};

/// Bytes per second of WebSocket frames, heads and masks included.
const IDLE_DOWN_MAX: f64 = 40.0;
const IDLE_UP_MAX: f64 = 60.0;

async fn empty_arena() -> Running {
    let empty = ArenaConfig { bots: 0, drones: 0, pickups: 0, ..ArenaConfig::default() };
    let make_game = move |_: &str, seed| ArenaGame::new(ArenaConfig { seed, ..empty });
    driver::start(make_game, ArenaDialect, config()).await.expect("a server")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_client_costs_next_to_nothing() {
    let server = empty_arena().await;
    let mut player = Player::join(server.public_addr(), "idle", "").await;
    let play_for = async |player: &mut Player, time: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < time {
            player.turn().await;
        }
        (begun.elapsed().as_secs_f64(), player.raw.traffic(), player.session.stats().frames)
    };
    // What it came with has settled.
    let (_, before, frames_before) = play_for(&mut player, Duration::from_secs(3)).await;
    let (seconds, after, frames) = play_for(&mut player, Duration::from_secs(12)).await;
    let down = (after.down - before.down) as f64 / seconds;
    let up = (after.up - before.up) as f64 / seconds;
    let beats = (frames - frames_before) as f64 / seconds;
    println!("idle: {down:.1} B/s down, {up:.1} B/s up, {beats:.1} frames/s");
    assert!(down < IDLE_DOWN_MAX && up < IDLE_UP_MAX, "{down:.1} B/s down, {up:.1} B/s up");
    assert!(beats >= 1.0, "a client that hears nothing knows nothing: {beats:.1} frames/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_come_from_silence_only() {
    let mut config = config();
    config.limits.ping_after = Duration::from_secs(1);
    let server = start(config).await;
    let mut player = Player::join(server.public_addr(), "busy", "").await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        let received = player.raw.frame().await.expect("a frame").expect("a frame before the end");
        assert_ne!(received.opcode, PING, "asked whether it lives while it speaks");
        player.take(received).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_gone_is_noticed_in_time() {
    let mut config = config();
    config.limits.ping_after = Duration::from_secs(2);
    let server = start(config).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    // Half-open: their sockets stay open, and nobody is behind them any more.
    let mut binary = Raw::open(address, BINARY).await;
    binary.send(&frame(DATA, &hello("gone", ""))).await;
    let mut json = Raw::open(address, JSON).await;
    json.send(&frame(TEXT, br#"{"hello":{"name":"gone"}}"#)).await;
    let _stranger = Raw::open(address, BINARY).await;
    until("both are in", || metric(&server, "tickwire_clients") == 3).await;
    let begun = Instant::now();
    until("all three are gone", || server.metrics().contains("tickwire_closes_total{code=\"4005\"} 3")).await;
    // 5 s for a Hello, or three silences of 2 s; then 3 s for a close frame that nobody answers.
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    until("their places are free", || metric(&server, "tickwire_clients") == 1).await;
    witness.assert_alive().await;
}
