//! Takes connections and serves HTTP on them under deadlines, until one asks to become a WebSocket. Who comes too
//! often is told so before anything is read.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tickwire_shared::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::hub::Hub;
use super::options;
use super::visitors::{Caller, TooMany};

/// After an error of `accept` that is ours, like too many open files.
const BACK_OFF: Duration = Duration::from_millis(100);
/// However slowly a peer reads its answers, this long is enough for all of them.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// The least that hyper takes.
const HTTP_BUFFER_BYTES: usize = 8192;
/// Connections that are told at once why they are turned away; beyond, they are dropped without a word.
const REFUSALS_MAX: usize = 64;
/// How long such a one may take to hear it.
const REFUSAL_LINGER: Duration = Duration::from_millis(500);
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 66\r\n\r\n\
    Too many connections from your address; try again in some seconds.";

/// Whose connections are counted by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Players'.
    Public,
    /// The operator comes as often as it likes.
    Admin,
}

/// Takes connections until the server goes away.
pub(super) async fn run<P: Protocol>(hub: Arc<Hub<P>>, listener: TcpListener, door: Door, router: Router) {
    let handshakes = Arc::new(Semaphore::new(hub.handshakes_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let ended = hub.ended();
    tokio::pin!(ended);
    loop {
        // Beyond the bound, connections wait in the kernel; each one here has its deadlines.
        let permit = tokio::select! {
            permit = Arc::clone(&handshakes).acquire_owned() => permit,
            _ = &mut ended => return,
        };
        let Ok(permit) = permit else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut ended => return,
        };
        match accepted {
            Ok((stream, address)) => {
                hub.tally.accepted.add(1);
                match knock(&hub, door, address) {
                    Ok(caller) => {
                        let (hub, router) = (Arc::clone(&hub), router.clone());
                        tokio::spawn(async move {
                            serve_http(&hub, stream, caller, router).await;
                            drop(permit);
                        });
                    }
                    Err(why) => {
                        hub.tally.turned_away(why);
                        tracing::debug!(%address, why = why.label(), "turned away");
                        if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                            tokio::spawn(async move {
                                let _ = tokio::time::timeout(REFUSAL_LINGER, refuse(stream)).await;
                                drop(permit);
                            });
                        }
                    }
                }
            }
            // The peer was gone before it was taken: no reason to wait.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) =>
            {
                hub.tally.accept_errors.add(1);
            }
            Err(error) => {
                hub.tally.accept_errors.add(1);
                tracing::warn!(%error, "accept failed");
                tokio::select! {
                    () = tokio::time::sleep(BACK_OFF) => {}
                    _ = &mut ended => return,
                }
            }
        }
    }
}

/// Whether one more may come from an address.
fn knock<P: Protocol>(hub: &Hub<P>, door: Door, address: SocketAddr) -> Result<Caller, TooMany> {
    let visit = match door {
        Door::Public => hub.visitors.enter(address.ip(), hub.clock.now())?,
        Door::Admin => None,
    };
    Ok(Caller { address, visit })
}

/// Says no without a look at the request, and reads it over so that no reset eats the answer.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

async fn serve_http<P: Protocol>(hub: &Hub<P>, stream: TcpStream, caller: Caller, router: Router) {
    let limits = &hub.config.limits;
    let peer = caller.address;
    match options::apply(&stream, limits.send_buffer_bytes, limits.write_stall_deadline) {
        Ok(options) => hub.note_options(options),
        Err(error) => return tracing::debug!(%peer, %error, "the socket took no options"),
    }
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(caller.clone());
        inner.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_deadline)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match tokio::time::timeout(HTTP_LIFETIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "HTTP ended"),
        Err(_) => tracing::debug!(%peer, "HTTP took too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(REFUSAL).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len()).replace("\r\n", "")),
            "{}",
            body.len()
        );
    }
}
