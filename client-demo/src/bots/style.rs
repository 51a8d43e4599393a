//! The hand on a bot's stick: how it plays. Its style, the seed, the bot's number, the times at which it is asked and what it
//! sees then decide everything.
//!
//! A new intention comes at a time drawn anew each time, so that presses fall anywhere in a tick. In between the aim of some
//! turns on, as a mouse does, unless a rate of changes was asked for.

use std::f32::consts::TAU;
use std::str::FromStr;

use glam::Vec2;
use rand::RngExt;
use rand_pcg::Pcg32;
use tickwire_shared::Micros;
use tickwire_shared::arena::ArenaInput;

/// Between intentions on average, where no rate was asked for.
const HOLD_MICROS: u64 = 400_000;
/// How far from that one may be, as a share.
const HOLD_SPREAD: f64 = 0.25;
/// While the aim turns on, so often a second.
const TURN_MICROS: u64 = 33_333;
/// How often a wanderer stands still, turns, and fires.
const STANDS: f64 = 0.1;
const TURNS: f64 = 0.5;
const FIRES: f64 = 0.2;
/// How often a fighter fires at whom it aims at.
const FIGHTER_FIRES: f64 = 0.7;
/// Fastest turn, in radians per second.
const TURN_MAX: f32 = 3.0;
/// How near to its middle a crowd wants to be, as a share of the arena's side.
const CROWD_SHARE: f32 = 0.06;
/// How near a fighter wants to be, in metres.
const FIGHT_NEAR_M: f32 = 12.0;

/// How a bot plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Walks somewhere for a moment, turns now and then, sometimes fires.
    #[default]
    Wander,
    /// Walks to the middle and stays in the throng there.
    Crowd,
    /// Walks up to the nearest player and fires at it.
    Fight,
    /// Stands still, and says nothing but that it is there.
    Idle,
}

impl FromStr for Style {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "wander" => Ok(Self::Wander),
            "crowd" => Ok(Self::Crowd),
            "fight" => Ok(Self::Fight),
            "idle" => Ok(Self::Idle),
            _ => Err(format!("`{text}` is no style; write wander, crowd, fight or idle")),
        }
    }
}

/// What a bot sees of the world, as far as its style looks at that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sight {
    /// Where it is, in metres from the middle; a bot that reads no states does not know.
    pub(super) own: Option<Vec2>,
    /// Where the nearest other player is.
    pub(super) nearest: Option<Vec2>,
    /// Length of the arena's side.
    pub(super) size_m: f32,
}

/// A seeded source of inputs.
#[derive(Clone, Debug)]
pub(super) struct Hand {
    style: Style,
    rng: Pcg32,
    hold_micros: u64,
    /// Whether the aim turns on between intentions.
    turns: bool,
    walk: Vec2,
    aim: f32,
    /// In radians per second.
    turn: f32,
    fire: bool,
    held_until: Micros,
    asked: Micros,
}

impl Hand {
    /// `changes_per_s` of the input, on average; `None` leaves it to the style.
    pub(super) fn new(style: Style, changes_per_s: Option<f64>, seed: u64, index: u64) -> Self {
        let mut rng = Pcg32::new(seed, index);
        let aim = rng.random_range(0.0..TAU);
        let start = Micros::default();
        Self {
            style,
            rng,
            hold_micros: changes_per_s.map_or(HOLD_MICROS, |rate| (1e6 / rate) as u64).max(1),
            turns: changes_per_s.is_none(),
            walk: Vec2::ZERO,
            aim,
            turn: 0.0,
            fire: false,
            held_until: start,
            asked: start,
        }
    }

    /// When the next press is due; `None` for whoever never presses anything.
    pub(super) fn due(&self) -> Option<Micros> {
        match self.style {
            Style::Idle => None,
            _ if self.turn != 0.0 => Some(self.held_until.min(self.asked.plus(TURN_MICROS))),
            _ => Some(self.held_until),
        }
    }

    /// Whether its next intention depends on what it sees.
    pub(super) fn wants_sight(&self, now: Micros) -> bool {
        matches!(self.style, Style::Crowd | Style::Fight) && now >= self.held_until
    }

    /// What the bot wants at `now`.
    pub(super) fn input(&mut self, now: Micros, sight: Sight) -> ArenaInput {
        if now >= self.held_until {
            self.intend(sight);
            let hold = self.hold_micros as f64;
            let hold = self.rng.random_range(hold * (1.0 - HOLD_SPREAD)..hold * (1.0 + HOLD_SPREAD));
            self.held_until = now.plus(hold as u64);
        } else {
            self.aim = (self.aim + self.turn * (now.since(self.asked) as f32 / 1e6)).rem_euclid(TAU);
        }
        self.asked = now;
        ArenaInput::new(self.walk, self.aim, self.fire)
    }

