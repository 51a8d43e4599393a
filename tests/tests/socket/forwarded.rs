//! What proxies say of those behind them, and who is believed.

use std::net::SocketAddr;
use std::time::Duration;

use ppp::v2::{Builder, Command, Protocol, Type, Version};
use tickwire_server::config::{AuthMode, Config, ForwardedHeader, ProxyProtocol};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::folder::Folder;
use crate::hooks::start_guarded;
use crate::player::Player;
use crate::raw::{BINARY, PATIENCE, Raw, upgrade_request};
use crate::secure::Certificate;
use crate::server::{self, metric, until};

/// Headers that make a request different.
type Headers<'a> = &'a [(&'a str, &'a str)];

fn behind(trusted: &str) -> Config {
    let mut config = server::config();
    config.proxy.trusted.push(trusted.parse().expect("a network"));
    config.auth.mode = AuthMode::Hook;
    config
}

fn request(address: SocketAddr, headers: Headers<'_>) -> String {
    let binary = ("Sec-WebSocket-Protocol", BINARY);
    upgrade_request(address, &[headers, &[binary]].concat())
}

/// Joins with these headers.
async fn join(mut raw: Raw, address: SocketAddr, name: &str, headers: Headers<'_>) -> Player {
    raw.send(request(address, headers).as_bytes()).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{name}: {head}");
    let mut player = Player::over(raw, name, "").await;
    player.until("it plays", |session| session.stats().frames > 0).await;
    player
}

