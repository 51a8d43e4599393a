//! The connection module as an echo, for suites that test WebSocket servers. Everything from accepting a connection
//! to its close frame is what sessions use; only the messages go back instead of into a room. Not for players.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use tickwire_shared::{Micros, Protocol};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::accept::{self, Port};
use super::arrival::Gate;
use super::clock::Clock;
use super::connection::{self, Opened, Place, Service};
use super::crew::Packers;
use super::hub::Hub;
use super::json::Dialect;
use super::peer::Peer;
use super::recorder::Recordings;
use super::reload::Live;
use super::rooms::{Rooms, Settings};
use super::socket;
use super::state_dir::StateDir;
use super::tally::Tally;
use super::visitors::{Counted, Visitors};
use super::worker::{Next, Tenant, Workers};
use crate::config::Config;

/// Echoes on a listener until the future is dropped. The message limit and all other limits are those of `config`
/// and are not checked: suites go beyond what a game's server may be set to.
///
/// # Errors
/// Those of the system.
pub async fn serve<P: Protocol>(
    listener: TcpListener,
    dialect: impl Dialect<P>,
    config: Config,
) -> std::io::Result<()> {
    let clock = Clock::start();
    let settings = Settings {
        tick_hz: config.tick_hz,
        capacity: config.room_capacity,
        seed: config.seed,
        suspend_after: config.room_suspend_after,
        rooms_max: config.rooms_max,
        empty_after: config.room_empty_after,
        joins_max: 1,
        join_deadline: config.limits.hello_deadline,
        retry_after_ms: 0,
        overload: config.overload,
        bytes_per_s: 0,
    };
    // Kept, so that nothing ends.
    let (_ending, ended) = watch::channel(None);
    let hub = Arc::new(Hub {
        rooms: Rooms::open(
            settings,
            clock,
            (Packers::new(1), Workers::hire(1, false, clock)?),
            Vec::new(),
            Box::new(|_, _, _, _| Box::new(Nobody)),
        ),
        dialect: Arc::new(dialect),
        authenticator: Arc::new(crate::auth::Anonymous),
        tally: Tally::default(),
        recordings: Recordings::default(),
        state_dir: StateDir::default(),
        drain: watch::Sender::new(false),
        clock,
        sessions: Arc::new(Semaphore::new(config.connections_max)),
        strangers: Arc::new(Semaphore::new(config.connections_max)),
        visitors: Arc::new(Visitors::new(&config.limits, config.limits.handshakes_max)),
        handshakes_max: config.limits.handshakes_max,
        ending: ended,
        accepted_options: Mutex::new(None),
        live: Arc::new(Live::new(config.clone())),
        config,
    });
    let router = Router::new().fallback(any(websocket::<P>)).with_state(Arc::clone(&hub));
    let gate = Gate::Public { tls: None };
    accept::run(hub, Port { listener, gate, router }).await;
    Ok(())
}

/// An echo has no rooms.
struct Nobody;

impl Tenant for Nobody {
    fn visit(&mut self, _: Micros) -> Next {
        Next::Gone
    }

    fn moved(&mut self, _: usize) {}
}

async fn websocket<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(peer): Extension<Peer>,
    Extension(counted): Extension<Counted>,
    mut request: Request,
) -> Response {
    let refuse = |status, sentence: String| {
        let mut response = Response::new(Body::from(sentence + "\n"));
        *response.status_mut() = status;
        response
    };
    let Ok(permit) = Arc::clone(&hub.sessions).try_acquire_owned() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "The echo is full.".to_owned());
    };
    match socket::upgrade(&mut request) {
        Ok((response, pending)) => {
            tokio::spawn(async move {
                if let Some((stream, ahead)) = pending.stream(hub.config.limits.head_deadline).await {
                    counted.arrived();
                    let place = Place::new(permit, counted);
                    let (service, stranger) = (Service::Echo, None);
                    connection::serve(hub, Opened { stream, ahead, service, peer, place, stranger }).await;
                }
            });
            response
        }
        Err(sentence) => refuse(StatusCode::BAD_REQUEST, sentence),
    }
}