    fn intend(&mut self, sight: Sight) {
        match (self.style, sight.own) {
            (Style::Idle, _) => {}
            (Style::Crowd, Some(own)) => {
                self.wander();
                if own.length() > sight.size_m * CROWD_SHARE {
                    self.walk = -own.normalize_or_zero();
                }
            }
            (Style::Fight, Some(own)) => match sight.nearest {
                Some(other) => self.attack(other - own),
                None => self.wander(),
            },
            // Whoever sees nothing can only wander.
            (Style::Wander | Style::Crowd | Style::Fight, _) => self.wander(),
        }
    }

    fn wander(&mut self) {
        let rng = &mut self.rng;
        let direction = Vec2::from_angle(rng.random_range(0.0..TAU));
        self.walk = if rng.random_bool(STANDS) { Vec2::ZERO } else { direction };
        let turns = rng.random_bool(TURNS);
        let turn = rng.random_range(-TURN_MAX..TURN_MAX);
        self.turn = if turns && self.turns { turn } else { 0.0 };
        if !self.turns {
            self.aim = rng.random_range(0.0..TAU);
        }
        self.fire = rng.random_bool(FIRES);
    }

    fn attack(&mut self, way: Vec2) {
        let sidestep = if self.rng.random_bool(0.5) { way.perp() } else { -way.perp() };
        let walk = if way.length() > FIGHT_NEAR_M { way } else { sidestep };
        (self.walk, self.aim, self.turn) = (walk.normalize_or_zero(), way.to_angle().rem_euclid(TAU), 0.0);
        self.fire = self.rng.random_bool(FIGHTER_FIRES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::Protocol;
    use tickwire_shared::arena::Arena;

    fn ten_seconds(mut hand: Hand) -> Vec<ArenaInput> {
        let sight = Sight { size_m: 200.0, ..Sight::default() };
        (0..300).map(|tick| hand.input(Micros(tick * 33_333), sight)).collect()
    }

    fn changes(inputs: &[ArenaInput]) -> usize {
        inputs.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn the_seed_alone_reproduces() {
        let of = |seed, index| ten_seconds(Hand::new(Style::Wander, None, seed, index));
        assert_eq!(of(1, 2), of(1, 2));
        assert_ne!(of(1, 2), of(2, 2));
        assert_ne!(of(1, 2), of(1, 3));
    }

    #[test]
    fn a_wanderer_does_a_bit_of_everything() {
        let inputs = ten_seconds(Hand::new(Style::Wander, None, 1, 1));
        assert!(inputs.iter().all(Arena::is_possible));
        let walks = inputs.windows(2).filter(|pair| pair[0].walk != pair[1].walk).count();
        assert!((18..=34).contains(&walks), "{walks} directions in 10 s");
        let fires = inputs.iter().filter(|input| input.fire).count();
        assert!((10..200).contains(&fires), "fires in {fires} of 300 ticks");
        let turns = inputs.windows(2).filter(|pair| pair[0].aim != pair[1].aim).count();
        assert!((60..250).contains(&turns), "turns in {turns} of 300 ticks");
    }

    #[test]
    fn presses_come_at_the_rate_and_anywhere_in_a_tick() {
        let mut hand = Hand::new(Style::Wander, Some(2.0), 1, 1);
        let (mut now, mut presses, mut early) = (Micros(0), 0, 0);
        while now.0 < 200_000_000 {
            hand.input(now, Sight::default());
            now = hand.due().expect("it plays");
            presses += 1;
            early += u32::from(now.0 % 33_333 < 16_666);
        }
        assert!((390..=410).contains(&presses), "{presses} in 200 s");
        assert!((160..=240).contains(&early), "{early} of {presses} in the first half of a tick");
    }

    #[test]
    fn styles_differ() {
        let far =
            Sight { own: Some(Vec2::new(80.0, 0.0)), nearest: Some(Vec2::new(80.0, 40.0)), size_m: 200.0 };
        let first = |style| Hand::new(style, None, 3, 4).input(Micros(0), far);
        assert_eq!(first(Style::Crowd).walk, ArenaInput::new(Vec2::NEG_X, 0.0, false).walk);
        let fighter = first(Style::Fight);
        assert_eq!(fighter.walk, ArenaInput::new(Vec2::Y, 0.0, false).walk);
        assert!((fighter.aim_radians() - TAU / 4.0).abs() < 0.01);
        let idle = Hand::new(Style::Idle, None, 3, 4);
        assert_eq!(idle.due(), None);
        assert_eq!(changes(&ten_seconds(idle)), 0);
        assert_eq!("fight".parse(), Ok(Style::Fight));
        assert!("dance".parse::<Style>().is_err());
    }
}
