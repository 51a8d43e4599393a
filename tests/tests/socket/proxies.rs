//! The configurations in `deploy`, in the proxies that they are for: wss from end to end. Of the slow layer.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tickwire_server::config::ProxyProtocol;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::folder::Folder;
use crate::hooks::start_guarded;
use crate::player::Player;
use crate::raw::{BINARY, PATIENCE, Raw, upgrade_request};
use crate::secure::Certificate;
use crate::server;

/// Where the players of these tests come from; the proxies come from 127.0.0.1.
const PLAYER: &str = "127.0.0.5";

/// A proxy that runs until it is dropped.
struct Proxy(Child);

impl Proxy {
    /// Nothing when there is no such program here, or the slow layer is off.
    fn find(program: &str) -> Option<&str> {
        if std::env::var_os("TICKWIRE_SLOW").is_none() {
            println!("skipped: {program} runs with TICKWIRE_SLOW=1");
            return None;
        }
        let answer = Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if answer.is_err() {
            println!("skipped: there is no `{program}` here; apt-get install {program}");
            return None;
        }
        Some(program)
    }

    async fn run(program: &str, arguments: &[&str], file: &Path, port: u16) -> Self {
        let child = Command::new(program).args(arguments).arg(file).spawn().expect("it runs");
        let mut proxy = Self(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = proxy.0.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{program} does not listen: {ended:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A file of `deploy` with some of its words replaced, each of which must be there.
fn deployed(name: &str, words: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    let mut text = std::fs::read_to_string(file).expect("a file");
    for (old, new) in words {
        assert!(text.contains(old), "{name}: {old}");
        text = text.replace(old, new);
    }
    text
}

/// TLS from the players' address.
async fn connect(certificate: &Certificate, port: u16) -> TlsStream<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{PLAYER}:0").parse().expect("an address")).expect("bound");
    let proxy = SocketAddr::new([127, 0, 0, 1].into(), port);
    certificate.over(socket.connect(proxy).await.expect("connect")).await.expect("TLS")
}

/// Plays through a proxy, with an origin and headers as no honest client has them.
async fn play(certificate: &Certificate, port: u16, name: &str) {
    let address = SocketAddr::new([127, 0, 0, 1].into(), port);
    for (origin, status) in [
        (format!("https://game.example:{port}"), "101"),
        (format!("http://game.example:{port}"), "403"),
        ("https://evil.example".to_owned(), "403"),
    ] {
        let headers = [
            ("Host", &*format!("game.example:{port}")),
            ("Origin", &origin),
            ("Sec-WebSocket-Protocol", BINARY),
            ("X-Forwarded-For", "198.51.100.9"),
            ("X-Forwarded-Proto", "http"),
            ("Forwarded", "for=198.51.100.9;proto=http"),
        ];
        let mut raw = Raw::over_any(connect(certificate, port).await);
        raw.send(upgrade_request(address, &headers).as_bytes()).await;
        let head = raw.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {origin}: {head}");
        if status == "101" {
            let mut player = Player::over(raw, name, "").await;
            player.until("checksums agree", |session| session.stats().checksums > 0).await;
            assert_eq!(player.session.stats().mismatches, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx() {
    let Some(nginx) = Proxy::find("nginx") else { return };
    let (folder, certificate) = (Folder::new("nginx"), Certificate::new());
    certificate.write(&folder);
    let mut config = server::config();
    config.proxy.trusted.push("127.0.0.1/32".parse().expect("a network"));
    let (server, guard) = start_guarded(config).await;
    let port = free_port();
    let path = folder.path().display();
    // Its own folders may belong to somebody else.
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {path}/{what};\n"))
        .concat();
    let text = deployed(
        "nginx.conf",
        &[
            ("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/ssl/game.example", &path.to_string()),
            ("127.0.0.1:7777", &server.public_addr().to_string()),
            ("http {\n", &format!("http {{\naccess_log off;\n{folders}")),
        ],
    );
    let file = folder.write("nginx.conf", text);
    let process = format!("daemon off; master_process off; pid {path}/pid; error_log {path}/log;");
    let _proxy = Proxy::run(nginx, &["-g", &process, "-c"], &file, port).await;
    play(&certificate, port, "ann").await;
    assert_eq!(guard.address_of("ann"), PLAYER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy() {
    let Some(haproxy) = Proxy::find("haproxy") else { return };
    let (folder, certificate) = (Folder::new("haproxy"), Certificate::new());
    let mut behind = server::config();
    behind.proxy.trusted.push("127.0.0.1/32".parse().expect("a network"));
    let mut through = certificate.config(&folder);
    through.proxy = behind.proxy.clone();
    through.proxy.protocol = ProxyProtocol::V2;
    let ((ends_here, guard), (ends_there, guard_through)) =
        (start_guarded(behind).await, start_guarded(through).await);
    let both = folder.write("cert-and-key.pem", format!("{}{}", certificate.pem, certificate.key_pem));
    let (port, port_through) = (free_port(), free_port());
    let text = deployed(
        "haproxy.cfg",
        &[
            ("bind :443", &format!("bind 127.0.0.1:{port}")),
            ("bind :8443", &format!("bind 127.0.0.1:{port_through}")),
            ("/etc/ssl/game.example/cert-and-key.pem", &both.display().to_string()),
            ("127.0.0.1:7777", &ends_here.public_addr().to_string()),
            ("127.0.0.1:7779", &ends_there.public_addr().to_string()),
        ],
    );
    let file = folder.write("haproxy.cfg", text);
    let _proxy = Proxy::run(haproxy, &["-db", "-f"], &file, port).await;
    play(&certificate, port, "ann").await;
    assert_eq!(guard.address_of("ann"), PLAYER);
    play(&certificate, port_through, "bob").await;
    assert_eq!(guard_through.address_of("bob"), PLAYER);
}
