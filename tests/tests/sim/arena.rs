//! The demo game plays as it says.

use glam::Vec2;
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::Event;
use tickwire_shared::Tick;
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::motion::PLAYER_RADIUS_M;
use tickwire_shared::arena::{ArenaEntity, ArenaEvent, ArenaInput, Command};
use tickwire_shared::client::Happening;
use tickwire_shared::wire::message::ClientMessage;
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::Sim;

fn quiet() -> ArenaConfig {
    ArenaConfig { bots: 0, drones: 0, pickups: 0, ..ArenaConfig::default() }
}

#[test]
fn a_player_walks_and_others_see_it() {
    let mut sim = Sim::new(ArenaGame::new(quiet()), 30, 2);
    let (ann, bob) = (sim.join("ann", Profile::default()), sim.join("bob", Profile::default()));
    sim.run(10);
    let place = |sim: &mut Sim<ArenaGame>| {
        sim.client(bob).session.entities().find_map(|(_, entity)| match entity {
            ArenaEntity::Player(player) => Some(player.position),
            _ => None,
        })
    };
    let before = place(&mut sim).expect("bob sees ann");
    let now = sim.now;
    sim.client(ann).session.set_input(ArenaInput::new(Vec2::new(1.0, 1.0), 0.5, false), now);
    sim.run(30);
    let after = place(&mut sim).expect("bob sees ann");
    assert!(before.distance(after) > 1.0, "ann stood still");
    let own = sim.client(ann).session.private().expect("welcomed");
    assert!(own.position.distance(after) < 0.5, "ann and bob disagree on where she is");
    sim.assert_in_step();
}

#[test]
fn chat_reaches_everybody_without_control_characters() {
    let mut sim = Sim::new(ArenaGame::new(quiet()), 30, 2);
    let (ann, bob) = (sim.join("ann", Profile::default()), sim.join("bob", Profile::default()));
    sim.run(10);
    assert!(sim.client(ann).session.send_command(Command::Chat("hi\u{7} there".to_owned())));
    sim.run(10);
    let heard = sim.client(bob).happenings.iter().any(|happening| {
        matches!(happening, Happening::Game(_, ArenaEvent::Chat { name, text }) if name == "ann" && text == "hi there")
    });
    assert!(heard);
}

#[test]
fn fights_end_in_death_respawn_and_score() {
    let config = ArenaConfig { size_m: 50, bots: 12, drones: 10, pickups: 6, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(config), 30, 3);
    let ann = sim.join("ann", Profile::default());
    sim.run(30 * 60);
    let happenings = &sim.client(ann).happenings;
    let count = |wanted: fn(&ArenaEvent) -> bool| {
        happenings
            .iter()
            .filter(|happening| matches!(happening, Happening::Game(_, event) if wanted(event)))
            .count()
    };
    assert!(count(|event| matches!(event, ArenaEvent::Killed { .. })) > 3, "nobody died in a minute");
    assert!(count(|event| matches!(event, ArenaEvent::Shot { hit: Some(_), .. })) > 20);
    assert!(count(|event| matches!(event, ArenaEvent::Taken { .. })) > 0, "nothing was picked up");
    let best = sim.client(ann).session.entities().filter_map(|(_, entity)| match entity {
        ArenaEntity::Player(player) => Some(player.score),
        _ => None,
    });
    assert!(best.max().is_some_and(|score| score > 2));
    sim.assert_in_step();
}

