//! Well-framed messages that a session does not allow.

use tickwire_shared::arena::{ArenaInput, Command};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, Hello};
use tickwire_shared::{Tick, arena::Arena};

use crate::player::{Player, Witness, hello};
use crate::raw::{BINARY, DATA, JSON, Raw, TEXT, frame};
use crate::server::{config, start};

type Message = ClientMessage<ArenaInput, Command>;

fn greeting(change: impl FnOnce(&mut Hello)) -> Vec<u8> {
    let mut hello = tickwire_tests::sim::hello::<Arena>("ann");
    change(&mut hello);
    codec::encode(&Message::Hello(hello))
}

fn input(walk: [i8; 2]) -> Vec<u8> {
    let input = ArenaInput { walk, ..ArenaInput::default() };
    codec::encode(&Message::Input { seq: 1, tick: Tick(1), ack: None, input })
}

/// What is wrong, the messages, the code, a word of the reason.
fn binary_table() -> Vec<(&'static str, Vec<Vec<u8>>, u16, &'static str)> {
    let good = greeting(|_| {});
    let trailing = [good.clone(), vec![0]].concat();
    let other_field = greeting(|hello| {
        hello.schema ^= 1;
        hello.parts[2] ^= 1;
    });
    vec![
        ("empty", vec![vec![]], 4000, "undecodable"),
        ("noise", vec![vec![0xAB; 40]], 4000, "undecodable"),
        ("cut short", vec![good[..good.len() - 1].to_vec()], 4000, "undecodable"),
        ("trailing bytes", vec![trailing], 4000, "1 bytes after the end"),
        (
            "a length that is not there",
            vec![vec![0, 1, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0x40]],
            4000,
            "undecodable",
        ),
        ("no Hello first", vec![input([0, 0])], 4000, "Hello comes first"),
        ("a second Hello", vec![good.clone(), good.clone()], 4000, "second Hello"),
        ("an impossible input", vec![good.clone(), input([i8::MIN, 0])], 4000, "impossible input"),
        ("another protocol", vec![greeting(|hello| hello.protocol = 999)], 4001, "protocol"),
        ("another schema", vec![other_field], 4001, "server has `"),
        ("a long name", vec![greeting(|hello| hello.name = "x".repeat(33))], 4000, "name"),
        ("a bad room", vec![greeting(|hello| hello.room = "No Such Room!".to_owned())], 4000, "room's name"),
        ("a long room", vec![greeting(|hello| hello.room = "x".repeat(33))], 4000, "room's name"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_message_gets_its_code() {
    let server = start(config()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    for (what, messages, code, word) in binary_table() {
        let mut raw = Raw::open(address, BINARY).await;
        for message in messages {
            raw.send(&frame(DATA, &message)).await;
        }
        let ending = raw.ending().await;
        let (got, reason) = ending.sole();
        assert!(got == code && reason.contains(word), "{what}: {got} {reason}");
        assert!(reason.len() <= 123, "{what}: {reason}");
    }
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_json_gets_its_key_named() {
    let server = start(config()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let hello = r#"{"hello":{"name":"ann"}}"#;
    for (messages, word) in [
        (vec!["nonsense"], "not JSON"),
        (vec!["[1]"], "object"),
        (vec![r#"{"hello":{"name":"ann","rom":"main"}}"#], "hello.rom"),
        (vec![r#"{"hello":{"name":3}}"#], "hello.name"),
        (vec![r#"{"input":{}}"#], "`hello` comes first"),
        (vec![hello, hello], "second `hello`"),
        (vec![hello, r#"{"dance":true}"#], "dance"),
        (vec![hello, r#"{"input":{"move":[2,0]}}"#], "input.move"),
        (vec![hello, r#"{"input":{"move":[1e999,0]}}"#], "not JSON"),
        (vec![hello, r#"{"input":{"aim":null}}"#], "input.aim"),
        (vec![hello, r#"{"input":{"jump":true}}"#], "unknown key"),
        (vec![hello, r#"{"chat":7}"#], "chat"),
        (vec![r#"{"hello":{"room":"../etc"}}"#], "room's name"),
    ] {
        let mut raw = Raw::open(address, JSON).await;
        for message in &messages {
            raw.send(&frame(TEXT, message.as_bytes())).await;
        }
        let ending = raw.ending().await;
        let (code, reason) = ending.sole();
        assert!(code == 4000 && reason.contains(word), "{messages:?}: {code} {reason}");
    }
    let mut deep = Raw::open(address, JSON).await;
    deep.send(&frame(TEXT, &[b'['; 4096])).await;
    assert_eq!(deep.ending().await.sole().0, 4000);
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_rooms_and_too_many_rooms() {
    let mut config = config();
    (config.room_capacity, config.rooms_max) = (1, 2);
    let server = start(config).await;
    let address = server.public_addr();
    let _main = Player::join(address, "one", "main").await;
    let _second = Player::join(address, "two", "second").await;
    for (room, word) in [("main", "room is full"), ("second", "room is full"), ("third", "no more rooms")] {
        let mut raw = Raw::open(address, BINARY).await;
        raw.send(&frame(DATA, &hello("late", room))).await;
        let ending = raw.ending().await;
        let (code, reason) = ending.sole();
        assert!(code == 4003 && reason.contains(word), "{room}: {code} {reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_room_begins_for_who_is_not_let_in() {
    let server = start(config()).await;
    for number in 0..20 {
        let mut raw = Raw::open(server.public_addr(), BINARY).await;
        let stranger = greeting(|hello| (hello.schema, hello.room) = (7, format!("room-{number}")));
        raw.send(&frame(DATA, &stranger)).await;
        assert_eq!(raw.ending().await.sole().0, 4001);
    }
    assert_eq!(crate::server::metric(&server, "tickwire_rooms"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_room_is_disposed_of() {
    let mut config = config();
    (config.rooms_max, config.room_empty_after) = (2, std::time::Duration::from_millis(100));
    // A room is not empty while somebody may come back to it.
    config.session_grace = std::time::Duration::from_millis(300);
    let server = start(config).await;
    let address = server.public_addr();
    let mut player = Player::join(address, "one", "second").await;
    player.until("it has spoken", |session| session.stats().frames > 5).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(crate::server::metric(&server, "tickwire_rooms"), 2, "not while somebody is in it");
    drop(player);
    crate::server::until("the room goes", || crate::server::metric(&server, "tickwire_rooms") == 1).await;
    let _other = Player::join(address, "one", "third").await;
    let frames = crate::server::metric(&server, "tickwire_snapshots_total");
    assert!(frames > 0, "what a room counted stays counted");
}
