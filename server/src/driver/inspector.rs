//! The inspector on the admin port: a page for people, the JSON that it shows, and the brake for development. What a room itself
//! must say is asked of its thread (`questions`), so many times a second at most; all else is read from the boards.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tickwire_shared::{ClientId, NetId, Protocol};
use tokio::sync::Semaphore;

use super::board::RoomView;
use super::hold::{Hold, STEPS_MAX};
use super::hub::Hub;
use super::rooms::Unasked;
use super::tally::Ended;
use super::timing::{STAGES, TICK_BUCKETS_MICROS};
use crate::host::inspecting::{Inquiry, NoFindings};
use crate::session::Budget;

/// Questions to rooms at once, and per second: a page asks five times a second at most.
const INQUIRIES_MAX: usize = 8;
const INQUIRIES_PER_S: u32 = 20;
const INQUIRIES_BURST: u32 = 40;
/// How long a room may take to answer: its worker may be busy with a long tick.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// Rooms in one list; of more, those with the most clients.
const ROOMS_MAX: usize = 200;
/// Most bytes that a request may have.
const BODY_BYTES_MAX: usize = 1024;

/// The page's files: nothing of it comes from elsewhere.
const FILES: [(&str, &str, &str); 6] = [
    ("/inspect", "text/html; charset=utf-8", include_str!("inspector/page.html")),
    ("/inspect/page.css", "text/css; charset=utf-8", include_str!("inspector/page.css")),
    ("/inspect/page.js", "text/javascript; charset=utf-8", include_str!("inspector/page.js")),
    ("/inspect/map.js", "text/javascript; charset=utf-8", include_str!("inspector/map.js")),
    ("/inspect/why.js", "text/javascript; charset=utf-8", include_str!("inspector/why.js")),
    ("/inspect/plots.js", "text/javascript; charset=utf-8", include_str!("inspector/plots.js")),
];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Keeps those who look from asking too much.
struct Desk {
    places: Semaphore,
    budget: Mutex<Budget>,
}

/// The routes, for the admin port.
pub(super) fn routes<P: Protocol>(hub: &Hub<P>) -> Router<Arc<Hub<P>>> {
    let desk = Desk {
        places: Semaphore::new(INQUIRIES_MAX),
        budget: Mutex::new(Budget::new(INQUIRIES_PER_S, INQUIRIES_BURST, hub.clock.now())),
    };
    let pages = FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        router.route(path, get(move || async move { file(content_type, text) }))
    });
    pages
        .route("/inspect/server", get(server::<P>))
        .route("/inspect/rooms/{room}", get(room::<P>))
        .route("/inspect/rooms/{room}/clients", get(clients::<P>))
        .route("/inspect/rooms/{room}/clients/after/{client}", get(more_clients::<P>))
        .route("/inspect/rooms/{room}/map", get(map::<P>))
        .route("/inspect/rooms/{room}/map/{client}", get(map_of::<P>))
        .route("/inspect/rooms/{room}/why/{client}/{entity}", get(why::<P>))
        .route("/rooms/{room}/pause", post(pause::<P>))
        .route("/rooms/{room}/resume", post(resume::<P>))
        .route("/rooms/{room}/step", post(step::<P>))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(Arc::new(desk)))
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        // It belongs to this very build.
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, text).into_response()
}

async fn server<P: Protocol>(State(hub): State<Arc<Hub<P>>>) -> Response {
    let mut rooms = hub.rooms.views();
    let total = rooms.len();
    let clients: usize = rooms.iter().map(|room| room.status.clients).sum();
    let asleep = rooms.iter().filter(|room| room.asleep).count();
    rooms.sort_by_key(|room| (std::cmp::Reverse(room.status.clients), room.order.name.clone()));
    rooms.truncate(ROOMS_MAX);
    let closes: Vec<_> = hub
        .tally
        .ends()
        .into_iter()
        .map(|(how, count)| json!({ "code": how.label(), "what": meaning(how), "count": count }))
        .collect();
    answer(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now_ms": hub.clock.now().0 / 1000,
        "ready": hub.is_ready(),
        "allow_pause": hub.config.inspector.allow_pause,
        "workers_permille": hub.rooms.worker_loads(),
        "rooms_total": total,
        "rooms_asleep": asleep,
        "clients": clients,
        "closes": closes,
        "rooms": rooms.iter().map(summary).collect::<Vec<_>>(),
    }))
}

