//! Shots are judged by what their shooters were shown: probes in the demo game, honest and lying.

use std::collections::BTreeMap;

use glam::Vec2;
use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Rewinds, Room, RoomConfig};
use tickwire_shared::arena::map::{Map, ray_disc};
use tickwire_shared::arena::motion::PLAYER_RADIUS_M;
use tickwire_shared::arena::{ArenaEntity, ArenaEvent, ArenaInput};
use tickwire_shared::client::Happening;
use tickwire_shared::limits::HISTORY;
use tickwire_shared::{ClientId, NetId, Tick, ViewTick};
use tickwire_tests::chaos::ChaosGame;
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

const TICK_HZ: u16 = 30;
/// How far behind the newest frame a probe shows the world, in 256ths of a tick.
const DELAY_PARTS: i64 = 2 * 256 + 100;
/// A shot every so many ticks: the arena's pause between two, and some.
const SHOT_TICKS: u32 = 15;

/// Two players in an arena of 50 m.
struct Range {
    sim: Sim<ArenaGame>,
    map: Map,
    ann: ClientId,
    bob: ClientId,
    /// Where ann's client knows bob to have been, by tick.
    shown: BTreeMap<u32, Vec2>,
    /// Where both were at the end of each tick: ann, bob.
    truth: BTreeMap<u32, [Vec2; 2]>,
    /// Where ann fired, one for each shot.
    directions: Vec<Vec2>,
}

/// One shot of ann's.
#[derive(Clone, Copy, Debug)]
struct Shot {
    tick: u32,
    direction: Vec2,
    hit: bool,
}

impl Range {
    fn new(seed: u64, map_seed: u64, round_trip_micros: u64, rewind_micros: u64) -> Self {
        let config = ArenaConfig {
            size_m: 50,
            bots: 0,
            drones: 0,
            pickups: 0,
            seed: map_seed,
            ..ArenaConfig::default()
        };
        Self::with(config, seed, round_trip_micros, rewind_micros)
    }

    fn with(config: ArenaConfig, seed: u64, round_trip_micros: u64, rewind_micros: u64) -> Self {
        let room = RoomConfig { tick_hz: TICK_HZ, seed, rewind_micros, ..RoomConfig::default() };
        let room = Room::new(ArenaGame::new(config), room).expect("a game that makes sense");
        let mut sim = Sim::with_room(room, TICK_HZ, seed);
        let ann = sim.join("ann", Profile { delay_micros: round_trip_micros / 2, ..Profile::default() });
        let bob = sim.join("bob", Profile::default());
        let map = Map::new(config.seed, config.size_m);
        let mut range = Self {
            sim,
            map,
            ann,
            bob,
            shown: BTreeMap::new(),
            truth: BTreeMap::new(),
            directions: Vec::new(),
        };
        range.run(60);
        range
    }

    fn run(&mut self, ticks: u32) {
        (0..ticks).for_each(|_| self.step());
    }

    fn step(&mut self) {
        self.sim.step();
        let (tick, places) = (self.sim.tick().0 - 1, ["ann", "bob"].map(|name| self.place(name)));
        self.truth.insert(tick, places);
        let bob = self.id(self.bob);
        let Some(replica) = self.sim.client(self.ann).session.replica() else { return };
        let Some(slot) = replica.slots().iter().position(|slot| Some(slot.id) == bob) else { return };
        for age in 0..HISTORY {
            let state = replica.window(slot).state(age);
            let place = Vec2::new(state[0] as f32, state[1] as f32) * 0.01;
            self.shown.insert(replica.tick().minus(age as u32).0, place);
        }
    }

    fn id(&self, client: ClientId) -> Option<NetId> {
        self.sim.clients.get(&client)?.session.avatar()
    }

    /// Where a player is.
    fn place(&self, name: &str) -> Vec2 {
        let named = self.sim.room.world().iter().find(|(_, entity)| entity.spawn.name == name);
        named.map_or(Vec2::ZERO, |(_, entity)| match &entity.state {
            ArenaEntity::Player(player) => player.position,
            _ => Vec2::ZERO,
        })
    }

