//! From an accepted TCP connection to one that can be spoken to: a PROXY header from those who must send one, then
//! TLS where the port has it. All under deadlines. Knows no request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::peer::Peer;
use super::proxied::{self, NoHeader};
use super::socket::Stream;
use super::tls::Tls;
use crate::config::{Config, Plaintext, ProxyProtocol};

/// The first byte of a TLS record that can begin a handshake.
const TLS_HANDSHAKE: u8 = 22;

/// What a port asks of those who arrive.
pub(super) enum Gate {
    /// The operator's own port.
    Admin,
    /// The public one.
    Public {
        /// Set when it speaks TLS.
        tls: Option<Arc<Tls>>,
    },
}

/// A connection that HTTP can be spoken on.
pub(super) struct Arrived {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) reception: Reception,
}

/// What those who arrived get for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// What they ask for.
    Served,
    /// A sentence: this port speaks TLS.
    WantsTls,
    /// A sentence: without TLS only proxies speak here.
    ProxiesOnly,
}

/// Why nobody can be spoken to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// It did not come so far in time.
    #[error("no PROXY header or TLS handshake in time")]
    Deadline,
    /// A trusted proxy did not say whom it speaks for.
    #[error("no PROXY header: {0}")]
    Proxy(#[from] NoHeader),
    /// The peer went away, or does not speak TLS as we do.
    #[error("no TLS: {0}")]
    Tls(#[from] io::Error),
}

impl Gate {
    /// Whether an answer in plain text would be understood.
    pub(super) fn speaks_plainly(&self) -> bool {
        !matches!(self, Self::Public { tls: Some(_) })
    }

    /// Lets one connection in.
    pub(super) async fn admit(
        &self,
        config: &Config,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<Arrived, Lost> {
        let near = Peer::new(address, false);
        let Self::Public { tls } = self else {
            return Ok(Arrived { stream: Stream::Plain(stream), peer: near, reception: Reception::Served });
        };
        let (mut stream, mut peer) = (stream, near);
        if config.proxy.protocol == ProxyProtocol::V2 && config.proxy.trusts(near.address) {
            let header = async { Ok(proxied::read(&mut stream, near).await?) };
            peer = within(config.proxy.protocol_deadline, header).await?;
        }
        if let Some(tls) = tls {
            let handshake = handshake(tls, stream, peer);
            return within(config.tls.handshake_deadline, handshake).await;
        }
        let refused = config.plaintext() == Plaintext::TrustedProxies && !config.proxy.trusts(near.address);
        let reception = if refused { Reception::ProxiesOnly } else { Reception::Served };
        Ok(Arrived { stream: Stream::Plain(stream), peer, reception })
    }
}

async fn handshake(tls: &Tls, stream: TcpStream, peer: Peer) -> Result<Arrived, Lost> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A request in plain text is answered in plain text, so that whoever typed it learns why.
    if first[0].is_ascii_uppercase() {
        return Ok(Arrived { stream: Stream::Plain(stream), peer, reception: Reception::WantsTls });
    }
    if first[0] != TLS_HANDSHAKE {
        return Err(io::Error::from(io::ErrorKind::InvalidData).into());
    }
    let stream = tls.acceptor().accept(stream).await?;
    let peer = Peer { secure: true, ..peer };
    Ok(Arrived { stream: Stream::Tls(Box::new(stream)), peer, reception: Reception::Served })
}

async fn within<T>(deadline: Duration, future: impl Future<Output = Result<T, Lost>>) -> Result<T, Lost> {
    timeout(deadline, future).await.unwrap_or(Err(Lost::Deadline))
}
