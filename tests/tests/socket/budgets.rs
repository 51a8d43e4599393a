//! Floods: the first excess is dropped and counted, a lasting one closed with 4004.

use std::time::Duration;

use tickwire_server::config::Config;
use tickwire_shared::arena::{ArenaInput, Command};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::ClientMessage;

use crate::player::{Witness, hello};
use crate::raw::{BINARY, CONTINUATION, DATA, JSON, PING, PONG, Raw, TEXT, frame, frame_with};
use crate::server::{config, metric, start, until};

fn impatient() -> Config {
    let mut config = config();
    config.limits.excess_deadline = Duration::from_millis(500);
    config
}

/// Sends the same bytes until the server closes; the close.
async fn flood(raw: &mut Raw, bytes: &[u8], pause: Duration) -> (u16, String) {
    for _ in 0..2000 {
        raw.send(bytes).await;
        let mut stream_ended = false;
        if let Ok(frame) = tokio::time::timeout(pause, raw.frame()).await {
            match frame {
                Ok(Some(frame)) if frame.opcode == 8 => {
                    let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                    return (code, String::from_utf8_lossy(&frame.payload[2..]).into_owned());
                }
                Ok(Some(_)) => {}
                _ => stream_ended = true,
            }
        }
        assert!(!stream_ended, "ended without a close frame");
    }
    panic!("never closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flood_is_counted_and_closed() {
    let server = start(impatient()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let in_pieces = [frame_with(DATA, b""), frame_with(CONTINUATION, b""), frame(CONTINUATION, b"")].concat();
    let long_chat = ClientMessage::<ArenaInput, Command>::Command(Command::Chat("x".repeat(3000)));
    for (what, bytes, reason) in [
        ("pings", frame(PING, b"x"), "pings_per_s"),
        ("pongs", frame(PONG, b"x").repeat(30), "frames_per_s"),
        ("fragments", in_pieces.repeat(40), "frames_per_s"),
        ("bytes", frame(DATA, &codec::encode(&long_chat)), "bytes_per_s"),
    ] {
        let counter = format!("tickwire_dropped_messages_total{{reason=\"{reason}\"}}");
        let before = metric(&server, &counter);
        let mut raw = Raw::open(address, BINARY).await;
        raw.send(&frame(DATA, &hello("flood", ""))).await;
        raw.frame_of(DATA).await;
        let (code, words) = if what == "fragments" {
            // An empty message is undecodable; within the budget it would be closed for that.
            raw.send(&frame(PONG, b"").repeat(90)).await;
            flood(&mut raw, &in_pieces.repeat(40), Duration::from_millis(5)).await
        } else {
            flood(&mut raw, &bytes, Duration::from_millis(5)).await
        };
        assert!(metric(&server, &counter) > before, "{what}: {reason} not counted");
        assert!(code == 4004 && words.contains("retry_after_ms=2000"), "{what}: {code} {words}");
    }
    witness.assert_undisturbed().await;
    assert!(metric(&server, "tickwire_closes_total{code=\"4004\"}") >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_has_a_rate_of_its_own() {
    let server = start(impatient()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut raw = Raw::open(address, BINARY).await;
    raw.send(&frame(DATA, &hello("talker", ""))).await;
    raw.frame_of(DATA).await;
    let chat = ClientMessage::<ArenaInput, Command>::Command(Command::Chat("spam".to_owned()));
    let chat = frame(DATA, &codec::encode(&chat));
    // Within the burst nothing is dropped.
    raw.send(&chat.repeat(10)).await;
    let dropped = "tickwire_dropped_messages_total{reason=\"commands_per_s\"}";
    crate::server::until("the game heard them", || metric(&server, "tickwire_commands_total") == 10).await;
    assert_eq!(metric(&server, dropped), 0);
    // Far below what frames and bytes allow.
    let (code, words) = flood(&mut raw, &chat, Duration::from_millis(30)).await;
    assert!(code == 4004 && words.contains("retry_after_ms=2000"), "{code} {words}");
    assert!(metric(&server, dropped) >= 5, "{}", metric(&server, dropped));
    assert!(metric(&server, "tickwire_commands_total") <= 20);
    assert_eq!(metric(&server, "tickwire_dropped_messages_total{reason=\"frames_per_s\"}"), 0);
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_may_say_less_than_a_player() {
    let mut config = config();
    config.limits.hello_bytes_max = 1000;
    let server = start(config).await;
    let mut stranger = Raw::open(server.public_addr(), BINARY).await;
    stranger.send(&frame(DATA, &[0; 1001])).await;
    assert_eq!(stranger.ending().await.sole().0, 1009);
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    raw.send(&frame(DATA, &hello("long", ""))).await;
    raw.frame_of(DATA).await;
    let chat = ClientMessage::<ArenaInput, Command>::Command(Command::Chat("x".repeat(3000)));
    raw.send(&frame(DATA, &codec::encode(&chat))).await;
    crate::server::until("it is heard", || metric(&server, "tickwire_commands_total") == 1).await;
    raw.send(&frame(DATA, &[0; 4097])).await;
    assert_eq!(raw.ending().await.sole().0, 1009);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_has_the_same_budget() {
    let server = start(impatient()).await;
    let mut raw = Raw::open(server.public_addr(), JSON).await;
    raw.send(&frame(TEXT, br#"{"hello":{"name":"flood"}}"#)).await;
    raw.frame_of(TEXT).await;
    let (code, _) =
        flood(&mut raw, &frame(TEXT, br#"{"chat":"x"}"#).repeat(30), Duration::from_millis(5)).await;
    assert_eq!(code, 4004);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_pings_is_answered_in_part_and_forgiven() {
    let server = start(config()).await;
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    raw.send(&frame(DATA, &hello("burst", ""))).await;
    raw.frame_of(DATA).await;
    raw.send(&(0..20_u8).flat_map(|n| frame(PING, &[n])).collect::<Vec<_>>()).await;
    let pong = raw.frame_of(PONG).await;
    assert!(pong.payload[0] < 5, "those beyond the burst get no answer: {pong:?}");
    // The answer may be here before the server has read the last of them.
    let dropped = "tickwire_dropped_messages_total{reason=\"pings_per_s\"}";
    until("15 pings are dropped", || metric(&server, dropped) >= 15).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    raw.send(&frame(PING, b"later")).await;
    while raw.frame_of(PONG).await.payload != b"later" {}
}
