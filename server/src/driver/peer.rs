//! Who is on the other end of a connection: the address and whether nobody reads along, from the socket, a PROXY
//! header or the headers of a request. Pure. Knows no socket; believes nobody but the configured proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::config::{ForwardedHeader, ProxySection};

/// Most proxies that are followed back.
const HOPS_MAX: usize = 16;

/// The other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// The client's, as far as it can be believed.
    pub(super) address: IpAddr,
    /// Whether the client's way ends in TLS, here or at a proxy that says so.
    pub(super) secure: bool,
    /// Whether its headers may speak for somebody else, if the address is a proxy's.
    pub(super) headers: Headers,
}

/// Whose word the headers of a request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headers {
    /// Of whoever has the address.
    ItsOwn,
    /// Of somebody whom a proxy let through without naming.
    Anybodys,
}

/// What a request says of the way that it came, the nearest proxy's word first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Claims {
    /// `None` where an address cannot be read.
    hops: Vec<Option<IpAddr>>,
    secure: Option<bool>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, secure: bool) -> Self {
        Self { address: address.ip().to_canonical(), secure, headers: Headers::ItsOwn }
    }

    /// The client of one request on this connection: the rightmost address that no trusted proxy has.
    pub(super) fn behind(self, headers: &HeaderMap, proxy: &ProxySection) -> Self {
        if self.headers == Headers::Anybodys || !proxy.trusts(self.address) {
            return self;
        }
        let claims = match proxy.header {
            ForwardedHeader::XForwardedFor => x_forwarded(headers),
            ForwardedHeader::Forwarded => forwarded(headers),
        };
        let mut address = self.address;
        for hop in claims.hops {
            // Who wrote this hop down is trusted; what it wrote may be the client's own invention only from here.
            let Some(hop) = hop else { break };
            address = hop;
            if !proxy.trusts(hop) {
                break;
            }
        }
        Self { address, secure: claims.secure.unwrap_or(self.secure), ..self }
    }
}

fn x_forwarded(headers: &HeaderMap) -> Claims {
    let hops = members(headers, "x-forwarded-for", ',').map(|hop| read_address(&hop)).take(HOPS_MAX);
    let secure = members(headers, "x-forwarded-proto", ',').next();
    Claims { hops: hops.collect(), secure: secure.map(|scheme| is_secure(&scheme)) }
}

/// RFC 7239, section 4: elements by commas, pairs by semicolons.
fn forwarded(headers: &HeaderMap) -> Claims {
    let mut claims = Claims::default();
    for (index, element) in members(headers, "forwarded", ',').take(HOPS_MAX).enumerate() {
        let pair = |name: &str| {
            element.split(';').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
            })
        };
        claims.hops.push(pair("for").and_then(|node| read_address(&node)));
        if index == 0 {
            claims.secure = pair("proto").map(|scheme| is_secure(&scheme));
        }
    }
    claims
}

/// The members of a list over all lines of a header, the last one first: each proxy appends.
fn members(headers: &HeaderMap, name: &str, separator: char) -> impl Iterator<Item = String> {
    let mut all: Vec<String> = Vec::new();
    for line in headers.get_all(name) {
        let line = String::from_utf8_lossy(line.as_bytes());
        all.extend(line.split(separator).map(|member| member.trim().to_owned()));
    }
    all.into_iter().rev()
}

fn is_secure(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn read_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|full: SocketAddr| full.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn proxy(trusted: &[&str], header: ForwardedHeader) -> ProxySection {
        let trusted = trusted.iter().map(|network| network.parse().expect("a network")).collect();
        ProxySection { trusted, header, ..ProxySection::default() }
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        lines.iter().map(line).collect()
    }

    fn client(direct: &str, lines: &[(&'static str, &str)], proxy: &ProxySection) -> (String, bool) {
        let direct = SocketAddr::new(direct.parse().expect("an address"), 9);
        let peer = Peer::new(direct, false).behind(&headers(lines), proxy);
        (peer.address.to_string(), peer.secure)
    }

    #[test]
    fn the_rightmost_that_is_not_trusted() {
        let proxy = proxy(&["10.0.0.0/8", "::1/128"], ForwardedHeader::XForwardedFor);
        for (direct, chain, expected) in [
            ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
            ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
            ("::1", "2001:db8::7", "2001:db8::7"),
            ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
            ("10.0.0.1", "203.0.113.7:5000", "203.0.113.7"),
            // All of them are ours: the farthest one.
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // What cannot be read ends the way back.
            ("10.0.0.1", "203.0.113.7, nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "203.0.113.7,", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            // Whoever is not trusted speaks for itself only.
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ] {
            assert_eq!(client(direct, &[("x-forwarded-for", chain)], &proxy).0, expected, "{direct} {chain}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(client("10.0.0.1", &lines, &proxy).0, "203.0.113.7", "lines are one list");
    }

    #[test]
    fn only_the_header_that_is_named() {
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=2.2.2.2;proto=http, For=\"[2001:db8::9]:4711\";proto=https;by=10.0.0.1"),
        ];
        let x = proxy(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        assert_eq!(client("10.0.0.1", &lines, &x), ("1.1.1.1".to_owned(), true));
        let rfc = proxy(&["10.0.0.0/8"], ForwardedHeader::Forwarded);
        assert_eq!(client("10.0.0.1", &lines, &rfc), ("2001:db8::9".to_owned(), true));
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=unknown")], &rfc).0, "10.0.0.1");
        assert_eq!(client("9.9.9.9", &lines, &x), ("9.9.9.9".to_owned(), false), "nor the scheme");
    }

    #[test]
    fn a_long_chain_is_bounded() {
        let proxy = proxy(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        let chain = format!("203.0.113.7{}", ", 10.0.0.2".repeat(5000));
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &chain)], &proxy).0, "10.0.0.2");
    }
}
