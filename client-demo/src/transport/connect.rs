//! From an address to a connection: TCP, TLS where it is asked for, the HTTP/1.1 upgrade, then the split into a reader and a writer.

use std::io::{self, Cursor};
use std::time::Duration;

use fastwebsockets::{Role, WebSocketError, after_handshake_split, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tickwire_shared::limits::SUBPROTOCOL_BINARY;
use tokio::io::{AsyncReadExt, Chain};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::Connection;
use super::direct::Direct;
use super::stream::{self, Stream};
use super::tls;
use crate::endpoint::{Endpoint, Security};
use crate::link::LinkProfile;

/// Bytes that came with the upgrade's answer, then the socket.
pub(super) type ReadStream = Chain<Cursor<Bytes>, stream::Incoming>;
/// The other half.
pub(super) type WriteStream = stream::Outgoing;

/// How long TCP, TLS and upgrade may take together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// `EMFILE`: this process has no descriptor left.
const NO_DESCRIPTOR: i32 = 24;

/// A link to imitate in both directions of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is like.
    pub profile: LinkProfile,
    /// Decides its jitter and its stalls.
    pub seed: u64,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("cannot reach {endpoint}: {source}; if no server runs, start one with `cargo run --release`")]
    Unreachable {
        /// Where.
        endpoint: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// This process has too many sockets open.
    #[error("this process may open no more sockets; allow more with `ulimit -n 8192` and try again")]
    NoDescriptor,
    /// TCP, but no TLS.
    #[error("{endpoint} does not complete TLS: {source}{}", trust_hint(source))]
    Tls {
        /// Where.
        endpoint: Endpoint,
        /// What is wrong.
        source: io::Error,
    },
    /// Neither an answer nor a refusal.
    #[error("{endpoint} did not finish the handshake in {} s", CONNECT_DEADLINE.as_secs())]
    Deadline {
        /// Where.
        endpoint: Endpoint,
    },
    /// An HTTP answer instead of the upgrade.
    #[error("{endpoint} answers HTTP status {status} instead of a WebSocket{}", hint(*status))]
    Status {
        /// Where.
        endpoint: Endpoint,
        /// The status.
        status: u16,
    },
    /// A WebSocket that does not speak our subprotocol.
    #[error("{endpoint} does not speak {SUBPROTOCOL_BINARY}; is it a Tickwire server?")]
    Subprotocol {
        /// Where.
        endpoint: Endpoint,
    },
    /// Anything else that is not a WebSocket handshake.
    #[error("{endpoint} answers no WebSocket handshake: {why}")]
    Handshake {
        /// Where.
        endpoint: Endpoint,
        /// What is wrong with the answer.
        why: String,
    },
}

fn trust_hint(error: &io::Error) -> &'static str {
    if tls::is_about_trust(error) {
        "; for a development certificate use --tls-ca FILE, or --tls-insecure"
    } else {
        ""
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        400 => ": perhaps it speaks TLS (wss://)",
        403 => ": it refuses this origin or address",
        404 => ": the path should be /ws",
        429 | 503 => ": it is full, starting or draining",
        _ => "",
    }
}

/// Connects, and speaks the binary subprotocol from then on.
///
/// # Errors
/// [`ConnectError`], whose text says what to do.
pub async fn connect(endpoint: &Endpoint, link: Option<Link>) -> Result<Connection, ConnectError> {
    match timeout(CONNECT_DEADLINE, handshake(endpoint)).await {
        Ok(stream) => open(stream?, endpoint, link).await,
        Err(_) => Err(ConnectError::Deadline { endpoint: endpoint.clone() }),
    }
}

async fn handshake(endpoint: &Endpoint) -> Result<Upgraded, ConnectError> {
    let unreachable = |source: io::Error| match source.raw_os_error() {
        Some(NO_DESCRIPTOR) => ConnectError::NoDescriptor,
        _ => ConnectError::Unreachable { endpoint: endpoint.clone(), source },
    };
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let stream = match &endpoint.security {
        Security::Plain => Stream::Plain(stream),
        Security::Tls(trust) => {
            let secured = tls::secure(stream, &endpoint.host, trust).await;
            let failed = |source| ConnectError::Tls { endpoint: endpoint.clone(), source };
            Stream::Tls(Box::new(secured.map_err(failed)?))
        }
    };
    let malformed = |why: String| ConnectError::Handshake { endpoint: endpoint.clone(), why };
    let request = upgrade_request(endpoint).map_err(|error| malformed(error.to_string()))?;
    let (socket, response) = match handshake::client(&TokioExecutor::new(), request, stream).await {
        Ok(answered) => answered,
        Err(WebSocketError::InvalidStatusCode(status)) => {
            return Err(ConnectError::Status { endpoint: endpoint.clone(), status });
        }
        Err(error) => return Err(malformed(error.to_string())),
    };
    let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    if chosen.is_none_or(|chosen| chosen.as_bytes() != SUBPROTOCOL_BINARY.as_bytes()) {
        return Err(ConnectError::Subprotocol { endpoint: endpoint.clone() });
    }
    Ok(socket.into_inner().into_inner())
}

fn upgrade_request(endpoint: &Endpoint) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    Request::get(endpoint.path.as_str())
        .header(HOST, endpoint.authority())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_KEY, handshake::generate_key())
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL_BINARY)
        .body(Empty::new())
}

/// Takes the socket out of hyper again: writing through it costs a fifth more per message.
async fn open(
    upgraded: Upgraded,
    endpoint: &Endpoint,
    link: Option<Link>,
) -> Result<Connection, ConnectError> {
    let parts = upgraded.downcast::<TokioIo<Stream>>().map_err(|_| ConnectError::Handshake {
        endpoint: endpoint.clone(),
        why: "the upgraded stream is not the one that was opened".to_owned(),
    })?;
    let stream = parts.io.into_inner();
    let Some(link) = link else {
        return Ok(Connection::direct(Direct::new(stream, parts.read_buf.to_vec()).await));
    };
    let (read, write) = stream.split();
    let read: ReadStream = Cursor::new(parts.read_buf).chain(read);
    let (read, write) = after_handshake_split(read, write, Role::Client);
    Ok(Connection::over(link, read, write))
}
