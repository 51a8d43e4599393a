//! Who sees what: compared, every tick, with a search by hand over the whole world.

use tickwire_server::simulation::{Game, Interest};
use tickwire_shared::schema::ReplicateKinds;
use tickwire_shared::{ClientId, NetId};
use tickwire_tests::chaos::{ChaosEntity, ChaosGame};
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::{for_seeds, seed_count};
use tickwire_tests::sim::Sim;

/// A roster is worked out anew at least this often, in ticks: five times a second at the 30 Hz of these tests.
const REFRESH_TICKS: usize = 6;

/// How far away an entity is as clients know it; `None` is "everywhere".
fn distance(sim: &Sim<ChaosGame>, client: ClientId, entity: &ChaosEntity) -> Option<f32> {
    let viewpoint = sim.room.game().viewpoint(sim.room.world(), client);
    let place = match entity {
        ChaosEntity::Body(body) => body.position.clamp(glam::Vec3::splat(-100.0), glam::Vec3::splat(100.0)),
        ChaosEntity::Piece(piece) => piece.position.extend(0.0),
        ChaosEntity::Score(_) => return None,
    };
    Some(place.distance(viewpoint.position))
}

/// Ids that must be in the roster now if they were so for a while, and ids that may be.
fn by_hand(sim: &Sim<ChaosGame>, client: ClientId) -> (Vec<NetId>, Vec<NetId>) {
    let game = sim.room.game();
    let avatar = game.viewpoint(sim.room.world(), client).avatar;
    let (mut must, mut may) = (Vec::new(), Vec::new());
    for (key, entity) in sim.room.world().iter() {
        if Some(key) == avatar || game.is_veiled(entity.id, client) {
            continue;
        }
        let (enter, leave) = match game.interest(entity.state.kind()) {
            Interest::Everything => (f32::MAX, f32::MAX),
            Interest::Radius { enter, leave } => (enter, leave),
        };
        // Quantizing moves a place by a few hundredths at most.
        let distance = distance(sim, client, &entity.state).unwrap_or(0.0);
        if distance < enter - 0.1 {
            must.push(entity.id);
        }
        // Between two looks an entity may have gone farther than the radius of leaving.
        if distance < leave + 0.1 {
            may.push(entity.id);
        }
    }
    (must, may)
}

#[test]
fn rosters_are_those_found_by_hand() {
    for_seeds(seed_count(12, 400), |seed| {
        let mut game = ChaosGame::new(seed, 60, [0.0, 25.0, 50.0][(seed % 3) as usize]);
        game.veil = u32::from(seed % 2 == 0);
        let mut sim = Sim::new(game, 30, seed);
        let ids = [sim.join("one", Profile::default()), sim.join("two", Profile::default())];
        let mut history: Vec<Vec<_>> = Vec::new();
        let mut checked = 0;
        for tick in 0..200_u32 {
            let now = sim.now;
            sim.client(ids[0]).session.set_input((tick / 20 % 16) as u8, now);
            sim.step();
            history.push(ids.iter().map(|id| by_hand(&sim, *id)).collect());
            let recent = &history[history.len().saturating_sub(REFRESH_TICKS + 1)..];
            if recent.len() <= REFRESH_TICKS {
                continue;
            }
            for (index, id) in ids.iter().enumerate() {
                let packed = sim.room.packed(*id).expect("in the room");
                let roster: Vec<NetId> = packed.roster().slots().iter().map(|slot| slot.id).collect();
                for wanted in &recent[recent.len() - 1][index].0 {
                    let for_a_while = recent.iter().all(|then| then[index].0.contains(wanted));
                    assert!(!for_a_while || roster.contains(wanted), "{wanted:?} is not seen");
                    checked += 1;
                }
                for seen in &roster {
                    let allowed = recent.iter().any(|then| then[index].1.contains(seen));
                    assert!(allowed, "{seen:?} is seen and has not been allowed for {REFRESH_TICKS} ticks");
                    // Whatever may not be known at all leaves in the very tick.
                    assert!(
                        !sim.room.game().is_veiled(*seen, *id),
                        "{seen:?} is veiled from {id:?} and seen"
                    );
                }
            }
        }
        assert!(checked > 500, "hardly anything was to be seen");
        sim.assert_in_step();
    });
}
