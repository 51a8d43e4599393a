//! Bytes that must never change while the protocol version stays: clients in the field depend on them.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput, Command};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken, ViewAge};
use tickwire_shared::{ClientId, Micros, Protocol, Tick, ViewTick};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn client_messages() {
    let input = ArenaInput { walk: [127, -1], aim: 0x1234, fire: true };
    let ack = Some(Ack { applied: Tick(70_000), held_ms: 300 });
    let message = ClientMessage::<ArenaInput, ()>::Input { seq: 5, tick: Tick(7), ack, input };
    assert_eq!(hex(&codec::encode(&message)), "01050701fc70110100fb2c017ffffb341201");
    let view = ViewAge::of(ViewTick { tick: Tick(2), fraction: 0x80 }, Tick(7));
    let message = ClientMessage::<ArenaInput, ()>::Aimed { seq: 5, tick: Tick(7), ack, view, input };
    assert_eq!(hex(&codec::encode(&message)), "05050701fc70110100fb2c0105807ffffb341201");
    let ack = ClientMessage::<ArenaInput, ()>::Ack(Ack { applied: Tick(3), held_ms: 9 });
    assert_eq!(hex(&codec::encode(&ack)), "030309");
}

#[test]
fn the_arena_schema() {
    assert_eq!(format!("{:032x}", Arena::schema().hash()), GOLDEN_SCHEMA);
}

/// A recorded session: every message, and every state that a client must hold after it.
struct Recorded {
    messages: Vec<String>,
    states: Vec<String>,
}

/// Eight seconds of a small arena: joining, moving, a pause that ends in a resync, a reset, and a budget that is not enough,
/// so that there is every cadence and parking.
fn record_session() -> Recorded {
    let config =
        RoomConfig { name: "main".to_owned(), tick_hz: 30, capacity: 9, seed: 7, ..RoomConfig::default() };
    let arena = ArenaConfig { bots: 12, drones: 24, pickups: 1, seed: 7, ..ArenaConfig::default() };
    let mut room = Room::new(ArenaGame::new(arena), config).expect("a schema");
    let identity = Identity { name: "ann".to_owned(), budget_bytes_per_s: 1024, ..Identity::default() };
    let mut session = Session::<Arena>::new(identity).expect("a schema");
    let client = ClientId(1);
    let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
    let ClientMessage::<ArenaInput, Command>::Hello(decoded) = codec::decode(&hello).expect("own message")
    else {
        panic!("not a Hello")
    };
    room.handle(
        Event::Join { client, hello: decoded, resume: ResumeToken([9; 16]), subject: None },
        Micros(0),
    );
    let mut recorded = Recorded { messages: vec![hex(&hello)], states: Vec::new() };
    for tick in 1..=240_u64 {
        let now = Micros(tick * 33_333);
        room.handle(Event::Writable { client, writable: !(40..47).contains(&tick) }, now);
        if tick == 60 {
            room.handle(Event::Message { client, message: ClientMessage::Resync { tick: Tick(59) } }, now);
        }
        let input = ArenaInput {
            walk: [100, (tick * 3 % 200) as i8 / 2],
            aim: (tick as u16).wrapping_mul(500),
            fire: tick % 30 == 0,
        };
        let message = ClientMessage::Input { seq: tick as u16, tick: room.status().tick, ack: None, input };
        room.handle(Event::Message { client, message }, now);
        room.tick(now);
        while let Some(output) = room.poll_output() {
            let Output::Send { bytes, .. } = output else { panic!("closed") };
            session.handle_message(bytes, now).expect("own message");
            recorded.messages.push(hex(bytes));
            if tick < 20 || tick % 8 == 0 {
                recorded.states.extend(states_of(&session));
            }
        }
        let ack = Ack { applied: Tick(tick as u32), held_ms: 0 };
        room.handle(Event::Message { client, message: ClientMessage::Ack(ack) }, now);
    }
    assert_eq!(session.stats().mismatches, 0);
    assert!(session.stats().checksums > 0 && session.stats().resyncs >= 2, "{:?}", session.stats());
    let counters = room.counters();
    let moved = [counters.promotions, counters.parks, counters.unparks];
    assert!(moved.iter().all(|times| *times > 0), "{moved:?}: the vectors do not show all that there is");
    recorded
}

/// One line per slot: message, tick, place in the roster, id, kind, columns; and one for the private state.
fn states_of(session: &Session<Arena>) -> Vec<String> {
    let Some(replica) = session.replica() else { return Vec::new() };
    let columns = |state: &[i32]| state.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let tick = replica.tick().0;
    let mut lines: Vec<_> = replica
        .slots()
        .iter()
        .enumerate()
        .map(|(place, slot)| {
            format!(
                "{tick} slot {place} id {} kind {} : {}",
                slot.id.0,
                slot.kind.0,
                columns(replica.state(place))
            )
        })
        .collect();
    lines.push(format!("{tick} private : {}", columns(replica.private())));
    lines
}

#[test]
fn a_session() {
    let recorded = record_session();
    let schema = serde_json::to_string_pretty(&Arena::schema()).expect("a schema is JSON");
    let files = [
        ("arena_messages.txt", recorded.messages.join("\n") + "\n"),
        ("arena_states.txt", recorded.states.join("\n") + "\n"),
        ("arena_schema.json", schema + "\n"),
    ];
    for (name, text) in files {
        let path = format!("{}/../shared/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("TICKWIRE_BLESS").is_ok_and(|value| value == "1") {
            std::fs::write(path, text).expect("the source tree is writable");
        } else {
            let golden = std::fs::read_to_string(&path).expect("the vectors are there");
            let first = text.lines().zip(golden.lines()).position(|(now, then)| now != then);
            assert_eq!(
                first, None,
                "{name}: a line differs; raise PROTOCOL_VERSION, then bless with TICKWIRE_BLESS=1"
            );
            assert_eq!(text.len(), golden.len(), "{name} has another length");
        }
    }
}

#[test]
fn the_vectors_and_the_step_as_wasm_sees_them() {
    assert_eq!(tickwire_wasm_check::step_hash(), tickwire_wasm_check::GOLDEN_STEP);
    assert_eq!(tickwire_wasm_check::vectors_hash(), tickwire_wasm_check::GOLDEN_VECTORS);
}

const GOLDEN_SCHEMA: &str = "567d7ddb3eb7d014f1de4c894d54db5b";
