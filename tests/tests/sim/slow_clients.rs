//! A client that cannot keep up gets what is new, not what is old, and nobody else notices.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_shared::CloseCode;
use tickwire_shared::limits::WINDOW_FRAMES_MAX;
use tickwire_tests::chaos::ChaosGame;
use tickwire_tests::link::Profile;
use tickwire_tests::sim::Sim;

fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * share) as usize]
}

#[test]
fn half_the_bandwidth_gets_new_states_not_old_ones() {
    let crowd = ArenaConfig { bots: 60, drones: 100, ..ArenaConfig::default() };
    let mut wide = Sim::new(ArenaGame::new(crowd), 30, 4);
    let id = wide.join("wide", Profile::default());
    wide.run(300);
    let bytes_per_s = wide.client(id).session.stats().received_bytes / 10;

    let mut narrow = Sim::new(ArenaGame::new(crowd), 30, 4);
    let rate = bytes_per_s / 2;
    let profile = Profile { delay_micros: 25_000, rate, ..Profile::default() };
    let id = narrow.join("narrow", profile);
    let witness = narrow.join("wide", Profile::default());
    narrow.run(300);
    narrow.client(id).ages.clear();
    let before = narrow.client(witness).frames;
    narrow.run(900);
    let mut ages = narrow.client(id).ages.clone();
    let (p50, p99) = (percentile(&mut ages, 0.5) / 1000, percentile(&mut ages, 0.99) / 1000);
    eprintln!(
        "{bytes_per_s} B/s wanted, {rate} B/s there: age p50 {p50} ms, p99 {p99} ms of {} frames",
        ages.len()
    );
    // Without a window the age would grow without end, by 15 s in these 30. With it, what counts is how long
    // the link takes for the few frames that may be in flight.
    let frame_ms = 30_000 / ages.len() as u64;
    assert!(p50 < 50 + 3 * frame_ms, "half of what the client reads is older than {p50} ms");
    assert!(p99 < 50 + 6 * frame_ms, "the client reads states that are {p99} ms old");
    assert!(narrow.room.counters().paused_client_ticks > 100, "the window never closed");
    assert_eq!(narrow.client(witness).frames - before, 900, "the other client missed frames");
    narrow.assert_in_step();
}

#[test]
fn jitter_alone_pauses_nobody() {
    for (delay_ms, jitter_ms) in [(0, 40), (40, 20), (80, 40)] {
        let crowd = ArenaConfig { bots: 30, ..ArenaConfig::default() };
        let mut sim = Sim::new(ArenaGame::new(crowd), 30, 4);
        let profile =
            Profile { delay_micros: delay_ms * 1000, jitter_micros: jitter_ms * 1000, ..Profile::default() };
        let id = sim.join("far", profile);
        sim.run(90);
        let before = sim.client(id).frames;
        sim.run(900);
        let frames = sim.client(id).frames - before;
        assert!(frames > 870, "{delay_ms} ms ± {jitter_ms}: {frames} of 900 frames");
        sim.assert_in_step();
    }
}

#[test]
fn a_stalled_program_comes_back_in_one_frame() {
    let mut sim = Sim::new(ChaosGame::new(8, 60, 0.0), 30, 8);
    let id = sim.join("stalls", Profile { delay_micros: 10_000, ..Profile::default() });
    sim.run(60);
    sim.client(id).stalled = true;
    sim.run(150);
    let frames = sim.client(id).frames;
    let resyncs = sim.room.counters().resyncs;
    sim.client(id).stalled = false;
    sim.run(6);
    let replica_tick = sim.client(id).session.replica().expect("welcomed").tick();
    assert!(sim.tick().since(replica_tick) <= 3, "not in the present after six ticks");
    let read = sim.client(id).frames - frames;
    assert!(read <= WINDOW_FRAMES_MAX as u64 + 6, "it had to read {read} frames to get there");
    assert_eq!(sim.room.counters().resyncs, resyncs + 1, "one frame brings it back");
    sim.run(120);
    sim.assert_in_step();
}

