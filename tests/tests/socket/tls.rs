//! TLS on the public port: sessions inside it, certificates that change under them, and those who do not speak it.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_demo::bots::{self, BotsConfig};
use tickwire_demo::endpoint::{Endpoint, Security, Trust};
use tickwire_demo::probe::{self, Afterwards, ProbeConfig};
use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::config::ConfigError;
use tickwire_server::driver::{self, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::folder::Folder;
use crate::player::{Player, Witness, hello};
use crate::raw::{BINARY, CLOSE, DATA, JSON, PATIENCE, PING, PONG, Raw, TEXT, frame};
use crate::secure::Certificate;
use crate::server::{config, metric, start, until};

fn endpoint(server: &Running, trust: Trust) -> Endpoint {
    Endpoint {
        host: "localhost".to_owned(),
        port: server.public_addr().port(),
        security: Security::Tls(trust),
        ..Endpoint::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_both_kinds_inside_both_versions() {
    let (folder, certificate) = (Folder::new("tls-sessions"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let address = server.public_addr();
    assert_eq!(server.scheme(), "https");
    for version in [&TLS12, &TLS13] {
        let stream = certificate.connect(address, &[version]).await.expect("TLS");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let raw = Raw::over_any(stream).upgraded(address, BINARY).await;
        let mut player = Player::over(raw, "ann", "").await;
        player.until("checksums agree", |session| session.stats().checksums > 0).await;
        assert_eq!(player.session.stats().mismatches, 0);
        player.raw.send(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
        assert_eq!(player.raw.ending().await.sole().0, 1000);
    }
    let mut json = certificate.open(address, JSON).await;
    json.send(&frame(TEXT, br#"{"hello":{"name":"bob"}}"#)).await;
    assert!(json.frame_of(TEXT).await.payload.starts_with(b"{\"welcome\""));
    while !json.frame_of(TEXT).await.payload.starts_with(b"{\"state\"") {}
    json.send(&frame(TEXT, br#"{"chat":"hi"}"#)).await;
    while !json.frame_of(TEXT).await.payload.starts_with(b"{\"event\"") {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_client_inside_tls() {
    let (folder, certificate) = (Folder::new("tls-client"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let ca = Trust::File(folder.path().join("cert.pem"));
    let look = |trust| ProbeConfig {
        endpoint: endpoint(&server, trust),
        room: String::new(),
        token: None,
        duration: Duration::from_millis(500),
        afterwards: Afterwards::ComeBack,
    };
    for trust in [ca.clone(), Trust::Anything] {
        probe::run(&look(trust)).await.expect("healthy");
    }
    let distrusted = probe::run(&look(Trust::Web)).await.expect_err("nobody signed it").to_string();
    assert!(distrusted.contains("--tls-ca"), "{distrusted}");
    let swarm = BotsConfig {
        endpoint: endpoint(&server, ca),
        clients: 10,
        duration: Duration::from_secs(2),
        ..BotsConfig::default()
    };
    let report = bots::run(swarm).await.expect("a report");
    assert_eq!((report.clients_connected, report.state_mismatches), (10, 0), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_made_on_the_spot() {
    let mut config = config();
    config.tls.self_signed = true;
    let server = start(config).await;
    let look = ProbeConfig {
        endpoint: endpoint(&server, Trust::Anything),
        room: String::new(),
        token: None,
        duration: Duration::from_millis(300),
        afterwards: Afterwards::Leave,
    };
    probe::run(&look).await.expect("healthy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_text_on_a_tls_port_is_told_so() {
    let (folder, certificate) = (Folder::new("tls-plain"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let address = server.public_addr();
    for path in ["/", "/ws"] {
        let mut raw = Raw::connect(address).await;
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await;
        let text = raw.rest().await;
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("https://"), "{text}");
    }
    // No session is behind it, whatever is asked for.
    let mut raw = Raw::connect(address).await;
    raw.send(crate::raw::upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]).as_bytes()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 400 "));
}

/// A ClientHello as TLS 1.2 has it, of this minor version (3 is TLS 1.2, 2 is 1.1).
fn client_hello(minor: u8) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &with_length(body)].concat();
    let name = [&[0][..], &with_length(b"localhost")].concat();
    let extensions = [
        extension(0, &with_length(&name)),
        extension(10, &with_length(&[0, 23, 0, 29])),
        extension(11, &[1, 0]),
        extension(13, &with_length(&[4, 3, 8, 4, 4, 1])),
        extension(23, &[]),
    ];
    let body = [
        &[3, minor][..],
        &[7; 32],
        &[0],
        &with_length(&[0xC0, 0x2B, 0xC0, 0x2F, 0xC0, 0x13, 0x00, 0x2F]),
        &[1, 0],
        &with_length(&extensions.concat()),
    ];
    let message = [&[1, 0][..], &with_length(&body.concat())].concat();
    [&[22, 3, 1][..], &with_length(&message)].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_than_1_2_is_refused() {
    let (folder, certificate) = (Folder::new("tls-old"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let address = server.public_addr();
    let answer = |minor| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connect");
        stream.write_all(&client_hello(minor)).await.expect("sent");
        let mut answer = [0; 7];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
        answer
    };
    assert_eq!(answer(3).await[0], 22, "the same in 1.2 gets a handshake");
    for minor in [1, 2] {
        // An alert of two bytes: fatal, protocol_version.
        assert_eq!(answer(minor).await, [21, 3, 3, 0, 2, 2, 70]);
    }
    until("counted", || metric(&server, "tickwire_arrivals_lost_total") == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_senseless_handshakes_end() {
    let (folder, certificate) = (Folder::new("tls-slow"), Certificate::new());
    let mut config = certificate.config(&folder);
    config.tls.handshake_deadline = Duration::from_millis(400);
    let server = start(config).await;
    let address = server.public_addr();
    let hello = client_hello(3);
    let begun = Instant::now();
    // Nothing, half a record, a byte now and then, and something else altogether.
    let mut quiet = Raw::connect(address).await;
    let mut half = Raw::connect(address).await;
    half.send(&hello[..20]).await;
    let mut dripping = Raw::connect(address).await;
    let drip = async {
        for byte in &hello {
            dripping.send(&[*byte]).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let _ = timeout(Duration::from_secs(2), drip).await;
    let mut garbage = Raw::connect(address).await;
    garbage.send(&[0xFF; 300]).await;
    for (what, raw) in
        [("quiet", &mut quiet), ("half", &mut half), ("dripping", &mut dripping), ("garbage", &mut garbage)]
    {
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, raw.stream_mut().read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{what} is still there after {:?}", begun.elapsed());
    }
    until("all are counted", || metric(&server, "tickwire_arrivals_lost_total") == 4).await;
    let mut player = Player::over(certificate.open(address, BINARY).await, "ann", "").await;
    player.until("others play on", |session| session.stats().frames > 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_under_a_running_session() {
    let (folder, first) = (Folder::new("tls-reload"), Certificate::new());
    let mut config = first.config(&folder);
    config.tls.reload_every = Duration::from_millis(100);
    let server = start(config).await;
    let address = server.public_addr();
    let mut player = Player::over(first.open(address, BINARY).await, "ann", "").await;
    player.until("it plays", |session| session.stats().frames > 3).await;

    // Half of a change: the key is not that of the certificate, so everything stays as it was.
    let second = Certificate::new();
    folder.write("cert.pem", &second.pem);
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(first.open(address, BINARY).await);
    folder.write("key.pem", "no key");
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(first.open(address, BINARY).await);

    folder.write("key.pem", &second.key_pem);
    let begun = Instant::now();
    while second.connect(address, tokio_rustls::rustls::ALL_VERSIONS).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new certificate is never served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(first.connect(address, tokio_rustls::rustls::ALL_VERSIONS).await.is_err(), "the old one is gone");
    let frames = player.session.stats().frames;
    player.until("the session goes on", |session| session.stats().frames > frames + 10).await;
    assert_eq!(player.session.stats().mismatches, 0);
    drop(Player::over(second.open(address, BINARY).await, "bob", "").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_out_of_its_time_is_named_and_replaces_no_good_one() {
    let (folder, expired) = (Folder::new("tls-expired"), Certificate::until_year(2020));
    let mut config = expired.config(&folder);
    config.tls.reload_every = Duration::from_millis(100);
    let warnings = driver::check_files(&config).expect("it can be used");
    assert!(warnings.len() == 1 && warnings[0].contains("THE CERTIFICATE EXPIRED"), "{warnings:?}");
    let server = start(config.clone()).await;
    let address = server.public_addr();
    let served = async |certificate: &Certificate| {
        certificate.connect(address, tokio_rustls::rustls::ALL_VERSIONS).await.is_ok()
    };
    let becomes = async |certificate: &Certificate| {
        certificate.write(&folder);
        let begun = Instant::now();
        while !served(certificate).await {
            assert!(begun.elapsed() < PATIENCE, "it is never served");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(!served(&expired).await, "clients refuse it");
    let good = Certificate::new();
    becomes(&good).await;
    assert_eq!(driver::check_files(&config).expect("good"), Vec::<String>::new());
    expired.write(&folder);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(served(&good).await, "the good one stays");
    becomes(&Certificate::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_paused_and_comes_back() {
    let (folder, certificate) = (Folder::new("tls-stalled"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let address = server.public_addr();
    let others = Player::over(certificate.open(address, BINARY).await, "bob", "").await;
    let mut player = Player::over(certificate.open(address, BINARY).await, "ann", "").await;
    player.until("it plays", |session| session.stats().frames > 3).await;
    // No byte is read for a while, and acknowledgements stop with it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let frames = player.session.stats().frames;
    player.until("it plays again", |session| session.stats().frames > frames + 30).await;
    player.until("checksums agree", |session| session.stats().checksums > 0).await;
    assert_eq!(player.session.stats().mismatches, 0);
    drop(others);
}

/// A connection inside TLS whose kernel takes as little as a kernel can.
async fn open_narrow(
    certificate: &Certificate,
    address: SocketAddr,
    subprotocol: &str,
) -> Raw<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(2048).expect("a small buffer");
    let stream = certificate.over(socket.connect(address).await.expect("connect")).await.expect("TLS");
    Raw::over_any(stream).upgraded(address, subprotocol).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_at_all_is_sent_nothing_more() {
    const SLOW: u64 = 5;
    let (folder, certificate) = (Folder::new("tls-narrow"), Certificate::new());
    let mut config = certificate.config(&folder);
    config.limits.send_buffer_bytes = 4096;
    // So many that the first frame alone is more than both kernels take.
    let crowd = ArenaConfig { bots: 0, drones: 800, ..ArenaConfig::default() };
    let make_game = move |_: &str, seed| ArenaGame::new(ArenaConfig { seed, ..crowd });
    let server = driver::start(make_game, ArenaDialect, config).await.expect("a server");
    let address = server.public_addr();
    let witness = Player::over(certificate.open(address, BINARY).await, "witness", "").await;
    let witness = Witness::over(witness);
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let raw = open_narrow(&certificate, address, BINARY).await;
        slow.push(Player::over(raw, "slow", "").await);
    }
    until("they are paused", || metric(&server, "tickwire_paused_clients") == SLOW).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = metric(&server, "tickwire_sent_bytes_total");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(metric(&server, "tickwire_paused_clients"), SLOW);
    let sent = metric(&server, "tickwire_sent_bytes_total") - before;
    assert!(sent <= 600_000, "{sent} bytes: not for the witness alone");
    let mut player = slow.pop().expect("a player");
    drop(slow);
    player.until("a resync", |session| session.stats().resyncs > 0).await;
    let checksums = player.session.stats().checksums;
    player.until("a checksum", |session| session.stats().checksums > checksums).await;
    assert_eq!(player.session.stats().mismatches, 0);
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_reader_that_stalls_is_let_go() {
    let (folder, certificate) = (Folder::new("tls-json"), Certificate::new());
    let mut config = certificate.config(&folder);
    config.json_state_hz = 20;
    config.limits.send_buffer_bytes = 4096;
    config.limits.write_stall_deadline = Duration::from_millis(1500);
    let server = start(config).await;
    let address = server.public_addr();
    let mut slow = open_narrow(&certificate, address, JSON).await;
    slow.send(&frame(TEXT, br#"{"hello":{"name":"slow"}}"#)).await;
    until("it is let go", || server.metrics().contains("closes_total{code=\"stalled\"} 1")).await;
    until("its place is free", || metric(&server, "tickwire_clients") == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_byte_by_byte_and_a_close_inside_tls() {
    let (folder, certificate) = (Folder::new("tls-bytes"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let mut raw = certificate.open(server.public_addr(), BINARY).await;
    for byte in frame(DATA, &hello("drip", "")) {
        raw.send(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(raw.frame_of(DATA).await.payload[0], 0, "Welcome");
    raw.send(&frame(PING, b"tls")).await;
    assert_eq!(raw.frame_of(PONG).await.payload, b"tls");
    // Unread input behind a violation: the close frame still arrives, and a proper end of TLS behind it.
    raw.send(&[frame(3, b"violation"), vec![0; 100_000]].concat()).await;
    assert_eq!(raw.ending().await.sole().0, 1002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_tells_those_inside_tls_too() {
    let (folder, certificate) = (Folder::new("tls-shutdown"), Certificate::new());
    let server = start(certificate.config(&folder)).await;
    let mut raw = certificate.open(server.public_addr(), BINARY).await;
    raw.send(&frame(DATA, &hello("ann", ""))).await;
    raw.frame_of(DATA).await;
    let shutdown = tokio::spawn(server.shutdown());
    assert_eq!(raw.ending().await.sole().0, 1001);
    drop(raw);
    timeout(Duration::from_secs(3), shutdown).await.expect("in time").expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_used_opens_no_port() {
    let (folder, certificate) = (Folder::new("tls-unusable"), Certificate::new());
    let other = Certificate::new();
    for (what, cert, key, words) in [
        ("no file", None, Some(&certificate.key_pem), "cert.pem"),
        ("no certificate", Some("words".to_owned()), Some(&certificate.key_pem), "no certificate"),
        ("no key", Some(certificate.pem.clone()), None, "key.pem"),
        ("another's key", Some(certificate.pem.clone()), Some(&other.key_pem), "tls.key"),
    ] {
        let mut config = certificate.config(&folder);
        for (name, text) in [("cert.pem", cert.as_ref()), ("key.pem", key)] {
            let file = folder.path().join(name);
            match text {
                Some(text) => std::fs::write(file, text).expect("a file"),
                None => std::fs::remove_file(file).expect("removed"),
            }
        }
        config.listen = "127.0.0.1:0".parse().expect("an address");
        let error = driver::check_files(&config).expect_err(what);
        assert!(matches!(error, ConfigError::Unusable { .. }), "{what}: {error}");
        assert!(error.to_string().contains(words), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_play_on_while_handshakes_hang() {
    let (folder, certificate) = (Folder::new("tls-hang"), Certificate::new());
    let mut config = certificate.config(&folder);
    config.tls.handshake_deadline = Duration::from_secs(2);
    let server = start(config).await;
    let address = server.public_addr();
    let raw = certificate.open(address, BINARY).await;
    let witness = Witness::over(Player::over(raw, "witness", "").await);
    let mut hanging = Vec::new();
    for _ in 0..100 {
        let mut raw = Raw::connect(address).await;
        raw.send(&client_hello(3)[..30]).await;
        hanging.push(raw);
    }
    witness.assert_undisturbed().await;
    until("all have had their time", || metric(&server, "tickwire_arrivals_lost_total") == 100).await;
    witness.assert_undisturbed().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_reloads_at_once_and_ends_nothing() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let (folder, first) = (Folder::new("tls-signal"), Certificate::new());
    let (cert, key) = first.write(&folder);
    let server = crate::command_line::tickwire()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--tls-cert"])
        .arg(cert)
        .arg("--tls-key")
        .arg(key)
        .env("TICKWIRE_TLS__RELOAD_EVERY", "1h")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut server = crate::command_line::Server(server.expect("the server runs"));
    let line = BufReader::new(server.0.stdout.take().expect("its output")).lines().next();
    let line = line.expect("a line").expect("text");
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("https://")).expect("a URL");
    let address = url.trim_end_matches('/').parse().expect("an address");
    let mut player = Player::over(first.open(address, BINARY).await, "ann", "").await;
    player.until("it plays", |session| session.stats().frames > 3).await;
    let second = Certificate::new();
    second.write(&folder);
    let signal = |name: &str| {
        let status = Command::new("kill").args([name, &server.0.id().to_string()]).status();
        assert!(status.expect("kill").success());
    };
    signal("-HUP");
    let begun = Instant::now();
    while second.connect(address, tokio_rustls::rustls::ALL_VERSIONS).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new certificate is never served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let frames = player.session.stats().frames;
    player.until("the session goes on", |session| session.stats().frames > frames + 10).await;
    signal("-TERM");
    assert_eq!(server.0.wait().expect("it ended").code(), Some(0));
}
