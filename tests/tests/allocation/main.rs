//! A steady tick asks for no memory: inputs and acknowledgements in, looks back, capture, updates, frames out. A test binary of its
//! own, since an allocator that counts is one for all.

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken, ViewAge};
use tickwire_shared::{ClientId, Micros, Tick, ViewTick};
use tickwire_tests::counting::Counting;
use tickwire_tests::crowd::{Crowd, CrowdGame};
use tickwire_tests::sim::hello;

#[global_allocator]
static MEMORY: Counting = Counting::new();

const CLIENTS: u32 = 40;

/// One tick with everything around it; says how often memory was asked for.
fn tick(room: &mut Room<CrowdGame>, number: u64, sent: &mut Vec<(ClientId, usize)>) -> u64 {
    let now = Micros(number * 33_333);
    let before = MEMORY.allocations();
    for client in 0..CLIENTS {
        if (number + u64::from(client)).is_multiple_of(15) {
            let input = (number % 7) as u8;
            let (seq, tick, ack) = (number as u16, room.status().tick, None);
            let view = ViewAge::of(ViewTick { tick: tick.minus(6), fraction: 99 }, tick);
            let message = ClientMessage::Aimed { seq, tick, ack, view, input };
            room.handle(Event::Message { client: ClientId(client), message }, now);
        }
    }
    room.tick(now);
    sent.clear();
    while let Some(output) = room.poll_output() {
        let Output::Send { client, bytes } = output else { panic!("somebody was closed") };
        sent.push((client, bytes.len()));
    }
    for (client, _) in sent.iter() {
        let message = ClientMessage::Ack(Ack { applied: Tick(number as u32), held_ms: 0 });
        room.handle(Event::Message { client: *client, message }, now);
    }
    MEMORY.allocations() - before
}

fn room(budget: u32) -> Room<CrowdGame> {
    // Everybody sees everything, so nobody enters: that has a spawn blob.
    let mut game = CrowdGame::new(5, 300, 200.0, 10_000.0);
    game.looking_back = true;
    let config = RoomConfig { budget_bytes_per_s_max: 1 << 20, ..RoomConfig::default() };
    let mut room = Room::new(game, config).expect("a schema");
    for client in (0..CLIENTS).map(ClientId) {
        let hello = tickwire_shared::wire::message::Hello { budget, ..hello::<Crowd>("steady") };
        room.handle(Event::Join { client, hello, resume: ResumeToken([0; 16]), subject: None }, Micros(0));
    }
    room
}

// One test: they would count each other's.
#[test]
fn a_steady_tick_asks_for_no_memory() {
    for (what, budget) in [("plenty", 1 << 20), ("a budget that is not enough", 2_000)] {
        let mut room = room(budget);
        let mut sent = Vec::with_capacity(1000);
        let warm_up = (1..400).map(|number| tick(&mut room, number, &mut sent)).sum::<u64>();
        let (mut asked, mut bytes) = (0, 0);
        for number in 400..1000 {
            asked += tick(&mut room, number, &mut sent);
            bytes += sent.iter().map(|(_, bytes)| bytes).sum::<usize>();
        }
        eprintln!(
            "{what}: {warm_up} allocations to warm up, then {asked} in 600 ticks that sent {bytes} bytes"
        );
        assert!(bytes > 600 * CLIENTS as usize * 20, "hardly anything was sent");
        assert_eq!(asked, 0, "{what}");
        assert!(
            room.counters().rewinds.within > 600 * u64::from(CLIENTS) / 2,
            "{:?}",
            room.counters().rewinds
        );
    }
}
