//! What the operator reads of where bits go: weighed from a few updates, and near what was sent all the same.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_tests::link::Profile;
use tickwire_tests::sim::Sim;

#[test]
fn bits_by_kind_and_group_add_up_to_those_of_updates() {
    let crowd = ArenaConfig { bots: 20, drones: 60, size_m: 150, seed: 9, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(crowd), 30, 9);
    for name in ["ann", "ben", "cat", "dan"] {
        sim.join(name, Profile::default());
    }
    sim.run(3000);
    let counters = sim.room.counters();
    let kinds = counters.kind_bits.kinds();
    let weighed: u64 = kinds.iter().flatten().sum();
    let share = weighed as f64 / counters.updates_spliced_bits as f64;
    eprintln!("{kinds:?}: {share:.3} of what was sent");
    assert!((0.9..1.1).contains(&share), "{share}");
    // Players and drones move; a mask comes with each of their updates.
    for bits in &kinds[..2] {
        let [position, angle, .., mask] = bits;
        assert!(*position > 0 && *mask > 0 && *angle > 0, "{kinds:?}");
    }
}
