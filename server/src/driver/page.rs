//! What the public port answers to a browser: the demo client, where it was built into this server, else one small page that
//! plays over the JSON session and says how to build it. Its files are constants; it knows no session.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Plays without having been built.
const SMALL: &[File] = &[File {
    path: "/",
    content_type: "text/html; charset=utf-8",
    hash: "small",
    plain: include_bytes!("page.html"),
    gzip: None,
    brotli: None,
}];
/// The small page is one file: nothing from elsewhere, and no connection but to here.
const SMALL_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                            img-src data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The built one is files of this server only. Its program is compiled by the browser; the toolkit sets styles of elements.
const BUILT_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
                            style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                            frame-ancestors 'none'";

/// One file of a page, and its compressed copies.
struct File {
    path: &'static str,
    content_type: &'static str,
    /// Of its contents.
    hash: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// Every file of the page, each at its own path.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let (files, policy) = if BUILT.is_empty() { (SMALL, SMALL_POLICY) } else { (BUILT, BUILT_POLICY) };
    files.iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(move |headers: HeaderMap| async move { answer(file, policy, &headers) }))
    })
}

fn answer(file: &'static File, policy: &'static str, asked: &HeaderMap) -> Response {
    let (body, encoding) = choose(file, asked);
    let tag = format!("\"{}-{}\"", file.hash, encoding.unwrap_or("plain"));
    let is_known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, file.content_type),
        // The names stay when the files change: browsers ask each time, and are told that nothing has.
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// The smallest copy that the browser reads.
fn choose(file: &File, asked: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    let copies = [(file.brotli, "br"), (file.gzip, "gzip")];
    copies
        .into_iter()
        .find_map(|(copy, name)| copy.filter(|_| accepts(asked, name)).map(|bytes| (bytes, Some(name))))
        .unwrap_or((file.plain, None))
}

/// Whether an encoding is named, and not with a quality of zero.
fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    let lines = asked.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let is_refused = |part: &str| {
            part.strip_prefix("q=").is_some_and(|quality| quality.parse::<f32>().is_ok_and(|q| q <= 0.0))
        };
        is_named && !parts.any(is_refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: File = File {
        path: "/a.js",
        content_type: "text/javascript; charset=utf-8",
        hash: "0",
        plain: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"br"),
    };

    fn asking(headers: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_smallest_copy_that_is_understood() {
        let chosen = |accept| choose(&FILE, &asking(&[(header::ACCEPT_ENCODING, accept)]));
        assert_eq!(chosen("gzip, deflate, br, zstd"), (&b"br"[..], Some("br")));
        assert_eq!(chosen("GZIP"), (&b"gzip"[..], Some("gzip")));
        assert_eq!(chosen("br;q=0, gzip;q=0.5"), (&b"gzip"[..], Some("gzip")));
        assert_eq!(chosen("br; q=0.0"), (&b"plain"[..], None));
        assert_eq!(chosen("brotli"), (&b"plain"[..], None));
        assert_eq!(choose(&FILE, &HeaderMap::new()), (&b"plain"[..], None));
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        static KEPT: File = FILE;
        let first = answer(&KEPT, SMALL_POLICY, &asking(&[(header::ACCEPT_ENCODING, "br")]));
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::ETAG], "\"0-br\"");
        assert_eq!(first.headers()[header::CONTENT_ENCODING], "br");
        let known = [(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, "\"x\", W/\"0-br\"")];
        assert_eq!(answer(&KEPT, SMALL_POLICY, &asking(&known)).status(), StatusCode::NOT_MODIFIED);
        let plain = answer(&KEPT, SMALL_POLICY, &asking(&[(header::IF_NONE_MATCH, "\"0-br\"")]));
        assert_eq!(plain.status(), StatusCode::OK, "another copy");
    }

    #[test]
    fn there_is_always_a_page() {
        assert!(SMALL.iter().chain(BUILT).any(|file| file.path == "/"));
        assert!(BUILT.is_empty() || BUILT.iter().any(|file| file.path == "/"));
    }
}
