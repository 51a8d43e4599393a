//! A peer that does not read: nobody waits for it, nothing is kept for it, and it comes back.

use std::time::Duration;

use socket2::SockRef;
use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::driver;

use crate::player::{Player, Witness};
use crate::raw::{BINARY, JSON, Raw, TEXT, frame};
use crate::server::{config, metric, start, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_acknowledge_is_paused_and_comes_back() {
    let server = start(config()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut slow = Player::join(address, "slow", "").await;
    until("it is paused", || metric(&server, "tickwire_paused_clients") == 1).await;
    let (paused, sent) = ("tickwire_paused_client_ticks_total", "tickwire_snapshots_total");
    let before = (metric(&server, paused), metric(&server, sent));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (paused, sent) = (metric(&server, paused) - before.0, metric(&server, sent) - before.1);
    assert!(paused >= 60 && sent <= 120, "packed for nobody but the witness: {paused} paused, {sent} sent");
    witness.assert_undisturbed().await;
    // It reads on: first what was on its way, then one frame that brings it up to date.
    let resyncs = slow.session.stats().resyncs;
    slow.until("a resync", |session| session.stats().resyncs > resyncs).await;
    let frames = slow.session.stats().frames;
    slow.until("more frames", |session| session.stats().frames > frames + 30).await;
    assert_eq!(slow.session.stats().mismatches, 0);
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_at_all_is_sent_nothing_more() {
    const SLOW: u64 = 20;
    let mut config = config();
    config.limits.send_buffer_bytes = 4096;
    // So many that the first frame alone is more than both kernels take.
    let crowd = ArenaConfig { bots: 0, drones: 800, ..ArenaConfig::default() };
    let make_game = move |_: &str, seed| ArenaGame::new(ArenaConfig { seed, ..crowd });
    let server = driver::start(make_game, ArenaDialect, config).await.expect("a server");
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(Player::over(Raw::open_narrow(address, BINARY).await, "slow", "").await);
    }
    until("they are paused", || metric(&server, "tickwire_paused_clients") == SLOW).await;
    // Counters are published now and then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (sent, snapshots) = ("tickwire_sent_bytes_total", "tickwire_snapshots_total");
    let before = (metric(&server, sent), metric(&server, snapshots));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(metric(&server, "tickwire_paused_clients"), SLOW, "the kernels take more than was thought");
    let (sent, snapshots) = (metric(&server, sent) - before.0, metric(&server, snapshots) - before.1);
    assert!(
        snapshots <= 120 && sent <= 600_000,
        "{snapshots} packed, {sent} bytes: not for the witness alone"
    );
    witness.assert_undisturbed().await;
    // One reads on: the frame that was cut in the middle, whole, and one that brings it up to date.
    let mut player = slow.pop().expect("a player");
    drop(slow);
    player.until("a resync", |session| session.stats().resyncs > 0).await;
    let checksums = player.session.stats().checksums;
    player.until("a checksum", |session| session.stats().checksums > checksums).await;
    assert_eq!(player.session.stats().mismatches, 0);
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_reader_that_stalls_costs_no_memory_and_is_let_go() {
    let mut config = config();
    config.json_state_hz = 20;
    config.limits.send_buffer_bytes = 4096;
    config.limits.write_stall_deadline = Duration::from_millis(1500);
    let server = start(config).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut slow = Raw::open(address, JSON).await;
    SockRef::from(slow.stream()).set_recv_buffer_size(2048).expect("a small buffer");
    slow.send(&frame(TEXT, br#"{"hello":{"name":"slow"}}"#)).await;
    until("it is let go", || server.metrics().contains("closes_total{code=\"stalled\"} 1")).await;
    witness.assert_undisturbed().await;
    until("its place is free", || metric(&server, "tickwire_clients") == 1).await;
}
