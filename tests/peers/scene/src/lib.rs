//! The arena that all peers play: integers only, so that `node/scene.mjs`, which is this file in JavaScript, makes the
//! same world tick by tick. Knows nothing of any peer, of sockets or of time.
//!
//! Positions are kept in 1/64 cm and told in cm; headings have 1024 steps; hit points are 0 to 100, the state has four
//! bits. Wandering drones turn, stop, get hurt and change their state by a generator of their own; players do what their
//! input says.

mod interest;

pub use interest::{Changes, Interest};

/// Steps of a whole turn.
pub const TURN: i32 = 1024;
/// Parts of a centimetre that positions are kept in.
const FINE: i32 = 64;
/// Scale of the table of cosines, as a shift.
const UNIT_BITS: i32 = 12;
/// The most that a drone turns in a tick.
const TURN_MAX: i32 = 24;
/// A player's speed, in 1/64 cm per tick: 6 m/s at 30 Hz.
const PLAYER_SPEED: i32 = 1280;
/// A stick's full deflection.
const STICK_MAX: i32 = 127;

/// What everybody may know of one entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// In cm.
    pub x: i32,
    /// In cm.
    pub y: i32,
    /// 0 to 1023.
    pub heading: i32,
    /// 0 to 100.
    pub hp: i32,
    /// Four bits.
    pub state: i32,
}

/// What a player wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Stick, -127 to 127.
    pub walk: [i8; 2],
    /// Heading, 0 to 1023.
    pub aim: u16,
    /// One of the bits of the state.
    pub fire: bool,
}

/// One entity with all that its next step needs.
#[derive(Clone, Copy, Debug)]
struct Body {
    x: i32,
    y: i32,
    heading: i32,
    hp: i32,
    state: i32,
    wanted: i32,
    speed: i32,
    resting: bool,
    dice: Dice,
}

/// The world. Drones are the entities 0 to `drones` - 1, player `n` is the entity `drones` + n.
#[derive(Clone, Debug)]
pub struct Scene {
    size: i32,
    drones: usize,
    tick: u32,
    bodies: Vec<Body>,
    cosines: Vec<i32>,
}

impl Scene {
    /// A world at tick 0. Players stand in it from the beginning, whether they are connected or not.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "rounded, and compared with what JavaScript makes of it")]
    pub fn new(size_m: i32, drones: usize, players: usize) -> Self {
        let size = size_m * 100 * FINE;
        let cosine = |step: i32| {
            let angle = f64::from(step) * std::f64::consts::TAU / f64::from(TURN);
            (angle.cos() * f64::from(1 << UNIT_BITS) + 0.5).floor() as i32
        };
        let bodies = (0..drones + players).map(|index| Body::new(index, size)).collect();
        Self { size, drones, tick: 0, bodies, cosines: (0..TURN).map(cosine).collect() }
    }

    /// How many steps it has made.
    #[must_use]
    pub fn tick(&self) -> u32 {
        self.tick
    }

    /// How many entities there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bodies.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// Of these the drones come first.
    #[must_use]
    pub fn drones(&self) -> usize {
        self.drones
    }

    /// What everybody may know of an entity.
    #[must_use]
    pub fn seen(&self, entity: usize) -> Seen {
        let body = &self.bodies[entity];
        Seen { x: body.x / FINE, y: body.y / FINE, heading: body.heading, hp: body.hp, state: body.state }
    }

    /// One tick. `input` says what a player wants.
    pub fn step(&mut self, mut input: impl FnMut(usize) -> Input) {
        self.tick += 1;
        let (size, cosines) = (self.size, &self.cosines);
        let (drones, players) = self.bodies.split_at_mut(self.drones);
        for body in drones {
            body.wander(size, cosines);
        }
        for (player, body) in players.iter_mut().enumerate() {
            body.obey(input(player), size);
        }
    }
}

impl Body {
    fn new(index: usize, size: i32) -> Self {
        let mut dice = Dice::new(index as u32);
        let mut place = || ((u64::from(dice.next() >> 8) * size as u64) >> 24) as i32;
        let (x, y) = (place(), place());
        let heading = (dice.next() & 1023) as i32;
        let speed = 320 + (index as i32 % 7) * 64;
        Self { x, y, heading, hp: 100, state: 0, wanted: heading, speed, resting: false, dice }
    }

    fn wander(&mut self, size: i32, cosines: &[i32]) {
        let chance = self.dice.next();
        if chance & 63 == 0 {
            self.wanted = (self.dice.next() & 1023) as i32;
        }
        if (chance >> 6).is_multiple_of(if self.resting { 20 } else { 90 }) {
            self.resting = !self.resting;
        }
        self.live(chance);
        let off = ((self.wanted - self.heading + TURN / 2) & (TURN - 1)) - TURN / 2;
        self.heading = (self.heading + off.clamp(-TURN_MAX, TURN_MAX)) & (TURN - 1);
        if self.resting {
            return;
        }
        let along = |heading: i32| (cosines[(heading & (TURN - 1)) as usize] * self.speed) >> UNIT_BITS;
        let (x, y) = (self.x + along(self.heading), self.y + along(self.heading - TURN / 4));
        (self.x, self.y) = (x.clamp(0, size - 1), y.clamp(0, size - 1));
        if (self.x, self.y) != (x, y) {
            self.wanted = (self.heading + TURN / 2) & (TURN - 1);
        }
    }

    fn obey(&mut self, input: Input, size: i32) {
        let chance = self.dice.next();
        self.live(chance);
        self.state = (self.state & 7) | (i32::from(input.fire) << 3);
        self.heading = i32::from(input.aim) & (TURN - 1);
        let along = |stick: i8| i32::from(stick) * PLAYER_SPEED / STICK_MAX;
        self.x = (self.x + along(input.walk[0])).clamp(0, size - 1);
        self.y = (self.y + along(input.walk[1])).clamp(0, size - 1);
    }

    /// Hit points and flags.
    fn live(&mut self, chance: u32) {
        if (chance >> 16).is_multiple_of(150) {
            let hurt = 1 + (chance & 7) as i32;
            self.hp = if self.hp <= hurt { 100 } else { self.hp - hurt };
        }
        if (chance >> 20).is_multiple_of(60) {
            self.state = (chance & 15) as i32;
        }
    }
}

/// A generator of 32 bits (Marsaglia's xorshift, 13, 17, 5).
#[derive(Clone, Copy, Debug)]
pub struct Dice(u32);

impl Dice {
    /// Another sequence for each number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        let mut dice = Self((number.wrapping_add(1).wrapping_mul(2_654_435_761)) | 1);
        for _ in 0..4 {
            dice.next();
        }
        dice
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}
