//! What a room says of why a client sees an entity or does not: compared with what that client's replica holds, with a search by
//! hand over the whole world, and with the bits that went out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tickwire_server::host::inspecting::{Explanation, Findings, Inquiry, Map, MapEntity, NoFindings};
use tickwire_server::host::{Event, Room, RoomConfig};
use tickwire_server::simulation::{Game, Interest};
use tickwire_server::snapshot::Due;
use tickwire_shared::client::{Identity, Replica};
use tickwire_shared::schema::{FieldClass, ReplicateKinds, View};
use tickwire_shared::wire::cadence::Tier;
use tickwire_shared::{ClientId, KindId, NetId};
use tickwire_tests::chaos::{ChaosEntity, ChaosGame};
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

const TICKS: u32 = 240;
const STANDINGS: [&str; 6] = ["told", "parked", "leaves", "waits", "enters", "unseen"];
const RULES: [&str; 5] = ["avatar", "too_far", "hidden", "near", "everywhere"];

/// What was said after one tick about everything, for one client.
struct Said {
    map: Map,
    /// About a few entities in detail.
    whys: Vec<Explanation>,
}

/// A slot as the bits of this tick were made for it.
type Lane = (NetId, Tier, View);

#[derive(Default)]
struct Log {
    /// By client and tick.
    said: BTreeMap<(ClientId, u64), Said>,
    /// The quantized states of everything, by tick.
    states: BTreeMap<u64, BTreeMap<NetId, Vec<i32>>>,
    told_before: BTreeMap<ClientId, BTreeSet<Lane>>,
    counts: BTreeMap<&'static str, u64>,
}

fn map(room: &Room<ChaosGame>, client: ClientId, sim: &Sim<ChaosGame>) -> Map {
    match room.inspect(Inquiry::Map { client: Some(client) }, sim.now) {
        Ok(Findings::Map(map)) => map,
        other => panic!("no map but {other:?}"),
    }
}

fn explain(sim: &Sim<ChaosGame>, client: ClientId, entity: NetId) -> Explanation {
    match sim.room.inspect(Inquiry::Why { client, entity }, sim.now) {
        Ok(Findings::Why(why)) => *why,
        other => panic!("no explanation but {other:?}"),
    }
}

/// How far away an entity is by hand; `None` is everywhere.
fn distance(sim: &Sim<ChaosGame>, client: ClientId, entity: &ChaosEntity) -> Option<f32> {
    let place = match entity {
        ChaosEntity::Body(body) => body.position.clamp(glam::Vec3::splat(-100.0), glam::Vec3::splat(100.0)),
        ChaosEntity::Piece(piece) => piece.position.extend(0.0),
        ChaosEntity::Score(_) => return None,
    };
    Some(place.distance(sim.room.game().viewpoint(sim.room.world(), client).position))
}

/// What decides, by hand: is it so?
fn check_rule(sim: &Sim<ChaosGame>, client: ClientId, said: &MapEntity, reach: f32) {
    let (game, world) = (sim.room.game(), sim.room.world());
    let id = NetId(said.id);
    let (key, entity) = world.iter().find(|(_, entity)| entity.id == id).expect("in the world");
    let is_avatar = game.viewpoint(world, client).avatar == Some(key);
    let (enter, leave) = match game.interest(entity.state.kind()) {
        Interest::Everything => (f32::MAX, f32::MAX),
        Interest::Radius { enter, leave } => (enter * reach, leave * reach),
    };
    // Quantizing moves a place by a few hundredths at most. Who is held may go as far as the radius of leaving.
    let away = distance(sim, client, &entity.state).unwrap_or(0.0);
    let (far, near) = if said.tier.is_some() { (leave, leave) } else { (enter, enter) };
    let right = match said.rule.expect("somebody looks") {
        "avatar" => is_avatar,
        "too_far" => !is_avatar && away > far - 0.1,
        "hidden" => !is_avatar && away < near + 0.1 && game.is_veiled(id, client),
        "near" | "everywhere" => !is_avatar && away < near + 0.1 && !game.is_veiled(id, client),
        other => panic!("{other} of a living entity"),
    };
    assert!(right, "{client:?}: {said:?}, {away} away, by hand {far} and {near}");
}

