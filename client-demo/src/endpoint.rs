//! Where the server is, from what a user writes: `ws://host:port/path`, `http://host:port`, `host:port`, `host`.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// Port of a server that runs with its defaults; meant by a host without scheme and port.
const SERVER_PORT: u16 = 7777;
/// Port that a scheme without port means.
const SCHEME_PORT: u16 = 80;
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
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// TLS was asked for.
    #[error(
        "`{0}://` needs TLS, which this client does not have yet; use ws:// or put a TLS proxy in between"
    )]
    Tls(String),
    /// Another scheme.
    #[error("`{0}://` is no scheme of a server; use ws://host:port")]
    Scheme(String),
    /// Not an address at all.
    #[error("`{0}` is no address; write ws://host:port/ws or host:port")]
    Malformed(String),
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: SERVER_PORT, path: SESSION_PATH.to_owned() }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(text.to_owned());
        let (rest, port_default) = match text.split_once("://") {
            Some(("ws" | "http", rest)) => (rest, SCHEME_PORT),
            Some((scheme @ ("wss" | "https"), _)) => return Err(EndpointError::Tls(scheme.to_owned())),
            Some((scheme, _)) => return Err(EndpointError::Scheme(scheme.to_owned())),
            None => (text, SERVER_PORT),
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
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
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
        write!(f, "ws://{}{}", self.authority(), self.path)
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
        assert!("wss://a".parse::<Endpoint>().unwrap_err().to_string().contains("TLS"));
        assert!("ftp://a".parse::<Endpoint>().unwrap_err().to_string().contains("scheme"));
        for text in ["ws://", "a:0", "a:99999", "a:b", "ws://u@h:1", "a b"] {
            assert!(matches!(text.parse::<Endpoint>(), Err(EndpointError::Malformed(_))), "{text}");
        }
    }
}
