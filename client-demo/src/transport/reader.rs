//! The reader task of a link that is imitated: frames in, whole binary messages out.
//!
//! It waits only for `read_frame`, which must never be dropped half-way, and for room in its bounded queue,
//! which is how a slow owner makes the server wait.

use fastwebsockets::{Frame, OpCode, WebSocketError, WebSocketRead};
use tickwire_shared::CloseCode;
use tickwire_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use tokio::sync::mpsc;

use super::connect::ReadStream;
use super::connection::Ending;
use super::delayed::OnWire;
use super::writer::Outgoing;

/// Most fragments of one message.
const FRAGMENTS_MAX: usize = 64;
/// Largest payload of a control frame, by RFC 6455.
const CONTROL_BYTES_MAX: usize = 125;

/// What the reader hands to the connection's owner.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A binary message.
    Message { bytes: Vec<u8>, framed_bytes: usize },
    /// The last one.
    Ended(Ending),
}

impl OnWire for Incoming {
    fn wire_bytes(&self) -> usize {
        match self {
            Self::Message { framed_bytes, .. } => *framed_bytes,
            Self::Ended(_) => 0,
        }
    }
}

/// Reads until the connection ends, and says how it did.
pub(super) async fn run(
    mut socket: WebSocketRead<ReadStream>,
    messages: mpsc::Sender<Incoming>,
    replies: mpsc::Sender<Outgoing>,
) {
    // The library refuses a frame of exactly the limit.
    socket.set_max_message_size(SERVER_MESSAGE_BYTES_MAX + 1);
    socket.set_auto_close(false);
    socket.set_auto_pong(false);
    let mut assembly = Assembly::default();
    let ending = loop {
        let frame = match socket.read_frame(&mut |_| async { Ok::<(), WebSocketError>(()) }).await {
            Ok(frame) => frame,
            Err(error) => break refuse(&error),
        };
        match frame.opcode {
            // A full queue means that the writer is stuck, and then a pong would be as well.
            OpCode::Ping => drop(replies.try_send(Outgoing::Pong(frame.payload.to_vec()))),
            OpCode::Pong => {}
            OpCode::Close => break closed(&frame.payload),
            OpCode::Text => break Ending::violation(CloseCode::UnsupportedData, "text"),
            OpCode::Binary | OpCode::Continuation => match assembly.add(&frame) {
                Ok(None) => {}
                Ok(Some((bytes, framed_bytes))) => {
                    let message = Incoming::Message { bytes, framed_bytes };
                    if messages.send(message).await.is_err() {
                        return;
                    }
                }
                Err(ending) => break ending,
            },
        }
    };
    if let Some(code) = ending.answer() {
        // As with pongs: whoever cannot take it could not send it.
        drop(replies.try_send(Outgoing::Close { code, reason: String::new() }));
    }
    drop(messages.send(Incoming::Ended(ending)).await);
}

/// The message so far.
#[derive(Default)]
struct Assembly {
    bytes: Vec<u8>,
    framed_bytes: usize,
    fragments: usize,
}

impl Assembly {
    /// The message and its size with framing, once its last frame is there.
    fn add(&mut self, frame: &Frame<'_>) -> Result<Option<(Vec<u8>, usize)>, Ending> {
        if (frame.opcode == OpCode::Continuation) != (self.fragments > 0) {
            return Err(Ending::violation(CloseCode::ProtocolError, "fragments out of order"));
        }
        self.fragments += 1;
        if self.fragments > FRAGMENTS_MAX || self.bytes.len() + frame.payload.len() > SERVER_MESSAGE_BYTES_MAX
        {
            return Err(Ending::violation(CloseCode::TooBig, "too many bytes or fragments"));
        }
        // A copy, because the frame would pin the library's whole read buffer.
        self.bytes.extend_from_slice(&frame.payload);
        self.framed_bytes += framed_bytes(frame.payload.len(), 0);
        if !frame.fin {
            return Ok(None);
        }
        let Self { bytes, framed_bytes, .. } = std::mem::take(self);
        Ok(Some((bytes, framed_bytes)))
    }
}

