//! What a client is not told it cannot work out, not even from the lengths of its frames.

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::ClientId;
use tickwire_shared::tick::Micros;
use tickwire_shared::wire::message::ResumeToken;
use tickwire_tests::chaos::{Chaos, ChaosGame, Leak, ONLOOKER};
use tickwire_tests::seeds::for_seeds;
use tickwire_tests::sim::hello;

/// What two clients were told at which ticks, and a hash of all worlds on the way.
pub(super) struct Told {
    pub(super) onlooker: Vec<(u64, Vec<u8>)>,
    insider: Vec<(u64, Vec<u8>)>,
    worlds: u64,
}

/// All messages that an onlooker receives while hidden fields take values that depend on `salt`.
pub(super) fn messages(seed: u64, salt: u32, leak: Leak) -> Told {
    let mut game = ChaosGame::new(seed, 40, 0.0);
    (game.hidden_salt, game.leak) = (salt, leak);
    let config =
        RoomConfig { name: "test".to_owned(), tick_hz: 30, capacity: 9, seed, ..RoomConfig::default() };
    let mut room = Room::new(game, config).expect("a schema");
    let onlooker = ClientId(1);
    room.handle(
        Event::Join {
            client: onlooker,
            hello: hello::<Chaos>(ONLOOKER),
            resume: ResumeToken([0; 16]),
            subject: None,
        },
        Micros(0),
    );
    let insider = ClientId(2);
    room.handle(
        Event::Join {
            client: insider,
            hello: hello::<Chaos>("insider"),
            resume: ResumeToken([0; 16]),
            subject: None,
        },
        Micros(0),
    );
    let (mut all, mut insiders) = (Vec::new(), Vec::new());
    let mut worlds = 0_u64;
    for tick in 1..60_u64 {
        room.tick(Micros(tick * 33_333));
        worlds = worlds.wrapping_mul(31).wrapping_add(room.state_hash());
        while let Some(output) = room.poll_output() {
            if let Output::Send { bytes, client } = output {
                let list = if client == onlooker { &mut all } else { &mut insiders };
                list.push((tick, bytes.to_vec()));
            }
        }
        let applied = tickwire_shared::Tick(tick as u32);
        let ack = tickwire_shared::wire::message::Ack { applied, held_ms: 0 };
        let message = tickwire_shared::wire::message::ClientMessage::Ack(ack);
        for client in [onlooker, insider] {
            room.handle(Event::Message { client, message: message.clone() }, Micros(tick * 33_333 + 1));
        }
    }
    Told { onlooker: all, insider: insiders, worlds }
}

#[test]
fn hidden_values_change_no_byte() {
    let differing = std::sync::atomic::AtomicU64::new(0);
    for_seeds(100, |seed| {
        let (one, other) = (messages(seed, 0, Leak::Nothing), messages(seed, 17, Leak::Nothing));
        assert_eq!(one.onlooker, other.onlooker, "the onlooker can tell the difference");
        // The control: somebody who may know is told something else.
        if one.worlds != other.worlds && one.insider != other.insider {
            differing.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    assert!(differing.into_inner() > 50, "the hidden values hardly differed");
}