fn meaning(how: Ended) -> String {
    match how {
        Ended::Code(code) => code.meaning().to_owned(),
        Ended::Other => "with another code, or none".to_owned(),
        Ended::Cut => "without a close frame".to_owned(),
        Ended::Stalled => "took no bytes for too long".to_owned(),
    }
}

fn summary(room: &RoomView) -> Value {
    let RoomView { order, asleep, paused, step, answers, status, counters, timing } = room;
    let busy: u64 = timing.stages.iter().map(|stage| stage.sum_micros).sum();
    json!({
        "name": order.name,
        "private": order.code.is_some(),
        "clients": status.clients,
        "away": status.away_clients,
        "paused_clients": status.paused_clients,
        "capacity": order.capacity,
        "entities": status.entities,
        "tick": status.tick.0,
        "tick_hz": order.tick_hz,
        "asleep": asleep,
        "paused": paused,
        "overload": step.name(),
        "ticks": counters.ticks,
        "busy_micros": busy,
        "late": timing.late,
        "skipped": timing.skipped,
        "sent_bytes": counters.sent_bytes,
        "frames": counters.frames,
        "answers": answers.0,
        "answer_micros": answers.1,
    })
}

async fn room<P: Protocol>(State(hub): State<Arc<Hub<P>>>, Path(name): Path<String>) -> Response {
    let Some(room) = hub.rooms.view(&name) else { return no_room() };
    let stages: Vec<_> = STAGES
        .iter()
        .zip(&room.timing.stages)
        .map(
            |(name, stage)| json!({ "name": name, "sum_micros": stage.sum_micros, "buckets": stage.buckets }),
        )
        .collect();
    let closes: Vec<_> = room
        .counters
        .closes
        .iter()
        .map(|(code, count)| json!({ "code": code.number().to_string(), "what": code.meaning(), "count": count }))
        .collect();
    let (counters, inputs) = (&room.counters, &room.counters.inputs);
    let mut value = summary(&room);
    value["now_ms"] = (hub.clock.now().0 / 1000).into();
    value["allow_pause"] = hub.config.inspector.allow_pause.into();
    value["seed"] = room.order.seed.into();
    value["metadata"] = room.order.metadata.clone();
    value["late_micros_max"] = room.timing.late_micros_max.into();
    value["bounds_micros"] = json!(TICK_BUCKETS_MICROS);
    value["stages"] = stages.into();
    value["closes"] = closes.into();
    value["counters"] = json!({
        "joined": counters.welcomes,
        "joins_refused": counters.joins_refused,
        "resumed": counters.resumes,
        "enters": counters.enters,
        "updates": counters.updates_spliced,
        "update_bits": counters.updates_spliced_bits,
        "demotions": counters.demotions,
        "promotions": counters.promotions,
        "parks": counters.parks,
        "unparks": counters.unparks,
        "rate_cuts": counters.rate_cuts,
        "resyncs": counters.resyncs,
        "state_mismatches": counters.state_mismatches,
        "paused_client_ticks": counters.paused_client_ticks,
        "budget_client_ticks": counters.budget_client_ticks,
        "inputs_on_time": inputs.on_time,
        "inputs_late": inputs.late,
        "inputs_early": inputs.early,
        "inputs_double": inputs.double,
        "inputs_missing": inputs.missing,
    });
    answer(&value)
}

type Desked = Extension<Arc<Desk>>;

async fn clients<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(desk): Desked,
    Path(room): Path<String>,
) -> Response {
    ask(&hub, &desk, &room, Inquiry::Clients { after: None }).await
}

async fn more_clients<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(desk): Desked,
    Path((room, after)): Path<(String, u32)>,
) -> Response {
    ask(&hub, &desk, &room, Inquiry::Clients { after: Some(ClientId(after)) }).await
}

