//! What the operator does with rooms and players, on the admin port.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tickwire_shared::{ClientId, Close, CloseCode, Protocol};

use super::board::{Command, Order};
use super::hub::Hub;
use super::rooms::NoRoom;
use super::wanted;

/// Most bytes that a request may have, and a room's metadata in it.
const BODY_BYTES_MAX: usize = 8 * 1024;
const METADATA_BYTES_MAX: usize = 1024;

/// The routes, for the admin port.
pub(super) fn routes<P: Protocol>() -> Router<Arc<Hub<P>>> {
    Router::new()
        .route("/rooms", post(create::<P>))
        .route("/rooms/{room}", delete(end::<P>))
        .route("/rooms/{room}/clients/{client}", delete(kick::<P>))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// A room as an operator orders it; what is left out is as usual.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    name: String,
    capacity: Option<usize>,
    tick_hz: Option<u16>,
    seed: Option<u64>,
    private: bool,
    metadata: serde_json::Value,
}

async fn create<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let Json(wish) = match wish {
        Ok(wish) => wish,
        Err(rejection) => return refuse(rejection.status(), &rejection.body_text()),
    };
    let usual = hub.rooms.usual(&wish.name);
    let order = match order(wish, usual) {
        Ok(order) => order,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let made = json!({ "name": order.name, "code": order.code, "join": joined(&order) });
    match hub.rooms.create(order) {
        Ok(()) => (StatusCode::CREATED, Json(made)).into_response(),
        Err(why @ NoRoom::Taken) => refuse(StatusCode::CONFLICT, &why.to_string()),
        Err(why @ (NoRoom::TooMany | NoRoom::Closing)) => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, &why.to_string())
        }
    }
}

/// What a Hello has to say as its room.
fn joined(order: &Order) -> String {
    order.code.as_ref().map_or_else(|| order.name.clone(), |code| format!("{}/{code}", order.name))
}

fn order(wish: Wish, usual: Order) -> Result<Order, String> {
    let Wish { name, capacity, tick_hz, seed, private, metadata } = wish;
    wanted::check_name(&name).map_err(|close| close.reason.to_string())?;
    let capacity = capacity.unwrap_or(usual.capacity);
    if !(1..=usual.capacity).contains(&capacity) {
        return Err(format!("capacity must be from 1 to {} (room_capacity)", usual.capacity));
    }
    let tick_hz = tick_hz.unwrap_or(usual.tick_hz);
    if !(1..=240).contains(&tick_hz) {
        return Err("tick_hz must be from 1 to 240".to_owned());
    }
    if metadata.to_string().len() > METADATA_BYTES_MAX {
        return Err(format!("metadata must not have over {METADATA_BYTES_MAX} bytes"));
    }
    let code = match private {
        true if name.len() > wanted::PRIVATE_NAME_BYTES_MAX => {
            return Err(format!(
                "a private room's name has {} bytes at most: its code stands beside it",
                wanted::PRIVATE_NAME_BYTES_MAX
            ));
        }
        true => {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(|_| "no randomness".to_owned())?;
            Some(wanted::code(random))
        }
        false => None,
    };
    Ok(Order { capacity, tick_hz, seed: seed.unwrap_or(usual.seed), code, metadata, ..usual })
}

async fn end<P: Protocol>(State(hub): State<Arc<Hub<P>>>, Path(room): Path<String>) -> Response {
    done(hub.rooms.command(&room, Command::End(CloseCode::RoomClosed.into())))
}

async fn kick<P: Protocol>(
    State(hub): State<Arc<Hub<P>>>,
    Path((room, client)): Path<(String, u32)>,
) -> Response {
    let close = Close::new(CloseCode::Kicked);
    done(hub.rooms.command(&room, Command::Kick { client: ClientId(client), close }))
}

fn done(found: bool) -> Response {
    match found {
        true => (StatusCode::ACCEPTED, "done with the next tick\n").into_response(),
        false => refuse(StatusCode::NOT_FOUND, "there is no such room"),
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}