impl Log {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// After a tick: what the room says of every client that has followed.
    fn note(&mut self, sim: &Sim<ChaosGame>, dice: &mut Dice) {
        let tick = u64::from(sim.tick().minus(1).0);
        let plan = sim.room.capture().plan();
        let states = sim.room.world().iter().map(|(_, entity)| {
            let mut columns = [0; 64];
            entity.state.capture(&mut columns);
            (entity.id, columns[..plan.kind(entity.state.kind()).columns].to_vec())
        });
        self.states.insert(tick, states.collect());
        for client in sim.clients.keys().copied() {
            let Some(packed) = sim.room.packed(client) else { continue };
            let map = map(&sim.room, client, sim);
            let eye = map.eye.as_ref().expect("somebody looks");
            assert_eq!(map.entities.len(), sim.room.world().len());
            for entity in &map.entities {
                check_rule(sim, client, entity, eye.reach);
                self.count(entity.standing.expect("somebody looks"));
                self.count(entity.rule.expect("somebody looks"));
            }
            self.check_bits(sim, client);
            if packed.stream() != Some(tick) {
                continue;
            }
            assert_eq!(map.ghosts, 0, "{client:?} has followed");
            let whys = (0..6).map(|_| {
                let entity = &map.entities[dice.below(map.entities.len() as u32) as usize];
                let why = explain(sim, client, NetId(entity.id));
                let same = (entity.standing, entity.rule, entity.tier);
                assert_eq!(same, (Some(why.standing), Some(why.rule), why.tier), "map and explanation");
                why
            });
            let whys = whys.collect();
            self.said.insert((client, tick), Said { map, whys });
        }
        self.said.retain(|(_, at), _| at + 200 > tick);
    }

    /// What an entity's last update took, field by field, is what went out of it.
    fn check_bits(&mut self, sim: &Sim<ChaosGame>, client: ClientId) {
        let (capture, packed) = (sim.room.capture(), sim.room.packed(client).expect("in the room"));
        let before = self.told_before.remove(&client).unwrap_or_default();
        let mut told = BTreeSet::new();
        for slot in packed.roster().slots().iter().filter(|slot| !slot.is_parked()) {
            let lane = (slot.id, slot.tier, slot.view);
            told.insert(lane);
            // One that is gone, whose row may be another's by now: nobody is told of it.
            if capture.row(slot.row).id != slot.id {
                continue;
            }
            let Some(update) = capture.sample_of(&slot.into()).filter(|_| before.contains(&lane)) else {
                continue;
            };
            let bits = capture.field_bits(slot.row, slot.tier, slot.view, 1);
            if bits.samples == 0 {
                self.count("cut");
                continue;
            }
            let coded = if update.due == Due::Still { 0 } else { update.bits() };
            assert_eq!((bits.newest_bits, bits.bits()), (coded as u32, coded as u32), "{slot:?}");
            self.count(if coded > 0 { "update" } else { "rest" });
        }
        self.told_before.insert(client, told);
    }

    /// A client has applied a frame: it holds what was said that it does.
    fn compare(&mut self, client: ClientId, replica: &Replica<u16>) {
        let tick = u64::from(replica.tick().0);
        let Some(Said { map, whys }) = self.said.remove(&(client, tick)) else { return };
        let held: BTreeMap<u32, usize> =
            replica.slots().iter().enumerate().map(|(index, slot)| (slot.id.0, index)).collect();
        for entity in &map.entities {
            let index = held.get(&entity.id).copied();
            let expects = ["told", "parked", "leaves"].contains(&entity.standing.expect("somebody looks"));
            assert_eq!(expects, index.is_some(), "{client:?} at {tick}: {entity:?}");
            let Some(index) = index else { continue };
            let slot = &replica.slots()[index];
            assert_eq!(entity.tier, Some(slot.tier.index()), "{client:?} at {tick}: {entity:?}");
            assert!(
                entity.standing == Some("leaves")
                    || (entity.standing == Some("parked")) == slot.parked.is_some()
            );
            self.count("slot compared");
            let place = place_of(replica, slot.kind, index);
            if let (Some(said), Some(place)) = (entity.held_at, place) {
                assert!(
                    (said[0] - place[0]).abs() + (said[1] - place[1]).abs() < 0.01,
                    "{entity:?}: {place:?}"
                );
                self.count("place compared");
            }
        }
        let there: BTreeSet<u32> = map.entities.iter().map(|entity| entity.id).collect();
        assert!(held.keys().all(|id| there.contains(id)), "{client:?} holds what is not there");
        for why in whys {
            let Some(index) = held.get(&why.entity).copied() else { continue };
            let slot = &replica.slots()[index];
            let view = match slot.view {
                View::Public => "public",
                View::Team => "team",
                View::Owner => "owner",
            };
            assert_eq!(why.audience, view, "{why:?}");
            let state = &self.states[&why.state_of.expect("held")][&slot.id];
            let plan = replica.plan().kind(slot.kind);
            for (field, said) in plan.fields.iter().zip(&why.fields) {
                assert_eq!(said.shown, field.view <= slot.view, "{said:?}");
                if said.shown {
                    assert_eq!(
                        field.of(replica.state(index)),
                        field.of(state),
                        "{client:?} at {tick}: {why:?}"
                    );
                }
            }
            *self.counts.entry("state compared").or_default() += 1;
        }
    }
}

