//! Section 5.4: fragmentation, within the limits on bytes and pieces, with control frames between the pieces.

use super::case::{Case, ECHO_BYTES_MAX, ECHO_FRAGMENTS_MAX, binary, closes, run_on_echo, silent, text};
use crate::raw::{CLOSE, CONTINUATION, DATA, PING, PONG, TEXT, frame, frame_with};

/// A frame that goes on.
fn begun(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(opcode, payload)
}

/// The last piece.
fn last(payload: &[u8]) -> Vec<u8> {
    frame(CONTINUATION, payload)
}

fn middle(payload: &[u8]) -> Vec<u8> {
    begun(CONTINUATION, payload)
}

pub(super) fn cases() -> Vec<Case> {
    let pieces = |count: usize| {
        [vec![begun(TEXT, b"a")], vec![middle(b"a"); count - 2], vec![last(b"a")]].concat().concat()
    };
    let half = ECHO_BYTES_MAX / 2;
    let ping = |payload: &[u8]| frame(PING, payload);
    vec![
        text("two pieces", [begun(TEXT, b"Hel"), last(b"lo")].concat(), b"Hello"),
        binary("two binary pieces", [begun(DATA, b"\0\xFF"), last(b"\xFE")].concat(), b"\0\xFF\xFE"),
        text("as many pieces as allowed", pieces(ECHO_FRAGMENTS_MAX), b"aaaaaaaa"),
        closes("one piece too many", pieces(ECHO_FRAGMENTS_MAX + 1), 1002),
        text("an empty first piece", [begun(TEXT, b""), last(b"x")].concat(), b"x"),
        text("an empty middle piece", [begun(TEXT, b"x"), middle(b""), last(b"y")].concat(), b"xy"),
        text("an empty last piece", [begun(TEXT, b"x"), last(b"")].concat(), b"x"),
        text("only empty pieces", [begun(TEXT, b""), middle(b""), last(b"")].concat(), b""),
        closes("empty pieces without end", [begun(TEXT, b""), middle(b"").repeat(20)].concat(), 1002),
        closes("a continuation of nothing", last(b"x"), 1002),
        closes("a continuation of nothing that goes on", middle(b"x"), 1002),
        text("a continuation of what is complete", [frame(TEXT, b"x"), last(b"y")].concat(), b"x")
            .and_closes(1002),
        closes("text inside a message", [begun(TEXT, b"x"), frame(TEXT, b"y")].concat(), 1002),
        closes("binary inside a message", [begun(TEXT, b"x"), frame(DATA, b"y")].concat(), 1002),
        closes("a message begun inside a message", [begun(DATA, b"x"), begun(DATA, b"y")].concat(), 1002),
        binary(
            "as large as allowed in sum",
            [begun(DATA, &vec![7; half]), last(&vec![7; half])].concat(),
            &vec![7; 2 * half],
        ),
        closes("too large in sum", [begun(DATA, &vec![7; half]), last(&vec![7; half + 1])].concat(), 1009),
        closes(
            "too large before the last piece",
            [begun(DATA, &vec![7; half]), middle(&vec![7; half + 1])].concat(),
            1009,
        ),
        silent_then_text("a ping between pieces", &ping(b"p"), Some(b"p")),
        silent_then_text("a pong between pieces", &frame(PONG, b"p"), None),
        silent_then_text("an empty ping between pieces", &ping(b""), Some(b"")),
        silent(
            "pings between all pieces",
            [begun(TEXT, b"x"), ping(b"1"), middle(b"y"), ping(b"2"), last(b"z")].concat(),
        )
        .and_pong(b"1")
        .and_pong(b"2")
        .and_text(b"xyz"),
        closes("a close between pieces", [begun(TEXT, b"x"), frame(CLOSE, b"\x03\xE8")].concat(), 1000),
        text(
            "two messages in pieces",
            [begun(TEXT, b"a"), last(b"b"), begun(DATA, b"c"), last(b"d")].concat(),
            b"ab",
        )
        .and_binary(b"cd"),
        text(
            "a whole message after one in pieces",
            [begun(TEXT, b"a"), last(b"b"), frame(TEXT, b"c")].concat(),
            b"ab",
        )
        .and_text(b"c"),
        silent("a message that is never finished", begun(TEXT, b"x")),
    ]
}

/// A message in two pieces with something between them.
fn silent_then_text(name: &str, between: &[u8], pong: Option<&[u8]>) -> Case {
    let send = [begun(TEXT, b"x"), between.to_vec(), last(b"y")].concat();
    let case = silent(name, send);
    match pong {
        Some(payload) => case.and_pong(payload).and_text(b"xy"),
        None => case.and_text(b"xy"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragmentation() {
    run_on_echo(cases()).await;
}
