//! A client that cannot keep up gets what is new, not what is old, and nobody else notices.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::Event;
use tickwire_shared::client::Happening;
use tickwire_shared::limits::WINDOW_FRAMES_MAX;
use tickwire_shared::wire::message::{Ack, ClientMessage};
use tickwire_shared::{CloseCode, Tick};
use tickwire_tests::chaos::ChaosGame;
use tickwire_tests::link::Profile;
use tickwire_tests::sim::Sim;

fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * share) as usize]
}

#[test]
fn half_the_bandwidth_gets_new_states_not_old_ones() {
    for seed in [4, 5, 6, 7] {
        let crowd = ArenaConfig { bots: 60, drones: 300, size_m: 120, seed, ..ArenaConfig::default() };
        let mut wide = Sim::new(ArenaGame::new(crowd), 30, seed);
        let id = wide.join("wide", Profile::default());
        wide.run(300);
        let bytes_per_s = wide.client(id).session.stats().received_bytes / 10;

        let mut narrow = Sim::new(ArenaGame::new(crowd), 30, seed);
        let (rate, rtt_ms) = (bytes_per_s / 2, 50);
        let profile = Profile { delay_micros: rtt_ms * 500, rate_bits: Some(rate * 8), ..Profile::default() };
        let id = narrow.join("narrow", profile);
        let witness = narrow.join("wide", Profile::default());
        // It joins, which alone takes seconds on such a link, and its rate is found.
        narrow.run(300);
        narrow.client(id).ages.clear();
        let before = (narrow.client(witness).frames, narrow.client(id).session.stats().received_bytes);
        narrow.run(900);
        let mut ages = narrow.client(id).ages.clone();
        let (p50, p99) = (percentile(&mut ages, 0.5) / 1000, percentile(&mut ages, 0.99) / 1000);
        let used = (narrow.client(id).session.stats().received_bytes - before.1) / 30;
        eprintln!(
            "{bytes_per_s} B/s wanted, {rate} B/s there, {used} used: age p50 {p50} ms, p99 {p99} ms of {} frames",
            ages.len()
        );
        assert!(p99 < rtt_ms + 100, "the client reads states that are {p99} ms old");
        assert!(ages.len() > 700, "{} frames of 900", ages.len());
        assert!(used * 100 > rate * 70, "{used} of {rate} B/s used");
        let counters = narrow.room.counters();
        assert!(counters.rate_cuts > 0 && counters.demotions + counters.parks > 0, "the ladder was not used");
        assert_eq!(narrow.client(witness).frames - before.0, 900, "the other client missed frames");
        narrow.assert_in_step();
    }
}

#[test]
fn jitter_alone_pauses_nobody() {
    for (delay_ms, jitter_ms) in [(0, 40), (40, 20), (80, 40)] {
        // All of it is near enough to be told of at every tick.
        let crowd = ArenaConfig { bots: 30, size_m: 50, ..ArenaConfig::default() };
        let mut sim = Sim::new(ArenaGame::new(crowd), 30, 4);
        let profile =
            Profile { delay_micros: delay_ms * 1000, jitter_micros: jitter_ms * 1000, ..Profile::default() };
        let id = sim.join("far", profile);
        sim.run(90);
        let before = sim.client(id).frames;
        sim.run(900);
        let frames = sim.client(id).frames - before;
        assert!(frames > 870, "{delay_ms} ms ± {jitter_ms}: {frames} of 900 frames");
        let status = sim.room.client(id).expect("in the room");
        eprintln!("{delay_ms} ms ± {jitter_ms}: {} rate cuts", sim.room.counters().rate_cuts);
        assert_eq!(status.tiers[1..], [0, 0], "told less often for jitter alone");
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
fn a_program_that_crawls_reads_new_states() {
    // It needs 60 ms for each message, twice as long as there is from one to the next, and stands still now and then.
    let crowd = ArenaConfig { bots: 40, drones: 60, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(crowd), 30, 8);
    let id = sim.join("crawls", Profile { delay_micros: 10_000, ..Profile::default() });
    sim.run(60);
    sim.client(id).micros_per_message = 60_000;
    sim.run(240);
    sim.client(id).ages.clear();
    for tick in 0..900 {
        sim.client(id).stalled = tick % 150 < 15;
        sim.step();
    }
    let mut ages = sim.client(id).ages.clone();
    let (p50, p90) = (percentile(&mut ages, 0.5) / 1000, percentile(&mut ages, 0.9) / 1000);
    eprintln!("a program that crawls: age p50 {p50} ms, p90 {p90} ms of {} frames", ages.len());
    assert!(p50 <= 150, "half of what it reads is older than {p50} ms");
    assert!(ages.len() > 150, "it read {} frames in 30 s", ages.len());
    sim.client(id).micros_per_message = 0;
    sim.client(id).stalled = false;
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
        let message = ClientMessage::Command(tick);
        let now = sim.now;
        sim.room.handle(Event::Message { client: id, message }, now);
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
    sim.room.handle(Event::Writable { client: id, writable: false }, now);
    sim.run(29 * 30);
    assert!(sim.client(id).closed.is_none(), "closed before the deadline");
    sim.run(2 * 30);
    assert_eq!(sim.client(id).closed.as_ref().map(|close| close.code), Some(CloseCode::TooSlow));
}

#[test]
fn false_acknowledgements_are_counted_and_change_nothing() {
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
fn inputs_are_quick_again_after_the_server_stood_still() {
    // A laptop that slept, or a machine that was too busy: ticks are skipped, so their numbers lag behind time.
    for stop_s in [1, 4, 60] {
        let mut sim = Sim::new(ChaosGame::new(8, 20, 0.0), 30, 8);
        let id = sim.join("player", Profile { delay_micros: 20_000, ..Profile::default() });
        sim.run(300);
        sim.now = sim.now.plus(stop_s * 1_000_000);
        sim.run(100);
        sim.client(id).happenings.clear();
        for tick in 0..150_u32 {
            let now = sim.now;
            sim.client(id).session.set_input((tick / 5 % 2) as u8, now);
            sim.step();
        }
        let seen = sim.client(id).happenings.iter().filter_map(|happening| match happening {
            Happening::InputSeen(micros) => Some(*micros / 1000),
            _ => None,
        });
        let delays: Vec<_> = seen.collect();
        assert!(delays.len() >= 27, "{stop_s} s: {} of 30 inputs were seen", delays.len());
        assert!(delays.iter().all(|ms| *ms < 200), "{stop_s} s: {delays:?}");
    }
}

#[test]
fn asking_for_everything_again_and_again_gets_it_once() {
    let mut sim = Sim::new(ArenaGame::new(ArenaConfig { drones: 300, ..ArenaConfig::default() }), 30, 8);
    let id = sim.join("greedy", Profile::default());
    sim.run(60);
    let before = sim.room.counters().clone();
    for _ in 0..40 {
        let now = sim.now;
        let message = ClientMessage::Resync { tick: Tick(0) };
        sim.room.handle(Event::Message { client: id, message }, now);
        sim.step();
    }
    let after = sim.room.counters();
    assert_eq!(after.state_mismatches - before.state_mismatches, 40);
    assert_eq!(after.resyncs - before.resyncs, 1);
}
