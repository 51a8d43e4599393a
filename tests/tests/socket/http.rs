//! Before the upgrade: what is served, what is refused, and with which sentence.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_server::config::JsonSession;
use tokio::time::Instant;

use crate::raw::{BINARY, JSON, Raw, upgrade_request};
use crate::server::{config, metric, start};

/// Headers that make a request different.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// Status and whole response.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut raw = Raw::connect(address).await;
    raw.send(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await;
    let text = raw.rest().await;
    let status = text.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
    (status, text.to_lowercase())
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages() {
    let server = start(config()).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    let (status, page) = get(public, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("<canvas") && page.contains("content-security-policy"));
    assert_eq!(get(public, "/healthz").await.0, 200);
    assert_eq!(get(public, "/readyz").await.0, 200);
    assert_eq!(get(public, "/metrics").await.0, 404, "counters are not public");
    assert_eq!(get(public, "/nowhere").await.0, 404);
    let (status, rooms) = get(public, "/rooms").await;
    assert!(
        status == 200 && rooms.contains(r#""name":"main""#) && rooms.contains(r#""capacity":1000"#),
        "{rooms}"
    );
    let (status, metrics) = get(admin, "/metrics").await;
    assert_eq!(status, 200);
    for name in [
        "tickwire_tick_duration_seconds_bucket{stage=\"step\",le=\"0.001\"}",
        "tickwire_tick_late_total",
        "tickwire_clients 0",
        "tickwire_rooms 1",
        "tickwire_sent_bytes_total",
        "tickwire_received_bytes_total",
        "tickwire_inputs_total{outcome=\"late\"}",
        "tickwire_dropped_messages_total{reason=\"frames_per_s\"}",
    ] {
        assert!(metrics.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_upgrades() {
    let mut config = config();
    config.allowed_origins = vec!["https://game.example".to_owned()];
    let server = start(config).await;
    let address = server.public_addr();
    let own = format!("http://{address}");
    let binary = ("Sec-WebSocket-Protocol", BINARY);
    let table: [(Headers<'_>, u16, &str); 13] = [
        (&[binary, ("Upgrade", "")], 426, "upgrade: websocket"),
        (&[binary, ("Connection", "")], 426, "upgrade: websocket"),
        (&[binary, ("Sec-WebSocket-Version", "8")], 426, "sec-websocket-version: 13"),
        (&[binary, ("Sec-WebSocket-Key", "")], 400, "sec-websocket-key must be"),
        (&[binary, ("Sec-WebSocket-Key", "c2hvcnQ=")], 400, "sec-websocket-key must be"),
        (&[], 400, "tickwire.v1 (binary) or tickwire.json.v1 (text)"),
        (&[("Sec-WebSocket-Protocol", "chat")], 400, "tickwire.v1 (binary) or tickwire.json.v1 (text)"),
        (&[binary, ("Origin", "null")], 403, "origin"),
        (&[binary, ("Origin", "http://evil.example")], 403, "origin"),
        (&[binary, ("Origin", "https://game.example.evil.example")], 403, "origin"),
        (&[binary, ("Origin", &own)], 101, "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        (&[binary, ("Origin", "https://game.example")], 101, ""),
        (&[("Sec-WebSocket-Protocol", "x, tickwire.json.v1, tickwire.v1")], 101, JSON),
    ];
    for (changes, status, words) in table {
        let mut raw = Raw::connect(address).await;
        raw.send(upgrade_request(address, changes).as_bytes()).await;
        let head = raw.head().await.to_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{changes:?}: {head}");
        if status == 101 || words.contains(": ") {
            assert!(head.contains(words), "{changes:?}: {head}");
        } else {
            let (_, text) = ask(address, &upgrade_request(address, changes)).await;
            assert!(text.contains(words), "{changes:?}: {text}");
        }
    }
    let post = upgrade_request(address, &[binary]).replace("GET", "POST");
    assert_eq!(ask(address, &post).await.0, 405);
    assert!(metric(&server, "tickwire_upgrades_refused_total") >= 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_says_when_to_come_back() {
    let mut config = config();
    config.connections_max = 1;
    let server = start(config).await;
    let address = server.public_addr();
    let first = Raw::open(address, BINARY).await;
    let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]);
    let (status, text) = ask(address, &request).await;
    assert!(status == 503 && text.contains("retry-after: "), "{text}");
    assert_eq!(get(address, "/healthz").await.0, 200, "a full server still answers");
    drop(first);
    for _ in 0..100 {
        let mut raw = Raw::connect(address).await;
        raw.send(request.as_bytes()).await;
        if raw.head().await.starts_with("HTTP/1.1 101") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the place was never free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_answer_each_so_that_handshakes_find_a_place() {
    let mut config = config();
    config.limits.handshakes_max = 2;
    let server = start(config).await;
    let address = server.public_addr();
    let request = format!("GET /nowhere HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut busy = [Raw::connect(address).await, Raw::connect(address).await];
    for raw in &mut busy {
        raw.send(request.as_bytes()).await;
        raw.head().await;
        raw.send(request.as_bytes()).await;
    }
    let begun = Instant::now();
    let _session = Raw::open(address, BINARY).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "waited {:?} for a place", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_a_deadline() {
    let mut config = config();
    config.limits.head_deadline = Duration::from_millis(200);
    let server = start(config).await;
    for half in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut raw = Raw::connect(server.public_addr()).await;
        raw.send(half.as_bytes()).await;
        let text = raw.rest().await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_can_be_switched_off() {
    let mut config = config();
    config.json_session = JsonSession::Off;
    let server = start(config).await;
    let address = server.public_addr();
    let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", JSON)]);
    let (status, text) = ask(address, &request).await;
    assert!(status == 400 && text.contains("json_session"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_of_the_accepted_socket() {
    let server = start(config()).await;
    let raw = Raw::open(server.public_addr(), BINARY).await;
    let options = server.accepted_options().expect("a socket was accepted");
    assert!(options.nodelay, "Nagle would hold back every snapshot");
    assert!((64 * 1024..=256 * 1024).contains(&options.send_buffer_bytes), "{options:?}");
    if cfg!(target_os = "linux") {
        assert_eq!(options.user_timeout, Some(std::time::Duration::from_secs(16)));
    }
    drop(raw);
}