fn proxy_header(source: &str, secure: bool) -> Vec<u8> {
    let destination = if source.starts_with('[') { "[2001:db8::1]:443" } else { "192.0.2.1:443" };
    let addresses: (SocketAddr, SocketAddr) =
        (source.parse().expect("an address"), destination.parse().expect("an address"));
    Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, addresses)
        .write_tlv(Type::SSL, &[u8::from(secure), 0, 0, 0, 0])
        .expect("a part")
        .build()
        .expect("a header")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_count_from_trusted_peers_only() {
    let forged: Headers<'_> = &[
        ("X-Forwarded-For", "198.51.100.9, 203.0.113.7"),
        ("Forwarded", "for=198.51.100.8"),
        ("X-Real-IP", "198.51.100.7"),
    ];
    for (trusted, header, believed) in [
        ("127.0.0.1/32", ForwardedHeader::XForwardedFor, "203.0.113.7"),
        ("127.0.0.1/32", ForwardedHeader::Forwarded, "198.51.100.8"),
        ("10.0.0.0/8", ForwardedHeader::XForwardedFor, "127.0.0.1"),
        ("10.0.0.0/8", ForwardedHeader::Forwarded, "127.0.0.1"),
    ] {
        let mut config = behind(trusted);
        config.proxy.header = header;
        let (server, guard) = start_guarded(config).await;
        let address = server.public_addr();
        let _player = join(Raw::connect(address).await, address, "ann", forged).await;
        assert_eq!(guard.address_of("ann"), believed, "{trusted} {header:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheme_that_a_proxy_states_decides_about_origins() {
    let page: Headers<'_> = &[("Host", "game.example"), ("Origin", "https://game.example")];
    for (trusted, scheme, status) in
        [("127.0.0.1/32", "https", "101"), ("127.0.0.1/32", "http", "403"), ("10.0.0.0/8", "https", "403")]
    {
        let (server, _guard) = start_guarded(behind(trusted)).await;
        let address = server.public_addr();
        let mut raw = Raw::connect(address).await;
        let headers = [page, &[("X-Forwarded-Proto", scheme)]].concat();
        raw.send(request(address, &headers).as_bytes()).await;
        let head = raw.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{trusted} {scheme}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_header_names_the_client_and_is_required_of_proxies() {
    let mut config = behind("127.0.0.1/32");
    config.proxy.protocol = ProxyProtocol::V2;
    config.proxy.protocol_deadline = Duration::from_millis(400);
    let (server, guard) = start_guarded(config).await;
    let address = server.public_addr();
    for (name, source, believed) in
        [("ann", "203.0.113.7:1000", "203.0.113.7"), ("bob", "[2001:db8::7]:1000", "2001:db8::7")]
    {
        let mut raw = Raw::connect(address).await;
        raw.send(&proxy_header(source, false)).await;
        // Whom it names is no proxy, and its headers are its own invention.
        let _player = join(raw, address, name, &[("X-Forwarded-For", "198.51.100.9")]).await;
        assert_eq!(guard.address_of(name), believed);
    }
    // Whom it does not name is as far as the proxy, whatever the headers say.
    let mut raw = Raw::connect(address).await;
    raw.send(&[ppp::v2::PROTOCOL_PREFIX, &[0x21, 0, 0, 0]].concat()).await;
    let _player = join(raw, address, "eve", &[("X-Forwarded-For", "198.51.100.9")]).await;
    assert_eq!(guard.address_of("eve"), "127.0.0.1");
    let page: Headers<'_> = &[("Host", "game.example"), ("Origin", "https://game.example")];
    for (secure, status) in [(true, "101"), (false, "403")] {
        let mut raw = Raw::connect(address).await;
        raw.send(&[&proxy_header("203.0.113.7:1", secure)[..], request(address, page).as_bytes()].concat())
            .await;
        let head = raw.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{secure}: {head}");
    }

    let whole = proxy_header("203.0.113.7:1", false);
    let mut long = whole.clone();
    long[14..16].copy_from_slice(&60_000_u16.to_be_bytes());
    let mut other_version = whole.clone();
    other_version[12] = 0x11;
    for (what, bytes) in [
        ("no header", request(address, &[]).into_bytes()),
        ("version 1", b"PROXY TCP4 203.0.113.7 192.0.2.1 1000 443\r\n".to_vec()),
        ("another version", other_version),
        ("too long", long),
        ("half of it", whole[..20].to_vec()),
        ("nothing", Vec::new()),
    ] {
        let mut raw = Raw::connect(address).await;
        raw.send(&bytes).await;
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, raw.stream_mut().read_to_end(&mut answer)).await;
        assert!(ended.is_ok() && answer.is_empty(), "{what}: {answer:?}");
    }
    until("all are counted", || metric(&server, "tickwire_arrivals_lost_total") == 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_header_from_anybody_else_is_no_header() {
    let mut config = behind("10.0.0.0/8");
    config.proxy.protocol = ProxyProtocol::V2;
    let (server, guard) = start_guarded(config).await;
    let address = server.public_addr();
    let mut raw = Raw::connect(address).await;
    raw.send(&[&proxy_header("203.0.113.7:1", true)[..], request(address, &[]).as_bytes()].concat()).await;
    let answer = raw.rest().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // Who comes without one is served as what it is.
    let _player = join(Raw::connect(address).await, address, "ann", &[]).await;
    assert_eq!(guard.address_of("ann"), "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_header_in_front_of_tls() {
    let (folder, certificate) = (Folder::new("forwarded-tls"), Certificate::new());
    let mut config = certificate.config(&folder);
    config.proxy.trusted.push("127.0.0.0/8".parse().expect("a network"));
    config.proxy.protocol = ProxyProtocol::V2;
    let (server, guard) = start_guarded(config).await;
    let address = server.public_addr();
    let mut raw = Raw::connect(address).await;
    raw.send(&proxy_header("203.0.113.7:1", false)).await;
    let stream = certificate.over(raw.into_stream()).await.expect("TLS");
    let raw = Raw::over_any(stream).upgraded(address, BINARY).await;
    let mut player = Player::over(raw, "ann", "").await;
    player.until("it plays", |session| session.stats().frames > 0).await;
    assert_eq!(guard.address_of("ann"), "203.0.113.7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tls_a_public_port_is_for_its_proxies() {
    for (trusted, served) in [("127.0.0.1/32", true), ("10.0.0.0/8", false)] {
        let mut config = behind(trusted);
        config.listen = "0.0.0.0:0".parse().expect("an address");
        let (server, _guard) = start_guarded(config).await;
        let address = SocketAddr::new([127, 0, 0, 1].into(), server.public_addr().port());
        for path in ["/healthz", "/ws", "/"] {
            let mut raw = Raw::connect(address).await;
            raw.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await;
            let answer = raw.rest().await;
            let refused = answer.starts_with("HTTP/1.1 403 ") && answer.contains("proxy.trusted");
            assert_eq!(refused, !served, "{trusted} {path}: {answer}");
        }
    }
}