#[test]
fn whoever_never_acknowledges_is_closed_in_the_end() {
    // It sends inputs, so it is not silent, but it never says that it has applied anything.
    let mut sim = Sim::new(ChaosGame::new(8, 20, 0.0), 30, 8);
    let id = sim.join("liar", Profile::default());
    sim.run(30);
    sim.client(id).stalled = true;
    let mut closed_at = None;
    for tick in 0..1200_u32 {
        let message = tickwire_shared::wire::message::ClientMessage::Command(tick);
        let now = sim.now;
        sim.room.handle(tickwire_server::host::Event::Message { client: id, message }, now);
        sim.step();
        if sim.client(id).closed.is_some() && closed_at.is_none() {
            closed_at = Some(tick);
        }
    }
    assert_eq!(sim.client(id).closed.as_ref().map(|close| close.code), Some(CloseCode::TooSlow));
    let seconds = closed_at.unwrap_or_default() / 30;
    assert!((29..=32).contains(&seconds), "closed after {seconds} s");
}

#[test]
fn whoever_keeps_its_socket_full_is_closed_in_the_end() {
    // It goes on sending and acknowledging, and takes just enough that no write stalls for good.
    let mut sim = Sim::new(ChaosGame::new(8, 20, 0.0), 30, 8);
    let id = sim.join("trickle", Profile::default());
    sim.run(60);
    let now = sim.now;
    sim.room.handle(tickwire_server::host::Event::Writable { client: id, writable: false }, now);
    sim.run(29 * 30);
    assert!(sim.client(id).closed.is_none(), "closed before the deadline");
    sim.run(2 * 30);
    assert_eq!(sim.client(id).closed.as_ref().map(|close| close.code), Some(CloseCode::TooSlow));
}

#[test]
fn false_acknowledgements_are_counted_and_change_nothing() {
    use tickwire_server::host::Event;
    use tickwire_shared::Tick;
    use tickwire_shared::wire::message::{Ack, ClientMessage};
    let mut sim = Sim::new(ChaosGame::new(8, 20, 0.0), 30, 8);
    let id = sim.join("liar", Profile::default());
    sim.run(30);
    sim.client(id).stalled = true;
    for step in 0..200_u32 {
        let ack = Ack { applied: Tick(1_000_000 + step), held_ms: 0 };
        let now = sim.now;
        sim.room.handle(Event::Message { client: id, message: ClientMessage::Ack(ack) }, now);
        sim.step();
    }
    assert_eq!(sim.room.counters().false_acks, 200);
    assert!(sim.room.counters().paused_client_ticks > 180, "a lie opened the window");
}

#[test]
fn scratch_clock_after_a_stall() {
    for stall_s in [0_u64, 1, 2, 4] {
        let mut sim = Sim::new(ChaosGame::new(8, 20, 0.0), 30, 8);
        let id = sim.join("a", Profile { delay_micros: 20_000, ..Profile::default() });
        sim.run(300);
        sim.now = sim.now.plus(stall_s * 1_000_000);
        sim.client(id).happenings.clear();
        let mut worst = vec![];
        let c0 = sim.room.counters().inputs;
        for second in 0..10 {
            for tick in 0..30_u32 {
                let now = sim.now;
                if tick % 5 == 0 {
                    sim.client(id).session.set_input((second * 30 + tick) as u8 | 1, now);
                }
                sim.step();
            }
            let w = sim
                .client(id)
                .happenings
                .drain(..)
                .filter_map(|h| match h {
                    tickwire_shared::client::Happening::InputSeen(m) => Some(m / 1000),
                    _ => None,
                })
                .max();
            worst.push(w);
        }
        eprintln!(
            "stall {stall_s}: worst input latency ms per second {worst:?} {:?} -> {:?}",
            c0,
            sim.room.counters().inputs
        );
    }
}