    fn wish(&mut self, client: ClientId, walk: Vec2, aim: f32, fire: bool) {
        let now = self.sim.now;
        self.sim.client(client).session.set_input(ArenaInput::new(walk, aim, fire), now);
    }

    /// Walks until both are where they should be.
    fn take_places(&mut self, ann: Vec2, bob: Vec2) {
        for _ in 0..TICK_HZ * 40 {
            let ways = [ann - self.place("ann"), bob - self.place("bob")];
            if ways.iter().all(|way| way.length() < 0.5) {
                break;
            }
            self.wish(self.ann, ways[0] * 0.5, 0.0, false);
            self.wish(self.bob, ways[1] * 0.5, 0.0, false);
            self.step();
        }
        for (name, goal) in [("ann", ann), ("bob", bob)] {
            assert!(self.place(name).distance(goal) < 0.6, "{name} did not come to {goal}");
        }
        self.wish(self.ann, Vec2::ZERO, 0.0, false);
        self.wish(self.bob, Vec2::ZERO, 0.0, false);
        self.run(30);
    }

    /// What an honest client shows now, and where bob is in it.
    fn view(&mut self) -> (ViewTick, Vec2) {
        let now = self.sim.now;
        // Where nothing moves there are no frames.
        let (newest, _) = self.sim.client(self.ann).session.clock().expect("welcomed").server_tick(now);
        let view = ViewTick::after(newest, -DELAY_PARTS);
        let at = |tick: u32| *self.shown.range(..=tick).next_back().expect("bob was shown").1;
        let [from, to] = [at(view.tick.0), at(view.tick.0 + 1)];
        (view, from.lerp(to, f32::from(view.fraction) / 256.0))
    }

    /// Pulls the trigger at a place, saying that it showed `view`. Lets two ticks pass.
    fn fire(&mut self, at: Vec2, view: ViewTick) {
        let aim = (at - self.place("ann")).to_angle();
        self.directions.push(Vec2::from_angle(ArenaInput::new(Vec2::ZERO, aim, true).aim_radians()));
        self.sim.client(self.ann).session.set_shown(view);
        self.wish(self.ann, Vec2::ZERO, aim, true);
        self.step();
        self.step();
        self.wish(self.ann, Vec2::ZERO, aim, false);
    }

    /// What became of ann's shots.
    fn shots(&self) -> Vec<Shot> {
        let ann = self.id(self.ann);
        let happenings = &self.sim.clients[&self.ann].happenings;
        let shots = happenings.iter().filter_map(|happening| match happening {
            Happening::Game(tick, ArenaEvent::Shot { by, hit, .. }) if Some(*by) == ann => {
                Some((tick.0, *hit))
            }
            _ => None,
        });
        let directions = self.directions.iter();
        let shot = |((tick, hit), direction): ((u32, Option<NetId>), &Vec2)| Shot {
            tick,
            direction: *direction,
            hit: hit.is_some(),
        };
        shots.zip(directions).map(shot).collect()
    }

    fn rewinds(&self) -> Rewinds {
        self.sim.room.counters().rewinds
    }

    /// Whether bob, if he stood at `bob`, stood in the way of a shot, with nothing before him.
    fn in_the_way(&self, shot: &Shot, bob: Vec2) -> bool {
        let from = self.truth[&shot.tick][0];
        // Places are told in centimetres.
        let distance = ray_disc(from, shot.direction, bob, PLAYER_RADIUS_M + 0.02);
        distance.is_some_and(|distance| distance <= self.map.ray(from, shot.direction, 40.0) + 0.02)
    }
}

/// A map of a 50 m arena.
fn map_where(fits: impl Fn(&Map) -> bool) -> u64 {
    (1..100_000).find(|seed| fits(&Map::new(*seed, 50))).expect("such a map")
}

/// When a probe fires.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Whatever its target does.
    Ever,
    /// While its target keeps to a direction, so that it certainly is not any more where it was shown.
    WhileSteady,
}

