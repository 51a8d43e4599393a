//! What clients were shown a while ago, from the ring and the last edits of rosters, is what one finds who keeps
//! everything.

use std::collections::{BTreeMap, BTreeSet};

use glam::Quat;
use tickwire_server::host::{Room, RoomConfig};
use tickwire_server::snapshot::Telling;
use tickwire_shared::client::Identity;
use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{FieldClass, KindPlan, ReplicateKinds};
use tickwire_shared::wire::cadence::{Cadences, Tier};
use tickwire_shared::wire::quantize::restore_rotation;
use tickwire_shared::{ClientId, KindId, NetId, Tick};
use tickwire_tests::chaos::ChaosGame;
use tickwire_tests::link::{Profile, Stall};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

/// One entity's whole life.
struct Life {
    kind: KindId,
    /// Its state at each tick.
    states: BTreeMap<u32, Vec<i32>>,
    cuts: BTreeSet<u32>,
}

/// Keeps everything.
#[derive(Default)]
struct Archive {
    lives: BTreeMap<NetId, Life>,
    /// What each client was told of after each tick.
    rosters: BTreeMap<ClientId, BTreeMap<u32, BTreeMap<NetId, Telling>>>,
}

impl Archive {
    fn note(&mut self, room: &Room<ChaosGame>, tick: u32) {
        for (_, entity) in room.world().iter() {
            let mut columns = [0; COLUMNS_MAX];
            entity.state.capture(&mut columns);
            let kind = entity.state.kind();
            let life = self.lives.entry(entity.id);
            let life = life.or_insert_with(|| Life { kind, states: BTreeMap::new(), cuts: BTreeSet::new() });
            life.states.insert(tick, columns.to_vec());
        }
        for recorded in room.capture().record().filter(|recorded| recorded.cut) {
            self.lives.get_mut(&recorded.id).expect("it lives").cuts.insert(tick);
        }
        for client in (1..=CLIENTS).map(ClientId) {
            let Some(packed) = room.packed(client) else { continue };
            let told = packed.roster().slots().iter();
            let told = told.map(|slot| (slot.id, Telling { tier: slot.tier, parked_at: slot.parked_at }));
            self.rosters.entry(client).or_default().insert(tick, told.collect());
        }
    }

    /// The states between which a moment lies for who is told of an entity at a tier, and how much of the way has passed.
    fn around(&self, cadences: &Cadences, id: NetId, tier: Tier, moment: f64) -> (&[i32], &[i32], f64) {
        let life = &self.lives[&id];
        let born = *life.states.keys().next().expect("a state");
        let samples =
            life.states.keys().filter(|tick| **tick == born || cadences.is_due(tier, id, Tick(**tick)));
        let older = samples.clone().rfind(|tick| f64::from(**tick) <= moment).unwrap_or(&born);
        let newer = samples.clone().find(|tick| *tick > older && cadences.is_due(tier, id, Tick(**tick)));
        let state = |tick: &u32| life.states[tick].as_slice();
        match newer {
            Some(newer)
                if life.cuts.range(older + 1..=*newer).next().is_none() && moment > f64::from(*older) =>
            {
                let passed = (moment - f64::from(*older)) / f64::from(newer - older);
                (state(older), state(newer), passed)
            }
            _ => (state(older), state(older), 0.0),
        }
    }
}

const CLIENTS: u32 = 5;

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    compared: u64,
    between: u64,
    slow: u64,
    parked: u64,
    gone: u64,
    entered_since: u64,
}

#[test]
fn looking_back_shows_what_was_shown() {
    for_seeds(seed_count(6, 60), |seed| {
        let mut dice = Dice::new(seed);
        let tick_hz = [30, 60, 240][seed as usize % 3];
        let rewind_micros = [100_000, 250_000, 500_000][seed as usize / 3 % 3];
        let cadences = [[1, 3, 6], [1, 4, 12], [1, 1, 2]][dice.below(3) as usize];
        let cadences = Cadences::try_from(cadences).expect("cadences");
        let mut game = ChaosGame::new(seed, 60, 70.0);
        (game.detail, game.veil) = (20.0, 1);
        let config = RoomConfig { tick_hz, seed, cadences, rewind_micros, ..RoomConfig::default() };
        let room = Room::new(game, config).expect("a game that makes sense");
        let mut sim = Sim::with_room(room, tick_hz, seed);
        for number in 0..CLIENTS {
            let delay_micros = u64::from(dice.below(80_000));
            let stall = (number == 1).then_some(Stall { length_micros: 300_000, period_micros: 2_000_000 });
            let profile = Profile { delay_micros, jitter_micros: 20_000, stall, ..Profile::default() };
            let budget_bytes_per_s = [0, 0, 3000, 1500, 1100][number as usize];
            sim.join_with(
                Identity { name: "ann".to_owned(), budget_bytes_per_s, ..Identity::default() },
                profile,
            );
        }
        let (mut archive, mut seen) = (Archive::default(), Seen::default());
        for _ in 0..400 {
            sim.step();
            let now = sim.tick().0 - 1;
            archive.note(&sim.room, now);
            let parts_max = rewind_micros * u64::from(tick_hz) * 256 / 1_000_000;
            for client in (1..=CLIENTS).map(ClientId) {
                let ago = u64::from(dice.below(parts_max as u32));
                let oldest = (u64::from(now) + 1) * 256;
                let moment = oldest.saturating_sub(ago + 1).min(u64::from(now) * 256);
                let oldest = oldest.saturating_sub(parts_max);
                compare(&sim.room, &archive, client, (moment, oldest), &mut seen);
            }
        }
        println!("{seen:?}");
        assert!(seen.compared > 10_000 && seen.between > 1000 && seen.gone > 0 && seen.entered_since > 0);
        assert!(seen.slow > 100 && seen.parked > 0, "{seen:?}");
    });
}

