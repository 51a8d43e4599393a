//! Nobody is sent more than its budget, whoever wants more is sent nearly all of it, and nothing in view is forgotten.

use std::collections::BTreeMap;

use glam::Vec2;
use serde::{Deserialize, Serialize};
use tickwire_server::host::{Room, RoomConfig};
use tickwire_server::simulation::{
    EntityKey, Game, Inputs, Interest, NewEntity, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::client::Identity;
use tickwire_shared::{ClientId, KindId, NetId, Protocol, Replicate, ReplicateKinds};
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::Dice;
use tickwire_tests::sim::Sim;

/// A game of points that never stand still.
#[derive(Clone, Debug)]
struct Swarm;

#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
enum SwarmEntity {
    Point(Point),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
struct Point {
    #[replicate(position, min = -500.0, max = 500.0, quantum = 0.01)]
    position: Vec2,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
struct Nothing {
    #[replicate(number, min = 0, max = 1)]
    nothing: u8,
}

impl Protocol for Swarm {
    const NAME: &'static str = "swarm";
    const REVISION: u32 = 1;
    type Entity = SwarmEntity;
    type Private = Nothing;
    type Spawn = u8;
    type Setup = ();
    type Input = u8;
    type Command = u8;
    type Event = u8;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SwarmGame {
    points: u32,
    /// Chance that a point changes its course in a tick, one in so many.
    restless: u32,
    courses: BTreeMap<EntityKey, Vec2>,
    seed: u64,
    radius: f32,
}

impl SwarmGame {
    fn new(points: u32, restless: u32) -> Self {
        Self { points, restless, courses: BTreeMap::new(), seed: 7, radius: 0.0 }
    }
}

impl Game for SwarmGame {
    type Protocol = Swarm;

    fn setup(&self) {}

    fn begin(&mut self, stage: &mut Stage<'_, Swarm>) {
        let mut dice = Dice::new(self.seed);
        for _ in 0..self.points {
            let position = Vec2::new(dice.below(400) as f32 - 200.0, dice.below(400) as f32 - 200.0);
            let state = SwarmEntity::Point(Point { position });
            let key = stage.world.spawn(NewEntity { state, spawn: 0, owner: None, team: Team::NONE });
            self.courses.insert(key, Vec2::new(0.1, 0.05));
        }
    }

    fn join(&mut self, _: &mut Stage<'_, Swarm>, _: ClientId, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn leave(&mut self, _: &mut Stage<'_, Swarm>, _: ClientId) {}

    fn step(&mut self, stage: &mut Stage<'_, Swarm>, _: &Inputs<Swarm>) {
        let mut dice = Dice::new(self.seed ^ u64::from(stage.tick.0) << 20);
        for (key, course) in &mut self.courses {
            if dice.one_in(self.restless) {
                *course = Vec2::new(dice.below(400) as f32 - 200.0, dice.below(400) as f32 - 200.0) / 1000.0;
            }
            let Some(entity) = stage.world.get_mut(*key) else { continue };
            let SwarmEntity::Point(point) = &mut entity.state;
            point.position += *course;
            if point.position.abs().max_element() > 200.0 {
                *course = -*course;
            }
        }
    }

    fn viewpoint(&self, _: &World<Swarm>, _: ClientId) -> Viewpoint {
        Viewpoint { position: glam::Vec3::ZERO, avatar: None, team: Team::NONE }
    }

    fn private(&self, _: &World<Swarm>, _: ClientId) -> Nothing {
        Nothing::default()
    }

    fn interest(&self, _: KindId) -> Interest {
        match self.radius {
            0.0 => Interest::Everything,
            enter => Interest::Radius { enter, leave: enter * 1.1 },
        }
    }
}

fn sim(game: SwarmGame) -> Sim<SwarmGame> {
    let config = RoomConfig { seed: 3, budget_bytes_per_s_max: 1 << 24, ..RoomConfig::default() };
    Sim::with_room(Room::new(game, config).expect("a schema"), 30, 3)
}

fn join(sim: &mut Sim<SwarmGame>, budget_bytes_per_s: u32) -> ClientId {
    sim.join_with(Identity { budget_bytes_per_s, ..Identity::default() }, Profile::default())
}

/// What WebSocket adds to a message of this game.
const FRAMING: u64 = 4;

#[test]
fn a_budget_is_kept_and_used() {
    for (points, restless) in [(300, 10), (300, 1), (60, 4)] {
        for budget in [1_200_u32, 2_500, 5_000, 10_000, 20_000] {
            let mut sim = sim(SwarmGame::new(points, restless));
            let (limited, free) = (join(&mut sim, budget), join(&mut sim, 1 << 24));
            let mut seconds = Vec::new();
            let (mut sent, mut largest) = (Vec::new(), 0);
            let mut before = [0; 2];
            let mut frames = 0;
            for tick in 0..900 {
                sim.step();
                let [bytes, wanted] = [limited, free].map(|id| sim.client(id).session.stats().received_bytes);
                let now_frames = sim.client(limited).frames;
                let took = bytes - before[0] + FRAMING * (now_frames - frames);
                frames = now_frames;
                sent.push(took);
                largest = largest.max(took);
                if tick >= 150 {
                    seconds.push((took, wanted - before[1]));
                }
                before = [bytes, wanted];
            }
            let worst: u64 = sent.windows(60).map(|window| window.iter().sum()).max().expect("windows");
            let (used, wanted) = seconds.iter().fold((0, 0), |sum, add| (sum.0 + add.0, sum.1 + add.1));
            let (used, wanted) = (used / 25, wanted / 25);
            eprintln!(
                "{points} points, budget {budget}: {used} B/s of {wanted} wanted, at most {worst} B in 2 s, \
                 largest frame {largest} B, {:?}",
                sim.room.client(limited).map(|status| (status.tiers, status.parked))
            );
            assert!(worst <= 2 * u64::from(budget) + largest.max(u64::from(budget) / 8), "over the budget");
            if wanted > u64::from(budget) {
                assert!(used * 100 >= u64::from(budget) * 90, "the budget is not used");
            } else {
                assert!(used * 100 >= wanted * 97, "told less than the budget allows");
            }
            sim.assert_in_step();
        }
    }
}

#[test]
fn nothing_in_view_is_forgotten() {
    // The published bound: everything in view is told of anew within visible × 30 bytes ÷ (an eighth of the budget).
    for budget in [1_200_u32, 3_000] {
        let points = 250;
        let mut sim = sim(SwarmGame::new(points, 2));
        let id = join(&mut sim, budget);
        sim.run(300);
        let bound_ticks = points * 30 * 8 * 30 / budget;
        let mut told: BTreeMap<NetId, (Vec<i32>, u32)> = BTreeMap::new();
        let (mut worst, mut parked) = (0, 0);
        for tick in 0..bound_ticks * 3 {
            sim.step();
            let replica = sim.client(id).session.replica().expect("welcomed");
            for (index, slot) in replica.slots().iter().enumerate() {
                let state = replica.state(index);
                let entry = told.entry(slot.id).or_insert_with(|| (state.to_vec(), tick));
                if entry.0 != state {
                    *entry = (state.to_vec(), tick);
                }
                worst = worst.max(tick - entry.1);
                parked = parked.max(replica.slots().iter().filter(|slot| slot.parked.is_some()).count());
            }
        }
        eprintln!(
            "budget {budget}: at most {worst} ticks without an update, bound {bound_ticks}, {parked} parked"
        );
        assert!(worst < bound_ticks, "an entity starved for {worst} ticks");
        assert!(parked > 0, "nothing was ever parked");
        sim.assert_in_step();
    }
}

#[test]
fn ten_thousand_in_view_come_nearest_first_and_disturb_nobody() {
    let mut sim = sim(SwarmGame::new(10_000, 50));
    let settled = join(&mut sim, 1 << 24);
    sim.run(120);
    let joining = join(&mut sim, 64 * 1024);
    let frames = sim.client(settled).frames;
    let (mut farthest_known, mut order_kept, mut enters) = (0.0_f32, 0, 0);
    let mut done_at = None;
    for tick in 0..400_u32 {
        sim.step();
        let distances: Vec<f32> = sim
            .client(joining)
            .session
            .entities()
            .map(|(_, SwarmEntity::Point(point))| point.position.length())
            .collect();
        if distances.len() > enters {
            let new = &distances[enters..];
            let (nearest, farthest) =
                new.iter().fold((f32::MAX, 0.0_f32), |(a, b), d| (a.min(*d), b.max(*d)));
            order_kept += u32::from(nearest + 10.0 >= farthest_known);
            farthest_known = farthest_known.max(farthest);
            enters = distances.len();
        }
        if enters == 10_000 && done_at.is_none() {
            done_at = Some(tick);
        }
    }
    let done_at = done_at.expect("10,000 entities entered");
    eprintln!("10,000 entities entered in {done_at} ticks at 64 KiB/s, {order_kept} frames in order");
    assert!(done_at < 300, "after {done_at} ticks");
    assert!(order_kept > 30, "not nearest first");
    assert_eq!(sim.client(settled).frames - frames, 400, "somebody else missed frames");
    sim.assert_in_step();
}
