//! The life of a room: who gets in, who is sent away, what ends it, what survives in a blob.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Event, Output, RestoreError, Room, RoomConfig};
use tickwire_server::simulation::Game;
use tickwire_shared::arena::Arena;
use tickwire_shared::tick::Micros;
use tickwire_shared::wire::message::{ClientMessage, Hello, ResumeToken};
use tickwire_shared::{ClientId, Close, CloseCode};
use tickwire_tests::chaos::{Chaos, ChaosGame};
use tickwire_tests::link::Profile;
use tickwire_tests::oracle::Oracle;
use tickwire_tests::sim::{Sim, hello};

fn config(capacity: usize) -> RoomConfig {
    RoomConfig { name: "test".to_owned(), tick_hz: 30, capacity, seed: 1, ..RoomConfig::default() }
}

fn join<G: Game>(room: &mut Room<G>, client: u32, hello: Hello) -> Option<Close> {
    let event = Event::Join { client: ClientId(client), hello, resume: ResumeToken([0; 16]), subject: None };
    room.handle(event, Micros(0));
    let mut close = None;
    while let Some(output) = room.poll_output() {
        if let Output::Close { close: with, .. } = output {
            close = Some(with);
        }
    }
    close
}

#[test]
fn another_schema_is_named() {
    let mut room = Room::new(ChaosGame::new(1, 5, 0.0), config(10)).expect("a schema");
    let close = join(&mut room, 1, hello::<Arena>("ann")).expect("refused");
    assert_eq!(close.code, CloseCode::SchemaMismatch);
    assert!(close.reason.contains("game chaos revision 1"), "{}", close.reason);

    let mut renamed = hello::<Chaos>("ann");
    renamed.schema ^= 1;
    renamed.parts[3] ^= 1;
    let close = join(&mut room, 2, renamed).expect("refused");
    assert!(close.reason.contains("Body.rotation"), "{}", close.reason);

    let other_protocol = Hello { protocol: 99, ..hello::<Chaos>("ann") };
    assert_eq!(join(&mut room, 3, other_protocol).map(|close| close.code), Some(CloseCode::SchemaMismatch));
    assert_eq!(join(&mut room, 4, hello::<Chaos>("ann")), None);
}

#[test]
fn a_full_room_says_so() {
    let mut room = Room::new(ChaosGame::new(1, 5, 0.0), config(2)).expect("a schema");
    assert_eq!(join(&mut room, 1, hello::<Chaos>("ann")), None);
    assert_eq!(join(&mut room, 2, hello::<Chaos>("ann")), None);
    let close = join(&mut room, 3, hello::<Chaos>("ann")).expect("refused");
    assert_eq!(close.code, CloseCode::Full);
    room.handle(Event::Leave { client: ClientId(1) }, Micros(0));
    assert_eq!(join(&mut room, 4, hello::<Chaos>("ann")), None);
}

#[test]
fn a_second_hello_ends_the_session() {
    let mut room = Room::new(ChaosGame::new(1, 5, 0.0), config(2)).expect("a schema");
    assert_eq!(join(&mut room, 1, hello::<Chaos>("ann")), None);
    let message = ClientMessage::Hello(hello::<Chaos>("ann"));
    room.handle(Event::Message { client: ClientId(1), message }, Micros(0));
    let close = room.poll_output();
    assert!(matches!(close, Some(Output::Close { close, .. }) if close.code == CloseCode::BadMessage));
    assert_eq!(room.status().clients, 0);
}

#[test]
fn an_impossible_input_ends_the_session() {
    let mut sim = Sim::new(ArenaGame::new(ArenaConfig::default()), 30, 1);
    let (good, bad) = (sim.join("good", Profile::default()), sim.join("bad", Profile::default()));
    sim.run(10);
    let input = tickwire_shared::arena::ArenaInput { walk: [i8::MIN, 0], ..Default::default() };
    let now = sim.now;
    sim.client(bad).session.set_input(input, now);
    let frames = sim.client(good).frames;
    sim.run(30);
    assert_eq!(sim.client(bad).closed.as_ref().map(|close| close.code), Some(CloseCode::BadMessage));
    assert_eq!(sim.room.counters().inputs.impossible, 1);
    assert!(sim.client(good).frames >= frames + 28, "the other client went on");
}

