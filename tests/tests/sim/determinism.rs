//! The same seed and the same inputs give the same world at every tick, in every build.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Event, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::wire::message::{ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::hello;

/// Hash of the world after each of `ticks` ticks of a seeded game with four players.
fn hashes(seed: u64, ticks: u32) -> Vec<u64> {
    let config =
        RoomConfig { name: "test".to_owned(), tick_hz: 30, capacity: 9, seed, ..RoomConfig::default() };
    let game = ArenaGame::new(ArenaConfig { seed, ..ArenaConfig::default() });
    let mut room = Room::new(game, config).expect("a schema");
    let mut dice = Dice::new(seed);
    let clients = [1, 2, 3, 4].map(ClientId);
    for client in clients {
        room.handle(
            Event::Join { client, hello: hello::<Arena>("one"), resume: ResumeToken([0; 16]), subject: None },
            Micros(0),
        );
    }
    (0..ticks)
        .map(|tick| {
            let now = Micros(u64::from(tick) * 33_333);
            for client in clients {
                let walk =
                    [dice.below(255) as i32 - 127, dice.below(255) as i32 - 127].map(|axis| axis as i8);
                let input = ArenaInput { walk, aim: dice.word() as u16, fire: dice.one_in(2) };
                let stamp = room.status().tick;
                let message = ClientMessage::Input { seq: tick as u16, tick: stamp, ack: None, input };
                room.handle(Event::Message { client, message }, now);
            }
            room.tick(now);
            while room.poll_output().is_some() {}
            room.state_hash()
        })
        .collect()
}

#[test]
fn twice_the_same() {
    let (first, second) = (hashes(5, 400), hashes(5, 400));
    assert_eq!(first, second);
    assert_ne!(first, hashes(6, 400), "another seed must make a difference");
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert!(distinct.len() > 390, "the world hardly moved");
}

#[test]
fn the_same_in_every_build() {
    // Debug and release must both give this; a change of the rules changes it.
    assert_eq!(hashes(5, 400).last(), Some(&GOLDEN_WORLD));
}

const GOLDEN_WORLD: u64 = 4_025_958_355_720_877_998;
