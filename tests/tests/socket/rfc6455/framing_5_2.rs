//! Section 5.2: the base framing protocol. Lengths and their forms, reserved bits, opcodes.

use super::case::{Case, ECHO_BYTES_MAX, Form, binary, closes, run_on_echo, text, written};
use crate::raw::{CLOSE, CONTINUATION, DATA, PING, TEXT, frame, frame_with};

const MASK: Option<[u8; 4]> = Some([9, 8, 7, 6]);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        text("empty text", frame(TEXT, b""), b""),
        binary("empty binary", frame(DATA, b""), b""),
        closes("16 bits for 0 bytes", written(0x82, MASK, Form::Two, b""), 1002),
        closes("16 bits for 125 bytes", written(0x82, MASK, Form::Two, &[7; 125]), 1002),
        closes("64 bits for 1 byte", written(0x82, MASK, Form::Eight, b"x"), 1002),
        closes("64 bits for 65,535 bytes", written(0x82, MASK, Form::Eight, &[7; 65_535]), 1002),
        closes("a length with its top bit set", [&[0x82, 0xFF, 0x80][..], &[0; 11]].concat(), 1002),
        closes("one byte more than allowed", frame(DATA, &vec![7; ECHO_BYTES_MAX + 1]), 1009),
        closes("2^62 bytes announced", [&[0x82, 0xFF, 0x40][..], &[0; 11]].concat(), 1009),
        closes("4 GiB announced", [&[0x82, 0xFF, 0, 0, 0, 1][..], &[0; 8]].concat(), 1009),
        closes("first reserved bit", frame_with(0xC0 | DATA, b"x"), 1002),
        closes("second reserved bit", frame_with(0xA0 | DATA, b"x"), 1002),
        closes("third reserved bit", frame_with(0x90 | DATA, b"x"), 1002),
        closes("all reserved bits", frame_with(0xF0 | TEXT, b"x"), 1002),
        closes("reserved bit of a ping", frame_with(0xC0 | PING, b"x"), 1002),
        closes("reserved bit of a close", frame_with(0xA0 | CLOSE, b"\x03\xE8"), 1002),
        closes(
            "reserved bit of a continuation",
            [frame_with(TEXT, b"x"), frame_with(0xC0 | CONTINUATION, b"y")].concat(),
            1002,
        ),
        text("the message before a fault", [frame(TEXT, b"good"), frame(3, b"bad")].concat(), b"good")
            .and_closes(1002),
    ];
    for length in [1, 2, 124, 125, 126, 127, 128, 255, 256, 65_535, 65_536, ECHO_BYTES_MAX] {
        let payload: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        cases.push(binary(&format!("{length} bytes of binary"), frame(DATA, &payload), &payload));
    }
    for length in [125, 126, 65_536] {
        let payload = vec![b'*'; length];
        cases.push(text(&format!("{length} bytes of text"), frame(TEXT, &payload), &payload));
    }
    for opcode in (3..8).chain(11..16) {
        cases.push(closes(&format!("opcode {opcode}"), frame(opcode, b"x"), 1002));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn base_framing() {
    run_on_echo(cases()).await;
}
