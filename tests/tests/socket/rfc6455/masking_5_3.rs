//! Section 5.3: client-to-server masking. (What the server sends unmasked is checked wherever a frame is read.)

use super::case::{Case, Form, binary, closes, run_on_echo, text, written};
use crate::raw::{CLOSE, CONTINUATION, DATA, PING, PONG, TEXT, frame_with};

fn masked(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    written(first, Some(mask), Form::Short, payload)
}

fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    written(0x80 | opcode, None, Form::Short, payload)
}

pub(super) fn cases() -> Vec<Case> {
    let pieces = [
        masked(TEXT, [1, 2, 3, 4], b"abcde"),
        masked(CONTINUATION, [0xF0, 0, 0x0F, 0], b"fg"),
        masked(0x80 | CONTINUATION, [7; 4], b"hij"),
    ];
    vec![
        text("a mask of zeros", masked(0x81, [0; 4], b"plain"), b"plain"),
        text("a mask of ones", masked(0x81, [0xFF; 4], b"inverted"), b"inverted"),
        binary("a mask that looks like a head", masked(0x82, [0x88, 0x02, 0x03, 0xE8], b"\0\0"), b"\0\0"),
        binary("payload shorter than the mask", masked(0x82, [1, 2, 3, 4], b"abc"), b"abc"),
        text("a mask of its own for each piece", pieces.concat(), b"abcdefghij"),
        text(
            "a mask of its own for each message",
            [masked(0x81, [5; 4], b"one"), masked(0x81, [6; 4], b"two")].concat(),
            b"one",
        )
        .and_text(b"two"),
        closes("unmasked text", unmasked(TEXT, b"x"), 1002),
        closes("unmasked binary", unmasked(DATA, b"x"), 1002),
        closes("unmasked empty text", unmasked(TEXT, b""), 1002),
        closes("unmasked ping", unmasked(PING, b""), 1002),
        closes("unmasked pong", unmasked(PONG, b"x"), 1002),
        closes("unmasked close", unmasked(CLOSE, b"\x03\xE8"), 1002),
        closes(
            "unmasked continuation",
            [frame_with(TEXT, b"x"), unmasked(CONTINUATION, b"y")].concat(),
            1002,
        ),
        closes("unmasked and long", written(0x82, None, Form::Two, &[7; 300]), 1002),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masking() {
    run_on_echo(cases()).await;
}
