//! Clients of a large room are told of a tick some after some. Whatever happens in between, they are sent the bytes that they would
//! have been sent had all been told at once.

use tickwire_server::host::{Alone, Crew, Event, Output, Room, RoomConfig};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, CloseCode, Micros, Tick};
use tickwire_tests::chaos::{Chaos, ChaosGame};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::hello;

const CLIENTS: u32 = 300;
/// What is packed before it is sent, at most.
const BATCH: usize = 128;

fn room(seed: u64) -> Room<ChaosGame> {
    let config = RoomConfig { capacity: 1000, seed, ..RoomConfig::default() };
    let mut room = Room::new(ChaosGame::new(seed, 30, 40.0), config).expect("a schema");
    (0..CLIENTS).for_each(|number| room.handle(join(number), Micros(0)));
    room
}

fn join(number: u32) -> Event<Chaos> {
    let resume = ResumeToken([number as u8; 16]);
    Event::Join { client: ClientId(number), hello: hello::<Chaos>("one"), resume, subject: None }
}

/// What the room wants done, as text where it is no frame.
fn outputs(room: &mut Room<ChaosGame>) -> Vec<(ClientId, Vec<u8>)> {
    let mut outputs = Vec::new();
    while let Some(output) = room.poll_output() {
        outputs.push(match output {
            Output::Send { client, bytes } => (client, bytes.to_vec()),
            Output::Close { client, close } => (client, format!("{close:?}").into_bytes()),
            Output::Resumed { client, connection } => (client, format!("{connection:?}").into_bytes()),
        });
    }
    outputs
}

/// Something that a client says or does. `next` is the number of the next newcomer.
fn happening(tick: Tick, seq: u16, next: &mut u32, dice: &mut Dice) -> Event<Chaos> {
    let client = ClientId(dice.below(*next));
    match dice.below(12) {
        0 if dice.one_in(2) => Event::Leave { client },
        0 => Event::Kick { client, close: CloseCode::Kicked.into() },
        1 => Event::Lost { client },
        2 => Event::Writable { client, writable: dice.one_in(2) },
        3 => Event::Message { client, message: ClientMessage::Resync { tick } },
        4 => {
            *next += 1;
            join(*next - 1)
        }
        5 => Event::Message { client, message: ClientMessage::Command(dice.word()) },
        6..8 => {
            let ack = Ack { applied: tick.minus(1 + dice.below(3)), held_ms: 1 };
            Event::Message { client, message: ClientMessage::Ack(ack) }
        }
        _ => {
            let (seq, ack, input) = (seq, None, dice.word() as u8);
            Event::Message { client, message: ClientMessage::Input { seq, tick, ack, input } }
        }
    }
}

#[test]
fn some_after_some_is_the_same_as_all_at_once() {
    for_seeds(seed_count(6, 60), |seed| {
        let (mut whole, mut parted) = (room(seed), room(seed));
        let (mut dice, mut next, mut told_in_between) = (Dice::new(seed), CLIENTS, 0);
        for tick in 1..=60 {
            let now = Micros(tick * 33_333);
            whole.tick(now);
            parted.step(now);
            // Some of the parts, and then something happens, which may be in the middle.
            for _ in 0..dice.below(4) {
                parted.tell(now, &Alone);
            }
            told_in_between += u32::from(parted.is_telling());
            for seq in 0..dice.below(6) {
                let (at, before) = (whole.status().tick, next);
                for room in [&mut whole, &mut parted] {
                    let mut same = Dice::new(seed << 20 | tick << 4 | u64::from(seq));
                    next = before;
                    room.handle(happening(at, (tick * 8) as u16 + seq as u16, &mut next, &mut same), now);
                }
            }
            while parted.tell(now, &Alone) {}
            assert_eq!(outputs(&mut whole), outputs(&mut parted), "tick {tick}");
            assert_eq!(whole.state_hash(), parted.state_hash());
        }
        assert_eq!(whole.counters(), parted.counters());
        assert!(told_in_between > 5, "{told_in_between} times something happened before all were told");
    });
}

#[test]
fn the_first_need_not_wait_for_the_last() {
    let mut room = room(1);
    outputs(&mut room);
    room.step(Micros(33_333));
    assert!(room.is_telling() && outputs(&mut room).is_empty(), "a step sends nothing");
    let mut told = Vec::new();
    while room.is_telling() {
        room.tell(Micros(33_333), &Alone);
        let sent = outputs(&mut room);
        assert!((1..=BATCH).contains(&sent.len()), "{} at once", sent.len());
        told.extend(sent.into_iter().map(|(client, _)| client.0));
    }
    assert_eq!(told, (0..CLIENTS).collect::<Vec<_>>());
    assert!(!room.tell(Micros(33_333), &Alone) && outputs(&mut room).is_empty(), "nobody is told twice");
}

#[test]
fn a_tick_that_comes_too_early_tells_the_rest_first() {
    let mut room = room(2);
    outputs(&mut room);
    room.step(Micros(33_333));
    room.tell(Micros(33_333), &Alone);
    room.tick(Micros(66_666));
    let sent = outputs(&mut room);
    assert_eq!(sent.len(), 2 * CLIENTS as usize);
    let clients: Vec<_> = sent.iter().map(|(client, _)| client.0).collect();
    assert!(clients.chunks(CLIENTS as usize).all(<[u32]>::is_sorted));
}

/// Does two things at a time, one after the other.
struct Two;

impl Crew for Two {
    fn width(&self) -> usize {
        2
    }

    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).rev().for_each(job);
    }
}

#[test]
fn a_crew_packs_all_of_a_large_room_at_once() {
    let mut room = room(3);
    (CLIENTS..1000).for_each(|number| room.handle(join(number), Micros(0)));
    outputs(&mut room);
    room.step(Micros(33_333));
    assert!(!room.tell(Micros(33_333), &Two));
    let told: Vec<_> = outputs(&mut room).into_iter().map(|(client, _)| client.0).collect();
    assert_eq!(told, (0..1000).collect::<Vec<_>>());
}
