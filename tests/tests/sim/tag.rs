//! Another game on the same server: three dimensions, rotations, teams, spectators.

use tickwire_shared::CloseCode;
use tickwire_shared::client::Happening;
use tickwire_tag::{TagEntity, TagGame, Thrust};
use tickwire_tests::link::Profile;
use tickwire_tests::sim::Sim;

#[test]
fn a_second_game_plays() {
    let mut sim = Sim::new(TagGame::default(), 60, 1);
    let ann = sim.join("ann", Profile::default());
    let bob = sim.join("bob", Profile::default());
    let watcher = sim.join("spectator", Profile::default());
    sim.run(30);
    let now = sim.now;
    sim.client(bob).session.set_input(Thrust::Along(0, false), now);
    sim.run(12);
    let now = sim.now;
    sim.client(bob).session.set_input(Thrust::Hover, now);
    sim.run(120);
    let watching = &sim.client(watcher).session;
    let flyers: Vec<_> = watching
        .entities()
        .filter_map(|(slot, entity)| match entity {
            TagEntity::Flyer(flyer) => Some((slot.spawn.clone(), flyer)),
            TagEntity::Beacon(_) => None,
        })
        .collect();
    assert_eq!(flyers.len(), 2);
    assert_eq!(flyers.iter().filter(|(_, flyer)| flyer.it).count(), 1, "one of them is it");
    assert!(flyers.iter().all(|(_, flyer)| flyer.breath == 0), "a spectator is told nobody's breath");
    assert!(watching.entities().any(|(_, entity)| matches!(entity, TagEntity::Beacon(_))));
    assert!(watching.avatar().is_none());
    let caught = sim.client(ann).happenings.iter().any(|happening| matches!(happening, Happening::Game(..)));
    assert!(caught, "bob flew into ann and nobody was caught");
    sim.assert_in_step();
}

#[test]
fn an_impossible_choice_is_refused() {
    let mut sim = Sim::new(TagGame::default(), 60, 1);
    let ann = sim.join("ann", Profile::default());
    sim.run(10);
    let now = sim.now;
    sim.client(ann).session.set_input(Thrust::Along(7, true), now);
    sim.run(10);
    assert_eq!(sim.client(ann).closed.as_ref().map(|close| close.code), Some(CloseCode::BadMessage));
}
