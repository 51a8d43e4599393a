//! A yardstick: the same arena on tokio-tungstenite, the full state by bincode once per tick, broadcast to all; with
//! a radius of view, to each client what is near it. What one writes in an afternoon. Same entities, inputs, rate
//! and `TCP_NODELAY` as the real server.
//!
//! `cargo run --release -p tickwire-tests --bin plain_server -- 127.0.0.1:7787 300`, and if not everything is in view
//! the arena's size and the radius in metres.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use glam::Vec2;
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::simulation::{Game, Inputs, Stage, World};
use tickwire_shared::arena::{ArenaEntity, ArenaInput};
use tickwire_shared::wire::codec;
use tickwire_shared::{ClientId, Tick};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Bytes, Message};

const TICK_HZ: u32 = 30;
/// States that may wait for one client; a slower one misses some.
const QUEUE: usize = 8;

#[derive(Default)]
struct Clients {
    next: u32,
    outboxes: BTreeMap<ClientId, mpsc::Sender<Bytes>>,
    inputs: BTreeMap<ClientId, ArenaInput>,
    joined: Vec<ClientId>,
    left: Vec<ClientId>,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:7787".to_owned());
    let drones = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(300);
    let all = ArenaConfig::default();
    let size_m = arguments.next().and_then(|size| size.parse().ok()).unwrap_or(all.size_m);
    let view_radius_m = arguments.next().and_then(|radius| radius.parse().ok()).unwrap_or(all.view_radius_m);
    let arena = ArenaConfig { bots: 0, drones, size_m, view_radius_m, ..all };
    let listener = TcpListener::bind(&listen).await.expect("a free address");
    println!("plain server on {listen}, {drones} drones");
    let clients = Arc::new(Mutex::new(Clients::default()));
    tokio::spawn(run_ticks(Arc::clone(&clients), arena));
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&clients)));
    }
}

async fn run_ticks(clients: Arc<Mutex<Clients>>, arena: ArenaConfig) {
    let mut game = ArenaGame::new(arena);
    let (mut world, mut events) = (World::new(1), Vec::new());
    let mut interval = tokio::time::interval(Duration::from_secs(1) / TICK_HZ);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let seconds = 1.0 / TICK_HZ as f32;
    game.begin(&mut Stage::new(Tick(0), seconds, &mut world, &mut events));
    for tick in 1_u32.. {
        interval.tick().await;
        let mut clients = clients.lock().expect("no panic");
        let mut stage = Stage::new(Tick(tick), seconds, &mut world, &mut events);
        for id in std::mem::take(&mut clients.joined) {
            game.join(&mut stage, id, "bot").expect("the arena takes everybody");
        }
        for id in std::mem::take(&mut clients.left) {
            game.leave(&mut stage, id);
        }
        let held = clients.inputs.iter().map(|(id, input)| (*id, *input)).collect();
        game.step(&mut stage, &Inputs { held, commands: Vec::new() });
        events.clear();
        let state: Vec<_> = world.iter().map(|(_, entity)| (entity.id, &entity.state)).collect();
        if arena.view_radius_m >= f32::from(arena.size_m) {
            let bytes = Bytes::from(codec::encode_blob(&(tick, state)));
            for outbox in clients.outboxes.values() {
                let _ = outbox.try_send(bytes.clone());
            }
            continue;
        }
        let states: Vec<_> = state.into_iter().map(|state| (place(state.1), state)).collect();
        for (id, outbox) in &clients.outboxes {
            let Some(avatar) = game.viewpoint(&world, *id).avatar.and_then(|key| world.get(key)) else {
                continue;
            };
            let eye = place(&avatar.state);
            let radius_squared = arena.view_radius_m * arena.view_radius_m;
            let near = states.iter().filter(|(place, _)| place.distance_squared(eye) <= radius_squared);
            let near: Vec<_> = near.map(|(_, state)| state).collect();
            let _ = outbox.try_send(Bytes::from(codec::encode_blob(&(tick, near))));
        }
    }
}

fn place(entity: &ArenaEntity) -> Vec2 {
    match entity {
        ArenaEntity::Player(player) => player.position,
        ArenaEntity::Drone(drone) => drone.position,
        ArenaEntity::Pickup(pickup) => pickup.position,
    }
}

async fn serve(stream: TcpStream, clients: Arc<Mutex<Clients>>) {
    stream.set_nodelay(true).expect("a socket");
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, echo_subprotocol).await else { return };
    let (mut sink, mut stream) = socket.split();
    let (outbox, mut queue) = mpsc::channel::<Bytes>(QUEUE);
    let id = {
        let mut clients = clients.lock().expect("no panic");
        clients.next += 1;
        let id = ClientId(clients.next);
        clients.outboxes.insert(id, outbox);
        clients.inputs.insert(id, ArenaInput::default());
        clients.joined.push(id);
        id
    };
    let writer = tokio::spawn(async move {
        while let Some(bytes) = queue.recv().await {
            if sink.send(Message::Binary(bytes)).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Binary(bytes) = message
            && let Ok(input) = codec::decode::<ArenaInput>(&bytes)
        {
            clients.lock().expect("no panic").inputs.insert(id, input);
        }
    }
    writer.abort();
    let mut clients = clients.lock().expect("no panic");
    clients.outboxes.remove(&id);
    clients.inputs.remove(&id);
    clients.left.push(id);
}

/// The measuring client offers our subprotocol; it is accepted so that one client serves for both.
#[allow(clippy::result_large_err, reason = "the library's signature")]
fn echo_subprotocol(
    request: &tokio_tungstenite::tungstenite::handshake::server::Request,
    mut response: tokio_tungstenite::tungstenite::handshake::server::Response,
) -> Result<
    tokio_tungstenite::tungstenite::handshake::server::Response,
    tokio_tungstenite::tungstenite::handshake::server::ErrorResponse,
> {
    if let Some(offered) = request.headers().get("sec-websocket-protocol") {
        response.headers_mut().insert("sec-websocket-protocol", offered.clone());
    }
    Ok(response)
}