#[test]
fn a_panic_of_the_game_ends_its_room_only() {
    let mut game = ChaosGame::new(1, 20, 0.0);
    game.panic_at = Some(40);
    let (mut doomed, mut other) = (Sim::new(game, 30, 1), Sim::new(ChaosGame::new(2, 20, 0.0), 30, 2));
    let ids = [doomed.join("a", Profile::default()), doomed.join("b", Profile::default())];
    let witness = other.join("c", Profile::default());
    for _ in 0..60 {
        doomed.step();
        other.step();
    }
    for id in ids {
        assert_eq!(doomed.client(id).closed.as_ref().map(|close| close.code), Some(CloseCode::Internal));
    }
    assert!(doomed.room.status().ended);
    assert_eq!(doomed.room.counters().panics, 1);
    assert_eq!(doomed.room.counters().closes[&CloseCode::Internal], 2);
    assert!(other.client(witness).closed.is_none() && other.client(witness).frames > 50);
    // Whoever comes later is told that the room is closed, not left waiting.
    let close = join(&mut doomed.room, 77, hello::<Chaos>("ann")).expect("refused");
    assert_eq!(close.code, CloseCode::RoomClosed);
}

#[test]
fn silence_ends_the_session() {
    let mut sim = Sim::new(ChaosGame::new(1, 5, 0.0), 30, 1);
    let (quiet, lively) = (sim.join("quiet", Profile::default()), sim.join("lively", Profile::default()));
    sim.run(30);
    sim.client(quiet).up.cut();
    sim.run(30 * 9);
    assert!(sim.client(quiet).closed.is_none(), "closed before the deadline");
    sim.run(30 * 2);
    assert_eq!(sim.client(quiet).closed.as_ref().map(|close| close.code), Some(CloseCode::Deadline));
    assert!(sim.client(lively).closed.is_none());
}

#[test]
fn ending_a_room_tells_everybody() {
    let mut sim = Sim::new(ChaosGame::new(1, 5, 0.0), 30, 1);
    let ids = [sim.join("a", Profile::default()), sim.join("b", Profile::default())];
    sim.run(10);
    sim.room.handle(Event::End { close: Close::retry_after(CloseCode::GoingAway, 1500) }, sim.now);
    sim.step();
    for id in ids {
        let close = sim.client(id).closed.clone().expect("closed");
        assert_eq!(close.code, CloseCode::GoingAway);
        assert!(close.reason.contains("retry_after_ms=1500"));
    }
}

#[test]
fn a_saved_room_goes_on_where_it_was() {
    let mut sim = Sim::new(ArenaGame::new(ArenaConfig::default()), 30, 7);
    sim.join("ann", Profile::default());
    sim.run(200);
    sim.leave(ClientId(1));
    sim.run(50);
    let blob = sim.room.save();
    let restored = Room::<ArenaGame>::restore(&blob, config(10)).expect("the same game");
    let mut restored = Sim::with_room(restored, 30, 7);
    assert_eq!(restored.tick(), sim.tick());
    let newcomer = [sim.join("bob", Profile::default()), restored.join("bob", Profile::default())];
    for _ in 0..300 {
        sim.step();
        restored.step();
        assert_eq!(sim.room.state_hash(), restored.room.state_hash(), "at {:?}", sim.tick());
    }
    // Ids of sessions differ, and clients come before bots in the rules' order, so only worlds are compared.
    assert!(restored.client(newcomer[1]).frames > 200);
    restored.assert_in_step();
}

#[test]
fn clients_of_a_saved_room_are_gone_when_it_comes_back() {
    let mut sim = Sim::new(ArenaGame::new(ArenaConfig { bots: 0, ..ArenaConfig::default() }), 30, 7);
    sim.join("ann", Profile::default());
    sim.run(60);
    let players = |room: &Room<ArenaGame>| {
        room.world().iter().filter(|(_, entity)| !entity.spawn.name.is_empty()).count()
    };
    assert_eq!(players(&sim.room), 1);
    let restored = Room::<ArenaGame>::restore(&sim.room.save(), config(10)).expect("the same game");
    assert_eq!(players(&restored), 0);
}

