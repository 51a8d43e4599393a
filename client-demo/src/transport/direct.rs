//! A connection without tasks of its own: whoever owns it reads and writes when it is asked to. A third of the cost of the
//! one with tasks, which a link to imitate needs; so a swarm of thousands fits into one process.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tickwire_shared::CloseCode;
use tickwire_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::connection::Ending;
use super::stream::Stream;

/// What is read at once; a snapshot is mostly smaller.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// How long the answer to a close may take to leave.
const ANSWER_DEADLINE: Duration = Duration::from_millis(200);
/// How long one write may take.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// A socket with frames on it.
#[derive(Debug)]
pub(super) struct Direct {
    socket: WebSocketStream<Stream>,
    /// How it ended, until somebody is told.
    ended: Option<Ending>,
}

impl Direct {
    /// The handshake is done; `ahead` came with its answer.
    pub(super) async fn new(stream: Stream, ahead: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(SERVER_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(SERVER_MESSAGE_BYTES_MAX));
        let socket = WebSocketStream::from_partially_read(stream, ahead, Role::Client, Some(config)).await;
        Self { socket, ended: None }
    }

    /// The next binary message, or how it ended. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, Ending> {
        loop {
            if let Some(ending) = self.ended.clone() {
                return Err(ending);
            }
            let ending = match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(Vec::from(bytes)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(frame))) => closed(frame),
                Some(Ok(Message::Text(_))) => Ending::violation(CloseCode::UnsupportedData, "text"),
                Some(Err(error)) => refuse(&error),
                None => Ending::Lost("the server hung up without a close frame".to_owned()),
            };
            // Said before anything is waited for: the future may be dropped there.
            self.ended = Some(ending.clone());
            self.answer(&ending).await;
        }
    }

    async fn answer(&mut self, ending: &Ending) {
        let goodbye = match ending {
            Ending::Closed { .. } => None,
            ending => ending.answer().map(close_frame),
        };
        let leave = async {
            match goodbye {
                Some(message) => drop(self.socket.send(message).await),
                // The library has put it there already.
                None => drop(self.socket.flush().await),
            }
        };
        drop(timeout(ANSWER_DEADLINE, leave).await);
    }

    /// Sends a binary message, or notes why there will be no other one.
    pub(super) async fn send(&mut self, bytes: Vec<u8>) {
        if self.ended.is_some() {
            return;
        }
        let written = timeout(WRITE_DEADLINE, self.socket.send(Message::Binary(Bytes::from(bytes)))).await;
        self.ended = match written {
            Ok(Ok(())) => None,
            // The reason of the close that the server has sent is still to be read.
            Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) | Error::Io(_))) => {
                None
            }
            Ok(Err(error)) => Some(refuse(&error)),
            Err(_) => {
                let why = format!("the server took nothing for {} s", WRITE_DEADLINE.as_secs());
                Some(Ending::Lost(why))
            }
        };
    }

    /// Says goodbye.
    pub(super) async fn close(&mut self, code: CloseCode) {
        drop(self.socket.send(close_frame(code.number())).await);
    }
}

fn close_frame(code: u16) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: "".into() }))
}

fn closed(frame: Option<CloseFrame>) -> Ending {
    match frame {
        Some(frame) => Ending::Closed { code: frame.code.into(), reason: frame.reason.to_string() },
        None => Ending::Closed { code: Ending::NO_CODE, reason: String::new() },
    }
}

fn refuse(error: &Error) -> Ending {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Ending::Lost("the connection is closed".to_owned()),
        Error::Io(error) => Ending::Lost(error.to_string()),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Ending::violation(CloseCode::TooBig, "a message over the limit")
        }
        Error::Utf8(_) => Ending::violation(CloseCode::UnsupportedData, "text"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Ending::Lost("the server hung up without a close frame".to_owned())
        }
        error => Ending::violation(CloseCode::ProtocolError, &error.to_string()),
    }
}
