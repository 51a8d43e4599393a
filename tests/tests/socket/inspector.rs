//! The inspector on the admin port: what it says of rooms, clients and entities, what it does, and for whom it does nothing.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tickwire_server::driver::Running;

use crate::http::ask;
use crate::player::{Player, hello};
use crate::raw::{BINARY, DATA, Raw, frame};
use crate::server::{config, metric, start, until};

/// Status and body as JSON, or as a string where it is none.
async fn look(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, text) = ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
}

async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    ask(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ),
    )
    .await
}

const JSON: &str = "Content-Type: application/json\r\n";

async fn playing(server: &Running) -> Player {
    let mut player = Player::join(server.public_addr(), "ann", "").await;
    player.until("frames", |session| session.stats().frames > 10).await;
    player
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_what_there_is_and_why() {
    let server = start(config()).await;
    let admin = server.admin_addr();
    for (path, word) in [
        ("/inspect", "<!doctype html>"),
        ("/inspect/page.css", "{"),
        ("/inspect/page.js", "import"),
        ("/inspect/map.js", "export"),
        ("/inspect/why.js", "export"),
        ("/inspect/plots.js", "export"),
    ] {
        let (status, text) = ask(admin, &format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n")).await;
        assert!(status == 200 && text.contains(word), "{path}: {text}");
        assert!(text.contains("content-security-policy: default-src 'none'"), "{path}");
        assert_eq!(look(server.public_addr(), path).await.0, 404, "players do not see it");
    }
    let player = playing(&server).await;
    let client = player.session.welcome().expect("welcomed").client.0;

    let (status, all) = look(admin, "/inspect/server").await;
    assert_eq!((status, &all["clients"], &all["rooms"][0]["name"]), (200, &1.into(), &"main".into()));
    assert_eq!(all["allow_pause"], false);
    let (status, room) = look(admin, "/inspect/rooms/main").await;
    assert_eq!((status, &room["clients"]), (200, &1.into()));
    assert!(room["stages"][1]["sum_micros"].as_u64().is_some_and(|micros| micros > 0), "{room}");
    let (_, list) = look(admin, "/inspect/rooms/main/clients").await;
    assert_eq!((&list["clients"][0]["name"], &list["clients"][0]["client"]), (&"ann".into(), &client.into()));
    let (_, none) = look(admin, &format!("/inspect/rooms/main/clients/after/{client}")).await;
    assert_eq!(none["clients"].as_array().map(Vec::len), Some(0));

    let (_, map) = look(admin, "/inspect/rooms/main/map").await;
    assert!(map["eye"].is_null() && map["entities"].as_array().is_some_and(|all| all.len() > 10), "{map}");
    let (_, map) = look(admin, &format!("/inspect/rooms/main/map/{client}")).await;
    let entities = map["entities"].as_array().expect("entities");
    let told = entities.iter().find(|entity| entity["standing"] == "told").expect("somebody is near");
    let own = entities.iter().find(|entity| entity["rule"] == "avatar").expect("its avatar");
    assert_eq!(own["id"], map["eye"]["avatar"]);
    let (status, why) = look(admin, &format!("/inspect/rooms/main/why/{client}/{}", told["id"])).await;
    assert_eq!((status, &why["standing"]), (200, &"told".into()), "{why}");
    assert!(why["tick"].as_u64() >= why["state_of"].as_u64() && why["period_ticks"].as_u64() > Some(0));
    let (_, why) = look(admin, &format!("/inspect/rooms/main/why/{client}/{}", own["id"])).await;
    assert_eq!(
        (&why["standing"], &why["rule"], &why["tier"]),
        (&"unseen".into(), &"avatar".into(), &Value::Null)
    );

    for path in ["nowhere", "nowhere/map", "main/map/9999", "main/why/9999/1"] {
        assert_eq!(look(admin, &format!("/inspect/rooms/{path}")).await.0, 404, "{path}");
    }
    assert_eq!(look(admin, "/inspect/rooms/main/map/x").await.0, 400);
    assert!(metric(&server, "tickwire_inspections_total") >= 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_sleeps_answers_and_sleeps_on() {
    let mut config = config();
    config.room_suspend_after = Duration::from_millis(50);
    let server = start(config).await;
    until("the room sleeps", || metric(&server, "tickwire_sleeping_rooms") == 1).await;
    let ticks = metric(&server, "tickwire_ticks_total");
    for _ in 0..5 {
        let (status, map) = look(server.admin_addr(), "/inspect/rooms/main/map").await;
        assert!(status == 200 && map["entities"].as_array().is_some_and(|all| all.len() > 10), "{map}");
        assert!(map["tick"].as_u64() > Some(0));
    }
    assert_eq!(metric(&server, "tickwire_sleeping_rooms"), 1);
    assert_eq!(metric(&server, "tickwire_ticks_total"), ticks);
    // Whoever comes wakes it all the same.
    playing(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_are_paused_and_stepped_where_that_is_allowed() {
    let server = start(config()).await;
    for action in ["pause", "resume", "step"] {
        let (status, words) = post(server.admin_addr(), &format!("/rooms/main/{action}"), JSON, "{}").await;
        assert!(status == 403 && words.contains("--allow-pause"), "{words}");
    }
    let mut config = config();
    config.inspector.allow_pause = true;
    let server = start(config).await;
    let admin = server.admin_addr();
    let mut player = playing(&server).await;
    let tick = async || look(admin, "/inspect/rooms/main").await.1["tick"].as_u64().expect("a tick");
    assert_eq!(post(admin, "/rooms/main/pause", JSON, "{}").await.0, 202);
    assert_eq!(post(admin, "/rooms/nowhere/pause", JSON, "{}").await.0, 404);
    for bad in [r#"{"ticks":0}"#, r#"{"ticks":601}"#] {
        assert_eq!(post(admin, "/rooms/main/step", JSON, bad).await.0, 400, "{bad}");
    }
    // A tick may have been under way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = tick().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tick().await, before, "it ticks");
    assert_eq!(look(admin, "/inspect/rooms/main").await.1["paused"], true);
    assert_eq!(post(admin, "/rooms/main/step", JSON, r#"{"ticks":3}"#).await.0, 202);
    for _ in 0..200 {
        if tick().await == before + 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(tick().await, before + 3);
    // It still answers, lets people in and sends them away.
    let client = player.session.welcome().expect("welcomed").client.0;
    assert_eq!(look(admin, &format!("/inspect/rooms/main/map/{client}")).await.0, 200);
    let mut bob = Raw::open(server.public_addr(), BINARY).await;
    bob.send(&frame(DATA, &hello("bob", ""))).await;
    for _ in 0..400 {
        if look(admin, "/inspect/rooms/main").await.1["clients"] == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let (_, list) = look(admin, "/inspect/rooms/main/clients").await;
    let path = format!("/rooms/main/clients/{}", list["clients"][1]["client"]);
    let kicked = ask(admin, &format!("DELETE {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n")).await;
    assert_eq!(kicked.0, 202);
    assert_eq!(bob.ending().await.sole().0, 4007);
    assert_eq!(post(admin, "/rooms/main/resume", JSON, "{}").await.0, 202);
    let frames = player.session.stats().frames;
    player.until("goes on", |session| session.stats().frames > frames + 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_from_elsewhere_get_nothing() {
    let mut config = config();
    config.inspector.allow_pause = true;
    let server = start(config).await;
    let admin = server.admin_addr();
    // What a foreign page can send without asking first.
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        assert_eq!(post(admin, "/rooms/main/pause", kind, "{}").await.0, 415, "{kind}");
    }
    let foreign = format!("{JSON}Origin: http://evil.example\r\n");
    assert_eq!(post(admin, "/rooms/main/pause", &foreign, "{}").await.0, 403);
    assert_eq!(post(admin, "/rooms", &foreign, r#"{"name":"den"}"#).await.0, 403);
    let own = format!("{JSON}Origin: http://{admin}\r\n");
    assert_eq!(post(admin, "/rooms/main/pause", &own, "{}").await.0, 202);
    assert_eq!(post(admin, "/rooms/main/resume", &own, "{}").await.0, 202);
    // A name that its owner has pointed here.
    let by = async |host: &str, path: &str| {
        ask(admin, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await.0
    };
    assert_eq!(by("evil.example:7778", "/inspect").await, 421);
    assert_eq!(by("evil.example:7778", "/inspect/server").await, 421);
    assert_eq!(by("localhost:7778", "/inspect").await, 200);
    assert_eq!(by("tickwire:7778", "/metrics").await, 200, "scraped by whatever name");
    let preflight = format!(
        "OPTIONS /rooms/main/pause HTTP/1.1\r\nHost: {admin}\r\nOrigin: http://evil.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n"
    );
    let (status, answer) = ask(admin, &preflight).await;
    assert!(status == 403 && !answer.contains("access-control-allow"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_questions_a_second() {
    let server = start(config()).await;
    let admin = server.admin_addr();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..80 {
        asked.spawn(async move { look(admin, "/inspect/rooms/main/map").await.0 });
    }
    let statuses = asked.join_all().await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert!(count(200) > 0 && count(429) > 0, "{statuses:?}");
    assert_eq!(count(200) + count(429), 80);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(look(admin, "/inspect/rooms/main/map").await.0, 200);
}
