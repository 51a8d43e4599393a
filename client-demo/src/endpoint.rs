//! Where the server is, from what a user writes: `wss://host/path`, `ws://host:port/path`, `https://host`,
//! `http://host:port`, `host:port`, `host`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use hyper::Uri;

/// Port of a server that runs with its defaults; meant by a host without scheme and port.
const SERVER_PORT: u16 = 7777;
/// Port that a scheme without TLS and without port means.
const PLAIN_PORT: u16 = 80;
/// Port that a scheme with TLS and without port means.
const TLS_PORT: u16 = 443;
/// Path of the binary session; meant by an address without a path.
const SESSION_PATH: &str = "/ws";

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query of the WebSocket.
    pub path: String,
    /// Whether others may read along.
    pub security: Security,
}

/// Whether others may read along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// They may.
    Plain,
    /// TLS.
    Tls(Trust),
}

/// Whom to believe to be the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whoever the authorities of the web vouch for.
    Web,
    /// Whoever the authorities in this PEM file vouch for.
    File(PathBuf),
    /// Whoever answers. For development only.
    Anything,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Another scheme.
    #[error("`{0}://` is no scheme of a server; use ws://host:port")]
    Scheme(String),
    /// Not an address at all.
    #[error("`{0}` is no address; write ws://host:port/ws or host:port")]
    Malformed(String),
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: SERVER_PORT,
            path: SESSION_PATH.to_owned(),
            security: Security::Plain,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(text.to_owned());
        let (rest, port_default, security) = match text.split_once("://") {
            Some(("ws" | "http", rest)) => (rest, PLAIN_PORT, Security::Plain),
            Some(("wss" | "https", rest)) => (rest, TLS_PORT, Security::Tls(Trust::Web)),
            Some((scheme, _)) => return Err(EndpointError::Scheme(scheme.to_owned())),
            None => (text, SERVER_PORT, Security::Plain),
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| malformed())?;
        let authority = uri.authority().ok_or_else(malformed)?;
        // `authority.port()` is also `None` for a port that does not exist.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => port_default,
            Some(port) => port[1..].parse().map_err(|_| malformed())?,
            None => return Err(malformed()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || port == 0 {
            return Err(malformed());
        }
        let path = match uri.path_and_query().map_or("/", |path| path.as_str()) {
            "/" => SESSION_PATH,
            path => path,
        };
        Ok(Self { host: host.to_owned(), port, path: path.to_owned(), security })
    }
}

impl Endpoint {
    /// `host:port`, as the Host header has it.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Plain { "ws" } else { "wss" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write() {
        for (text, meant) in [
            ("ws://127.0.0.1:7777/ws", "ws://127.0.0.1:7777/ws"),
            ("http://127.0.0.1:7777", "ws://127.0.0.1:7777/ws"),
            ("http://127.0.0.1:7777/", "ws://127.0.0.1:7777/ws"),
            ("localhost:9000", "ws://localhost:9000/ws"),
            ("localhost", "ws://localhost:7777/ws"),
            ("ws://arena.example", "ws://arena.example:80/ws"),
            ("wss://arena.example", "wss://arena.example:443/ws"),
            ("https://arena.example:7777/", "wss://arena.example:7777/ws"),
            ("ws://[::1]:7777/game/ws?x=1", "ws://[::1]:7777/game/ws?x=1"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), meant, "{text}");
            assert_eq!(meant.parse(), Ok(endpoint), "{text}");
        }
        assert_eq!("".parse::<Endpoint>(), Err(EndpointError::Malformed(String::new())));
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!("ftp://a".parse::<Endpoint>().unwrap_err().to_string().contains("scheme"));
        for text in ["ws://", "a:0", "a:99999", "a:b", "ws://u@h:1", "a b"] {
            assert!(matches!(text.parse::<Endpoint>(), Err(EndpointError::Malformed(_))), "{text}");
        }
    }
}
