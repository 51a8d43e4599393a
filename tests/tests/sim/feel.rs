//! How it feels: clients that draw, over links of every kind, compared with what really happened. What is shown of
//! others is compared with where they were at the moment that is shown, the own avatar with where it turns out to be.

use std::collections::BTreeMap;

use glam::Vec2;
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_shared::arena::{ArenaEntity, ArenaInput};
use tickwire_shared::{ClientId, Micros, NetId, Tick, ViewTick};
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

const HZ: u16 = 30;
const PROFILES: [&str; 4] = ["lan", "wifi", "mobile", "bad"];

fn alone() -> ArenaConfig {
    ArenaConfig { bots: 0, drones: 0, pickups: 0, ..ArenaConfig::default() }
}

/// Where everything was at each tick.
#[derive(Default)]
struct Truth(BTreeMap<u32, BTreeMap<NetId, Vec2>>);

impl Truth {
    fn note(&mut self, sim: &Sim<ArenaGame>) {
        let places = sim.room.world().iter().filter_map(|(_, entity)| {
            let place = match &entity.state {
                ArenaEntity::Player(player) => player.position,
                ArenaEntity::Drone(drone) => drone.position,
                ArenaEntity::Pickup(_) => return None,
            };
            Some((entity.id, place))
        });
        self.0.insert(sim.tick().0 - 1, places.collect());
    }

    fn at(&self, id: NetId, moment: ViewTick) -> Option<Vec2> {
        let of = |tick: Tick| self.0.get(&tick.0)?.get(&id).copied();
        let (from, to) = (of(moment.tick)?, of(moment.tick.plus(1))?);
        // A respawn is no way.
        let share = if from.distance(to) > 4.0 { 0.0 } else { f32::from(moment.fraction) / 256.0 };
        Some(from.lerp(to, share))
    }
}

/// A hand on the stick.
struct Hand {
    dice: Dice,
    walk: Vec2,
    until: Micros,
}

impl Hand {
    fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), walk: Vec2::ZERO, until: Micros(0) }
    }

    fn input(&mut self, now: Micros) -> ArenaInput {
        if now >= self.until {
            let angle = self.dice.between(0.0, std::f32::consts::TAU);
            self.walk = if self.dice.one_in(6) { Vec2::ZERO } else { Vec2::from_angle(angle) };
            self.until = now.plus(u64::from(self.dice.below(600_000)) + 50_000);
        }
        ArenaInput::new(self.walk, 0.0, false)
    }
}

/// Everything that was seen in one run.
#[derive(Default)]
struct Seen {
    /// By tier, in metres.
    remote: [Vec<f32>; 3],
    own: Vec<f32>,
    margins: Vec<(Micros, f32)>,
}

fn percentile(values: &mut [f32], percent: f32) -> f32 {
    values.sort_by(f32::total_cmp);
    let place = (values.len() as f32 * percent / 100.0) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Plays `seconds` and looks at everything that client sees.
fn play(sim: &mut Sim<ArenaGame>, id: ClientId, seed: u64, seconds: u32) -> Seen {
    let (mut truth, mut hand, mut seen) = (Truth::default(), Hand::new(seed), Seen::default());
    let mut drawn = Vec::new();
    let (mut last_view, mut last_margin) = (i64::MIN, None);
    for _ in 0..seconds * u32::from(HZ) {
        sim.step_with(|sim| {
            let now = sim.now;
            let input = hand.input(now);
            let session = &mut sim.client(id).session;
            session.set_input(input, now);
            let Some(view) = session.view(now) else { return };
            let shown = view.tick().since(Tick(0));
            assert!(shown >= last_view, "the view went back");
            last_view = shown;
            for entity in view.entities() {
                let place = match entity.state {
                    ArenaEntity::Player(player) => player.position,
                    ArenaEntity::Drone(drone) => drone.position,
                    ArenaEntity::Pickup(_) => continue,
                };
                drawn.push((entity.id, entity.moment, entity.tier.index(), place));
            }
            let own = view.own();
            if let Some(avatar) = own.id {
                drawn.push((avatar, ViewTick::default(), 3, own.state.position));
                let clock = session.clock().expect("welcomed");
                let (tick, into) = clock.input_time(now);
                let fraction = (into * 256 / clock.tick_micros()).min(255) as u8;
                drawn.last_mut().expect("just pushed").1 = ViewTick { tick: tick.minus(1), fraction };
            }
            let margin = session.figures(now).margin_ticks;
            if margin != last_margin {
                seen.margins.extend(margin.map(|margin| (now, margin)));
                last_margin = margin;
            }
        });
        truth.note(sim);
    }
    for (id, moment, tier, place) in drawn {
        if let Some(right) = truth.at(id, moment) {
            let list = if tier == 3 { &mut seen.own } else { &mut seen.remote[tier] };
            list.push(right.distance(place));
        }
    }
    seen
}

#[test]
fn alone_nothing_is_ever_corrected() {
    for profile in PROFILES {
        let link: Profile = profile.parse().expect("a profile");
        for_seeds(seed_count(5, 20), |seed| {
            let mut sim = Sim::new(ArenaGame::new(ArenaConfig { seed, ..alone() }), HZ, seed);
            let id = sim.join("ann", link);
            let mut seen = play(&mut sim, id, seed, 20);
            let now = sim.now;
            let figures = sim.client(id).session.figures(now);
            let inputs = sim.room.counters().inputs;
            eprintln!(
                "{profile} {seed}: {:?} own p50 {} p99 {} max {} late {} of {} delay {:?} rtt {:?} jitter {} margin {:?}",
                figures.corrections,
                percentile(&mut seen.own, 50.0),
                percentile(&mut seen.own, 99.0),
                percentile(&mut seen.own, 100.0),
                inputs.late,
                inputs.on_time,
                figures.delay_micros,
                figures.rtt_micros,
                figures.jitter_micros,
                figures.margin_ticks,
            );
        });
    }
}

#[test]
fn others_are_shown_where_they_were() {
    for profile in PROFILES {
        let link: Profile = profile.parse().expect("a profile");
        for_seeds(seed_count(2, 20), |seed| {
            let config = ArenaConfig { seed, bots: 6, drones: 60, size_m: 300, ..ArenaConfig::default() };
            let mut sim = Sim::new(ArenaGame::new(config), HZ, seed);
            let id = sim.join("ann", link);
            let mut seen = play(&mut sim, id, seed, 20);
            let now = sim.now;
            let figures = sim.client(id).session.figures(now);
            eprintln!(
                "{profile} {seed}: remote {:?} own p50 {} p99 {} corrections {:?} delay {:?} tiers {:?}",
                seen.remote.each_mut().map(|list| (
                    list.len(),
                    percentile(list, 50.0),
                    percentile(list, 99.0),
                    percentile(list, 100.0)
                )),
                percentile(&mut seen.own, 50.0),
                percentile(&mut seen.own, 99.0),
                figures.corrections,
                figures.delay_micros,
                figures.visible_by_tier,
            );
        });
    }
}
