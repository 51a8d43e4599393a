//! Takes connections, lets them in through the port's gate, and serves HTTP on them under deadlines, until one asks
//! to become a WebSocket.

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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::arrival::{Arrived, Gate, Reception};
use super::hub::Hub;
use super::{http, options};

/// After an error of `accept` that is ours, like too many open files.
const BACK_OFF: Duration = Duration::from_millis(100);
/// However slowly a peer reads its answers, this long is enough for all of them.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// The least that hyper takes.
const HTTP_BUFFER_BYTES: usize = 8192;

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
    let handshakes = Arc::new(Semaphore::new(hub.config.limits.handshakes_max));
    let ended = hub.ended();
    tokio::pin!(ended);
    loop {
        // Beyond the bound, connections wait in the kernel; each one here has its deadlines.
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut ended => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                hub.tally.accepted.add(1);
                let (hub, gate, router) = (Arc::clone(&hub), Arc::clone(&gate), router.clone());
                tokio::spawn(async move {
                    receive(&hub, &gate, stream, peer, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                hub.tally.accept_errors.add(1);
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn receive<P: Protocol>(
    hub: &Hub<P>,
    gate: &Gate,
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
) {
    let limits = &hub.config.limits;
    match options::apply(&stream, limits.send_buffer_bytes, limits.write_stall_deadline) {
        Ok(options) => hub.note_options(options),
        Err(error) => return tracing::debug!(peer = %address, %error, "the socket took no options"),
    }
    match gate.admit(&hub.config, stream, address).await {
        Ok(arrived) => serve_http(hub, arrived, router).await,
        Err(error) => {
            hub.tally.arrivals_lost.add(1);
            tracing::debug!(peer = %address, %error, "nobody to speak to");
        }
    }
}

async fn serve_http<P: Protocol>(hub: &Hub<P>, arrived: Arrived, router: Router) {
    let Arrived { stream, peer, reception } = arrived;
    let router = match reception {
        Reception::Served => router,
        refused => http::refusing(refused),
    };
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        inner.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hub.config.limits.head_deadline)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match tokio::time::timeout(HTTP_LIFETIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(peer = %peer.address, %error, "HTTP ended"),
        Err(_) => tracing::debug!(peer = %peer.address, "HTTP took too long"),
    }
}
