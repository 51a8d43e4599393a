//! Sections 5.5.2 and 5.5.3: pings and pongs. (Closes are in the file of section 7.)

use super::case::{Case, Form, closes, run_on_echo, silent, text, written};
use crate::raw::{CLOSE, CONTINUATION, PING, PONG, TEXT, frame, frame_with};

pub(super) fn cases() -> Vec<Case> {
    let ten: Vec<u8> = (0..10_u8).flat_map(|number| frame(PING, &[number; 3])).collect();
    let mut ten = silent("ten pings at once", ten);
    for number in 0..10_u8 {
        ten = ten.and_pong(&[number; 3]);
    }
    vec![
        silent("an empty ping", frame(PING, b"")).and_pong(b""),
        silent("a ping with text", frame(PING, b"Hello")).and_pong(b"Hello"),
        silent("a ping that is no text", frame(PING, b"\0\xFF\xC0\x80")).and_pong(b"\0\xFF\xC0\x80"),
        silent("a ping of 125 bytes", frame(PING, &[0xFE; 125])).and_pong(&[0xFE; 125]),
        ten,
        closes("a ping of 126 bytes", frame(PING, &[7; 126]), 1002),
        closes("a ping of 64 KiB", frame(PING, &[7; 65_536]), 1002),
        closes("a short ping in the form of a long one", written(0x89, Some([1; 4]), Form::Two, b"x"), 1002),
        closes("a pong of 126 bytes", frame(PONG, &[7; 126]), 1002),
        closes("a ping that goes on", frame_with(PING, b"x"), 1002),
        closes("an empty ping that goes on", frame_with(PING, b""), 1002),
        closes("a pong that goes on", frame_with(PONG, b"x"), 1002),
        closes("a close that goes on", frame_with(CLOSE, b"\x03\xE8"), 1002),
        closes("a ping in pieces", [frame_with(PING, b"x"), frame(CONTINUATION, b"y")].concat(), 1002),
        silent("a pong that nobody asked for", frame(PONG, b"")),
        silent("a pong of 125 bytes that nobody asked for", frame(PONG, &[7; 125])),
        silent("a pong, then a ping", [frame(PONG, b"x"), frame(PING, b"y")].concat()).and_pong(b"y"),
        silent(
            "a ping between two messages",
            [frame(TEXT, b"1"), frame(PING, b"2"), frame(TEXT, b"3")].concat(),
        )
        .and_text(b"1")
        .and_pong(b"2")
        .and_text(b"3"),
        text(
            "a ping that is complete only with the next bytes",
            [frame(TEXT, b"1"), frame(PING, b"22")].concat(),
            b"1",
        )
        .and_pong(b"22"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_pongs() {
    run_on_echo(cases()).await;
}
