//! Messages to the bytes of frames, unmasked as a server's are. Always a new frame, never one that was read: a
//! frame remembers its mask.

use fastwebsockets::{Frame, OpCode, Payload};
use tickwire_shared::Close;

use super::Kind;

/// The frame of a binary message, in `buffer`.
pub(in crate::driver) fn binary<'a>(message: &[u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    Frame::binary(Payload::Borrowed(message)).write(buffer)
}

/// The frame of a text message, in `buffer`.
pub(in crate::driver) fn text<'a>(message: &str, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    Frame::text(Payload::Borrowed(message.as_bytes())).write(buffer)
}

/// The frame of a message of either kind, in `buffer`.
pub(in crate::driver) fn message<'a>(kind: Kind, message: &[u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let payload = Payload::Borrowed(message);
    let mut frame = match kind {
        Kind::Binary => Frame::binary(payload),
        Kind::Text => Frame::text(payload),
    };
    frame.write(buffer)
}

pub(super) fn ping() -> Vec<u8> {
    whole(Frame::new(true, OpCode::Ping, None, Payload::Borrowed(&[])))
}

pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    whole(Frame::pong(Payload::Borrowed(payload)))
}

pub(super) fn close(close: &Close) -> Vec<u8> {
    whole(Frame::close(close.code.number(), close.reason.as_bytes()))
}

/// The answer to a peer's close: its own code, or nothing when it gave none.
pub(super) fn close_echo(code: Option<u16>) -> Vec<u8> {
    whole(match code {
        Some(code) => Frame::close(code, &[]),
        None => Frame::close_raw(Payload::Borrowed(&[])),
    })
}

fn whole(mut frame: Frame<'_>) -> Vec<u8> {
    let mut buffer = Vec::new();
    let length = frame.write(&mut buffer).len();
    buffer.truncate(length);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::CloseCode;

    #[test]
    fn lengths_take_the_shortest_form_and_no_mask() {
        let mut buffer = vec![0xFF; 4];
        assert_eq!(binary(&[7; 3], &mut buffer), [0x82, 3, 7, 7, 7]);
        assert_eq!(binary(&[7; 126], &mut buffer)[..4], [0x82, 126, 0, 126]);
        assert_eq!(binary(&[7; 65_536], &mut buffer)[..10], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(text("ä", &mut buffer), [0x81, 2, 0xC3, 0xA4]);
    }

    #[test]
    fn control_frames() {
        assert_eq!(ping(), [0x89, 0]);
        assert_eq!(pong(b"x"), [0x8A, 1, b'x']);
        assert_eq!(close_echo(None), [0x88, 0]);
        assert_eq!(close_echo(Some(1000)), [0x88, 2, 0x03, 0xE8]);
        let bytes = close(&Close::because(CloseCode::BadMessage, &"x".repeat(200)));
        assert_eq!(bytes[..4], [0x88, 125, 0x0F, 0xA0]);
        assert_eq!(bytes.len(), 127);
    }
}
