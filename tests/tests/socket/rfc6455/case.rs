//! One case: what goes in, what must come out, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_server::arena::ArenaDialect;
use tickwire_server::driver::echo;
use tickwire_shared::arena::Arena;
use tokio::task::JoinSet;

use crate::raw::{BINARY, CLOSE, DATA, Frame, PING, PONG, Raw, TEXT, frame, upgrade_request};
use crate::server::config;

/// The echo's limit of a message: beyond the last change of the length's form.
pub(super) const ECHO_BYTES_MAX: usize = 70_000;
/// The echo's limit of pieces of a message.
pub(super) const ECHO_FRAGMENTS_MAX: usize = 8;
/// Longer streams take too many pieces.
const BYTE_BY_BYTE_MAX: usize = 400;

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    send: Vec<u8>,
    back: Vec<Frame>,
    end: End,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It goes on: a ping is answered, and a close echoed.
    Lives,
    /// One close frame with this code, nothing after it, no reset. 1005 is a close frame without a code.
    Closes(u16),
}

impl Case {
    fn new(name: &str, send: Vec<u8>) -> Self {
        Self { name: name.to_owned(), send, back: Vec::new(), end: End::Lives }
    }

    fn back(mut self, opcode: u8, payload: &[u8]) -> Self {
        self.back.push(Frame { opcode, payload: payload.to_vec() });
        self
    }

    pub(super) fn and_text(self, payload: &[u8]) -> Self {
        self.back(TEXT, payload)
    }

    pub(super) fn and_binary(self, payload: &[u8]) -> Self {
        self.back(DATA, payload)
    }

    pub(super) fn and_pong(self, payload: &[u8]) -> Self {
        self.back(PONG, payload)
    }

    pub(super) fn and_closes(mut self, code: u16) -> Self {
        self.end = End::Closes(code);
        self
    }
}

/// These bytes bring nothing back, and the connection goes on.
pub(super) fn silent(name: &str, send: Vec<u8>) -> Case {
    Case::new(name, send)
}

/// A text message comes back.
pub(super) fn text(name: &str, send: Vec<u8>, message: &[u8]) -> Case {
    Case::new(name, send).and_text(message)
}

/// A binary message comes back.
pub(super) fn binary(name: &str, send: Vec<u8>, message: &[u8]) -> Case {
    Case::new(name, send).and_binary(message)
}

/// The connection ends with a close of this code and nothing else.
pub(super) fn closes(name: &str, send: Vec<u8>, code: u16) -> Case {
    Case::new(name, send).and_closes(code)
}

/// How the bytes get there.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    Whole,
    /// In two pieces, a moment apart.
    Halves,
    ByteByByte,
}

/// Runs cases against the echo, and names all that fail.
pub(super) async fn run_on_echo(cases: Vec<Case>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut config = config();
    config.limits.hello_bytes_max = ECHO_BYTES_MAX;
    config.limits.message_bytes_max = ECHO_BYTES_MAX;
    config.limits.fragments_max = ECHO_FRAGMENTS_MAX;
    // Budgets are not what is tested here.
    (config.limits.frames_per_s, config.limits.pings_burst) = (100_000, 100_000);
    (config.limits.bytes_per_s, config.limits.bytes_burst) = (1 << 30, 1 << 30);
    let server = tokio::spawn(echo::serve::<Arena>(listener, ArenaDialect, config));
    run(address, None, cases).await;
    server.abort();
}

