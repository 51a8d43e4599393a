//! What the fuzzers call, and what the default tests call with the committed corpus: one function per target. None of
//! them may panic, whatever the bytes.

use std::cell::RefCell;
use std::collections::BTreeSet;

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::driver::fuzzing::{self as shell, Heard};
use tickwire_server::host::{Event, Output, Rewinds, Room, RoomConfig};
use tickwire_server::simulation::Game;
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::client::{Identity, Replica, Session};
use tickwire_shared::limits::{COMMANDS_PENDING_MAX, ROSTER_MAX};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros, Protocol, Tick};

use crate::chaos::{Chaos, ChaosGame};
use crate::link::Profile;
use crate::sim::Sim;

const CLIENT: ClientId = ClientId(1);
/// Operations of one run at most: longer inputs only take longer.
const OPERATIONS_MAX: usize = 400;

/// True messages of a server's that `session` may hear.
const TOLD_MAX: usize = 90;
const TICK_MICROS: u64 = 33_333;

thread_local! {
    static REPLICA: Replica<u16> = replica();
    static ROOM: RefCell<(Room<ChaosGame>, Session<Chaos>)> = RefCell::new(chaos(1));
    static CHAOS: Vec<Vec<u8>> = told(chaos(1));
    static ARENA: Vec<Vec<u8>> = told(arena());
}

/// A room with one client in it, and that client's session.
fn room_with_client<G: Game>(game: G, seed: u64) -> (Room<G>, Session<G::Protocol>) {
    let config =
        RoomConfig { name: "fuzz".to_owned(), tick_hz: 30, capacity: 9, seed, ..RoomConfig::default() };
    let mut room = Room::new(game, config).expect("a schema");
    let mut session = Session::<G::Protocol>::new(Identity::default()).expect("a schema");
    let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
    if let Ok(ClientMessage::<InputOf<G>, CommandOf<G>>::Hello(hello)) = codec::decode(&hello) {
        room.handle(
            Event::Join { client: CLIENT, hello, resume: ResumeToken([0; 16]), subject: None },
            Micros(0),
        );
    }
    (room, session)
}

type InputOf<G> = <<G as Game>::Protocol as Protocol>::Input;
type CommandOf<G> = <<G as Game>::Protocol as Protocol>::Command;

fn chaos(seed: u64) -> (Room<ChaosGame>, Session<Chaos>) {
    room_with_client(ChaosGame::new(seed, 25, 0.0), seed)
}

fn arena() -> (Room<ArenaGame>, Session<Arena>) {
    let crowd = ArenaConfig { size_m: 50, bots: 4, drones: 6, pickups: 3, ..ArenaConfig::default() };
    room_with_client(ArenaGame::new(crowd), 1)
}

/// A tick, and what the client at hand hears and says of it. What it is told is kept in `told`.
fn converse<G: Game>(room: &mut Room<G>, session: &mut Session<G::Protocol>, told: &mut Vec<Vec<u8>>) {
    let now = Micros(u64::from(room.status().tick.0) * TICK_MICROS);
    room.tick(now);
    while let Some(output) = room.poll_output() {
        if let Output::Send { client: CLIENT, bytes } = output {
            session.handle_message(bytes, now).expect("the server's own message");
            told.push(bytes.to_vec());
        }
    }
    while session.poll_happening().is_some() {}
    while let Some(bytes) = session.poll_transmit(now) {
        let message = codec::decode(&bytes).expect("the client's own message");
        room.handle(Event::Message { client: CLIENT, message }, now);
    }
}

/// What the client of a room is told in its first seconds.
fn told<G: Game>((mut room, mut session): (Room<G>, Session<G::Protocol>)) -> Vec<Vec<u8>> {
    let mut told = Vec::new();
    while told.len() < TOLD_MAX {
        converse(&mut room, &mut session, &mut told);
    }
    told
}

/// A client in the middle of its session.
fn replica() -> Replica<u16> {
    let (mut room, mut session) = chaos(1);
    (1..40).for_each(|_| converse(&mut room, &mut session, &mut Vec::new()));
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
    let (mut room, _) = chaos(1);
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

/// Bytes as messages for a client's session from its first moment on, in two games: a length, a message, and so on. The first
/// bit of a length lets the true server say something before it; a length of 0 is another connection.
pub fn session(bytes: &[u8]) {
    CHAOS.with(|told| listen::<Chaos>(told, bytes, u8::from));
    ARENA.with(|told| {
        listen::<Arena>(told, bytes, |word| ArenaInput {
            walk: [word as i8 / 2, 0],
            aim: u16::from(word),
            fire: word & 1 == 1,
        });
    });
}

fn listen<P: Protocol>(told: &[Vec<u8>], bytes: &[u8], input: impl Fn(u8) -> P::Input) {
    let mut session = Session::<P>::new(Identity::default()).expect("a schema");
    let (mut told, mut rest, mut now) = (told.iter(), bytes, Micros(1));
    let _ = session.poll_transmit(now);
    while let Some((&length, after)) = rest.split_first() {
        now = now.plus(TICK_MICROS);
        let (message, after) = after.split_at(usize::from(length & 0x7F).min(after.len()));
        // Whatever it says, it must not panic, and the session must still have something to send or nothing.
        if length & 0x80 != 0
            && let Some(message) = told.next()
        {
            let _ = session.handle_message(message, now);
        }
        match length {
            0 => drop(session.resume()),
            0x80 => {}
            _ => drop(session.handle_message(message, now)),
        }
        session.set_input(input(length), now);
        look(&mut session, now);
        rest = after;
    }
}

/// All that an embedder asks for a picture.
fn look<P: Protocol>(session: &mut Session<P>, now: Micros) {
    while session.poll_happening().is_some() {}
    let shown = session.view(now).map_or(0, |view| view.entities().count() + view.told().count());
    assert!(shown <= 3 * ROSTER_MAX, "{shown} entities");
    while session.poll_shown_event().is_some() {}
    let _ = (session.entities().count(), session.figures(now), session.private());
    let sent = std::iter::from_fn(|| session.poll_transmit(now)).take(COMMANDS_PENDING_MAX + 9).count();
    assert!(sent < COMMANDS_PENDING_MAX + 9, "there is always more to send");
}

/// Bytes as one more message of a client's in a room that goes on. What that client says of itself besides is true, and
/// what it is told stays readable. Says by which moments were judged what it looked at.
pub fn message(bytes: &[u8]) -> Rewinds {
    let Ok(message) = codec::decode::<ClientMessage<u8, u32>>(bytes) else { return Rewinds::default() };
    ROOM.with_borrow_mut(|(room, session)| {
        if room.status().ended || room.status().clients == 0 {
            (*room, *session) = chaos(u64::from(room.status().tick.0));
        }
        let now = Micros(u64::from(room.status().tick.0) * TICK_MICROS);
        room.handle(Event::Message { client: CLIENT, message }, now);
        // What is stamped far ahead has its tick at last, or not.
        let ticks = 1 + bytes.last().map_or(0, |last| last % 64);
        (0..ticks).for_each(|_| converse(room, session, &mut Vec::new()));
        room.counters().rewinds
    })
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
        // Half of them aim, and look back at all there is.
        (5, Some(id)) => sim.client(id).session.set_input(number | (number & 1) << 7, now),
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
