//! What the two ports answer. The public one takes players; the admin one is for the operator.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use serde_json::json;
use tickwire_shared::Protocol;

use super::arrival::Reception;
use super::connection::{self, Opened, Place, Service};
use super::hub::Hub;
use super::peer::Peer;
use super::standing::Stranger;
use super::upgrade::{self, Asked, Policy, Refusal};
use super::visitors::{Counted, TooMany};
use super::{foreign, inspector, metrics, operator, page, socket};

/// What a client is told to wait when the server is full, in seconds.
const FULL_RETRY_AFTER_S: &str = "5";

/// The public port.
pub(super) fn public<P: Protocol>(hub: Arc<Hub<P>>) -> Router {
    page::routes()
        .route("/ws", any(websocket::<P>))
        .route("/healthz", get("ok\n"))
        .route("/readyz", get(readyz::<P>))
        .route("/rooms", get(rooms::<P>))
        .layer(map_response(one_answer))
        .with_state(hub)
}

/// The admin port.
pub(super) fn admin<P: Protocol>(hub: Arc<Hub<P>>) -> Router {
    Router::new()
        .route("/healthz", get("ok\n"))
        .route("/readyz", get(readyz::<P>))
        .route("/metrics", get(metrics::<P>))
        .merge(operator::routes())
        .merge(inspector::routes(&hub))
        .layer(from_fn_with_state(Arc::clone(&hub), foreign::refuse::<P>))
        .layer(map_response(one_answer))
        .with_state(hub)
}

/// What those get who may only be told why they get nothing.
pub(super) fn refusing(reception: Reception) -> Router {
    let (status, sentence) = match reception {
        Reception::ProxiesOnly => (
            StatusCode::FORBIDDEN,
            "This port takes plain text from its proxies only (proxy.trusted): connect to the proxy.\n",
        ),
        Reception::WantsTls | Reception::Served => {
            (StatusCode::BAD_REQUEST, "This port speaks TLS: use https:// here, and wss:// for a session.\n")
        }
    };
    Router::new().fallback(move || async move { (status, sentence) }).layer(map_response(one_answer))
}

/// One answer per connection: otherwise a few peers that ask now and then would hold all places for handshakes.
async fn one_answer(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn readyz<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> Response {
    if hub.is_ready() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "going away\n").into_response()
}

async fn rooms<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> Response {
    let rooms: Vec<_> = hub
        .rooms
        .views()
        .into_iter()
        .filter(|room| room.order.code.is_none())
        .map(|room| {
            json!({
                "name": room.order.name,
                "players": room.status.clients,
                "capacity": room.order.capacity,
                "tick": room.status.tick.0,
                "tick_hz": room.order.tick_hz,
                "asleep": room.asleep,
                "metadata": room.order.metadata,
            })
        })
        .collect();
    Json(rooms).into_response()
}

async fn metrics<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (headers, metrics::text(&hub)).into_response()
}

async fn websocket<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(peer): Extension<Peer>,
    Extension(counted): Extension<Counted>,
    mut request: Request,
) -> Response {
    let peer = peer.behind(request.headers(), &hub.config.proxy);
    let asked = Asked {
        method: request.method(),
        version: request.version(),
        headers: request.headers(),
        secure: peer.secure,
    };
    let live = hub.live.get();
    let policy = Policy {
        json_allowed: hub.config.json_allowed(),
        allowed_origins: &live.allowed_origins,
        absent_origin: live.absent_origin,
    };
    let subprotocol = match upgrade::check(asked, policy) {
        Ok(subprotocol) => subprotocol,
        Err(refusal) => return refuse(&hub, refusal),
    };
    let permit = match Arc::clone(&hub.sessions).try_acquire_owned() {
        Ok(permit) if hub.is_ready() => permit,
        _ => return refuse(&hub, full()),
    };
    let turn_away = |why| {
        hub.tally.turned_away(why);
        refuse(&hub, full())
    };
    // What a proxy brings was not counted when it was accepted.
    let counted = match counted.or_else(|| hub.visit(peer.address)) {
        Ok(counted) => counted,
        Err(why) => return turn_away(why),
    };
    let Ok(among_strangers) = Arc::clone(&hub.strangers).try_acquire_owned() else {
        return turn_away(TooMany::Strangers);
    };
    let (mut response, pending) = match socket::upgrade(&mut request) {
        Ok(upgraded) => upgraded,
        Err(sentence) => {
            return refuse(&hub, Refusal { status: StatusCode::BAD_REQUEST, header: None, sentence });
        }
    };
    let name = HeaderValue::from_static(subprotocol.name());
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    let stranger = Some(Stranger::new(counted.clone(), among_strangers));
    let place = Place::new(permit, counted);
    tokio::spawn(async move {
        if let Some((stream, ahead)) = pending.stream(hub.live.get().limits.head_deadline).await {
            let service = Service::Session(subprotocol);
            connection::serve(hub, Opened { stream, ahead, service, peer, place, stranger }).await;
        }
    });
    response
}

fn full() -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        header: Some((header::RETRY_AFTER, FULL_RETRY_AFTER_S)),
        sentence: "The server is full or going away; try again later.".to_owned(),
    }
}

fn refuse<P: Protocol>(hub: &Hub<P>, refusal: Refusal) -> Response {
    hub.tally.upgrades_refused.add(1);
    tracing::debug!(status = refusal.status.as_u16(), why = refusal.sentence, "upgrade refused");
    let mut response = Response::new(Body::from(refusal.sentence + "\n"));
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some((name, value)) = refusal.header {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
