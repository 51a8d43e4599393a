//! Bytes that are not what they should be: nothing panics, nothing is half applied.

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::client::{Identity, Replica, Session};
use tickwire_shared::limits::PROTOCOL_VERSION;
use tickwire_shared::schema::Plan;
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken, decode_server};
use tickwire_shared::{ClientId, Micros, Protocol, Tick};
use tickwire_tests::chaos::{Chaos, ChaosGame};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};

/// A replica in the middle of a session, and the next frame for it.
fn replica_and_frames(seed: u64) -> (Replica<u16>, Vec<Vec<u8>>) {
    let config =
        RoomConfig { name: "test".to_owned(), tick_hz: 30, capacity: 9, seed, ..RoomConfig::default() };
    let mut room = Room::new(ChaosGame::new(seed, 30, 0.0), config).expect("a schema");
    let mut session = Session::<Chaos>::new(Identity::default()).expect("a schema");
    let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
    let ClientMessage::<u8, u32>::Hello(hello) = codec::decode(&hello).expect("own message") else {
        panic!("not a Hello")
    };
    assert_eq!(hello.protocol, PROTOCOL_VERSION);
    let client = ClientId(1);
    room.handle(Event::Join { client, hello, resume: ResumeToken([0; 16]), subject: None }, Micros(0));
    let mut frames = Vec::new();
    for tick in 1..60_u64 {
        room.tick(Micros(tick * 33_333));
        if tick == 45 {
            room.handle(
                Event::Message { client, message: ClientMessage::Resync { tick: Tick(1) } },
                Micros(0),
            );
        }
        while let Some(Output::Send { bytes, .. }) = room.poll_output() {
            if tick < 40 {
                session.handle_message(bytes, Micros(tick * 33_333)).expect("own message");
            } else {
                frames.push(bytes.to_vec());
            }
        }
        let ack = Ack { applied: Tick(tick as u32), held_ms: 0 };
        room.handle(Event::Message { client, message: ClientMessage::Ack(ack) }, Micros(tick * 33_333));
    }
    (session.replica().expect("welcomed").clone(), frames)
}

fn fingerprint(replica: &Replica<u16>) -> (u32, usize, Tick) {
    (replica.checksum(), replica.slots().len(), replica.tick())
}

#[test]
fn mutated_frames_never_panic_and_never_half_apply() {
    let applied = std::sync::atomic::AtomicU64::new(0);
    let refused = std::sync::atomic::AtomicU64::new(0);
    for_seeds(seed_count(20, 1000), |seed| {
        let mut dice = Dice::new(seed);
        let (replica, frames) = replica_and_frames(seed);
        let before = fingerprint(&replica);
        for round in 0..400 {
            let mut bytes = frames[dice.below(frames.len() as u32) as usize].clone();
            match round % 4 {
                0 => {
                    let at = dice.below(bytes.len() as u32) as usize;
                    bytes[at] ^= 1 << dice.below(8);
                }
                1 => bytes.truncate(dice.below(bytes.len() as u32) as usize),
                2 => bytes.extend((0..1 + dice.below(9)).map(|_| dice.word() as u8)),
                _ => {
                    let from = dice.below(bytes.len() as u32) as usize;
                    bytes[from..].iter_mut().for_each(|byte| *byte = dice.word() as u8);
                }
            }
            match replica.stage(&bytes) {
                // What still reads as a frame is applied whole, to a copy; that it is nonsense shows in a checksum.
                Ok(staged) => {
                    replica.clone().commit(staged);
                    applied.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                Err(_) => {
                    refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
            assert_eq!(fingerprint(&replica), before, "a frame that was only read changed the replica");
        }
    });
    let (applied, refused) = (applied.into_inner(), refused.into_inner());
    eprintln!("{applied} mutated frames still read as frames, {refused} were refused");
    assert!(applied > 0 && refused > applied / 4, "the mutations are too gentle or too rough");
}

#[test]
fn random_bytes_never_panic() {
    for_seeds(seed_count(200, 20_000), |seed| {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(&Chaos::schema());
        let replica = Replica::<u16>::new(plan, Chaos::tables(), Cadences::default(), Tick(5), None);
        for _ in 0..50 {
            let length = dice.below(200) as usize;
            let mut bytes: Vec<u8> = (0..length).map(|_| dice.word() as u8).collect();
            let _ = decode_server(&bytes);
            let _ = codec::decode::<ClientMessage<u8, u32>>(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = 1;
            }
            if let Ok(staged) = replica.stage(&bytes) {
                replica.clone().commit(staged);
            }
        }
    });
}

#[test]
fn a_session_refuses_what_comes_at_the_wrong_time() {
    let (_, frames) = replica_and_frames(1);
    let mut session = Session::<Chaos>::new(Identity::default()).expect("a schema");
    assert!(session.handle_message(&frames[0], Micros(0)).is_err(), "a frame before Welcome");
    assert!(session.handle_message(&[], Micros(0)).is_err());
    assert!(session.handle_message(&[9], Micros(0)).is_err());
    assert!(session.replica().is_none());
}
