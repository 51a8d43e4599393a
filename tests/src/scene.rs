//! The scene that the codec's numbers are about: 1,000 entities on a square kilometre at 30 Hz, positions to 1 cm,
//! headings to 1/1024 turn, hit points and flags. Half are wanderers (waypoints, bounded acceleration, a jolt in
//! 1 % of ticks), half are played (8-way keys held for about 0.4 s, acceleration and friction, a mouse's heading).

use glam::Vec2;
use serde::{Deserialize, Serialize};
use tickwire_shared::Replicate;

use crate::seeds::Dice;

/// Ticks per second.
pub const TICK_HZ: f32 = 30.0;

/// One entity's replicated state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Mover {
    /// In metres.
    #[replicate(position, min = -1024.0, max = 1024.0, quantum = 0.01)]
    pub position: Vec2,
    /// In radians.
    #[replicate(angle, bits = 10)]
    pub heading: f32,
    /// Hit points.
    #[replicate(number, min = 0, max = 100)]
    pub hp: u8,
    /// Four bits.
    #[replicate(flags, bits = 4)]
    pub flags: u8,
}

/// The scene in motion.
#[derive(Clone, Debug)]
pub struct Scene {
    movers: Vec<(Mover, Mind)>,
    dice: Dice,
    half_m: f32,
}

#[derive(Clone, Debug)]
struct Mind {
    velocity: Vec2,
    played: bool,
    goal: Vec2,
    leg_ticks: u32,
    idle: bool,
    turn: f32,
}

impl Scene {
    /// `count` entities in a square of `side_m` metres.
    #[must_use]
    pub fn new(seed: u64, count: u32, side_m: f32) -> Self {
        let mut dice = Dice::new(seed);
        let half_m = side_m / 2.0;
        let movers = (0..count)
            .map(|index| {
                let place = Vec2::new(dice.between(-half_m, half_m), dice.between(-half_m, half_m));
                let mover = Mover { position: place, hp: 100, ..Mover::default() };
                let mind = Mind {
                    velocity: Vec2::ZERO,
                    played: index % 2 == 0,
                    goal: place,
                    leg_ticks: dice.below(90),
                    idle: true,
                    turn: 0.0,
                };
                (mover, mind)
            })
            .collect();
        Self { movers, dice, half_m }
    }

    /// The states as they are.
    pub fn movers(&self) -> impl Iterator<Item = &Mover> {
        self.movers.iter().map(|(mover, _)| mover)
    }

    /// One tick.
    pub fn step(&mut self) {
        let Self { movers, dice, half_m } = self;
        for (mover, mind) in movers {
            if mind.leg_ticks == 0 {
                mind.next_leg(mover, dice, *half_m);
            }
            mind.leg_ticks -= 1;
            if mind.played {
                mind.step_played(mover, dice)
            } else {
                mind.step_wandering(mover, dice)
            }
            let limit = Vec2::splat(*half_m);
            mover.position = (mover.position + mind.velocity / TICK_HZ).clamp(-limit, limit);
            if dice.one_in(600) {
                mover.hp = mover.hp.saturating_sub(25);
                mover.hp = if mover.hp == 0 { 100 } else { mover.hp };
            }
            if dice.one_in(300) {
                mover.flags ^= 1 << dice.below(4);
            }
        }
    }
}

impl Mind {
    fn next_leg(&mut self, mover: &Mover, dice: &mut Dice, half_m: f32) {
        if self.played {
            // Keys: one of eight directions or none, held for 0.2 to 0.6 s; a pause now and then.
            self.idle = if self.idle { dice.one_in(4) } else { dice.one_in(6) };
            self.leg_ticks = if self.idle { 20 + dice.below(80) } else { 6 + dice.below(13) };
            self.goal = Vec2::from_angle(dice.below(8) as f32 * std::f32::consts::FRAC_PI_4);
        } else {
            self.idle = !self.idle && dice.one_in(2);
            self.leg_ticks = 60 + dice.below(150);
            let offset = Vec2::new(dice.between(-40.0, 40.0), dice.between(-40.0, 40.0));
            self.goal = (mover.position + offset).clamp(Vec2::splat(-half_m), Vec2::splat(half_m));
        }
    }

    fn step_played(&mut self, mover: &mut Mover, dice: &mut Dice) {
        let wanted = if self.idle { Vec2::ZERO } else { self.goal * 6.0 };
        self.velocity += (wanted - self.velocity).clamp_length_max(40.0 / TICK_HZ);
        if !self.idle {
            if dice.one_in(8) {
                self.turn = if dice.one_in(2) { 0.0 } else { dice.between(-0.12, 0.12) };
            }
            mover.heading += self.turn * dice.between(0.6, 1.4);
        }
    }

    fn step_wandering(&mut self, mover: &mut Mover, dice: &mut Dice) {
        let wanted = if self.idle { Vec2::ZERO } else { (self.goal - mover.position).clamp_length_max(4.0) };
        self.velocity += (wanted - self.velocity).clamp_length_max(5.0 / TICK_HZ);
        if self.velocity.length_squared() < 1e-3 {
            self.velocity = Vec2::ZERO;
            return;
        }
        if dice.one_in(100) {
            self.velocity += Vec2::new(dice.between(-1.5, 1.5), dice.between(-1.5, 1.5));
        }
        if self.velocity.length_squared() > 0.09 {
            mover.heading = self.velocity.to_angle();
        }
    }
}