/// Size of a payload with the head that RFC 6455 puts before it.
pub(super) fn framed_bytes(payload: usize, mask_bytes: usize) -> usize {
    let length_bytes = match payload {
        0..126 => 0,
        126..65_536 => 2,
        _ => 8,
    };
    2 + length_bytes + mask_bytes + payload
}

fn closed(payload: &[u8]) -> Ending {
    match payload {
        _ if payload.len() > CONTROL_BYTES_MAX => {
            Ending::violation(CloseCode::ProtocolError, "a close frame over 125 bytes")
        }
        [high, low, reason @ ..] => Ending::Closed {
            code: u16::from_be_bytes([*high, *low]),
            reason: String::from_utf8_lossy(reason).into_owned(),
        },
        _ => Ending::Closed { code: Ending::NO_CODE, reason: String::new() },
    }
}

fn refuse(error: &WebSocketError) -> Ending {
    match error {
        WebSocketError::UnexpectedEOF => Ending::Lost("the server hung up without a close frame".to_owned()),
        WebSocketError::IoError(error) => Ending::Lost(error.to_string()),
        WebSocketError::FrameTooLarge => Ending::violation(CloseCode::TooBig, "a frame over the limit"),
        WebSocketError::InvalidUTF8 => Ending::violation(CloseCode::UnsupportedData, "text"),
        error => Ending::violation(CloseCode::ProtocolError, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastwebsockets::Payload;

    fn frame(opcode: OpCode, fin: bool, payload: &[u8]) -> Frame<'_> {
        Frame::new(fin, opcode, None, Payload::Borrowed(payload))
    }

    #[test]
    fn fragments_become_one_message() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&frame(OpCode::Binary, false, b"ab")), Ok(None));
        assert_eq!(assembly.add(&frame(OpCode::Continuation, false, b"")), Ok(None));
        assert_eq!(assembly.add(&frame(OpCode::Continuation, true, b"c")), Ok(Some((b"abc".to_vec(), 9))));
        assert_eq!(assembly.add(&frame(OpCode::Binary, true, b"d")), Ok(Some((b"d".to_vec(), 3))));
    }

    #[test]
    fn fragments_out_of_order_or_without_end_are_refused() {
        assert!(Assembly::default().add(&frame(OpCode::Continuation, true, b"a")).is_err());
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&frame(OpCode::Binary, false, b"a")), Ok(None));
        assert!(assembly.add(&frame(OpCode::Binary, true, b"b")).is_err());
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&frame(OpCode::Binary, false, b"a")), Ok(None));
        for _ in 1..FRAGMENTS_MAX {
            assert_eq!(assembly.add(&frame(OpCode::Continuation, false, b"")), Ok(None));
        }
        assert!(assembly.add(&frame(OpCode::Continuation, true, b"")).is_err());
    }

    #[test]
    fn messages_up_to_the_limit() {
        let whole = vec![0; SERVER_MESSAGE_BYTES_MAX];
        assert!(matches!(Assembly::default().add(&frame(OpCode::Binary, true, &whole)), Ok(Some(_))));
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&frame(OpCode::Binary, false, &whole)), Ok(None));
        assert!(assembly.add(&frame(OpCode::Continuation, true, b"1")).is_err());
    }

    #[test]
    fn heads_of_frames() {
        for (payload, framed) in [(0, 2), (125, 127), (126, 130), (65_535, 65_539), (65_536, 65_546)] {
            assert_eq!(framed_bytes(payload, 0), framed);
            assert_eq!(framed_bytes(payload, 4), framed + 4);
        }
    }

    #[test]
    fn closes_with_and_without_a_code() {
        let full = Ending::Closed { code: 4003, reason: "full".to_owned() };
        assert_eq!(closed(b"\x0f\xa3full"), full);
        assert_eq!(closed(b""), Ending::Closed { code: Ending::NO_CODE, reason: String::new() });
        assert!(matches!(closed(&[0; 126]), Ending::Violation { .. }));
    }
}
