//! The PROXY protocol, version 2: whom a trusted proxy speaks for, said before anything else on the connection.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::v2::{Addresses, Command, Header, PROTOCOL_PREFIX, Type};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::peer::{Headers, Peer};

/// Signature, version, family and length.
const FIXED_BYTES: usize = 16;
/// Addresses and whatever else a proxy adds; HAProxy with everything switched on stays below 512.
const BODY_BYTES_MAX: usize = 1024;
/// In the SSL part: the client came through TLS.
const CLIENT_SSL: u8 = 1;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoHeader {
    /// The stream ended.
    #[error("the connection ended: {0}")]
    Gone(#[from] io::Error),
    /// Something else came.
    #[error("not a PROXY header of version 2")]
    Malformed,
    /// It claims to be longer than it may be.
    #[error("a PROXY header of {0} bytes, {BODY_BYTES_MAX} at most")]
    TooLong(usize),
}

/// Reads the header, and not a byte more.
pub(super) async fn read(stream: &mut TcpStream, proxy: Peer) -> Result<Peer, NoHeader> {
    let mut header = vec![0; FIXED_BYTES];
    stream.read_exact(&mut header).await?;
    if !header.starts_with(PROTOCOL_PREFIX) {
        return Err(NoHeader::Malformed);
    }
    let body = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if body > BODY_BYTES_MAX {
        return Err(NoHeader::TooLong(body));
    }
    header.resize(FIXED_BYTES + body, 0);
    stream.read_exact(&mut header[FIXED_BYTES..]).await?;
    understand(&header, proxy)
}

fn understand(bytes: &[u8], proxy: Peer) -> Result<Peer, NoHeader> {
    let header = Header::try_from(bytes).map_err(|_| NoHeader::Malformed)?;
    let source: SocketAddr = match (header.command, header.addresses) {
        (Command::Proxy, Addresses::IPv4(pair)) => {
            SocketAddr::new(IpAddr::V4(pair.source_address), pair.source_port)
        }
        (Command::Proxy, Addresses::IPv6(pair)) => {
            SocketAddr::new(IpAddr::V6(pair.source_address), pair.source_port)
        }
        // The proxy itself, to see whether we live, or somebody whom it cannot name.
        (Command::Local, _) | (Command::Proxy, Addresses::Unspecified | Addresses::Unix(_)) => {
            return Ok(Peer { headers: Headers::Anybodys, ..proxy });
        }
    };
    let secure = header.tlvs().flatten().any(|part| {
        part.kind == Type::SSL as u8 && part.value.first().is_some_and(|flags| flags & CLIENT_SSL != 0)
    });
    Ok(Peer::new(source, secure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ppp::v2::{Builder, Protocol, Version};

    fn proxy() -> Peer {
        Peer::new(([10, 0, 0, 1], 5).into(), false)
    }

    fn header(command: Command, source: &str, destination: &str) -> Builder {
        let addresses: (SocketAddr, SocketAddr) =
            (source.parse().expect("an address"), destination.parse().expect("an address"));
        Builder::with_addresses(Version::Two | command, Protocol::Stream, addresses)
    }

    #[test]
    fn both_families_with_and_without_tls() {
        let bytes = header(Command::Proxy, "203.0.113.7:1", "10.0.0.9:2").build().expect("bytes");
        assert_eq!(understand(&bytes, proxy()).expect("v4"), Peer::new(([203, 0, 113, 7], 1).into(), false));
        let with_tls = header(Command::Proxy, "[2001:db8::7]:1", "[2001:db8::9]:2")
            .write_tlv(Type::SSL, &[CLIENT_SSL, 0, 0, 0, 0])
            .expect("a part");
        let peer = understand(&with_tls.build().expect("bytes"), proxy()).expect("v6");
        assert_eq!((peer.address.to_string().as_str(), peer.secure), ("2001:db8::7", true));
    }

    #[test]
    fn local_and_nobody_are_the_proxy_and_have_no_say() {
        let nobody = Peer { headers: Headers::Anybodys, ..proxy() };
        let local = header(Command::Local, "203.0.113.7:1", "10.0.0.9:2").build().expect("bytes");
        assert_eq!(understand(&local, proxy()).expect("local"), nobody);
        let unknown = [PROTOCOL_PREFIX, &[0x21, 0, 0, 0]].concat();
        assert_eq!(understand(&unknown, proxy()).expect("unspecified"), nobody);
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_survived() {
        let whole = header(Command::Proxy, "203.0.113.7:1", "10.0.0.9:2")
            .write_tlv(Type::SSL, &[CLIENT_SSL, 0, 0, 0, 0])
            .expect("a part")
            .build()
            .expect("bytes");
        for length in 0..whole.len() {
            assert!(understand(&whole[..length], proxy()).is_err(), "{length}");
        }
        for index in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[index] ^= 1 << bit;
                let _ = understand(&bytes, proxy());
            }
        }
    }
}
