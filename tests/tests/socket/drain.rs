//! How a server ends: everybody is told before, nobody is let in, and with a `state_dir` rooms are there again at the next
//! start.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_server::config::Config;
use tickwire_shared::CloseCode;
use tickwire_shared::wire::message::{Draining, ServerMessage, decode_server};

#[cfg(unix)]
use crate::command_line::tickwire;
use crate::folder::Folder;
use crate::http::get;
use crate::player::{Player, hello};
#[cfg(unix)]
use crate::process::Process;
use crate::raw::{BINARY, DATA, JSON, Raw, TEXT, frame};
use crate::rooms::request;
use crate::server::{config, metric, start, until};

const NOTICE: Duration = Duration::from_millis(600);

fn noticing(notice: Duration) -> Config {
    Config { drain_notice: notice, retry_after: Duration::from_millis(1500), ..config() }
}

async fn join(address: SocketAddr) -> Raw {
    let mut raw = Raw::open(address, BINARY).await;
    raw.send(&frame(DATA, &hello("ann", ""))).await;
    raw.frame_of(DATA).await;
    raw
}

/// The word that the server goes away; what comes before is passed over.
async fn told(raw: &mut Raw) -> Draining {
    loop {
        let received = raw.frame_of(DATA).await;
        if let Ok(ServerMessage::Draining(draining)) = decode_server(&received.payload) {
            return draining;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_told_and_nobody_is_let_in() {
    let server = start(noticing(NOTICE)).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    let (mut one, mut other) = (join(public).await, join(public).await);
    let mut json = Raw::open(public, JSON).await;
    json.send(&frame(TEXT, br#"{"hello":{"name":"bob"}}"#)).await;
    json.frame_of(TEXT).await;
    // Connected, and has not said who it is.
    let mut late = Raw::open(public, BINARY).await;
    until("all are in", || metric(&server, "tickwire_clients") == 3).await;

    let (status, answer) = request(admin, "POST", "/drain", "").await;
    assert_eq!(status, 202);
    assert!(answer.contains(r#""players":3"#) && answer.contains(r#""closes_in_ms":600"#), "{answer}");
    server.drain_asked().await;
    assert_eq!(metric(&server, "tickwire_draining"), 1);
    assert_eq!(request(admin, "POST", "/drain", "").await.0, 202, "once more changes nothing");
    assert_eq!(get(public, "/readyz").await.0, 503);
    assert_eq!(get(public, "/healthz").await.0, 200, "it lives");
    assert_eq!(request(admin, "POST", "/rooms", r#"{"name":"den"}"#).await.0, 503);
    late.send(&frame(DATA, &hello("late", ""))).await;
    let ending = late.ending().await;
    let (code, reason) = ending.sole();
    assert!(code == 1001 && reason.contains("retry_after_ms=2100"), "{code} {reason}");

    let begun = tokio::time::Instant::now();
    let ended = tokio::spawn(server.drain());
    for raw in [&mut one, &mut other] {
        assert_eq!(told(raw).await, Draining { closes_in_ms: 600, retry_after_ms: 1500 });
        raw.frame_of(DATA).await;
    }
    loop {
        let line = String::from_utf8(json.frame_of(TEXT).await.payload).expect("UTF-8");
        if line.contains(r#"{"draining":{"closes_in_ms":600,"retry_after_ms":1500}}"#) {
            break;
        }
    }
    for mut raw in [one, other, json] {
        let ending = raw.ending().await;
        let (code, reason) = ending.sole();
        assert!(code == 1001 && reason.contains("retry_after_ms=1500"), "{code} {reason}");
    }
    assert!(begun.elapsed() >= NOTICE, "they had their time");
    let drained = ended.await.expect("it ended");
    // The late one may not be quite gone.
    assert!((3..=4).contains(&drained.sessions) && drained.sessions_left == 0, "{drained:?}");
    assert!(drained.rooms.saved.is_empty() && drained.rooms.failed.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_server_waits_for_nobody() {
    let server = start(noticing(Duration::from_secs(3600))).await;
    drop(join(server.public_addr()).await);
    until("it has left", || metric(&server, "tickwire_clients") == 0).await;
    let drained = tokio::time::timeout(Duration::from_secs(10), server.drain()).await.expect("at once");
    assert_eq!(drained.sessions_left, 0);
}

async fn tick_of(address: SocketAddr, room: &str) -> u32 {
    let raw = Raw::open(address, BINARY).await;
    let player = Player::over(raw, "ann", room).await;
    tick(player).await
}

async fn tick(mut player: Player) -> u32 {
    player.until("welcomed", |session| session.welcome().is_some()).await;
    player.session.welcome().map_or(0, |welcome| welcome.tick.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_are_there_again() {
    let folder = Folder::new("state");
    let kept = || Config {
        state_dir: Some(folder.path().to_owned()),
        room_suspend_after: Duration::from_millis(50),
        ..noticing(Duration::ZERO)
    };
    let server = start(kept()).await;
    let (public, admin) = (server.public_addr(), server.admin_addr());
    let order = r#"{"name":"den","capacity":3,"tick_hz":120,"private":true,"metadata":{"map":"ice"}}"#;
    let (status, answer) = request(admin, "POST", "/rooms", order).await;
    assert_eq!(status, 201, "{answer}");
    let code = answer
        .split(r#""join":""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a code")
        .to_owned();
    let mut ann = Player::join(public, "ann", &code).await;
    ann.until("a second of it", |session| session.stats().frames > 40).await;
    let before = ann.session.replica().expect("a world").tick().0;
    // One that was over before the end, one that sleeps, one that somebody is in.
    drop(Player::join(public, "bob", "over").await);
    assert_eq!(request(admin, "DELETE", "/rooms/over", "").await.0, 202);
    until("it is over", || metric(&server, "tickwire_rooms") == 2).await;
    until("main sleeps", || metric(&server, "tickwire_sleeping_rooms") == 1).await;
    let drained = server.drain().await;
    let names: Vec<_> = drained.rooms.saved.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names.len(), names.contains(&"main"), names.contains(&"den")), (2, true, true), "{names:?}");
    assert!(drained.rooms.failed.is_empty());

    let server = start(kept()).await;
    let public = server.public_addr();
    let again = tick_of(public, &code).await;
    assert!(again >= before, "tick {again} after {before}");
    let player = Player::join(public, "cid", &code).await;
    let welcome = player.session.welcome().expect("welcomed");
    assert_eq!((welcome.tick_hz, welcome.room.as_str()), (120, "den"));
    let mut stranger = Raw::open(public, BINARY).await;
    stranger.send(&frame(DATA, &hello("dan", "den"))).await;
    assert_eq!(stranger.ending().await.sole().0, CloseCode::NotAllowed.number(), "it is private still");
    drop(player);
    // A room that ends does not come again; one that cannot be read is set aside.
    assert_eq!(request(server.admin_addr(), "DELETE", "/rooms/den", "").await.0, 202);
    until("its file is gone", || !folder.path().join("den.twroom").exists()).await;
    drop(server.drain().await);
    std::fs::write(folder.path().join("main.twroom"), b"something else").expect("writable");
    let server = start(kept()).await;
    assert!(tick_of(server.public_addr(), "").await < 100, "it begins anew");
    assert!(folder.path().join("main.twroom-refused").exists());
    drop(server.drain().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_take_a_room_is_told_of() {
    let folder = Folder::new("full");
    let server =
        start(Config { state_dir: Some(folder.path().to_owned()), ..noticing(Duration::ZERO) }).await;
    // Where the room is to be put is a folder.
    std::fs::create_dir(folder.path().join("main.twroom-new")).expect("a folder");
    let drained = server.drain().await;
    assert_eq!(drained.rooms.failed.len(), 1);
    assert!(drained.rooms.saved.is_empty());
}

/// A server as a process, and what it says at its end when it is sent these signals, the second one as soon as it drains.
#[cfg(unix)]
async fn signalled(signals: &[&str], arguments: &[&str]) -> (Option<i32>, String) {
    let process = Process::start(tickwire().args(arguments));
    let address = process.address.parse().expect("an address");
    let player = join(address).await;
    for (index, signal) in signals.iter().enumerate() {
        process.signal(signal);
        if index + 1 < signals.len() {
            for _ in 0..100 {
                if get(address, "/readyz").await.0 == 503 {
                    break;
                }
            }
        }
    }
    let ended = process.ended();
    drop(player);
    ended
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_drain_and_a_second_one_stops_at_once() {
    let folder = Folder::new("signals");
    let dir = folder.path().to_str().expect("text").to_owned();
    let (code, log) = signalled(&["-TERM"], &["--drain-notice", "200ms", "--state-dir", &dir]).await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("draining") && log.contains("saved") && log.contains("gone"), "{log}");
    assert!(folder.path().join("main.twroom").exists());
    let begun = tokio::time::Instant::now();
    let (code, log) = signalled(&["-INT", "-TERM"], &["--drain-notice", "1h"]).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("stopped at once"), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(120), "nobody was waited for");
}
