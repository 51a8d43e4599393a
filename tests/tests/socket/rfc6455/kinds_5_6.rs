//! Section 5.6, and what each subprotocol makes of it: text where binary is due, and the other way round.

use super::case::{Case, SESSION, closes, run};
use crate::raw::{CLOSE, CONTINUATION, DATA, JSON, PING, TEXT, frame, frame_with};
use crate::server::{config, start};

/// On the binary session.
pub(super) fn binary_cases() -> Vec<Case> {
    vec![
        closes("text where binary is due", frame(TEXT, b"{}"), 1003),
        closes("empty text where binary is due", frame(TEXT, b""), 1003),
        closes("broken text where binary is due", frame(TEXT, b"\xFF"), 1003),
        closes("text in pieces where binary is due", frame_with(TEXT, b"{"), 1003),
        closes("a binary session: more than 4 KiB", frame(DATA, &[7; 4097]), 1009),
        closes(
            "a binary session: more than 4 KiB in sum",
            [frame_with(DATA, &[7; 4000]), frame(CONTINUATION, &[7; 97])].concat(),
            1009,
        ),
        closes("a binary session: undecodable", frame(DATA, b"\xFF\xFF"), 4000),
        closes("a binary session: goodbye before Hello", frame(CLOSE, b"\x03\xE9bye"), 1001),
    ]
}

/// On the JSON session.
pub(super) fn text_cases() -> Vec<Case> {
    vec![
        closes("binary where text is due", frame(DATA, b"{}"), 1003),
        closes("binary in pieces where text is due", frame_with(DATA, b"{"), 1003),
        closes("a text session: broken text", frame(TEXT, b"\"\xC3\""), 1007),
        closes(
            "a text session: half a letter at the end",
            [frame_with(TEXT, b"\"\xE2\x82"), frame(CONTINUATION, b"")].concat(),
            1007,
        ),
        closes("a text session: no JSON", frame(TEXT, b"nonsense"), 4000),
        closes(
            "a text session: goodbye with a ping before it",
            [frame(PING, b"x"), frame(CLOSE, b"")].concat(),
            1005,
        )
        .and_pong(b"x"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_of_data() {
    let server = start(config()).await;
    run(server.public_addr(), SESSION, binary_cases()).await;
    run(server.public_addr(), Some(JSON), text_cases()).await;
}
