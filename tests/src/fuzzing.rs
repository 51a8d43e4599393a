//! What the fuzzers call, and what the default tests call with the committed corpus: one function per target. None of
//! them may panic, whatever the bytes.

use std::cell::RefCell;
use std::collections::BTreeSet;

use tickwire_server::driver::fuzzing::{self as shell, Heard};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::client::{Identity, Replica, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros, Tick};

use crate::chaos::{Chaos, ChaosGame};
use crate::link::Profile;
use crate::sim::Sim;

const CLIENT: ClientId = ClientId(1);
/// Operations of one run at most: longer inputs only take longer.
const OPERATIONS_MAX: usize = 400;

thread_local! {
    static REPLICA: Replica<u16> = replica();
    static ROOM: RefCell<Room<ChaosGame>> = RefCell::new(room_with_client(1).0);
}

/// A room with one client in it, and that client's session.
fn room_with_client(seed: u64) -> (Room<ChaosGame>, Session<Chaos>) {
    let config =
        RoomConfig { name: "fuzz".to_owned(), tick_hz: 30, capacity: 9, seed, ..RoomConfig::default() };
    let mut room = Room::new(ChaosGame::new(seed, 25, 0.0), config).expect("a schema");
    let mut session = Session::<Chaos>::new(Identity::default()).expect("a schema");
    let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
    if let Ok(ClientMessage::<u8, u32>::Hello(hello)) = codec::decode(&hello) {
        room.handle(
            Event::Join { client: CLIENT, hello, resume: ResumeToken([0; 16]), subject: None },
            Micros(0),
        );
    }
    (room, session)
}

/// A client in the middle of its session.
fn replica() -> Replica<u16> {
    let (mut room, mut session) = room_with_client(1);
    for tick in 1..40_u64 {
        room.tick(Micros(tick * 33_333));
        while let Some(Output::Send { bytes, .. }) = room.poll_output() {
            session.handle_message(bytes, Micros(tick * 33_333)).expect("own message");
        }
        let ack = Ack { applied: Tick(tick as u32), held_ms: 0 };
        let message = ClientMessage::Ack(ack);
        room.handle(Event::Message { client: CLIENT, message }, Micros(tick * 33_333));
    }
    session.replica().expect("welcomed").clone()
}

/// Bytes as a frame for a client in the middle of its session.
pub fn frame(bytes: &[u8]) {
    REPLICA.with(|replica| {
        if let Ok(staged) = replica.stage(bytes) {
            let mut copy = replica.clone();
            let summary = copy.commit(staged);
            assert_eq!(copy.tick(), summary.tick);
            let _ = copy.checksum();
        }
    });
}

/// Bytes as what a client says first: headers of its request, and the Hello of somebody who wants to join.
pub fn handshake(bytes: &[u8]) {
    let status = shell::request(bytes);
    assert!(matches!(status, 101 | 400 | 403 | 405 | 426), "{status}");
    let Ok(ClientMessage::<u8, u32>::Hello(hello)) = codec::decode(bytes) else { return };
    let (mut room, _) = room_with_client(1);
    let newcomer = ClientId(2);
    room.handle(
        Event::Join { client: newcomer, hello, resume: ResumeToken([1; 16]), subject: None },
        Micros(0),
    );
    room.tick(Micros(0));
    let mut answered = false;
    while let Some(output) = room.poll_output() {
        answered |= matches!(output, Output::Send { client, .. } | Output::Close { client, .. } if client == newcomer);
    }
    assert!(answered, "a Hello gets a Welcome or a close");
}

/// Bytes as what a client sends after the upgrade: however they arrive, they mean the same, and one violation is the
/// last thing that is heard.
pub fn socket(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else { return };
    let due = [None, Some(true), Some(false)][usize::from(how % 3)];
    let whole = shell::frames(bytes, bytes.len(), due);
    assert!(!matches!(
        whole.last(),
        None | Some(Heard::Fragment | Heard::Message(_) | Heard::Ping(_) | Heard::Pong)
    ));
    for piece in [1, 2 + usize::from(how / 3)] {
        assert_eq!(shell::frames(bytes, piece, due), whole, "in pieces of {piece}");
    }
}

