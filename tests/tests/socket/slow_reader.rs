//! A peer that does not read: nobody waits for it, nothing is kept for it, and it comes back.

use std::time::Duration;

use socket2::SockRef;

use crate::player::{Player, Witness};
use crate::raw::{JSON, Raw, TEXT, frame};
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
