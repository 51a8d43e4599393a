//! What it costs a room to be looked into: the time of its ticks, and of each answer, in a room of 500 clients that see 60 others
//! each; and what share of the ticks' time a page takes that asks as the inspector's page does. Times are medians, so that
//! what else the machine does matters little.
//!
//! `cargo run --release -p tickwire-tests --bin inspect_bench`

use std::time::Instant;

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::inspecting::{Findings, Inquiry};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::wire::message::{Ack, ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, Micros, NetId};
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::hello;

const CLIENTS: u32 = 500;
const TICK_HZ: u16 = 30;
const WARM_UP_TICKS: u64 = 120;
const TICKS: u64 = 600;
/// The client that is looked at.
const EYE: ClientId = ClientId(77);
/// What may be spent on it, as a share of the ticks.
const SHARE_MAX: f64 = 0.05;

fn main() {
    let arena = ArenaConfig {
        size_m: 600,
        view_radius_m: 110.0,
        drones: 40,
        bots: 0,
        pickups: 0,
        ..ArenaConfig::default()
    };
    let config = RoomConfig { tick_hz: TICK_HZ, ..RoomConfig::default() };
    let mut room = Room::new(ArenaGame::new(arena), config).expect("a schema");
    for client in (0..CLIENTS).map(ClientId) {
        let (hello, resume) = (hello::<Arena>("bench"), ResumeToken([0; 16]));
        room.handle(Event::Join { client, hello, resume, subject: None }, Micros(0));
    }
    let mut dice = Dice::new(1);
    for tick in 0..WARM_UP_TICKS {
        step(&mut room, tick, &mut dice);
    }
    let packed = room.packed(EYE).expect("in the room");
    let visible = packed.roster().slots().len();
    let entity = packed.roster().slots().first().expect("it sees somebody").id;
    let inquiries = [
        // As often per second as the page asks.
        ("map as a client sees it", 2.5, Inquiry::Map { client: Some(EYE) }),
        ("clients", 1.0, Inquiry::Clients { after: None }),
        ("why", 1.43, Inquiry::Why { client: EYE, entity }),
    ];
    let mut ticks = Vec::new();
    let mut answers = vec![Vec::new(); inquiries.len()];
    for tick in WARM_UP_TICKS..WARM_UP_TICKS + TICKS {
        ticks.push(step(&mut room, tick, &mut dice));
        let (_, _, inquiry) = inquiries[tick as usize % inquiries.len()];
        let begun = clock();
        let found =
            room.inspect(inquiry, Micros(tick * 33_333)).or_else(|_| room.inspect(again(&room), Micros(0)));
        answers[tick as usize % inquiries.len()].push(begun.elapsed().as_secs_f64());
        check(&found.expect("an answer"));
    }
    let tick = median(&mut ticks);
    println!("{CLIENTS} clients, {visible} in view of the one looked at: {:.3} ms per tick", tick * 1e3);
    let mut spent = 0.0;
    for ((what, per_s, _), answers) in inquiries.iter().zip(&mut answers) {
        let answer = median(answers);
        spent += answer * per_s;
        println!("{what}: {:.1} us, {per_s} times a second", answer * 1e6);
    }
    let share = spent / (tick * f64::from(TICK_HZ));
    println!("together {:.2} % of the ticks' time", share * 100.0);
    assert!(share < SHARE_MAX, "looking costs too much");
}

/// Who was looked at may be gone: somebody else.
fn again(room: &Room<ArenaGame>) -> Inquiry {
    let slots = room.packed(EYE).map(|packed| packed.roster().slots()).unwrap_or_default();
    Inquiry::Why { client: EYE, entity: slots.first().map_or(NetId(0), |slot| slot.id) }
}

fn check(findings: &Findings) {
    match findings {
        Findings::Clients(list) => assert_eq!(list.clients.len(), CLIENTS as usize),
        Findings::Map(map) => assert!(map.entities.len() > CLIENTS as usize),
        Findings::Why(why) => assert!(why.fields.len() > 1),
    }
}

/// One tick with what clients send; says how long the tick itself took.
fn step(room: &mut Room<ArenaGame>, tick: u64, dice: &mut Dice) -> f64 {
    let now = Micros(tick * 33_333);
    for client in (0..CLIENTS).map(ClientId) {
        if dice.one_in(12) {
            let walk = [dice.word() as i8 / 2, dice.word() as i8 / 2];
            let input = ArenaInput { walk, aim: dice.word() as u16, fire: false };
            let message =
                ClientMessage::Input { seq: tick as u16, tick: room.status().tick, ack: None, input };
            room.handle(Event::Message { client, message }, now);
        }
    }
    let number = room.status().tick;
    let begun = clock();
    room.tick(now);
    let took = begun.elapsed().as_secs_f64();
    while let Some(output) = room.poll_output() {
        let Output::Send { client, .. } = output else { panic!("somebody was closed") };
        let message = ClientMessage::Ack(Ack { applied: number, held_ms: 0 });
        room.handle(Event::Message { client, message }, now);
    }
    took
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}