/// Runs cases against a server, and names all that fail.
pub(super) async fn run(address: SocketAddr, subprotocol: Option<&'static str>, cases: Vec<Case>) {
    let mut running = JoinSet::new();
    let mut failures = Vec::new();
    for case in cases {
        for delivery in [Delivery::Whole, Delivery::Halves, Delivery::ByteByByte] {
            if matches!(delivery, Delivery::ByteByByte) && case.send.len() > BYTE_BY_BYTE_MAX {
                continue;
            }
            let case = case.clone();
            let name = format!("{} ({delivery:?})", case.name);
            let attempt = tokio::spawn(async move { case.check(address, subprotocol, delivery).await });
            running.spawn(async move { (name, attempt.await) });
            // A bounded number at once: the peers' patience is for the server, not for the machine.
            if running.len() >= 32 {
                collect(running.join_next().await, &mut failures);
            }
        }
    }
    while !running.is_empty() {
        collect(running.join_next().await, &mut failures);
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

type Attempt = Result<(String, Result<Result<(), String>, tokio::task::JoinError>), tokio::task::JoinError>;

fn collect(attempt: Option<Attempt>, failures: &mut Vec<String>) {
    match attempt {
        Some(Ok((_, Ok(Ok(()))))) | None => {}
        Some(Ok((name, Ok(Err(why))))) => failures.push(format!("{name}: {why}")),
        Some(Ok((name, Err(panic)))) => failures.push(format!("{name}: {panic}")),
        Some(Err(error)) => failures.push(error.to_string()),
    }
}

impl Case {
    async fn check(
        self,
        address: SocketAddr,
        subprotocol: Option<&str>,
        delivery: Delivery,
    ) -> Result<(), String> {
        let mut raw = match subprotocol {
            Some(name) => Raw::open(address, name).await,
            None => plain(address).await,
        };
        match delivery {
            Delivery::Whole => raw.send(&self.send).await,
            Delivery::Halves => {
                let (first, second) = self.send.split_at(self.send.len() / 2);
                raw.send(first).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                raw.send(second).await;
            }
            Delivery::ByteByByte => {
                for byte in &self.send {
                    raw.send(&[*byte]).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        for expected in &self.back {
            match raw.frame().await {
                Ok(Some(got)) if got == *expected => {}
                other => return Err(format!("expected {}, got {}", show(expected), show_read(other))),
            }
        }
        let expected = match self.end {
            End::Closes(code) => code,
            End::Lives => {
                raw.send(&[frame(PING, b"there?"), frame(CLOSE, &1000_u16.to_be_bytes())].concat()).await;
                match raw.frame().await {
                    Ok(Some(got)) if got.opcode == PONG && got.payload == b"there?" => 1000,
                    other => return Err(format!("expected to live on, got {}", show_read(other))),
                }
            }
        };
        match raw.frame().await {
            Ok(Some(got)) if got.opcode == CLOSE && code_of(&got) == expected => {}
            other => return Err(format!("expected a close with {expected}, got {}", show_read(other))),
        }
        match raw.frame().await {
            Ok(None) => Ok(()),
            other => Err(format!("expected the end of the stream, got {}", show_read(other))),
        }
    }
}

/// An upgraded connection to the echo, which has no subprotocols.
async fn plain(address: SocketAddr) -> Raw {
    let mut raw = Raw::connect(address).await;
    raw.send(upgrade_request(address, &[]).as_bytes()).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(!head.to_lowercase().contains("sec-websocket-protocol"), "none was offered: {head}");
    raw
}

fn code_of(frame: &Frame) -> u16 {
    frame.payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code))
}

fn show(frame: &Frame) -> String {
    let begin = &frame.payload[..frame.payload.len().min(20)];
    format!("opcode {} with {} bytes {begin:02x?}", frame.opcode, frame.payload.len())
}

fn show_read(read: std::io::Result<Option<Frame>>) -> String {
    match read {
        Ok(Some(frame)) => show(&frame),
        Ok(None) => "the end of the stream".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A frame whose head is written as told: first byte, whether masked, in which form the length stands.
pub(super) fn written(first: u8, mask: Option<[u8; 4]>, form: Form, payload: &[u8]) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let length = payload.len() as u64;
    let mut bytes = match form {
        Form::Short => vec![first, bit | length as u8],
        Form::Two => [&[first, bit | 126][..], &(length as u16).to_be_bytes()].concat(),
        Form::Eight => [&[first, bit | 127][..], &length.to_be_bytes()].concat(),
    };
    bytes.extend(mask.into_iter().flatten());
    let mask = mask.unwrap_or_default();
    bytes.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]));
    bytes
}

/// How the length stands in the head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Short,
    Two,
    Eight,
}

/// The binary session, for cases against the server itself.
pub(super) const SESSION: Option<&str> = Some(BINARY);