fn place_of(replica: &Replica<u16>, kind: KindId, index: usize) -> Option<[f32; 2]> {
    let field = replica.plan().kind(kind).position?;
    let FieldClass::Position { quantum, .. } = field.class else { return None };
    let state = field.of(replica.state(index));
    Some([state[0] as f32 * quantum, state[1] as f32 * quantum])
}

#[test]
fn clients_hold_what_is_said_and_for_the_reason_that_is_said() {
    let counts = Mutex::new(BTreeMap::<&'static str, u64>::new());
    let seeds = seed_count(24, 1_000);
    for_seeds(seeds, |seed| {
        let mut dice = Dice::new(seed);
        let mut game = ChaosGame::new(seed, 60, [0.0, 30.0, 60.0][(seed % 3) as usize]);
        game.veil = u32::from(seed % 2 == 0);
        game.detail = [0.0, 15.0, 40.0][(seed / 3 % 3) as usize];
        let mut sim = Sim::with_room(
            Room::new(game, RoomConfig { seed, ..RoomConfig::default() }).expect("a schema"),
            30,
            seed,
        );
        let far = Profile { delay_micros: 40_000, jitter_micros: 10_000, ..Profile::default() };
        for (profile, budget_bytes_per_s) in
            [(Profile::default(), 0), (Profile::default(), 1500), (far, 4000)]
        {
            sim.join_with(Identity { budget_bytes_per_s, ..Identity::default() }, profile);
        }
        let mut log = Log::default();
        for _ in 0..TICKS {
            let ids: Vec<_> = sim.clients.keys().copied().collect();
            let id = ids[dice.below(ids.len() as u32) as usize];
            let (now, word) = (sim.now, dice.word());
            match dice.below(40) {
                0 if ids.len() < 5 => {
                    sim.join("more", Profile::default());
                }
                1 => sim.client(id).stalled = word & 1 == 0,
                2 => sim.room.handle(Event::Writable { client: id, writable: word & 3 != 0 }, now),
                3..10 => sim.client(id).session.set_input(word as u8 & 0x7F, now),
                _ => {}
            }
            sim.step();
            log.note(&sim, &mut dice);
            for (id, client) in &sim.clients {
                if let Some(replica) = client.session.replica().filter(|_| client.frames > 0) {
                    log.compare(*id, replica);
                }
            }
        }
        let mut counts = counts.lock().expect("no other test panicked with it");
        log.counts.iter().for_each(|(what, times)| *counts.entry(what).or_default() += times);
    });
    let counts = counts.into_inner().expect("no panic");
    println!("{seeds} seeds: {counts:#?}");
    if std::env::var("TICKWIRE_SEED").is_err() {
        let compared = ["slot compared", "place compared", "state compared", "update", "rest"];
        for what in STANDINGS.into_iter().chain(RULES).chain(compared) {
            assert!(counts.get(what).is_some_and(|times| *times > seeds * 5), "`{what}` hardly happened");
        }
    }
}

#[test]
fn who_is_not_there_is_said_so() {
    let mut sim = Sim::new(ChaosGame::new(1, 10, 0.0), 30, 1);
    let id = sim.join("one", Profile::default());
    sim.run(20);
    let ask = |inquiry| sim.room.inspect(inquiry, sim.now);
    let nobody = ClientId(99);
    assert_eq!(ask(Inquiry::Map { client: Some(nobody) }), Err(NoFindings::Client));
    assert_eq!(ask(Inquiry::Why { client: id, entity: NetId(0) }), Err(NoFindings::Entity));
    let Ok(Findings::Map(map)) = ask(Inquiry::Map { client: None }) else { panic!("no map") };
    assert!(map.eye.is_none() && map.entities.iter().all(|entity| entity.standing.is_none()));
    let Ok(Findings::Clients(list)) = ask(Inquiry::Clients { after: None }) else { panic!("no list") };
    assert_eq!((list.clients.len(), list.more, list.clients[0].name.as_str()), (1, false, "one"));
    let Ok(Findings::Clients(list)) = ask(Inquiry::Clients { after: Some(id) }) else { panic!("no list") };
    assert!(list.clients.is_empty());
}