/// Hits of eight shots at somebody who runs to and fro, and turns when it comes into his mind.
fn probe(seed: u64, round_trip_micros: u64, rewind_micros: u64, when: When) -> (usize, Rewinds) {
    let map_seed = map_where(|map| map.obstacles().is_empty());
    let mut range = Range::new(seed, map_seed, round_trip_micros, rewind_micros);
    let mut dice = Dice::new(seed);
    for shots in [4, 8] {
        range.take_places(Vec2::new(-12.0, 0.0), Vec2::new(10.0, 0.0));
        let (mut way, mut turned_at, mut turns_at, mut fires_at) = (1.0, 0, 0, SHOT_TICKS);
        for tick in 0..1000 {
            if range.shots().len() == shots {
                break;
            }
            let y = range.place("bob").y;
            if y * way > 14.0 || when == When::Ever && tick >= turns_at {
                way = -way;
                (turned_at, turns_at) = (tick, tick + 10 + dice.below(25));
            }
            range.wish(range.bob, Vec2::new(0.0, way), 0.0, false);
            if tick >= fires_at && (when == When::Ever || tick > turned_at + 20 && y * way < 8.0) {
                let (view, bob) = range.view();
                range.fire(bob, view);
                fires_at = tick + SHOT_TICKS;
            } else {
                range.step();
            }
        }
        // The fourth hit has killed him.
        range.run(120);
    }
    assert_eq!(range.shots().len(), 8);
    (range.shots().iter().filter(|shot| shot.hit).count(), range.rewinds())
}

#[test]
fn eight_of_eight_with_it_and_none_without() {
    for_seeds(seed_count(4, 40), |seed| {
        for (round_trip_ms, rewind_ms) in [(0, 250), (100, 250), (250, 500)] {
            let (hits, with) = probe(seed, round_trip_ms * 1000, rewind_ms * 1000, When::Ever);
            let (stray, without) = probe(seed, round_trip_ms * 1000, 0, When::WhileSteady);
            println!("round trip {round_trip_ms} ms: {hits} of 8 with, {stray} without; {with:?}");
            assert_eq!(hits, 8, "at a round trip of {round_trip_ms} ms: {with:?}");
            assert_eq!((with.within, with.capped, with.future), (8, 0, 0));
            assert_eq!(stray, 0, "without it at {round_trip_ms} ms");
            assert_eq!(without, Rewinds::default());
        }
    });
}

