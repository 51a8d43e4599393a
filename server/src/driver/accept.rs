//! Takes connections, lets them in through the port's gate, and serves HTTP on them under deadlines, until one asks
//! to become a WebSocket. Who comes too often is told so before anything is read.

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

use super::arrival::{Arrived, Gate, Reception};
use super::hub::Hub;
use super::visitors::{Counted, TooMany};
use super::{http, options};

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

/// A port, and what is behind it.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) gate: Gate,
    pub(super) router: Router,
}

/// Takes connections until the server goes away.
pub(super) async fn run<P: Protocol>(hub: Arc<Hub<P>>, port: Port) {
    let Port { listener, gate, router } = port;
    let gate = Arc::new(gate);
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
                match knock(&hub, &gate, address) {
                    Ok(counted) => {
                        let near = Near { stream, address, counted };
                        let (hub, gate, router) = (Arc::clone(&hub), Arc::clone(&gate), router.clone());
                        tokio::spawn(async move {
                            receive(&hub, &gate, near, router).await;
                            drop(permit);
                        });
                    }
                    Err(why) => {
                        hub.tally.turned_away(why);
                        tracing::debug!(%address, why = why.label(), "turned away");
                        // Where TLS is due, nothing could be said without a handshake.
                        if let (true, Ok(permit)) =
                            (gate.speaks_plainly(), Arc::clone(&refusals).try_acquire_owned())
                        {
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
fn knock<P: Protocol>(hub: &Hub<P>, gate: &Gate, address: SocketAddr) -> Result<Counted, TooMany> {
    match gate {
        Gate::Public { .. } => hub.visit(address.ip()),
        // The operator comes as often as it likes.
        Gate::Admin => Ok(Counted::default()),
    }
}

/// Says no without a look at the request, and reads it over so that no reset eats the answer.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

/// A connection as it was accepted.
struct Near {
    stream: TcpStream,
    address: SocketAddr,
    counted: Counted,
}

async fn receive<P: Protocol>(hub: &Hub<P>, gate: &Gate, near: Near, router: Router) {
    let Near { stream, address, counted } = near;
    let live = hub.live.get();
    let limits = &live.limits;
    match options::apply(&stream, limits.send_buffer_bytes, limits.write_stall_deadline) {
        Ok(options) => hub.note_options(options),
        Err(error) => return tracing::debug!(peer = %address, %error, "the socket took no options"),
    }
    match gate.admit(&hub.config, stream, address).await {
        Ok(arrived) => serve_http(hub, arrived, counted, router).await,
        Err(error) => {
            hub.tally.arrivals_lost.add(1);
            tracing::debug!(peer = %address, %error, "nobody to speak to");
        }
    }
}

async fn serve_http<P: Protocol>(hub: &Hub<P>, arrived: Arrived, counted: Counted, router: Router) {
    let Arrived { stream, peer, reception } = arrived;
    let router = match reception {
        Reception::Served => router,
        refused => http::refusing(refused),
    };
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(counted.clone());
        inner.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hub.live.get().limits.head_deadline)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match tokio::time::timeout(HTTP_LIFETIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(peer = %peer.address, %error, "HTTP ended"),
        Err(_) => tracing::debug!(peer = %peer.address, "HTTP took too long"),
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
