//! What the flight recorder costs: the same arena with 200 players that walk, aim and shoot, recorded and not, tick by tick
//! in turn, without sockets and without the disk, so against the smallest possible whole. CPU time of the thread. Then the
//! recording is run again, so that what is measured has done its job.
//!
//! `cargo run --release -p tickwire-tests --bin record_bench`

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::recording::replay;
use tickwire_server::host::{Event, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros, Tick};
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::hello;

const CLIENTS: u32 = 200;
const TICKS: u32 = 1800;
const TICK_HZ: u16 = 30;
/// Until rosters are full and budgets known.
const WARM_UP_TICKS: u32 = 200;

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// One room and its players' chance.
struct Side {
    room: Room<ArenaGame>,
    dice: Dice,
    recording: Vec<u8>,
    spent: Vec<Duration>,
}

impl Side {
    fn new() -> Self {
        let config = ArenaConfig { bots: 0, drones: 100, ..ArenaConfig::default() };
        let room = RoomConfig { tick_hz: TICK_HZ, ..RoomConfig::default() };
        let mut room = Room::new(ArenaGame::new(config), room).expect("a game that makes sense");
        for number in 0..CLIENTS {
            let client = ClientId(number);
            let hello = hello::<Arena>(&format!("player {number}"));
            let resume = ResumeToken([0; 16]);
            room.handle(Event::Join { client, hello, resume, subject: None }, Micros(0));
        }
        Self { room, dice: Dice::new(1), recording: Vec::new(), spent: Vec::new() }
    }

    fn tick(&mut self, tick: u32) {
        let now = Micros(u64::from(tick) * 1_000_000 / u64::from(TICK_HZ));
        let messages: Vec<_> =
            (0..CLIENTS).filter_map(|number| Some((ClientId(number), self.message(tick)?))).collect();
        let before = cpu();
        for (client, message) in messages {
            self.room.handle(Event::Message { client, message }, now);
        }
        self.room.tick(now);
        while self.room.poll_output().is_some() {}
        self.room.poll_recording(&mut self.recording);
        self.spent.push(cpu() - before);
    }

    /// Four inputs in five ticks are others than before: more than any hand gives.
    fn message(&mut self, tick: u32) -> Option<ClientMessage<ArenaInput, tickwire_shared::arena::Command>> {
        if self.dice.one_in(5) {
            return None;
        }
        let walk =
            [self.dice.below(255) as i32 - 127, self.dice.below(255) as i32 - 127].map(|axis| axis as i8);
        let input = ArenaInput { walk, aim: self.dice.word() as u16, fire: self.dice.one_in(4) };
        let ack = (tick > 1).then(|| Ack { applied: Tick(tick - 1), held_ms: 0 });
        Some(ClientMessage::Input { seq: tick as u16, tick: self.room.status().tick, ack, input })
    }

    fn micros_per_tick(&self) -> f64 {
        let spent: Duration = self.spent[WARM_UP_TICKS as usize..].iter().sum();
        spent.as_secs_f64() * 1e6 / f64::from(TICKS - WARM_UP_TICKS)
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench keeps time")]
fn main() {
    let (mut plain, mut recorded) = (Side::new(), Side::new());
    recorded.room.write_recording_header(&mut recorded.recording);
    let begun = cpu();
    recorded.room.begin_recording(0, &mut recorded.recording);
    let (begin, key_bytes) = (cpu() - begun, recorded.recording.len());
    for tick in 1..=TICKS {
        // The one that comes second finds warm caches: each is second as often.
        if tick % 2 == 0 {
            plain.tick(tick);
            recorded.tick(tick);
        } else {
            recorded.tick(tick);
            plain.tick(tick);
        }
    }
    assert_eq!(plain.room.state_hash(), recorded.room.state_hash(), "recording changes nothing");
    let (without, with) = (plain.micros_per_tick(), recorded.micros_per_tick());
    let bytes_per_s = (recorded.recording.len() - key_bytes) as f64 * f64::from(TICK_HZ) / f64::from(TICKS);
    println!(
        "{CLIENTS} players, {} entities: {without:.0} µs per tick, recorded {with:.0} µs: {:+.2} %",
        plain.room.status().entities,
        (with / without - 1.0) * 100.0
    );
    println!(
        "{:.0} KiB/s; a file begins with {} KiB, which takes {} µs",
        bytes_per_s / 1024.0,
        key_bytes >> 10,
        begin.as_micros()
    );
    let started = Instant::now();
    let outcome = replay::<ArenaGame>(&recorded.recording, None, |_, _| ()).expect("a recording");
    assert_eq!((outcome.ticks, outcome.divergence), (u64::from(TICKS), None));
    println!(
        "run again in {} ms, {} shots within bounds",
        started.elapsed().as_millis(),
        recorded.room.counters().rewinds.within + recorded.room.counters().rewinds.unaimed
    );
}
