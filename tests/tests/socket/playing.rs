//! Both subprotocols in the same arena, and many at once.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tickwire_shared::arena::ArenaInput;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::player::Player;
use crate::raw::{JSON, Raw, TEXT, frame};
use crate::server::{config, metric, start, until};

/// The next JSON message that has this key.
async fn next(raw: &mut Raw, key: &str) -> Value {
    loop {
        let text = raw.frame_of(TEXT).await;
        let mut value: Value = serde_json::from_slice(&text.payload).expect("JSON");
        if let Some(inner) = value.get_mut(key) {
            return inner.take();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_joins_moves_and_is_seen_by_binary() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut watcher = Player::join(address, "watcher", "").await;
    let mut ann = Raw::open(address, JSON).await;
    ann.send(&frame(TEXT, br#"{"hello":{"name":"ann","room":"main"}}"#)).await;
    let welcome = next(&mut ann, "welcome").await;
    assert_eq!((&welcome["room"], &welcome["tick_hz"]), (&json!("main"), &json!(30)));
    assert!(welcome["map"].as_array().is_some_and(|boxes| !boxes.is_empty()), "{welcome}");
    let before = next(&mut ann, "state").await;
    assert_eq!(before["self"]["id"], welcome["avatar"]);
    assert!(before["entities"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "watcher")));

    ann.send(&frame(TEXT, br#"{"input":{"move":[0,1],"aim":1.5,"fire":false}}"#)).await;
    let place = |state: &Value| state["self"]["position"][1].as_f64().expect("a place");
    let mut speed = 0.0_f64;
    for _ in 0..40 {
        let state = next(&mut ann, "state").await;
        speed = speed.max(state["self"]["velocity"][1].as_f64().expect("a speed"));
        if place(&state) - place(&before) > 1.0 {
            break;
        }
    }
    assert!(speed > 4.0, "the input is held until the next one: {speed}");

    ann.send(&frame(TEXT, br#"{"chat":"good morning"}"#)).await;
    let said = loop {
        let event = next(&mut ann, "event").await;
        if let Some(chat) = event.get("chat") {
            break chat.clone();
        }
    };
    assert_eq!(said, json!({ "name": "ann", "text": "good morning" }));
    watcher
        .until("the watcher sees ann", |session| session.entities().any(|(slot, _)| slot.spawn.name == "ann"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_library_joins_too() {
    let server = start(config()).await;
    let mut request = format!("ws://{}/ws", server.public_addr()).into_client_request().expect("a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", JSON.parse().expect("a header"));
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.expect("an upgrade");
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], JSON);
    socket.send(Message::text(r#"{"hello":{"name":"other"}}"#)).await.expect("sent");
    let first = socket.next().await.expect("an answer").expect("a message");
    assert!(first.to_text().is_ok_and(|text| text.starts_with(r#"{"welcome":"#)), "{first}");
    socket.close(None).await.expect("closed");
    while let Some(Ok(_)) = socket.next().await {}
    until("it has left", || metric(&server, "tickwire_clients") == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_players() {
    let server = start(config()).await;
    let address = server.public_addr();
    let players: Vec<_> = (0..100)
        .map(|number: u32| {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(u64::from(number) * 5)).await;
                let mut player = Player::join(address, &format!("player {number}"), "").await;
                for step in 0..90_u32 {
                    if step % 10 == 0 {
                        let angle = (number * 7 + step) as f32;
                        let direction = glam::Vec2::new(1.0, 0.3 * (angle % 5.0 - 2.0));
                        let input = ArenaInput::new(direction, angle, step % 20 == 0);
                        player.session.set_input(input, player.now());
                    }
                    player.turn().await;
                }
                *player.session.stats()
            })
        })
        .collect();
    for player in players {
        let stats = player.await.expect("a player that was not closed");
        assert_eq!(stats.mismatches, 0);
        assert!(stats.updates > 1000, "{stats:?}");
    }
    assert_eq!(metric(&server, "tickwire_state_mismatches_total"), 0);
    assert_eq!(metric(&server, "tickwire_dropped_messages_total{reason=\"inbox_full\"}"), 0);
}
