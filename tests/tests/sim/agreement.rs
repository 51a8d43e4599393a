//! What a client drew when it said so, and what the room showed the game for it, are the same.

use std::collections::{BTreeMap, BTreeSet};

use tickwire_server::host::{Room, RoomConfig};
use tickwire_server::snapshot::Telling;
use tickwire_shared::client::Freshness;
use tickwire_shared::schema::View;
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::{ClientId, NetId};
use tickwire_tests::chaos::{ChaosEntity, ChaosGame, LOOKS_BACK};
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

const CLIENTS: u32 = 5;
/// So long after a change of how a client is told of an entity, both ends mean the same moment again.
const SETTLED_STEPS: u32 = 45;

/// How a client is told of an entity, if it is, and since which step.
type Told = (Option<(Telling, View)>, u32);

/// How clients are told of entities.
#[derive(Default)]
struct Changes(BTreeMap<(ClientId, NetId), Told>);

impl Changes {
    fn note(&mut self, room: &Room<ChaosGame>, client: ClientId, step: u32) {
        let Some(packed) = room.packed(client) else { return };
        let told: BTreeMap<_, _> =
            packed.roster().slots().iter().map(|slot| (slot.id, (Telling::from(slot), slot.view))).collect();
        let known = self.0.range((client, NetId(0))..=(client, NetId(u32::MAX)));
        let known: BTreeSet<_> = known.map(|((_, id), _)| *id).chain(told.keys().copied()).collect();
        for id in known {
            let entry = self.0.entry((client, id)).or_insert((None, 0));
            if entry.0 != told.get(&id).copied() {
                *entry = (told.get(&id).copied(), step);
            }
        }
    }

    fn is_settled(&self, client: ClientId, id: NetId, step: u32) -> bool {
        self.0.get(&(client, id)).is_none_or(|(_, at)| at + SETTLED_STEPS < step)
    }
}

#[test]
fn the_game_looks_back_to_what_was_drawn() {
    for_seeds(seed_count(3, 30), |seed| {
        let mut dice = Dice::new(seed);
        // With twelve ticks more the slowest would be beyond the cap.
        let cadences = [[1, 3, 6], [1, 2, 4], [1, 1, 2]][seed as usize % 3];
        let cadences = Cadences::try_from(cadences).expect("cadences");
        let mut game = ChaosGame::new(seed, 60, 70.0);
        (game.detail, game.veil) = (20.0, 1);
        let config = RoomConfig { seed, cadences, rewind_micros: 500_000, ..RoomConfig::default() };
        let room = Room::new(game, config).expect("a game that makes sense");
        let mut sim = Sim::with_room(room, 30, seed);
        for _ in 0..CLIENTS {
            let profile = Profile { delay_micros: u64::from(dice.below(60_000)), ..Profile::default() };
            sim.join("ann", profile);
        }
        let mut drawn: BTreeMap<(ClientId, u8), BTreeMap<NetId, (Freshness, ChaosEntity)>> = BTreeMap::new();
        let mut held: BTreeMap<ClientId, u8> = BTreeMap::new();
        let mut changes = Changes::default();
        let (mut alike, mut other, mut unseen) = (0, 0, 0);
        for step in 0..600_u32 {
            let now = sim.now;
            for client in (1..=CLIENTS).map(ClientId) {
                let input = LOOKS_BACK | (step % 128) as u8;
                let session = &mut sim.client(client).session;
                let Some(view) = session.view(now) else { continue };
                let shown = view.entities().map(|shown| (shown.id, (shown.freshness, shown.state)));
                drawn.insert((client, input), shown.collect());
                session.set_input(input, now);
            }
            sim.step();
            for client in (1..=CLIENTS).map(ClientId) {
                changes.note(&sim.room, client, step);
                let Some((input, looked_back)) = sim.room.game().looked_back.get(&client) else { continue };
                // While an input is held, the moment goes on.
                if held.insert(client, *input) == Some(*input) || step < 150 {
                    continue;
                }
                let Some(drawn) = drawn.get(&(client, *input)) else { continue };
                for (id, shown) in looked_back.iter().filter(|(id, _)| changes.is_settled(client, *id, step))
                {
                    match (shown, drawn.get(id)) {
                        (None, None) => unseen += 1,
                        (Some(shown), Some((Freshness::Interpolated, drawn))) if is_like(shown, drawn) => {
                            alike += 1
                        }
                        (Some(_), Some((Freshness::Interpolated, _))) => other += 1,
                        (Some(_), Some(_)) => {}
                        (shown, drawn) => panic!("{client:?} and {id:?} at {step}: {shown:?}, but {drawn:?}"),
                    }
                }
            }
        }
        println!("{alike} alike, {other} not, {unseen} unseen");
        assert!(alike > 5000 && unseen > 1000, "{alike} alike, {unseen} unseen");
        assert_eq!(other, 0, "drawn otherwise, beside {alike} that were not");
    });
}

/// Whether two are the same but for a quantum.
fn is_like(a: &ChaosEntity, b: &ChaosEntity) -> bool {
    match (a, b) {
        (ChaosEntity::Body(a), ChaosEntity::Body(b)) => {
            let turned = a.rotation.dot(b.rotation).abs();
            a.position.abs_diff_eq(b.position, 0.011) && turned > 0.999 && a.number == b.number
        }
        (ChaosEntity::Piece(a), ChaosEntity::Piece(b)) => a.position.abs_diff_eq(b.position, 0.051),
        (ChaosEntity::Score(a), ChaosEntity::Score(b)) => a.points == b.points,
        _ => false,
    }
}
