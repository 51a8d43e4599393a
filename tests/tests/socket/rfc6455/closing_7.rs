//! Sections 5.5.1 and 7: the closing handshake both ways, status codes, and what follows a close.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::case::{Case, closes, run_on_echo, text};
use crate::raw::{CLOSE, PING, Raw, TEXT, frame, upgrade_request};

/// RFC 6455 and the registry behind section 7.4.2, the private range included.
const MAY_BE_SENT: [u16; 16] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
/// Reserved, never to be on the wire, or of nobody.
const MAY_NOT: [u16; 12] = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535];

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        closes("a close without a code", frame(CLOSE, b""), 1005),
        closes("a close with half a code", frame(CLOSE, b"\x03"), 1002),
        closes("a close with a reason", close(1000, b"so long"), 1000),
        closes("a close with the longest reason", close(1000, &[b'x'; 123]), 1000),
        closes("a close with a reason too long", close(1000, &[b'x'; 124]), 1002),
        closes("a close with a reason in UTF-8", close(1000, "schön war's".as_bytes()), 1000),
        closes(
            "a close with a reason that is no UTF-8",
            close(1000, b"\xCE\xBA\xE1\xBD\xB9\xED\xA0\x80"),
            1007,
        ),
        closes("a close with half a letter at its end", close(1000, b"x\xC3"), 1007),
        closes("text after a close", [close(1000, b""), frame(TEXT, b"x")].concat(), 1000),
        closes("a ping after a close", [close(1000, b""), frame(PING, b"x")].concat(), 1000),
        closes("a second close", [close(1001, b""), close(1000, b"")].concat(), 1001),
        closes("a violation after a close", [close(1000, b""), vec![0xFF; 300]].concat(), 1000),
        closes("a close after a violation", [frame(3, b""), close(1000, b"")].concat(), 1002),
        text("a message, then a close", [frame(TEXT, b"last"), close(1000, b"")].concat(), b"last")
            .and_closes(1000),
        closes("a ping, then a close", [frame(PING, b"x"), close(1000, b"")].concat(), 1000).and_pong(b"x"),
    ];
    for code in MAY_BE_SENT {
        cases.push(closes(&format!("code {code}, which may be sent"), close(code, b"x"), code));
    }
    for code in MAY_NOT {
        cases.push(closes(&format!("code {code}, which may not be sent"), close(code, b"x"), 1002));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peers_close() {
    run_on_echo(cases()).await;
}

/// Begun by the server: one close frame, and the stream ends cleanly whether the peer answers or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_close() {
    let server = crate::server::start(crate::server::config()).await;
    for answers in [true, false] {
        let mut raw = Raw::open(server.public_addr(), crate::raw::BINARY).await;
        raw.send(&frame(TEXT, b"not due")).await;
        let got = raw.frame().await.expect("a frame").expect("a close");
        assert_eq!((got.opcode, &got.payload[..2]), (CLOSE, &1003_u16.to_be_bytes()[..]));
        if answers {
            raw.send(&close(1003, b"")).await;
        }
        assert_eq!(raw.frame().await.expect("no reset"), None, "answers: {answers}");
    }
}

/// A stream that ends without a close is no closing handshake: nothing is said to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_without_a_close() {
    let server = crate::server::start(crate::server::config()).await;
    let address = server.public_addr();
    for half in [&b""[..], &frame(PING, b"x")[..3]] {
        let mut stream = TcpStream::connect(address).await.expect("connect");
        let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", crate::raw::BINARY)]);
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        stream.write_all(half).await.expect("sent");
        stream.shutdown().await.expect("shut down");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("a clean end");
        assert!(rest.is_empty(), "{rest:?}");
    }
}
