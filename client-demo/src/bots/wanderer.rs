//! The hand on a bot's stick: walks somewhere for a moment, turns now and then, sometimes fires. The seed, the
//! bot's number and the times at which it is asked decide everything.

use std::f32::consts::TAU;

use glam::Vec2;
use rand::RngExt;
use rand_pcg::Pcg32;
use tickwire_shared::Micros;
use tickwire_shared::arena::ArenaInput;

/// Shortest and longest time for which one intention is held.
const HOLD_MICROS: std::ops::Range<u64> = 300_000..500_000;
/// How often the bot stands still, turns, and fires.
const STANDS: f64 = 0.1;
const TURNS: f64 = 0.5;
const FIRES: f64 = 0.2;
/// Fastest turn, in radians per second.
const TURN_MAX: f32 = 3.0;

/// A seeded source of inputs.
#[derive(Clone, Debug)]
pub(super) struct Wanderer {
    rng: Pcg32,
    walk: Vec2,
    aim: f32,
    /// In radians per second.
    turn: f32,
    fire: bool,
    held_until: Micros,
    asked: Micros,
}

impl Wanderer {
    pub(super) fn new(seed: u64, index: u64) -> Self {
        let mut rng = Pcg32::new(seed, index);
        let aim = rng.random_range(0.0..TAU);
        let start = Micros::default();
        Self { rng, walk: Vec2::ZERO, aim, turn: 0.0, fire: false, held_until: start, asked: start }
    }

    /// What the bot wants at `now`.
    pub(super) fn input(&mut self, now: Micros) -> ArenaInput {
        if now >= self.held_until {
            self.intend(now);
        } else {
            self.aim = (self.aim + self.turn * (now.since(self.asked) as f32 / 1e6)).rem_euclid(TAU);
        }
        self.asked = now;
        ArenaInput::new(self.walk, self.aim, self.fire)
    }

    fn intend(&mut self, now: Micros) {
        let rng = &mut self.rng;
        let direction = Vec2::from_angle(rng.random_range(0.0..TAU));
        self.walk = if rng.random_bool(STANDS) { Vec2::ZERO } else { direction };
        self.turn = if rng.random_bool(TURNS) { rng.random_range(-TURN_MAX..TURN_MAX) } else { 0.0 };
        self.fire = rng.random_bool(FIRES);
        self.held_until = now.plus(rng.random_range(HOLD_MICROS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::Protocol;
    use tickwire_shared::arena::Arena;

    fn ten_seconds(seed: u64, index: u64) -> Vec<ArenaInput> {
        let mut wanderer = Wanderer::new(seed, index);
        (0..300).map(|tick| wanderer.input(Micros(tick * 33_333))).collect()
    }

    #[test]
    fn the_seed_alone_reproduces() {
        assert_eq!(ten_seconds(1, 2), ten_seconds(1, 2));
        assert_ne!(ten_seconds(1, 2), ten_seconds(2, 2));
        assert_ne!(ten_seconds(1, 2), ten_seconds(1, 3));
    }

    #[test]
    fn does_a_bit_of_everything() {
        let inputs = ten_seconds(1, 1);
        assert!(inputs.iter().all(Arena::is_possible));
        let walks = inputs.windows(2).filter(|pair| pair[0].walk != pair[1].walk).count();
        assert!((18..=34).contains(&walks), "{walks} directions in 10 s");
        let fires = inputs.iter().filter(|input| input.fire).count();
        assert!((10..200).contains(&fires), "fires in {fires} of 300 ticks");
        let turns = inputs.windows(2).filter(|pair| pair[0].aim != pair[1].aim).count();
        assert!((60..250).contains(&turns), "turns in {turns} of 300 ticks");
    }
}
