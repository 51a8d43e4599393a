//! What one address may take: its connections, its new connections, and nobody else's.

use std::time::Duration;

use tickwire_server::config::Config;
use tokio::time::Instant;

use crate::player::{Witness, hello};
use crate::raw::{BINARY, DATA, Raw, frame, upgrade_request};
use crate::server::{config, metric, start, until};

const ONE: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];

/// Limits by address hold for loopback too.
fn strict() -> Config {
    let mut config = config();
    config.limits.loopback = true;
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_than_allowed() {
    let mut config = strict();
    config.limits.connections_per_address_max = 3;
    let server = start(config).await;
    let address = server.public_addr();
    let mut kept = Vec::new();
    for _ in 0..3 {
        let raw = Raw::connect_from(ONE, address).await.expect("connect");
        kept.push(raw.upgraded(address, BINARY).await);
    }
    // Told before anything was asked; whoever has asked already is told too.
    for request in ["", &upgrade_request(address, &[])] {
        let mut fourth = Raw::connect_from(ONE, address).await.expect("connect");
        fourth.send(request.as_bytes()).await;
        let text = fourth.rest().await;
        assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("retry-after: 5\r\n"), "{text}");
    }
    assert_eq!(metric(&server, "tickwire_turned_away_total{reason=\"address_connections\"}"), 2);
    let _other = Raw::connect_from(OTHER, address).await.expect("connect").upgraded(address, BINARY).await;
    drop(kept.pop());
    let begun = Instant::now();
    loop {
        let mut raw = Raw::connect_from(ONE, address).await.expect("connect");
        raw.send(upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]).as_bytes()).await;
        if raw.head().await.starts_with("HTTP/1.1 101 ") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "its place is never free again");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_arrivals_than_allowed() {
    let mut config = strict();
    (config.limits.handshakes_per_address_burst, config.limits.handshakes_per_address_per_s) = (6, 2);
    let server = start(config).await;
    let address = server.public_addr();
    let mut answers = [0, 0];
    for _ in 0..12 {
        let mut raw = Raw::connect_from(ONE, address).await.expect("connect");
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let text = raw.rest().await;
        assert!(text.contains(" 200 ") || text.contains(" 503 "), "{text}");
        answers[usize::from(text.contains(" 503 "))] += 1;
    }
    assert!(answers[0] >= 6 && answers[1] >= 3, "{answers:?} let in and turned away");
    let mut other = Raw::connect_from(OTHER, address).await.expect("connect");
    other.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(other.rest().await.contains(" 200 "));
    // The operator is not counted.
    for _ in 0..20 {
        let mut raw = Raw::connect_from(ONE, server.admin_addr()).await.expect("connect");
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(raw.rest().await.contains(" 200 "));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_handshakes_in_hand_than_allowed() {
    let mut config = strict();
    config.limits.handshakes_per_address_max = 3;
    let server = start(config).await;
    let address = server.public_addr();
    // One says nothing, one has asked for half a page, one is upgraded and says no Hello.
    let _silent = Raw::connect_from(ONE, address).await.expect("connect");
    let mut half = Raw::connect_from(ONE, address).await.expect("connect");
    half.send(b"GET / HTTP/1.1\r\nHo").await;
    let mut upgraded =
        Raw::connect_from(ONE, address).await.expect("connect").upgraded(address, BINARY).await;
    let mut fourth = Raw::connect_from(ONE, address).await.expect("connect");
    let text = fourth.rest().await;
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("retry-after: 5\r\n"), "{text}");
    assert_eq!(metric(&server, "tickwire_turned_away_total{reason=\"address_handshakes\"}"), 1);
    let _other = Raw::connect_from(OTHER, address).await.expect("connect").upgraded(address, BINARY).await;
    // A session is none of them any more.
    upgraded.send(&frame(DATA, &hello("one", ""))).await;
    upgraded.frame_of(DATA).await;
    let _fourth = Raw::connect_from(ONE, address).await.expect("connect").upgraded(address, BINARY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_strangers_than_allowed() {
    let mut config = config();
    config.limits.unauthenticated_max = 2;
    let server = start(config).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut first = Raw::open(address, BINARY).await;
    let second = Raw::open(address, BINARY).await;
    let refused = async || {
        let mut raw = Raw::connect(address).await;
        raw.send(upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]).as_bytes()).await;
        let head = raw.head().await;
        head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 5\r\n")
    };
    assert!(refused().await && refused().await);
    assert_eq!(metric(&server, "tickwire_turned_away_total{reason=\"unauthenticated\"}"), 2);
    // One is let in, one goes away: both places are free again.
    first.send(&frame(DATA, &hello("one", ""))).await;
    first.frame_of(DATA).await;
    drop(second);
    let begun = Instant::now();
    let mut kept = Vec::new();
    while kept.len() < 2 {
        let mut raw = Raw::connect(address).await;
        raw.send(upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]).as_bytes()).await;
        if raw.head().await.starts_with("HTTP/1.1 101 ") {
            kept.push(raw);
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "the places are never free again");
    }
    assert!(refused().await);
    // Sessions are not counted, and pages come all the same.
    let mut raw = Raw::connect(address).await;
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(raw.rest().await.contains(" 200 "));
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loopback_is_not_counted_by_default() {
    let server = start(config()).await;
    let mut kept = Vec::new();
    for _ in 0..60 {
        kept.push(Raw::open(server.public_addr(), BINARY).await);
    }
    until("all are sessions", || metric(&server, "tickwire_sessions_total") == 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_clients_are_counted_and_the_proxy_is_not() {
    let mut config = strict();
    config.proxy.trusted = vec!["127.0.0.2/32".parse().expect("a network")];
    config.auth.mode = tickwire_server::config::AuthMode::Anonymous;
    config.limits.connections_per_address_max = 2;
    let server = start(config).await;
    let address = server.public_addr();
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8::2"] {
        for _ in 0..2 {
            let mut raw = Raw::connect_from(ONE, address).await.expect("connect");
            let headers = [("Sec-WebSocket-Protocol", BINARY), ("X-Forwarded-For", client)];
            raw.send(upgrade_request(address, &headers).as_bytes()).await;
            match raw.head().await {
                head if head.starts_with("HTTP/1.1 101 ") => kept.push(raw),
                head if head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: ") => {
                    refused.push(client);
                }
                head => panic!("{head}"),
            }
        }
    }
    // The /64 of the last two is one.
    assert_eq!((kept.len(), &refused[..]), (6, &["2001:db8::2", "2001:db8::2"][..]));
    // Who is no proxy may say what it likes.
    for number in 0..3 {
        let mut raw = Raw::connect_from(OTHER, address).await.expect("connect");
        let claim = format!("198.51.100.{number}");
        let headers = [("Sec-WebSocket-Protocol", BINARY), ("X-Forwarded-For", claim.as_str())];
        raw.send(upgrade_request(address, &headers).as_bytes()).await;
        assert!(raw.head().await.starts_with(if number < 2 { "HTTP/1.1 101 " } else { "HTTP/1.1 503 " }));
        kept.push(raw);
    }
}