#[test]
fn damaged_and_foreign_blobs_are_refused() {
    let room = Room::new(ChaosGame::new(1, 5, 0.0), config(2)).expect("a schema");
    let blob = room.save();
    let refused = |blob: &[u8]| Room::<ChaosGame>::restore(blob, config(2)).err().expect("refused");
    assert!(matches!(refused(&blob[..blob.len() - 1]), RestoreError::Damaged(_)));
    assert!(matches!(refused(&[]), RestoreError::Schema));
    let foreign = Room::<ArenaGame>::restore(&blob, config(2)).err().expect("refused");
    assert_eq!(foreign, RestoreError::Schema);
    let mut newer = blob.clone();
    newer[0] = 9;
    assert_eq!(refused(&newer), RestoreError::Format(9));
}

#[test]
fn a_room_that_rested_goes_on_as_it_was() {
    let arena = ArenaConfig { bots: 4, drones: 200, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(arena), 30, 3);
    let id = sim.join("ann", Profile::default());
    sim.run(90);
    // With somebody in it, it does not rest.
    let frames = sim.client(id).frames;
    sim.room.rest();
    sim.run(30);
    assert_eq!(sim.client(id).frames, frames + 30);
    sim.assert_in_step();
    for _ in 0..3 {
        let now = sim.now;
        let present: Vec<_> = sim.clients.keys().copied().collect();
        present.into_iter().for_each(|client| sim.room.handle(Event::Leave { client }, now));
        sim.clients.clear();
        while sim.room.poll_output().is_some() {}
        let (tick, hash) = (sim.tick(), sim.room.state_hash());
        sim.room.rest();
        assert_eq!((sim.tick(), sim.room.state_hash()), (tick, hash), "the world is what it was");
        assert_eq!(sim.room.capture().rows().len(), 0, "nothing is kept of what was told");
        // What was told before is not told anew: to whoever comes, everything was born just now.
        sim.oracle = Oracle::default();
        sim.now = sim.now.plus(100_000_000);
        let id = sim.join("bob", Profile { delay_micros: 20_000, ..Profile::default() });
        sim.run(90);
        assert!(sim.client(id).frames > 80, "{} frames", sim.client(id).frames);
        sim.assert_in_step();
    }
}

#[test]
fn what_nobody_will_be_told_of_is_not_captured() {
    let arena = ArenaConfig { bots: 4, drones: 100, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(arena), 30, 3);
    let mut other =
        Room::new(ArenaGame::new(arena), RoomConfig { seed: 3, ..config(1000) }).expect("a schema");
    for round in 0..3 {
        // Time goes on all the same.
        for _ in 0..40 {
            let (now, before) = (sim.now, sim.tick());
            sim.room.tick(now);
            assert_eq!(sim.tick().since(before), 1);
            assert_eq!(sim.room.capture().rows().len(), 0, "in round {round}");
        }
        if round == 0 {
            let mut sampled = Vec::new();
            other.begin_recording(0, &mut sampled);
            (0..40).for_each(|tick| other.tick(Micros(tick)));
            assert!(other.capture().rows().len() > 100, "a recording wants all of it");
            assert_eq!(other.state_hash(), sim.room.state_hash(), "the game notices nothing");
        }
        sim.oracle = Oracle::default();
        let id = sim.join("bob", Profile { delay_micros: 20_000, ..Profile::default() });
        sim.run(90);
        assert!(sim.client(id).frames > 80, "{} frames", sim.client(id).frames);
        sim.assert_in_step();
        let now = sim.now;
        let present: Vec<_> = sim.clients.keys().copied().collect();
        present.into_iter().for_each(|client| sim.room.handle(Event::Leave { client }, now));
        sim.clients.clear();
        while sim.room.poll_output().is_some() {}
    }
}
