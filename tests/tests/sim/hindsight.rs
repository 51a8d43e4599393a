//! What clients were shown a while ago, from the ring and the last edits of rosters, is what one finds who keeps
//! everything.

use std::collections::{BTreeMap, BTreeSet};

use glam::Quat;
use tickwire_server::host::{Event, Room, RoomConfig};
use tickwire_server::snapshot::Telling;
use tickwire_shared::client::{Identity, Replica};
use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{FieldClass, KindPlan, ReplicateKinds};
use tickwire_shared::wire::cadence::{Cadences, Tier};
use tickwire_shared::wire::message::{Ack, ClientMessage, ViewAge};
use tickwire_shared::wire::quantize::restore_rotation;
use tickwire_shared::{ClientId, NetId, Tick, ViewTick};
use tickwire_tests::chaos::{ChaosGame, LOOKS_BACK};
use tickwire_tests::link::{Profile, Stall};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

/// One entity's whole life.
#[derive(Default)]
struct Life {
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
            self.lives.entry(entity.id).or_default().states.insert(tick, columns.to_vec());
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

    /// What a client was told of an entity, for whoever wonders.
    fn tale(&self, client: ClientId, id: NetId) -> String {
        let told = self.rosters[&client].iter().map(|(tick, roster)| (tick, roster.get(&id)));
        let mut tale: Vec<_> = told.collect();
        tale.dedup_by_key(|(_, telling)| *telling);
        format!("from each tick on {tale:?}")
    }

    /// How a client was told of an entity that it was shown at a moment, and by how much later than others it was shown, in ticks.
    fn telling(
        &self,
        client: ClientId,
        id: NetId,
        moment: f64,
        cadences: &Cadences,
    ) -> Option<(Telling, f64)> {
        let rosters = &self.rosters[&client];
        let begun = *rosters.iter().find(|(_, roster)| !roster.is_empty()).map(|(tick, _)| tick)?;
        // What was longer ago makes no difference any more.
        let begun = begun.max((moment as u32).saturating_sub(80));
        let has = |tick: u32| rosters.get(&tick).is_some_and(|roster| roster.contains_key(&id));
        let mut end = moment as u32;
        // From the newest time that it was in the roster back to the oldest one.
        while end >= begun {
            if !has(end) {
                end -= 1;
                continue;
            }
            let start = (begun..=end).rev().find(|tick| !has(*tick)).map_or(begun, |tick| tick + 1);
            let later_at = |tick: u32| later_ticks(cadences, rosters[&tick][&id].tier);
            let mut later = later_at(start);
            for tick in start..=end {
                // A quarter of the time that passes, in 256ths of a tick.
                let most = ((moment - f64::from(tick)).min(1.0) * 64.0).floor() / 256.0;
                later += (later_at(tick) - later).clamp(-most, most);
            }
            let has_left = end < moment as u32;
            let at = moment - if has_left { later_at(end) } else { later };
            if (start == begun || at >= f64::from(start)) && (!has_left || at < f64::from(end + 1)) {
                return Some((rosters[&end][&id], moment - at));
            }
            end = start - 1;
        }
        None
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
    unseen: u64,
    capped: u64,
    slewing: u64,
}

#[test]
fn looking_back_shows_what_was_shown() {
    for_seeds(seed_count(3, 60), |seed| {
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
            let budget_bytes_per_s = [0, 0, 3000, 1500, 6000][number as usize];
            let identity = Identity { name: "ann".to_owned(), budget_bytes_per_s, ..Identity::default() };
            let id = sim.join_with(identity, Profile::default());
            sim.run(1 + dice.below(3));
            // Nothing that its program says arrives from now on: the test speaks for it.
            let now = sim.now;
            sim.client(id).up.set_profile(Profile { delay_micros: 1 << 40, ..Profile::default() }, now);
            let stall = (number == 1).then_some(Stall { length_micros: 300_000, period_micros: 2_000_000 });
            let delay_micros = u64::from(dice.below(80_000));
            sim.client(id).down.set_profile(Profile { delay_micros, stall, ..Profile::default() }, now);
        }
        let (mut archive, mut seen) = (Archive::default(), Seen::default());
        for step in 0..400 {
            let tick = sim.tick();
            let mut views = Vec::new();
            for client in (1..=CLIENTS).map(ClientId) {
                let parts = i64::from(dice.below(rewind_micros as u32 / 2000 * u32::from(tick_hz)));
                let view = ViewTick::after(tick, 128 - parts);
                views.push((client, view));
                let applied = sim.client(client).session.replica().map(Replica::tick);
                let ack = applied.map(|applied| Ack { applied, held_ms: 0 });
                let (view, input) = (ViewAge::of(view, tick), LOOKS_BACK | dice.word() as u8);
                let message = ClientMessage::Aimed { seq: 0, tick, ack, view, input };
                sim.room.handle(Event::Message { client, message }, sim.now);
            }
            sim.step();
            let oldest = f64::from(tick.0) - rewind_micros as f64 * f64::from(tick_hz) / 1e6;
            // By then nothing waits any more that its program had sent, and the archive goes back far enough.
            for (client, view) in views.into_iter().filter(|_| step > 140) {
                compare(&sim.room, &archive, (client, tick), (view, oldest), &mut seen);
            }
            archive.note(&sim.room, tick.0);
        }
        println!("{seen:?}");
        assert!(
            seen.compared > 2000 && seen.between > 500 && seen.unseen > 100 && seen.capped > 100,
            "{seen:?}"
        );
        assert!(seen.slow > 100, "{seen:?}");
        let parked = sim.room.counters().parks;
        assert!(seen.parked > 0 || parked < 100, "{parked} were parked, {seen:?}");
    });
}

