//! Section 8.1: text is UTF-8, however it is cut into frames.

use super::case::{Case, binary, closes, run_on_echo, silent, text};
use crate::raw::{CONTINUATION, DATA, PING, TEXT, frame, frame_with};

const VALID: [(&str, &[u8]); 12] = [
    ("ASCII", b"Hello, World!"),
    ("a null", b"\0"),
    ("two bytes a letter", "äöü߿".as_bytes()),
    ("three bytes a letter", "κόσμε漢字".as_bytes()),
    ("four bytes a letter", "𝄞😀".as_bytes()),
    ("the first of two bytes", b"\xC2\x80"),
    ("the first of three bytes", b"\xE0\xA0\x80"),
    ("the first of four bytes", b"\xF0\x90\x80\x80"),
    ("the last before the surrogates", b"\xED\x9F\xBF"),
    ("the first after the surrogates", b"\xEE\x80\x80"),
    ("a code point of nobody", b"\xEF\xBF\xBF"),
    ("the last code point", b"\xF4\x8F\xBF\xBF"),
];

const INVALID: [(&str, &[u8]); 15] = [
    ("a lone continuation", b"\x80"),
    ("two continuations", b"\x80\xBF"),
    ("a letter without its end", b"\xC3"),
    ("a letter of three without its end", b"\xE2\x82"),
    ("a letter of four without its end", b"\xF0\x9F\x98"),
    ("a letter begun, then ASCII", b"\xC3("),
    ("two bytes for a slash", b"\xC0\xAF"),
    ("three bytes for a slash", b"\xE0\x80\xAF"),
    ("four bytes for a slash", b"\xF0\x80\x80\xAF"),
    ("two bytes for a null", b"\xC0\x80"),
    ("the first surrogate", b"\xED\xA0\x80"),
    ("a pair of surrogates", b"\xED\xA0\x80\xED\xB0\x80"),
    ("beyond the last code point", b"\xF4\x90\x80\x80"),
    ("five bytes a letter", b"\xF8\x88\x80\x80\x80"),
    ("bytes that are never used", b"\xFE\xFF"),
];

/// One frame per byte, as long as the limit on pieces allows.
fn a_frame_per_byte(bytes: &[u8]) -> Vec<u8> {
    let frames = bytes.iter().enumerate().map(|(index, byte)| match index {
        0 => frame_with(TEXT, &[*byte]),
        _ => frame_with(CONTINUATION, &[*byte]),
    });
    frames.chain([frame(CONTINUATION, b"")]).flatten().collect()
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        binary(
            "binary need not be UTF-8",
            frame(DATA, b"\xC0\xAF\xED\xA0\x80\xFF"),
            b"\xC0\xAF\xED\xA0\x80\xFF",
        ),
        closes("what cannot be mended, before the message ends", frame_with(TEXT, b"ab\xFF"), 1007),
        closes(
            "what cannot be mended, in a middle piece",
            [frame_with(TEXT, b"\xF4"), frame_with(CONTINUATION, b"\x90")].concat(),
            1007,
        ),
        silent("what may yet be mended", frame_with(TEXT, b"ab\xF4\x8F")),
        silent(
            "a ping inside a letter",
            [frame_with(TEXT, b"\xE2\x82"), frame(PING, b"p"), frame(CONTINUATION, b"\xAC")].concat(),
        )
        .and_pong(b"p")
        .and_text("€".as_bytes()),
        text(
            "text after text in pieces",
            [frame_with(TEXT, b"\xC3"), frame(CONTINUATION, b"\xA4"), frame(TEXT, b"b")].concat(),
            "ä".as_bytes(),
        )
        .and_text(b"b"),
        closes(
            "a letter that begins in one message and ends in the next",
            [frame(TEXT, b"a\xC3"), frame(TEXT, b"\xA4")].concat(),
            1007,
        ),
    ];
    for (name, bytes) in VALID {
        cases.push(text(name, frame(TEXT, bytes), bytes));
        if bytes.len() <= 7 {
            cases.push(text(&format!("{name}, a frame per byte"), a_frame_per_byte(bytes), bytes));
        }
    }
    for (name, bytes) in INVALID {
        cases.push(closes(name, frame(TEXT, bytes), 1007));
        cases.push(closes(&format!("{name}, a frame per byte"), a_frame_per_byte(bytes), 1007));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn utf8() {
    run_on_echo(cases()).await;
}
