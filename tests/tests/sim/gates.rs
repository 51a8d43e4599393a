//! What the snapshots of a fixed scene take, by counts that no machine changes: if one of these figures rises, something
//! became worse. Each gate is the measured figure and two per cent.

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::crowd::{Crowd, CrowdGame};
use tickwire_tests::sim::hello;

const CLIENTS: u32 = 150;
const WARM_UP: u64 = 40;
const TICKS: u64 = 60;

#[test]
fn bits_and_bytes() {
    // The density of the scene that the targets are about: 2,000 entities in 500 m × 500 m, seen up to 64 m.
    let config =
        RoomConfig { budget_bytes_per_s: 1 << 24, budget_bytes_per_s_max: 1 << 24, ..RoomConfig::default() };
    let mut room = Room::new(CrowdGame::new(7, 2000, 500.0, 64.0), config).expect("a schema");
    let mut watched = Session::<Crowd>::new(Identity::default()).expect("a schema");
    for client in (0..CLIENTS).map(ClientId) {
        room.handle(
            Event::Join {
                client,
                hello: hello::<Crowd>("gate"),
                resume: ResumeToken([0; 16]),
                subject: None,
            },
            Micros(0),
        );
    }
    let (mut bytes, mut frames, mut start) = (0, 0, room.counters().clone());
    for tick in 1..=WARM_UP + TICKS {
        if tick == WARM_UP + 1 {
            (bytes, frames, start) = (0, 0, room.counters().clone());
        }
        let now = Micros(tick * 33_333);
        let number = room.status().tick;
        room.tick(now);
        let mut sent = Vec::new();
        while let Some(output) = room.poll_output() {
            let Output::Send { client, bytes: frame } = output else { panic!("somebody was closed") };
            (bytes, frames) = (bytes + frame.len(), frames + 1);
            sent.push(client);
            if client == ClientId(0) {
                watched.handle_message(frame, now).expect("own message");
            }
        }
        for client in sent {
            let message = ClientMessage::Ack(Ack { applied: number, held_ms: 0 });
            room.handle(Event::Message { client, message }, now);
        }
    }
    let visible: usize = (0..CLIENTS)
        .filter_map(|number| room.packed(ClientId(number)))
        .map(|packed| packed.roster().slots().len())
        .sum();
    assert_eq!(watched.stats().mismatches, 0);
    assert!(watched.stats().updates > 2_000 && frames == u64::from(CLIENTS) * TICKS);
    let counters = room.counters();
    let updates = counters.updates_spliced - start.updates_spliced;
    let bits = (counters.updates_spliced_bits - start.updates_spliced_bits) as f64 / updates as f64;
    let visible = visible as f64 / f64::from(CLIENTS);
    let frame = bytes as f64 / frames as f64;
    eprintln!("{visible:.1} visible, {bits:.3} bits per update told, {frame:.2} bytes per client and tick");
    assert!((95.0..115.0).contains(&visible), "another scene");
    assert!(bits < BITS_MAX, "{bits:.3} bits per update");
    assert!(frame < BYTES_MAX, "{frame:.2} bytes per client and tick");
}

/// Of updates that are told, foreseen ones included.
const BITS_MAX: f64 = 6.3;
/// Of a whole frame: header, acknowledgements, enters and leaves, updates.
const BYTES_MAX: f64 = 55.9;
