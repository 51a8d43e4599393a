//! A yardstick: the scene on tokio-tungstenite, the full state by bincode at each tick. What one writes in an afternoon, with
//! care: coded once for all where all see all, `TCP_NODELAY`, a short queue per client.
//!
//! `bincode_peer PORT SIZE_M DRONES PLAYERS all|radius`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use peers_scene::{Interest, Scene, Seen};
use tickwire_peers::dialects::binary::{Input, Told};
use tickwire_peers::plan::{ServerArguments, TICK_HZ};
use tickwire_shared::wire::codec;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// States that may wait for one client; a slower one misses some.
const QUEUE: usize = 8;

struct Clients {
    outboxes: BTreeMap<usize, mpsc::Sender<Bytes>>,
    inputs: Vec<peers_scene::Input>,
    left: Vec<usize>,
}

#[tokio::main]
async fn main() {
    let arguments = ServerArguments::read();
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await.expect("a free port");
    let inputs = vec![peers_scene::Input::default(); arguments.players];
    let clients = Arc::new(Mutex::new(Clients { outboxes: BTreeMap::new(), inputs, left: Vec::new() }));
    tokio::spawn(run_ticks(Arc::clone(&clients), arguments));
    println!("ready tokio-tungstenite 0.30 bincode 2.0.1");
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&clients)));
    }
}

async fn run_ticks(clients: Arc<Mutex<Clients>>, arguments: ServerArguments) {
    let ServerArguments { size_m, drones, players, radius, .. } = arguments;
    let mut scene = Scene::new(size_m, drones, players);
    let mut interest = Interest::new(size_m, drones + players, players);
    let mut interval = tokio::time::interval(Duration::from_secs(1) / TICK_HZ);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    loop {
        interval.tick().await;
        let mut clients = clients.lock().expect("no panic");
        for player in std::mem::take(&mut clients.left) {
            interest.forget(player);
        }
        scene.step(|player| clients.inputs[player]);
        let seen: Vec<Seen> = (0..scene.len()).map(|entity| scene.seen(entity)).collect();
        let told: Vec<Told> =
            seen.iter().enumerate().map(|(entity, seen)| Told::new(entity, *seen)).collect();
        if !radius {
            let bytes = Bytes::from(codec::encode_blob(&(scene.tick(), told)));
            for outbox in clients.outboxes.values() {
                let _ = outbox.try_send(bytes.clone());
            }
            continue;
        }
        interest.place(&seen);
        for (player, outbox) in &clients.outboxes {
            if interest.is_due(*player, scene.tick()) {
                interest.look(*player, drones + player, &seen);
            }
            let near: Vec<&Told> = interest.list(*player).iter().map(|entity| &told[*entity]).collect();
            let _ = outbox.try_send(Bytes::from(codec::encode_blob(&(scene.tick(), near))));
        }
    }
}

async fn serve(stream: TcpStream, clients: Arc<Mutex<Clients>>) {
    stream.set_nodelay(true).expect("a socket");
    let mut player = None;
    #[allow(clippy::result_large_err, reason = "the library's signature")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let query = request.uri().query().unwrap_or_default();
        player = query.strip_prefix("player=").and_then(|player| player.parse::<usize>().ok());
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else { return };
    let Some(player) = player else { return };
    let (mut sink, mut stream) = socket.split();
    let (outbox, mut queue) = mpsc::channel::<Bytes>(QUEUE);
    clients.lock().expect("no panic").outboxes.insert(player, outbox);
    let writer = tokio::spawn(async move {
        while let Some(bytes) = queue.recv().await {
            if sink.send(Message::Binary(bytes)).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Binary(bytes) = message
            && let Ok(Input { walk, aim, fire }) = codec::decode::<Input>(&bytes)
        {
            clients.lock().expect("no panic").inputs[player] = peers_scene::Input { walk, aim, fire };
        }
    }
    writer.abort();
    let mut clients = clients.lock().expect("no panic");
    clients.outboxes.remove(&player);
    clients.left.push(player);
}
