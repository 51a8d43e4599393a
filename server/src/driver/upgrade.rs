//! What a request must be before it becomes a WebSocket: method, headers, origin, subprotocol. Pure; runs before
//! the 101 goes out.

use crate::config::AbsentOrigin;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};
use tickwire_shared::limits::{SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON};

/// The session that the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subprotocol {
    Binary,
    Json,
}

impl Subprotocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Binary => SUBPROTOCOL_BINARY,
            Self::Json => SUBPROTOCOL_JSON,
        }
    }
}

/// What this server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy<'a> {
    pub(super) json_allowed: bool,
    pub(super) allowed_origins: &'a [String],
    pub(super) absent_origin: AbsentOrigin,
}

/// Why not, for the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// A header that goes with the status.
    pub(super) header: Option<(HeaderName, &'static str)>,
    pub(super) sentence: String,
}

/// The parts of a request that decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
    /// Whether it came through TLS.
    pub(super) secure: bool,
}

/// The subprotocol to use, or why there is none.
pub(super) fn check(asked: Asked<'_>, policy: Policy<'_>) -> Result<Subprotocol, Refusal> {
    let headers = asked.headers;
    if asked.method != Method::GET {
        let allow = Some((header::ALLOW, "GET"));
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, allow, "A WebSocket upgrade is a GET."));
    }
    let asks = listed(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && listed(headers, &header::UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"));
    if !asks || asked.version != Version::HTTP_11 {
        let sentence = "This is a WebSocket endpoint: send an HTTP/1.1 request with `Upgrade: websocket`.";
        let upgrade = Some((header::UPGRADE, "websocket"));
        return Err(refuse(StatusCode::UPGRADE_REQUIRED, upgrade, sentence));
    }
    if sole(headers, &header::HOST).is_none() {
        return Err(refuse(StatusCode::BAD_REQUEST, None, "An HTTP/1.1 request has one Host header."));
    }
    if sole(headers, &header::SEC_WEBSOCKET_VERSION) != Some("13") {
        let version = Some((header::SEC_WEBSOCKET_VERSION, "13"));
        return Err(refuse(
            StatusCode::UPGRADE_REQUIRED,
            version,
            "Only WebSocket version 13 is spoken here.",
        ));
    }
    if !sole(headers, &header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        let sentence = "Sec-WebSocket-Key must be 16 bytes in base64, once.";
        return Err(refuse(StatusCode::BAD_REQUEST, None, sentence));
    }
    check_origin(asked, policy)?;
    choose(headers, policy.json_allowed)
}

/// The first subprotocol in the client's order that is spoken here.
fn choose(headers: &HeaderMap, json_allowed: bool) -> Result<Subprotocol, Refusal> {
    let mut refused_json = false;
    for name in listed(headers, &header::SEC_WEBSOCKET_PROTOCOL) {
        match name {
            SUBPROTOCOL_BINARY => return Ok(Subprotocol::Binary),
            SUBPROTOCOL_JSON if json_allowed => return Ok(Subprotocol::Json),
            SUBPROTOCOL_JSON => refused_json = true,
            _ => {}
        }
    }
    let sentence = if refused_json {
        format!("{SUBPROTOCOL_JSON} is switched off here (json_session); offer {SUBPROTOCOL_BINARY}.")
    } else {
        format!("Offer a subprotocol: {SUBPROTOCOL_BINARY} (binary) or {SUBPROTOCOL_JSON} (text).")
    };
    Err(refuse(StatusCode::BAD_REQUEST, None, &sentence))
}

/// No origin is no browser. A browser's page must be from here, or from where the operator said.
fn check_origin(asked: Asked<'_>, policy: Policy<'_>) -> Result<(), Refusal> {
    let headers = asked.headers;
    if !headers.contains_key(header::ORIGIN) {
        return match policy.absent_origin {
            AbsentOrigin::Allow => Ok(()),
            AbsentOrigin::Refuse => {
                let sentence = "Only pages may connect (absent_origin): send an Origin header.";
                Err(refuse(StatusCode::FORBIDDEN, None, sentence))
            }
        };
    }
    let stated = sole(headers, &header::ORIGIN);
    let origin = stated.and_then(Origin::parse);
    let own_scheme = if asked.secure { "https" } else { "http" };
    let own = sole(headers, &header::HOST).and_then(|host| Origin::of(own_scheme, host));
    let listed = |other: &String| match origin {
        Some(_) => Origin::parse(other) == origin,
        None => other == "null" && stated == Some("null"),
    };
    if (origin.is_some() && origin == own) || policy.allowed_origins.iter().any(listed) {
        return Ok(());
    }
    let sentence = "Pages of this origin may not connect; see allowed_origins in the configuration, and proxy.trusted \
                    if a proxy ends TLS.";
    Err(refuse(StatusCode::FORBIDDEN, None, sentence))
}

/// A parsed origin, for exact comparison.
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    scheme: &'static str,
    host: &'a str,
    port: u16,
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.scheme, self.port) == (other.scheme, other.port) && self.host.eq_ignore_ascii_case(other.host)
    }
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(authority) = text.strip_prefix("https://") {
            return Self::of("https", authority);
        }
        text.strip_prefix("http://").and_then(|authority| Self::of("http", authority))
    }

    fn of(scheme: &'static str, authority: &'a str) -> Option<Self> {
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            return None;
        }
        let default = if scheme == "https" { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of a bracketed IPv6 address are not the port's.
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, default),
        };
        Some(Self { scheme, host, port })
    }
}