/// What the room showed the game in the step of `tick`, with what is in the archive of the time before.
fn compare(
    room: &Room<ChaosGame>,
    archive: &Archive,
    (client, tick): (ClientId, Tick),
    (view, oldest): (ViewTick, f64),
    seen: &mut Seen,
) {
    let (_, looked_back) = room.game().looked_back.get(&client).expect("every client does");
    let newest = f64::from(tick.0) - 1.0;
    let said = f64::from(tick.0) + view.since(tick) as f64 / 256.0;
    // A room counts in 256ths of a tick.
    let bounded = |moment: f64| moment.max((oldest * 256.0).ceil() / 256.0).min(newest);
    let begun = archive.rosters.get(&client).and_then(|rosters| rosters.keys().next().copied());
    if begun.is_none_or(|begun| bounded(said) < f64::from(begun)) {
        return;
    }
    let cadences = *room.capture().schedule().cadences();
    for (id, shown) in looked_back {
        let telling = archive.telling(client, *id, bounded(said), &cadences);
        let (Some(shown), Some((telling, later))) = (shown, telling) else {
            assert_eq!(
                shown.is_some(),
                telling.is_some(),
                "{client:?} sees {id:?} at {said}, {}",
                archive.tale(client, *id)
            );
            seen.unseen += 1;
            continue;
        };
        let mut moment = said.min(newest) - later;
        if telling.parked_at != 0 {
            seen.parked += 1;
            moment = moment.min(f64::from(cadences.last_due(telling.tier, *id, Tick(telling.parked_at)).0));
        }
        seen.capped += u64::from(moment < oldest);
        let (older, newer, passed) = archive.around(&cadences, *id, telling.tier, bounded(moment));
        let mut columns = [0; COLUMNS_MAX];
        shown.capture(&mut columns);
        let plan = room.capture().plan().kind(shown.kind());
        assert!(
            agrees(plan, older, newer, passed, &columns),
            "{client:?} looks at {id:?} from {tick:?} on {moment}, {telling:?}: {older:?}, {newer:?}, {passed}: {columns:?}, {}",
            archive.tale(client, *id)
        );
        seen.compared += 1;
        seen.between += u64::from(older != newer);
        seen.slow += u64::from(telling.tier != Tier::FAST);
        seen.slewing += u64::from(later != later_ticks(&cadences, telling.tier));
    }
}

/// By how much later than what is told of at every frame something is shown.
fn later_ticks(cadences: &Cadences, tier: Tier) -> f64 {
    f64::from(cadences.period(tier) - cadences.period(Tier::FAST))
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
