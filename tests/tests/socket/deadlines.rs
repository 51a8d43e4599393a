//! Peers that take too long: 4005, each deadline with its own words.

use std::time::Duration;

use tokio::time::Instant;

use crate::player::{Player, Witness, hello};
use crate::raw::{BINARY, DATA, JSON, PING, PONG, Raw, TEXT, frame};
use crate::server::{config, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hello_and_half_a_frame() {
    let mut config = config();
    config.limits.hello_deadline = Duration::from_millis(300);
    config.limits.partial_frame_deadline = Duration::from_millis(500);
    let server = start(config).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    for subprotocol in [BINARY, JSON] {
        let mut silent = Raw::open(address, subprotocol).await;
        let ending = silent.ending().await;
        assert_eq!(ending.sole(), (4005, "deadline passed: no Hello"));
    }
    // Busy, but not with a Hello.
    let mut chatty = Raw::open(address, BINARY).await;
    chatty.send(&frame(PING, b"x")).await;
    assert_eq!(chatty.ending().await.sole().0, 4005);

    let message = frame(DATA, &hello("half", ""));
    let mut half = Raw::open(address, BINARY).await;
    half.send(&message).await;
    half.frame_of(DATA).await;
    let begun = Instant::now();
    half.send(&message[..5]).await;
    let ending = half.ending().await;
    assert_eq!(ending.sole(), (4005, "deadline passed: half a frame"));
    assert!(begun.elapsed() < Duration::from_secs(3));

    // The half came together with a whole one: no byte of it alone ever arrives.
    let mut half = Raw::open(address, BINARY).await;
    let begun = Instant::now();
    half.send(&[&message[..], &message[..5]].concat()).await;
    assert_eq!(half.ending().await.sole(), (4005, "deadline passed: half a frame"));
    assert!(begun.elapsed() < Duration::from_secs(3));
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unanswered_pings() {
    let mut config = config();
    config.limits.ping_after = Duration::from_secs(1);
    let server = start(config).await;
    let address = server.public_addr();
    let mut deaf = Raw::open(address, JSON).await;
    deaf.send(&frame(TEXT, br#"{"hello":{}}"#)).await;
    deaf.frame_of(PING).await;
    let ending = deaf.ending().await;
    assert_eq!(ending.sole(), (4005, "deadline passed: no answer to pings"));

    let mut alive = Raw::open(address, JSON).await;
    alive.send(&frame(TEXT, br#"{"hello":{}}"#)).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let ping = alive.frame_of(PING).await;
        alive.send(&frame(PONG, &ping.payload)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_messages() {
    let server = start(config()).await;
    let mut player = Player::join(server.public_addr(), "idle", "").await;
    let ending = player.raw.ending().await;
    let (code, reason) = ending.sole();
    assert!(code == 4005 && reason.contains("no acknowledgement or input"), "{code} {reason}");
}