fn compare(
    room: &Room<ChaosGame>,
    archive: &Archive,
    client: ClientId,
    (moment, oldest): (u64, u64),
    seen: &mut Seen,
) {
    let Some(packed) = room.packed(client) else { return };
    let tick = moment / 256;
    if tick < packed.shown_from() {
        return;
    }
    let mut shown = BTreeMap::new();
    packed.shown_at(tick, |row, id, telling| {
        shown.insert(row, (id, telling));
    });
    let known = &archive.rosters[&client][&(tick as u32)];
    let found: BTreeMap<_, _> = shown.values().filter_map(|(id, telling)| Some((*id, (*telling)?))).collect();
    assert_eq!(&found, known, "{client:?} at {tick}");
    seen.entered_since += shown.values().filter(|(_, telling)| telling.is_none()).count() as u64;
    let (capture, cadences) = (room.capture(), *room.capture().schedule().cadences());
    for (row, (id, telling)) in shown {
        let Some(telling) = telling else { continue };
        if !capture.row(row).alive || capture.row(row).id != id {
            seen.gone += 1;
            continue;
        }
        let later = u64::from(cadences.period(telling.tier) - cadences.period(Tier::FAST)) * 256;
        let moment = moment.saturating_sub(later).max(oldest).min(capture.tick() * 256);
        let mut columns = [0; COLUMNS_MAX];
        capture.state_at(row, telling.tier, moment, &mut columns);
        let (older, newer, passed) = archive.around(&cadences, id, telling.tier, moment as f64 / 256.0);
        let plan = capture.plan().kind(archive.lives[&id].kind);
        assert!(
            agrees(plan, older, newer, passed, &columns),
            "{id:?} at {moment}, {telling:?}: {older:?} and {newer:?}, {passed}: {columns:?}"
        );
        seen.compared += 1;
        seen.between += u64::from(older != newer);
        seen.slow += u64::from(telling.tier != Tier::FAST);
        seen.parked += u64::from(telling.parked_at != 0);
    }
}

/// Whether a state is what lies between two others, as well as quanta can say it.
fn agrees(plan: &KindPlan, older: &[i32], newer: &[i32], passed: f64, state: &[i32]) -> bool {
    plan.fields.iter().all(|field| {
        let [older, newer, state] = [older, newer, state].map(|columns| field.of(columns));
        match field.class {
            FieldClass::Position { .. } => (0..field.columns).all(|axis| {
                let straight = f64::from(older[axis]) + f64::from(newer[axis] - older[axis]) * passed;
                (straight - f64::from(state[axis])).abs() <= 0.501
            }),
            FieldClass::Angle { bits } => {
                let turn = f64::from(1 << bits);
                let way = f64::from(newer[0] - older[0]) / turn;
                // Half a turn goes either way.
                [-1.0, 0.0, 1.0].iter().map(|turns| way + turns).filter(|way| way.abs() <= 0.5).any(|way| {
                    let off = f64::from(older[0]) + way * turn * passed - f64::from(state[0]);
                    (off / turn - (off / turn).round()).abs() * turn <= 0.501
                })
            }
            FieldClass::Rotation { bits } => {
                let [older, newer, state] =
                    [older, newer, state].map(|columns| restore_rotation(columns, bits));
                let newer = if older.dot(newer) < 0.0 { -newer } else { newer };
                let between =
                    Quat::from_vec4(glam::Vec4::from(older).lerp(glam::Vec4::from(newer), passed as f32));
                between.normalize().dot(state).abs() > 0.9999
            }
            FieldClass::Number { .. } | FieldClass::Flags { .. } | FieldClass::Opaque { .. } => {
                older == state
            }
        }
    })
}
