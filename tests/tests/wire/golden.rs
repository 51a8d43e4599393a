//! Bytes that must never change while the protocol version stays: clients in the field depend on them.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros, Protocol, Tick};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn client_messages() {
    let input = ArenaInput { walk: [127, -1], aim: 0x1234, fire: true };
    let ack = Some(Ack { applied: Tick(70_000), held_ms: 300 });
    let message = ClientMessage::<ArenaInput, ()>::Input { seq: 5, tick: Tick(7), ack, input };
    assert_eq!(hex(&codec::encode(&message)), "01050701fc70110100fb2c017ffffb341201");
    let ack = ClientMessage::<ArenaInput, ()>::Ack(Ack { applied: Tick(3), held_ms: 9 });
    assert_eq!(hex(&codec::encode(&ack)), "030309");
}

#[test]
fn the_arena_schema() {
    assert_eq!(format!("{:032x}", Arena::schema().hash()), GOLDEN_SCHEMA);
}

#[test]
fn a_session() {
    // Hello, Welcome and the first frames of a small arena.
    let config = RoomConfig { name: "main".to_owned(), tick_hz: 30, capacity: 9, seed: 7 };
    let arena = ArenaConfig { bots: 2, drones: 3, pickups: 1, seed: 7, ..ArenaConfig::default() };
    let mut room = Room::new(ArenaGame::new(arena), config).expect("a schema");
    let identity = Identity { name: "ann".to_owned(), ..Identity::default() };
    let mut session = Session::<Arena>::new(identity).expect("a schema");
    let client = ClientId(1);
    let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
    let ClientMessage::<ArenaInput, ()>::Hello(decoded) = codec::decode(&hello).expect("own message") else {
        panic!("not a Hello")
    };
    room.handle(Event::Join { client, hello: decoded, resume: ResumeToken([9; 16]) }, Micros(0));
    let mut messages = vec![hello];
    for tick in 1..=12 {
        room.tick(Micros(tick * 33_333));
        while let Some(output) = room.poll_output() {
            let Output::Send { bytes, .. } = output else { panic!("closed") };
            session.handle_message(&bytes, Micros(tick * 33_333)).expect("own message");
            messages.push(bytes);
        }
        let ack = Ack { applied: Tick(tick as u32), held_ms: 0 };
        room.handle(Event::Message { client, message: ClientMessage::Ack(ack) }, Micros(tick * 33_333));
    }
    let all: Vec<_> = messages.iter().map(|message| hex(message)).collect();
    let golden = include_str!("golden_session.txt");
    if std::env::var("TICKWIRE_BLESS").is_ok_and(|value| value == "1") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/golden_session.txt");
        std::fs::write(path, all.join("\n") + "\n").expect("the source tree is writable");
        return;
    }
    assert_eq!(
        all,
        golden.lines().collect::<Vec<_>>(),
        "raise PROTOCOL_VERSION, then bless with TICKWIRE_BLESS=1"
    );
}

const GOLDEN_SCHEMA: &str = "567d7ddb3eb7d014f1de4c894d54db5b";
