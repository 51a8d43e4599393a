//! Takes connections and serves HTTP on them under deadlines, until one asks to become a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tickwire_shared::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::hub::Hub;
use super::options;

/// After an error of `accept` that is ours, like too many open files.
const BACK_OFF: Duration = Duration::from_millis(100);
/// However slowly a peer reads its answers, this long is enough for all of them.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// The least that hyper takes.
const HTTP_BUFFER_BYTES: usize = 8192;

/// Takes connections until the server goes away.
pub(super) async fn run<P: Protocol>(hub: Arc<Hub<P>>, listener: TcpListener, router: Router) {
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
                let (hub, router) = (Arc::clone(&hub), router.clone());
                tokio::spawn(async move {
                    serve_http(&hub, stream, peer, router).await;
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

async fn serve_http<P: Protocol>(hub: &Hub<P>, stream: TcpStream, peer: SocketAddr, router: Router) {
    let limits = &hub.config.limits;
    match options::apply(&stream, limits.send_buffer_bytes, limits.write_stall_deadline) {
        Ok(options) => hub.note_options(options),
        Err(error) => return tracing::debug!(%peer, %error, "the socket took no options"),
    }
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_deadline)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    match tokio::time::timeout(HTTP_LIFETIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "HTTP ended"),
        Err(_) => tracing::debug!(%peer, "HTTP took too long"),
    }
}