#[test]
fn a_weapon_fires_as_often_as_it_can_whatever_is_asked_of_it() {
    let mut sim = Sim::new(ArenaGame::new(quiet()), 30, 2);
    let ann = sim.join("ann", Profile::default());
    sim.run(10);
    let (mut seq, mut cooldown) = (1_000, 0);
    for step in 0..300_u32 {
        // Ten shots for each tick, for the next ones, and for those that are over.
        for shot in 0..10 {
            let tick = Tick(sim.tick().0 + shot / 3).minus(step % 3);
            let input = ArenaInput::new(Vec2::ZERO, 0.1 * step as f32, shot % 4 > 0);
            seq += 1;
            let message = ClientMessage::Input { seq, tick, ack: None, input };
            sim.room.handle(Event::Message { client: ann, message }, sim.now);
        }
        sim.step();
        cooldown = cooldown.max(sim.client(ann).session.private().expect("welcomed").cooldown_ticks);
    }
    sim.run(10);
    let shots = sim.client(ann).happenings.iter().filter_map(|happening| match happening {
        Happening::Game(tick, ArenaEvent::Shot { .. }) => Some(*tick),
        _ => None,
    });
    let shots: Vec<_> = shots.collect();
    assert!(cooldown >= 10 && shots.len() > 10, "{} shots, {cooldown} ticks between them", shots.len());
    for pair in shots.windows(2) {
        assert!(pair[1].since(pair[0]) >= i32::from(cooldown), "{pair:?}, {cooldown} are the least");
    }
}

#[test]
fn half_of_the_drones_rest() {
    let config = ArenaConfig { drones: 300, bots: 0, pickups: 0, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(config), 30, 3);
    sim.run(600);
    let places = |sim: &Sim<ArenaGame>| -> Vec<Vec2> {
        sim.room
            .world()
            .iter()
            .filter_map(|(_, entity)| match &entity.state {
                ArenaEntity::Drone(drone) => Some(drone.position),
                _ => None,
            })
            .collect()
    };
    let before = places(&sim);
    sim.run(5);
    let resting = before.iter().zip(places(&sim)).filter(|(a, b)| **a == *b).count();
    assert!((90..=210).contains(&resting), "{resting} of 300 rest");
}

#[test]
fn nobody_ends_up_inside_an_obstacle_or_outside_the_arena() {
    for seed in 0..5 {
        let map = Map::new(seed, 200);
        let mut dice = Dice::new(seed);
        for _ in 0..2000 {
            let place = Vec2::new(dice.between(-110.0, 110.0), dice.between(-110.0, 110.0));
            let mut out = place;
            // Boxes that overlap push to and fro; a few rounds free everybody.
            for _ in 0..4 {
                out = map.push_out(out, PLAYER_RADIUS_M);
            }
            assert!(out.abs().max_element() <= map.half_m());
            let inside = map.near(out).any(|obstacle| {
                let offset = (out - obstacle.centre).abs();
                offset.x < obstacle.half.x && offset.y < obstacle.half.y
            });
            assert!(!inside, "seed {seed}: pushed from {place} to {out}, which is inside");
        }
    }
}

#[test]
fn far_entities_are_not_told() {
    let config =
        ArenaConfig { size_m: 1000, drones: 400, bots: 0, pickups: 0, view_radius_m: 100.0, seed: 1 };
    let mut sim = Sim::new(ArenaGame::new(config), 30, 3);
    let ann = sim.join("ann", Profile::default());
    sim.run(300);
    let own = sim.client(ann).session.private().expect("welcomed").position;
    let seen: Vec<_> = sim
        .client(ann)
        .session
        .entities()
        .filter_map(|(slot, entity)| match entity {
            ArenaEntity::Drone(drone) => Some((slot.id, drone.position.distance(own))),
            _ => None,
        })
        .collect();
    assert!(seen.iter().all(|(_, distance)| *distance < 113.5), "sees beyond the radius");
    let near: Vec<_> = sim
        .room
        .world()
        .iter()
        .filter(|(_, entity)| match &entity.state {
            ArenaEntity::Drone(drone) => drone.position.distance(own) < 99.0,
            _ => false,
        })
        .map(|(_, entity)| entity.id)
        .collect();
    assert!(near.len() > 3, "the test needs somebody near");
    for id in near {
        assert!(seen.iter().any(|(other, _)| *other == id), "{id:?} is near and not seen");
    }
}