async fn map<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(desk): Desked,
    Path(room): Path<String>,
) -> Response {
    ask(&hub, &desk, &room, Inquiry::Map { client: None }).await
}

async fn map_of<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(desk): Desked,
    Path((room, client)): Path<(String, u32)>,
) -> Response {
    ask(&hub, &desk, &room, Inquiry::Map { client: Some(ClientId(client)) }).await
}

async fn why<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Extension(desk): Desked,
    Path((room, client, entity)): Path<(String, u32, u32)>,
) -> Response {
    ask(&hub, &desk, &room, Inquiry::Why { client: ClientId(client), entity: NetId(entity) }).await
}

async fn ask<P: Protocol>(hub: &Hub<P>, desk: &Desk, room: &str, inquiry: Inquiry) -> Response {
    let has_time = {
        let mut budget = desk.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.take(1, hub.clock.now())
    };
    let (true, Ok(_place)) = (has_time, desk.places.try_acquire()) else { return too_many() };
    let answered = match hub.rooms.ask(room, inquiry) {
        Ok(answered) => answered,
        Err(Unasked::NoRoom) => return no_room(),
        Err(Unasked::TooMany) => return too_many(),
    };
    match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
        Ok(Ok(Ok(findings))) => answer(&findings),
        Ok(Ok(Err(why @ (NoFindings::Client | NoFindings::Entity)))) => {
            refuse(StatusCode::NOT_FOUND, &why.to_string())
        }
        Ok(Ok(Err(why @ NoFindings::Panic))) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
        // It ended with the question.
        Ok(Err(_)) => no_room(),
        Err(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "the room's worker is too busy to answer"),
    }
}

async fn pause<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Path(room): Path<String>,
    steps: Result<Json<Steps>, JsonRejection>,
) -> Response {
    hold(&hub, &room, steps, |hold, _| hold.pause())
}

async fn resume<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Path(room): Path<String>,
    steps: Result<Json<Steps>, JsonRejection>,
) -> Response {
    hold(&hub, &room, steps, |hold, _| hold.resume())
}

async fn step<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Path(room): Path<String>,
    steps: Result<Json<Steps>, JsonRejection>,
) -> Response {
    hold(&hub, &room, steps, |hold, ticks| hold.step(ticks))
}

/// The body of these: `{}`, or how many ticks. That it must be JSON keeps pages from elsewhere out, on top of `foreign`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Steps {
    ticks: u32,
}

impl Default for Steps {
    fn default() -> Self {
        Self { ticks: 1 }
    }
}

fn hold<P: Protocol>(
    hub: &Hub<P>,
    room: &str,
    steps: Result<Json<Steps>, JsonRejection>,
    change: impl FnOnce(&Hold, u32),
) -> Response {
    let Json(Steps { ticks }) = match steps {
        Ok(steps) => steps,
        Err(rejection) => return refuse(rejection.status(), &rejection.body_text()),
    };
    if !hub.config.inspector.allow_pause {
        return refuse(
            StatusCode::FORBIDDEN,
            "rooms can be paused on development servers only: start with --allow-pause (inspector.allow_pause = true)",
        );
    }
    if !(1..=STEPS_MAX).contains(&ticks) {
        return refuse(StatusCode::BAD_REQUEST, &format!("ticks must be from 1 to {STEPS_MAX}"));
    }
    match hub.rooms.hold(room, |hold| change(hold, ticks)) {
        true => (StatusCode::ACCEPTED, "done with the next tick\n").into_response(),
        false => no_room(),
    }
}

fn answer(value: &impl serde::Serialize) -> Response {
    let mut response = Json(value).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn no_room() -> Response {
    refuse(StatusCode::NOT_FOUND, "there is no such room")
}

fn too_many() -> Response {
    let retry = [(header::RETRY_AFTER, "1")];
    (StatusCode::TOO_MANY_REQUESTS, retry, "too many look at once: ask again in a second\n").into_response()
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}
