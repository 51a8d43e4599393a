//! Violations of RFC 6455: each one closed with its code, once, without a reset, and noticed by nobody else.

use crate::player::{Witness, hello};
use crate::raw::{BINARY, CLOSE, CONTINUATION, DATA, JSON, PING, PONG, Raw, TEXT, frame, frame_with};
use crate::server::{config, start};

/// A frame that goes on.
fn open_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(opcode, payload)
}

fn joined(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

/// What is wrong, on which subprotocol, the bytes, the code.
fn table() -> Vec<(&'static str, &'static str, Vec<u8>, u16)> {
    let too_long = vec![0x82, 0x80 | 127, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4];
    let nine = [vec![open_frame(DATA, b"x")], vec![open_frame(CONTINUATION, b""); 8]].concat();
    let half = vec![open_frame(DATA, &[0; 3000]), frame(CONTINUATION, &[0; 3000])];
    let split_letter = joined(&[open_frame(TEXT, b"\"\xC3"), frame(CONTINUATION, b"\"")]);
    vec![
        ("unmasked", BINARY, vec![0x82, 1, 7], 1002),
        ("unmasked ping", BINARY, vec![0x89, 0], 1002),
        ("first reserved bit", BINARY, frame_with(0xC0 | DATA, b"x"), 1002),
        ("last reserved bit", BINARY, frame_with(0x90 | DATA, b"x"), 1002),
        ("opcode 3", BINARY, frame(3, b"x"), 1002),
        ("opcode 11", BINARY, frame(11, b"x"), 1002),
        ("continuation of nothing", BINARY, frame(CONTINUATION, b"x"), 1002),
        ("message inside a message", BINARY, joined(&[open_frame(DATA, b"x"), frame(DATA, b"x")]), 1002),
        ("fragments without end", BINARY, joined(&nine), 1002),
        ("fragmented ping", BINARY, open_frame(PING, b"x"), 1002),
        ("long ping", BINARY, frame(PING, &[b'x'; 126]), 1002),
        ("long pong", BINARY, frame(PONG, &[b'x'; 126]), 1002),
        ("long close", BINARY, frame(CLOSE, &[b'x'; 126]), 1002),
        ("close with half a code", BINARY, frame(CLOSE, &[3]), 1002),
        ("close with a code that is never sent", BINARY, frame(CLOSE, &1005_u16.to_be_bytes()), 1002),
        ("close with a code of nobody", BINARY, frame(CLOSE, &2000_u16.to_be_bytes()), 1002),
        ("close with broken text", BINARY, frame(CLOSE, b"\x03\xE8\xFF"), 1007),
        ("text where binary is due", BINARY, frame(TEXT, b"{}"), 1003),
        ("broken text where binary is due", BINARY, frame(TEXT, b"\xFF"), 1003),
        ("binary where text is due", JSON, frame(DATA, b"{}"), 1003),
        ("broken text", JSON, frame(TEXT, b"\xFF"), 1007),
        ("half a letter at the end", JSON, split_letter, 1007),
        ("too big by what is announced", BINARY, too_long, 1009),
        ("too big by one", BINARY, frame(DATA, &[0; 4097]), 1009),
        ("too big in sum", BINARY, joined(&half), 1009),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_violation_gets_its_code() {
    let server = start(config()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    for (what, subprotocol, bytes, code) in table() {
        for after_hello in [false, true] {
            let mut raw = Raw::open(address, subprotocol).await;
            if after_hello && subprotocol == BINARY {
                raw.send(&frame(DATA, &hello("bad", ""))).await;
                raw.frame_of(DATA).await;
            }
            raw.send(&bytes).await;
            // What follows a violation is never read as frames, and takes nothing from the answer.
            raw.send(&[0xFF; 3000]).await;
            let ending = raw.ending().await;
            assert_eq!(ending.sole().0, code, "{what}, after Hello: {after_hello}: {ending:?}");
        }
    }
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_come_in_pieces_with_pings_between() {
    let server = start(config()).await;
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    let hello = hello("pieces", "");
    let (first, rest) = hello.split_at(hello.len() / 2);
    raw.send(&open_frame(DATA, first)).await;
    raw.send(&frame(PING, b"between")).await;
    raw.send(&open_frame(CONTINUATION, b"")).await;
    raw.send(&frame(CONTINUATION, rest)).await;
    let pong = raw.frame().await.expect("an answer").expect("an answer");
    assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, b"between".as_slice()));
    let welcome = raw.frame_of(DATA).await;
    assert_eq!(welcome.payload[0], 0, "Welcome");
}