/// Bytes as messages for a client's session from its first moment on: a length, a message, and so on. The first
/// bit of a length puts the true Welcome before it.
pub fn session(bytes: &[u8]) {
    let (mut room, mut session) = room_with_client(1);
    room.tick(Micros(0));
    let mut welcome = Vec::new();
    while let Some(output) = room.poll_output() {
        if let Output::Send { bytes, .. } = output {
            welcome.push(bytes.to_vec());
        }
    }
    let mut rest = bytes;
    let mut now = Micros(1);
    while let Some((&length, after)) = rest.split_first() {
        now = now.plus(33_333);
        if length & 0x80 != 0 {
            for message in &welcome {
                // Refused a second time.
                let _ = session.handle_message(message, now);
            }
        }
        let (message, after) = after.split_at(usize::from(length & 0x7F).min(after.len()));
        // Whatever it says, it must not panic, and the session must still have something to send or nothing.
        let _ = session.handle_message(message, now);
        while session.poll_happening().is_some() {}
        while session.poll_transmit(now).is_some() {}
        let _ = session.entities().count();
        rest = after;
    }
}

/// Bytes as a client's message to a room that goes on.
pub fn message(bytes: &[u8]) {
    let Ok(message) = codec::decode::<ClientMessage<u8, u32>>(bytes) else { return };
    ROOM.with_borrow_mut(|room| {
        if room.status().ended || room.status().clients == 0 {
            *room = room_with_client(u64::from(room.status().tick.0)).0;
        }
        let now = Micros(u64::from(room.status().tick.0) * 33_333);
        room.handle(Event::Message { client: CLIENT, message }, now);
        room.tick(now);
        while room.poll_output().is_some() {}
    });
}

/// Bytes as operations on a simulation, compared with the oracle at every tick: one byte an operation. Says how many
/// sessions went on over another connection.
pub fn operations(bytes: &[u8]) -> u64 {
    let Some((&seed, operations)) = bytes.split_first() else { return 0 };
    let radius = [0.0, 30.0, 60.0][usize::from(seed % 3)];
    let mut sim = Sim::new(ChaosGame::new(u64::from(seed), 30, radius), 30, u64::from(seed));
    sim.join("one", Profile::default());
    let mut lost = BTreeSet::new();
    for operation in operations.iter().take(OPERATIONS_MAX) {
        operate(&mut sim, &mut lost, *operation);
    }
    for id in std::mem::take(&mut lost) {
        come_back(&mut sim, id);
    }
    let ids: Vec<_> = sim.clients.keys().copied().collect();
    for id in ids {
        sim.room.handle(Event::Writable { client: id, writable: true }, sim.now);
        sim.client(id).stalled = false;
    }
    sim.run(100);
    for client in sim.clients.values() {
        assert_eq!(client.session.stats().mismatches, 0);
    }
    sim.room.counters().resumes
}

/// `lost` are those whose connection is cut and who have not opened another one.
fn operate(sim: &mut Sim<ChaosGame>, lost: &mut BTreeSet<ClientId>, operation: u8) {
    let ids: Vec<ClientId> = sim.clients.keys().copied().collect();
    let number = operation >> 3;
    let id = ids.get(usize::from(number) % ids.len().max(1)).copied();
    let now = sim.now;
    match (operation & 7, id) {
        (0, _) if ids.len() < 5 => {
            sim.join("more", Profile { delay_micros: u64::from(number) * 3_000, ..Profile::default() });
        }
        (1, Some(id)) if ids.len() > 1 => {
            lost.remove(&id);
            sim.leave(id);
        }
        (2, Some(id)) => sim.client(id).stalled ^= true,
        (3, Some(id)) => {
            let message = ClientMessage::Resync { tick: Tick(u32::from(number)) };
            sim.room.handle(Event::Message { client: id, message }, now);
        }
        (4, Some(id)) => sim.room.handle(Event::Writable { client: id, writable: number & 1 == 0 }, now),
        (5, Some(id)) => sim.client(id).session.set_input(number, now),
        (6, Some(id)) => drop(sim.client(id).session.send_command(u32::from(number))),
        // Whose connection is cut opens another one, at once or later; the server may have noticed or not.
        (7, Some(id)) if number >= 20 && lost.contains(&id) => {
            lost.remove(&id);
            come_back(sim, id);
        }
        (7, Some(id)) if number >= 20 => {
            match number & 3 {
                0 => sim.cut(id),
                _ => sim.lose(id),
            }
            if number & 3 < 2 {
                lost.insert(id);
            } else {
                come_back(sim, id);
            }
        }
        _ => sim.run(1 + u32::from(number)),
    }
    sim.step();
}

/// Over another connection, and by its session if the room still has it.
fn come_back(sim: &mut Sim<ChaosGame>, id: ClientId) {
    if sim.clients.contains_key(&id) {
        sim.come_back(id);
    }
}