/// Whether a key is 16 bytes in base64: 22 digits, the last of which carries four bits only, and two pads.
fn is_key(key: &str) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.as_bytes() {
        [digits @ .., last, b'=', b'='] => {
            digits.len() == 21 && digits.iter().all(digit) && matches!(last, b'A' | b'Q' | b'g' | b'w')
        }
        _ => false,
    }
}

/// The members of a comma-separated header, over all its lines.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// A header that is there exactly once.
fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

fn refuse(status: StatusCode, header: Option<(HeaderName, &'static str)>, sentence: &str) -> Refusal {
    Refusal { status, header, sentence: sentence.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy<'_> =
        Policy { json_allowed: true, allowed_origins: &[], absent_origin: AbsentOrigin::Allow };

    fn headers(changes: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "game.example:7777"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "tickwire.v1"),
        ] {
            headers.insert(name, value.parse().expect("value"));
        }
        for (name, value) in changes {
            match *value {
                "" => headers.remove(*name),
                value => headers.insert(*name, value.parse().expect("value")),
            };
        }
        headers
    }

    fn ask(changes: &[(&'static str, &str)], policy: Policy<'_>) -> Result<Subprotocol, u16> {
        ask_over(false, changes, policy)
    }

    fn ask_over(
        secure: bool,
        changes: &[(&'static str, &str)],
        policy: Policy<'_>,
    ) -> Result<Subprotocol, u16> {
        let headers = headers(changes);
        let asked = Asked { method: &Method::GET, version: Version::HTTP_11, headers: &headers, secure };
        check(asked, policy).map_err(|refusal| {
            assert!(refusal.sentence.ends_with('.'), "{}", refusal.sentence);
            refusal.status.as_u16()
        })
    }

    #[test]
    fn a_good_request() {
        assert_eq!(ask(&[], POLICY), Ok(Subprotocol::Binary));
    }

    #[test]
    fn no_upgrade_or_another_version() {
        assert_eq!(ask(&[("upgrade", "")], POLICY), Err(426));
        assert_eq!(ask(&[("upgrade", "h2c")], POLICY), Err(426));
        assert_eq!(ask(&[("connection", "keep-alive")], POLICY), Err(426));
        assert_eq!(ask(&[("sec-websocket-version", "8")], POLICY), Err(426));
        assert_eq!(ask(&[("sec-websocket-version", "")], POLICY), Err(426));
    }

    #[test]
    fn keys() {
        for bad in
            ["", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", "dGhl*HNhbXBsZSBub25jZQ=="]
        {
            assert_eq!(ask(&[("sec-websocket-key", bad)], POLICY), Err(400), "{bad}");
        }
    }

    #[test]
    fn subprotocols() {
        let offer = |names: &str, policy| ask(&[("sec-websocket-protocol", names)], policy);
        assert_eq!(offer("tickwire.json.v1, tickwire.v1", POLICY), Ok(Subprotocol::Json));
        assert_eq!(offer("chat, tickwire.v1", POLICY), Ok(Subprotocol::Binary));
        assert_eq!(offer("chat", POLICY), Err(400));
        assert_eq!(offer("", POLICY), Err(400));
        let binary_only = Policy { json_allowed: false, ..POLICY };
        assert_eq!(offer("tickwire.json.v1", binary_only), Err(400));
        assert_eq!(offer("tickwire.json.v1, tickwire.v1", binary_only), Ok(Subprotocol::Binary));
    }

    #[test]
    fn origins() {
        let from = |origin: &str, allowed: &[String]| {
            ask(&[("origin", origin)], Policy { allowed_origins: allowed, ..POLICY }).map(|_| ())
        };
        assert_eq!(from("http://game.example:7777", &[]), Ok(()));
        assert_eq!(from("http://GAME.example:7777", &[]), Ok(()));
        for other in [
            "null",
            "https://game.example:7777",
            "http://game.example",
            "http://game.example:7777/",
            "http://game.example:07777.",
            "http://game.example:77777",
            "http://evil.example:7777",
            "http://game.example:7777.evil.example",
            "http://user@game.example:7777",
            "file://game.example:7777",
        ] {
            assert_eq!(from(other, &[]), Err(403), "{other}");
        }
        let allowed = ["https://game.example".to_owned()];
        assert_eq!(from("https://game.example", &allowed), Ok(()));
        assert_eq!(from("https://game.example:443", &allowed), Ok(()));
        assert_eq!(from("http://game.example", &allowed), Err(403));
        assert_eq!(ask(&[("origin", "http://[::1]:80"), ("host", "[::1]")], POLICY), Ok(Subprotocol::Binary));
    }
    #[test]
    fn the_scheme_is_part_of_the_own_origin() {
        let over = |secure, origin: &str| ask_over(secure, &[("origin", origin)], POLICY).is_ok();
        assert!(over(true, "https://game.example:7777") && !over(true, "http://game.example:7777"));
        assert!(over(false, "http://game.example:7777") && !over(false, "https://game.example:7777"));
        let standard = [("origin", "https://game.example"), ("host", "game.example")];
        assert!(ask_over(true, &standard, POLICY).is_ok());
        assert_eq!(ask_over(false, &standard, POLICY), Err(403));
    }

    #[test]
    fn null_and_absent_by_policy() {
        let listed = ["null".to_owned()];
        let with_null = Policy { allowed_origins: &listed, ..POLICY };
        assert!(ask(&[("origin", "null")], with_null).is_ok());
        assert_eq!(ask(&[("origin", "file://")], with_null), Err(403), "only the word itself");
        let pages_only = Policy { absent_origin: AbsentOrigin::Refuse, ..POLICY };
        assert_eq!(ask(&[], pages_only), Err(403));
        assert!(ask(&[("origin", "http://game.example:7777")], pages_only).is_ok());
        let mut twice = headers(&[("origin", "http://game.example:7777")]);
        twice.append("origin", "http://game.example:7777".parse().expect("value"));
        let asked = Asked { method: &Method::GET, version: Version::HTTP_11, headers: &twice, secure: false };
        assert!(check(asked, POLICY).is_err_and(|refusal| refusal.status == StatusCode::FORBIDDEN));
    }
}
