//! Section 4: the opening handshake, as the server must answer it. Section 9 is here too: extensions are never agreed.

use crate::raw::{BINARY, DATA, JSON, Raw, frame, frame_with, upgrade_request};
use crate::server::{config, start};

/// A request and what its answer must contain, in small letters.
struct Request {
    name: &'static str,
    /// Headers that differ from a good request's; an empty value leaves one out.
    changes: &'static [(&'static str, &'static str)],
    /// Replacements in the text of the request.
    edits: &'static [(&'static str, &'static str)],
    status: u16,
    contains: &'static str,
}

const fn asks(
    name: &'static str,
    changes: &'static [(&'static str, &'static str)],
    status: u16,
    contains: &'static str,
) -> Request {
    Request { name, changes, edits: &[], status, contains }
}

const fn written(
    name: &'static str,
    edits: &'static [(&'static str, &'static str)],
    status: u16,
    contains: &'static str,
) -> Request {
    Request { name, changes: &[], edits, status, contains }
}

const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
/// The RFC's own example.
const ACCEPT: &str = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n";

const REQUESTS: [Request; 36] = [
    asks("the example of the RFC", &[], 101, ACCEPT),
    asks("the answer says what it is upgraded to", &[], 101, "upgrade: websocket\r\n"),
    asks("the answer says that it is upgraded", &[], 101, "connection: upgrade\r\n"),
    asks(
        "another key has another answer",
        &[(KEY, "AAAAAAAAAAAAAAAAAAAAAA==")],
        101,
        "sec-websocket-accept: icx+yqv66kxgm0fcwalwlflwtai=\r\n",
    ),
    asks("the subprotocol is said", &[], 101, "sec-websocket-protocol: tickwire.v1\r\n"),
    asks("the first known subprotocol", &[(PROTOCOL, "x, tickwire.json.v1, tickwire.v1")], 101, JSON),
    asks("an extension is not agreed to", &[(EXTENSIONS, "permessage-deflate")], 101, ACCEPT),
    asks("an unknown extension is no fault", &[(EXTENSIONS, "x-nothing; a=1, y")], 101, ACCEPT),
    asks("upgrade in mixed case", &[("Upgrade", "WebSocket")], 101, ACCEPT),
    asks("connection in mixed case", &[("Connection", "uPGRADE")], 101, ACCEPT),
    asks("connection with other words", &[("Connection", "keep-alive, Upgrade")], 101, ACCEPT),
    asks("upgrade with another protocol", &[("Upgrade", "h2c, websocket")], 101, ACCEPT),
    written("names of headers in small letters", &[("Sec-WebSocket", "sec-websocket")], 101, ACCEPT),
    written("names of headers in capitals", &[("Sec-WebSocket-Key", "SEC-WEBSOCKET-KEY")], 101, ACCEPT),
    written("spaces around the key", &[("Key: d", "Key:   d"), ("Q==\r\n", "Q==  \r\n")], 101, ACCEPT),
    written("no space before the key", &[("Key: d", "Key:d")], 101, ACCEPT),
    written("a query", &[("/ws ", "/ws?a=b ")], 101, ACCEPT),
    written(
        "subprotocols on two lines",
        &[("Sec-WebSocket-Protocol: ", "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: ")],
        101,
        "sec-websocket-protocol: tickwire.v1\r\n",
    ),
    asks("no upgrade", &[("Upgrade", "")], 426, "upgrade: websocket\r\n"),
    asks("an upgrade to something else", &[("Upgrade", "h2c")], 426, "upgrade: websocket\r\n"),
    asks("no connection", &[("Connection", "")], 426, "upgrade: websocket\r\n"),
    asks("a connection that is kept", &[("Connection", "keep-alive")], 426, "upgrade: websocket\r\n"),
    asks("no version", &[(VERSION, "")], 426, "sec-websocket-version: 13\r\n"),
    asks("version 8", &[(VERSION, "8")], 426, "sec-websocket-version: 13\r\n"),
    asks("version 14", &[(VERSION, "14")], 426, "sec-websocket-version: 13\r\n"),
    asks("no key", &[(KEY, "")], 400, ""),
    asks("a key of 15 bytes", &[(KEY, "AAAAAAAAAAAAAAAAAAAA")], 400, ""),
    asks("a key of 17 bytes", &[(KEY, "AAAAAAAAAAAAAAAAAAAAAAA=")], 400, ""),
    asks("a key that is no base64", &[(KEY, "AAAAAAAA*AAAAAAAAAAAAA==")], 400, ""),
    written("two keys", &[("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Key: ")], 400, ""),
    asks("no known subprotocol", &[(PROTOCOL, "chat, superchat")], 400, ""),
    written("no host", &[("Host:", "Not-Host:")], 400, ""),
    written("another method", &[("GET ", "POST ")], 405, "allow: get\r\n"),
    written("HTTP/1.0", &[("HTTP/1.1", "HTTP/1.0")], 426, ""),
    written("another path", &[("/ws ", "/wss ")], 404, ""),
    written("no HTTP", &[("GET /ws HTTP/1.1", "\u{16}\u{3}\u{1} hello")], 400, ""),
];

pub(super) fn names() -> Vec<String> {
    let longer =
        ["a head of 64 KiB", "a thousand headers", "a head byte by byte", "frames behind the request"];
    REQUESTS.iter().map(|request| request.name).chain(longer).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut failures = Vec::new();
    for request in &REQUESTS {
        let changes = [&[(PROTOCOL, BINARY)][..], request.changes].concat();
        let mut text = upgrade_request(address, &changes);
        for (from, to) in request.edits {
            assert!(text.contains(from), "{}: nothing to edit", request.name);
            text = text.replace(from, to);
        }
        let mut raw = Raw::connect(address).await;
        raw.send(text.as_bytes()).await;
        let head = raw.head().await.to_lowercase();
        // HTTP/1.0 is answered in its own version.
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        let deflates = head.contains("sec-websocket-extensions");
        if status != request.status || !head.contains(request.contains) || deflates {
            failures.push(format!("{}: expected {}, got {head}", request.name, request.status));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large() {
    let server = start(config()).await;
    let address = server.public_addr();
    let long = "x".repeat(64 * 1024);
    let many = "X-A: b\r\n".repeat(1000);
    for (name, headers) in [("a head of 64 KiB", format!("X-Long: {long}\r\n")), ("a thousand headers", many)]
    {
        let text = upgrade_request(address, &[(PROTOCOL, BINARY)])
            .replace("Upgrade: ", &format!("{headers}Upgrade: "));
        let mut raw = Raw::connect(address).await;
        raw.send(text.as_bytes()).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 431 "), "{name}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_byte_by_byte_and_frames_behind_it() {
    let server = start(config()).await;
    let address = server.public_addr();
    let request = upgrade_request(address, &[(PROTOCOL, BINARY)]);
    let mut raw = Raw::connect(address).await;
    for byte in request.as_bytes() {
        raw.send(&[*byte]).await;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "), "a head byte by byte");
    // What the codec has not read yet when the stream changes hands is read all the same, faults included.
    let mut raw = Raw::connect(address).await;
    raw.send(&[request.as_bytes(), &frame_with(0xC0 | DATA, b"deflated"), &frame(DATA, b"")].concat()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "), "frames behind the request");
    assert_eq!(raw.ending().await.sole().0, 1002, "the bit of an extension that was not agreed to");
}