/// A liar says that it showed any moment that would be good for it, while bob goes behind an obstacle and comes out
/// again. Who was hit had been in the open, in the way of that shot, no longer ago than the cap.
#[test]
fn nobody_is_hit_who_has_been_behind_cover_for_longer_than_the_cap() {
    for_seeds(seed_count(3, 30), |seed| {
        let map_seed = map_where(|map| match map.obstacles() {
            [one] => one.centre.abs().max_element() < 9.0 && one.half.min_element() > 2.0,
            _ => false,
        });
        let cap_micros = [100_000, 250_000, 500_000][seed as usize % 3];
        let mut range = Range::new(seed, map_seed, 60_000, cap_micros);
        let cap_ticks = cap_micros as f32 * f32::from(TICK_HZ) / 1e6;
        let obstacle = range.map.obstacles()[0];
        let side = obstacle.centre + Vec2::new(-obstacle.half.x - 7.0, 0.0);
        let hidden = obstacle.centre + Vec2::new(obstacle.half.x + 2.0, 0.0);
        let open = hidden + Vec2::new(0.0, obstacle.half.y + 4.0);
        range.take_places(side, open);
        let (mut dice, began, mut goal) = (Dice::new(seed), range.sim.tick().0, open);
        let mut last_shot = 0;
        for tick in 0..120 * u32::from(TICK_HZ) {
            if tick % 50 == 0 {
                goal = if goal == open { hidden } else { open };
            }
            let way = goal - range.place("bob");
            // Dead, he appears anywhere, and goes back; meanwhile nothing counts.
            range.wish(range.bob, if way.length() > 0.3 { way } else { Vec2::ZERO }, 0.0, false);
            if tick >= last_shot + SHOT_TICKS {
                last_shot = tick + 2;
                // What would be best: where he was in the open last.
                let now = range.sim.tick().0;
                let ago = 1 + dice.below(2 * cap_ticks as u32);
                let place = range.truth[&(now - ago).max(began)][1];
                let said = ViewTick::after(Tick(now - ago - dice.below(3)), i64::from(dice.below(256)));
                range.fire(place, said);
            } else {
                range.step();
            }
        }
        let (mut hits, mut around_the_corner) = (0, 0);
        for shot in range.shots().into_iter().filter(|shot| shot.hit) {
            let was_there = |ago: f32| {
                let (older, newer) = (shot.tick - ago.ceil() as u32, shot.tick - ago.floor() as u32);
                let place = range.truth[&older][1].lerp(range.truth[&newer][1], ago.ceil() - ago);
                range.in_the_way(&shot, place)
            };
            let moments = (0..).map(|eighths| eighths as f32 / 8.0).take_while(|ago| *ago <= cap_ticks);
            assert!(
                moments.into_iter().any(was_there),
                "{shot:?} hit who had not been there for {cap_ticks} ticks"
            );
            hits += 1;
            around_the_corner += usize::from(!was_there(0.0));
        }
        let rewinds = range.rewinds();
        println!(
            "cap {cap_micros} us: {hits} hits, {around_the_corner} of them around the corner; {rewinds:?}"
        );
        assert!(hits > 3 && rewinds.capped > 20 && rewinds.within > 0, "{hits} hits, {rewinds:?}");
        assert!(around_the_corner > 0, "the test has no teeth");
    });
}

