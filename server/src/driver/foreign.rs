//! What the admin port does not do for pages from elsewhere. It asks nobody who they are, since only this machine reaches it; but a
//! browser on this machine would carry requests of any page to it. Runs before every route of that port.
//!
//! Whoever asks by a name that could be pointed here by its owner (DNS rebinding) is refused, and so is a browser that says that
//! another origin asks. Probes and scrapes come by whatever name they like: they change nothing and tell little.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tickwire_shared::Protocol;

use super::hub::Hub;

/// Asked by orchestrators and Prometheus, by names of services.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Foreign {
    #[error(
        "This port answers to IP addresses, to localhost and to the names in inspector.hosts, and `{0}` is none of them: \
         add it there if it is yours."
    )]
    Host(String),
    #[error("A page of another origin may not use this port.")]
    Origin,
}

/// Lets through what is the operator's own.
pub(super) async fn refuse<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    request: Request,
    next: Next,
) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match check(request.method(), request.headers(), &hub.config.inspector.hosts) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            let status = match why {
                Foreign::Host(_) => StatusCode::MISDIRECTED_REQUEST,
                Foreign::Origin => StatusCode::FORBIDDEN,
            };
            tracing::debug!(%why, "refused on the admin port");
            (status, format!("{why}\n")).into_response()
        }
    }
}

fn check(method: &Method, headers: &HeaderMap, hosts: &[String]) -> Result<(), Foreign> {
    let word = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Without one it is no browser.
    let host = word(header::HOST);
    if let Some(host) = host.filter(|host| !is_own(host, hosts)) {
        return Err(Foreign::Host(host.chars().take(100).collect()));
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    if let Some(site) = word(header::HeaderName::from_static("sec-fetch-site")) {
        // A link to the page from elsewhere is followed; what it leads to is not shown to where it came from.
        let dest = word(header::HeaderName::from_static("sec-fetch-dest"));
        let is_followed = reads && dest == Some("document");
        if !matches!(site, "same-origin" | "none") && !is_followed {
            return Err(Foreign::Origin);
        }
    }
    let is_same = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some() && authority == host
    };
    match word(header::ORIGIN) {
        Some(origin) if !is_same(origin) => Err(Foreign::Origin),
        _ => Ok(()),
    }
}

/// Whether nobody else can point this name here.
fn is_own(host: &str, hosts: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_local = |name: &str| name == "localhost" || name.ends_with(".localhost");
    name.parse::<IpAddr>().is_ok()
        || is_local(&name.to_ascii_lowercase())
        || hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asking(method: Method, headers: &[(&'static str, &'static str)]) -> Result<(), Foreign> {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        check(&method, &headers, &["ops.example".to_owned()])
    }

    #[test]
    fn names_that_others_own_are_not_answered_to() {
        for own in
            ["127.0.0.1:7778", "[::1]:7778", "10.0.0.7", "localhost:7778", "a.localhost", "OPS.example:80"]
        {
            assert_eq!(asking(Method::GET, &[("host", own)]), Ok(()), "{own}");
        }
        for other in
            ["evil.example:7778", "127.0.0.1.evil.example", "localhost.evil.example", "ops.example.evil", ""]
        {
            let refused = asking(Method::GET, &[("host", other)]);
            assert!(matches!(refused, Err(Foreign::Host(_))), "{other}");
        }
        assert_eq!(asking(Method::POST, &[]), Ok(()), "no browser");
    }

    #[test]
    fn pages_from_elsewhere_do_nothing() {
        let host = ("host", "127.0.0.1:7778");
        let own = ("origin", "http://127.0.0.1:7778");
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            let ask = |headers: &[_]| asking(method.clone(), &[&[host], headers].concat());
            assert_eq!(ask(&[]), Ok(()));
            assert_eq!(ask(&[own, ("sec-fetch-site", "same-origin")]), Ok(()));
            for origin in
                ["null", "http://evil.example", "http://127.0.0.1:3000", "http://127.0.0.1:7778.evil.example"]
            {
                assert_eq!(ask(&[("origin", origin)]), Err(Foreign::Origin), "{method} {origin}");
            }
            for site in ["cross-site", "same-site", "whatever"] {
                assert_eq!(ask(&[("sec-fetch-site", site)]), Err(Foreign::Origin), "{method} {site}");
            }
            let link = ask(&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")]);
            assert_eq!(link.is_ok(), method == Method::GET, "{method}");
        }
    }
}
