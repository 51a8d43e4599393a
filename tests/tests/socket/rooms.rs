//! Rooms that sleep, rooms that an operator makes and ends, private ones, and who is led where.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_shared::CloseCode;

use crate::http::{ask, get};
use crate::player::{Player, hello};
use crate::raw::{BINARY, DATA, Raw, frame};
use crate::server::{config, metric, start, until};

async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json");
    ask(address, &format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}")).await
}

/// The code with which a Hello for this room is refused.
async fn refused(address: SocketAddr, room: &str) -> u16 {
    let mut raw = Raw::open(address, BINARY).await;
    raw.send(&frame(DATA, &hello("ann", room))).await;
    raw.ending().await.sole().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_clients_a_room_sleeps() {
    let mut config = config();
    config.room_suspend_after = Duration::from_millis(200);
    config.session_grace = Duration::ZERO;
    let server = start(config).await;
    let asleep = || metric(&server, "tickwire_sleeping_rooms") == 1;
    for round in 0..8 {
        until("the room sleeps", asleep).await;
        let ticks = metric(&server, "tickwire_ticks_total");
        tokio::time::sleep(Duration::from_millis(150 + 20 * round)).await;
        assert_eq!(metric(&server, "tickwire_ticks_total"), ticks, "it ticks in its sleep");
        let mut player = Player::join(server.public_addr(), "ann", "").await;
        assert!(!asleep());
        let tick = player.session.welcome().expect("welcomed").tick.0;
        assert!(u64::from(tick).abs_diff(ticks) < 20, "tick {tick} after {ticks}: time went on in its sleep");
        player.until("frames", |session| session.stats().frames > 5).await;
    }
    // Whoever comes just when it falls asleep is let in as well.
    for round in 0..40 {
        drop(Player::join(server.public_addr(), "bob", "").await);
        tokio::time::sleep(Duration::from_millis(180 + round)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_makes_rooms() {
    let server = start(config()).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    let make = async |body: &str| request(admin, "POST", "/rooms", body).await;
    let (status, answer) = make(r#"{"name":"den","capacity":1,"tick_hz":60,"metadata":{"map":"ice"}}"#).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(make(r#"{"name":"den"}"#).await.0, 409);
    for bad in [
        r#"{"name":"a b"}"#,
        r#"{"name":""}"#,
        r#"{"name":"x","capacity":0}"#,
        r#"{"name":"x","tick_hz":1000}"#,
        "{",
    ] {
        assert_eq!(make(bad).await.0, 400, "{bad}");
    }
    assert_eq!(make(r#"{"name":"x","colour":"red"}"#).await.0, 422);
    let metadata = format!(r#"{{"name":"x","metadata":"{}"}}"#, "m".repeat(2000));
    assert_eq!(make(&metadata).await.0, 400);
    let huge = format!(r#"{{"name":"x","metadata":"{}"}}"#, "m".repeat(20_000));
    assert_eq!(make(&huge).await.0, 413);
    assert_ne!(
        request(public, "POST", "/rooms", r#"{"name":"x"}"#).await.0,
        201,
        "players make no such rooms"
    );

    let player = Player::join(public, "ann", "den").await;
    assert_eq!(player.session.welcome().expect("welcomed").tick_hz, 60);
    assert_eq!(refused(public, "den").await, CloseCode::Full.number(), "it holds one");
    let (_, list) = get(public, "/rooms").await;
    assert!(list.contains(r#""metadata":{"map":"ice"}"#) && list.contains(r#""tick_hz":60"#), "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_rooms_open_to_their_code_only() {
    let server = start(config()).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    let (status, answer) = request(admin, "POST", "/rooms", r#"{"name":"den","private":true}"#).await;
    assert_eq!(status, 201);
    let join =
        answer.split(r#""join":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("how to join");
    assert!(join.starts_with("den/") && join.len() == 12, "{join}");
    let player = Player::join(public, "ann", join).await;
    assert_eq!(player.session.welcome().expect("welcomed").room, "den");
    let not_allowed = CloseCode::NotAllowed.number();
    for room in ["den", "den/", "den/aaaaaaaa", "nowhere/aaaaaaaa", "main/aaaaaaaa"] {
        assert_eq!(refused(public, room).await, not_allowed, "{room}");
    }
    let (_, list) = get(public, "/rooms").await;
    assert!(!list.contains("den"), "{list}");
    let long = format!(r#"{{"name":"{}","private":true}}"#, "n".repeat(24));
    assert_eq!(request(admin, "POST", "/rooms", &long).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quick_match_fills_the_fullest_room() {
    let server = start(config()).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    for body in
        [r#"{"name":"a","capacity":2}"#, r#"{"name":"b","capacity":3}"#, r#"{"name":"c","private":true}"#]
    {
        assert_eq!(request(admin, "POST", "/rooms", body).await.0, 201);
    }
    let room = |player: &Player| player.session.welcome().expect("welcomed").room.clone();
    let mut players = vec![Player::join(public, "ann", "b").await, Player::join(public, "bob", "b").await];
    players.push(Player::join(public, "eve", "a").await);
    for expected in ["b", "a", "main"] {
        let player = Player::join(public, "any", "*").await;
        assert_eq!(room(&player), expected);
        players.push(player);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_ends_rooms_and_sends_players_away() {
    let server = start(config()).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    let mut ann = Player::join(public, "ann", "den").await;
    let mut bob = Player::join(public, "bob", "den").await;
    let client = ann.session.welcome().expect("welcomed").client.0;
    let (status, _) = request(admin, "DELETE", &format!("/rooms/den/clients/{client}"), "").await;
    assert_eq!(status, 202);
    assert_eq!(ann.raw.ending().await.sole().0, CloseCode::Kicked.number());
    bob.until("goes on", |session| session.stats().frames > 10).await;
    assert_eq!(request(admin, "DELETE", "/rooms/den", "").await.0, 202);
    assert_eq!(bob.raw.ending().await.sole().0, CloseCode::RoomClosed.number());
    until("it is gone", || metric(&server, "tickwire_rooms") == 1).await;
    assert_eq!(request(admin, "DELETE", "/rooms/den", "").await.0, 404);
    assert_ne!(request(public, "DELETE", "/rooms/main", "").await.0, 202, "players end no rooms");
}