/// Bob stands still; ann fires at him and says that she showed a moment before he was there.
#[test]
fn who_was_not_there_yet_cannot_be_hit() {
    let mut range = Range::new(5, map_where(|map| map.obstacles().is_empty()), 0, 250_000);
    range.take_places(Vec2::new(-8.0, 0.0), Vec2::new(8.0, 0.0));
    range.sim.leave(range.bob);
    range.run(30);
    range.bob = range.sim.join("bob", Profile::default());
    let before = range.sim.tick();
    range.run(3);
    let there = range.place("bob");
    range.fire(there, ViewTick { tick: before.minus(1), fraction: 0 });
    range.run(SHOT_TICKS);
    assert_eq!(range.shots().iter().map(|shot| shot.hit).collect::<Vec<_>>(), [false], "before he joined");
    assert_eq!(range.rewinds().targets_unseen, 1);
    let (view, bob) = range.view();
    range.fire(bob, view);
    range.run(SHOT_TICKS);
    assert_eq!(range.shots().iter().map(|shot| shot.hit).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn who_came_back_from_the_dead_is_hit_neither_as_a_corpse_nor_before_his_return() {
    let map_seed = map_where(|map| map.obstacles().is_empty());
    for seed in 1..4 {
        for (at_the_grave, moment_parts, hit) in [(true, -128, false), (false, -128, false), (false, 0, true)]
        {
            let mut range = Range::new(seed, map_seed, 0, 500_000);
            range.take_places(Vec2::new(0.0, -2.0), Vec2::new(0.0, 6.0));
            for _ in 0..4 {
                let (view, bob) = range.view();
                range.fire(bob, view);
                range.run(SHOT_TICKS);
            }
            assert_eq!(range.shots().iter().filter(|shot| shot.hit).count(), 4, "four hits kill");
            let grave = range.place("bob");
            while range.place("bob").distance(grave) < 0.5 {
                range.step();
            }
            let (returned, home) = (range.sim.tick().minus(1), range.place("bob"));
            range.step();
            let place = if at_the_grave { grave } else { home };
            range.fire(place, ViewTick::after(returned, moment_parts));
            range.run(SHOT_TICKS);
            let last = *range.shots().last().expect("a shot");
            assert_eq!(last.hit, hit, "at {place}, {moment_parts} after he was back at {home}");
            assert_eq!((range.rewinds().capped, range.rewinds().future), (0, 0));
        }
    }
}

/// Within a weapon's reach, but not within what the shooter is told of.
#[test]
fn who_is_out_of_view_cannot_be_hit() {
    let map_seed = map_where(|map| map.obstacles().is_empty());
    let config =
        ArenaConfig { size_m: 50, bots: 0, drones: 0, pickups: 0, seed: map_seed, view_radius_m: 12.0 };
    let mut range = Range::with(config, 7, 0, 250_000);
    range.take_places(Vec2::new(-10.0, 0.0), Vec2::new(10.0, 0.0));
    let shoot = |range: &mut Range| {
        let (tick, there) = (range.sim.tick(), range.place("bob"));
        range.fire(there, ViewTick::after(tick, -512));
        range.run(SHOT_TICKS);
        range.shots().last().expect("a shot").hit
    };
    assert!(!shoot(&mut range), "hit beyond the view");
    assert_eq!(range.rewinds().targets_unseen, 1);
    range.take_places(Vec2::new(-5.0, 0.0), Vec2::new(5.0, 0.0));
    assert!(shoot(&mut range));
    // Out of it again, and still shown to who looks back a little.
    let walk = |range: &mut Range| {
        while range.place("bob").distance(range.place("ann")) < 13.8 {
            range.wish(range.bob, Vec2::X, 0.0, false);
            range.step();
        }
        range.wish(range.bob, Vec2::ZERO, 0.0, false);
        while range.sim.client(range.ann).session.entities().count() > 0 {
            range.step();
        }
    };
    walk(&mut range);
    let gone = range.sim.tick().minus(2);
    let (view, place) = (ViewTick::after(gone, -256), range.truth[&(gone.0 - 1)][1]);
    range.fire(place, view);
    range.run(SHOT_TICKS);
    assert!(range.shots().last().expect("a shot").hit, "he was shown then");
    assert!(!shoot(&mut range), "he is not shown now");
}

/// Moments that nobody can have been shown are not believed.
#[test]
fn lies_about_the_moment_gain_nothing_beyond_the_cap() {
    let mut range = Range::new(8, map_where(|map| map.obstacles().is_empty()), 0, 250_000);
    range.take_places(Vec2::new(-10.0, 0.0), Vec2::new(8.0, -12.0));
    let (mut hits, mut tick) = (Vec::new(), 0);
    range.wish(range.bob, Vec2::Y, 0.0, false);
    range.run(40);
    // He runs along a line, so each moment has a place of its own.
    for said_ago in [-1000, -1, 4, 30, 5000] {
        let now = range.sim.tick();
        let view = ViewTick::after(now, -said_ago * 256);
        let asked = (said_ago as u32).min(30);
        let way = if said_ago < 0 { 1 } else { asked };
        let place = range.truth[&(now.0 - way)][1];
        range.fire(place, view);
        range.run(SHOT_TICKS);
        hits.push(range.shots().last().expect("a shot").hit);
        tick += SHOT_TICKS;
        let turn = if range.place("bob").y > 12.0 || tick % 40 == 0 { -Vec2::Y } else { Vec2::Y };
        range.wish(range.bob, turn, 0.0, false);
    }
    let Rewinds { within, capped, future, .. } = range.rewinds();
    assert_eq!((within, capped, future), (1, 2, 2), "{hits:?}");
    assert!(hits[2], "four ticks ago is within: {hits:?}");
    assert!(!hits[3] && !hits[4], "where he was a second ago is not: {hits:?}");
}

/// Whoever can be shot at must be told of at the first cadence, or shooters would be shown it too late to be judged by.
#[test]
fn a_weapon_that_reaches_beyond_the_first_cadence_begins_no_room() {
    let mut game = ChaosGame::new(1, 1, 0.0);
    game.detail = -1.0;
    let Err(error) = Room::new(game, RoomConfig::default()) else { panic!("a room began") };
    let told = "weapons reach 0, but entities of kind `Body` are told of at every frame within -1 only";
    assert!(error.to_string().starts_with(told), "{error}");
}
