//! The rigid-body scene, on Tickwire and on Colyseus: both servers play the same recorded motion (the scene of the coding
//! table), and what clients are told is compared with the recording.

use std::sync::OnceLock;

use glam::{Quat, Vec3};
use peers_scene::{Input, Seen};
use tickwire_shared::Micros;
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::schema::Replicate;

use super::colyseus::{self, Change, Decoder, Field};
use super::{Dialect, Out, Seat};
use crate::bodies::{Entity, Rigid, RigidBodies};
use crate::plan::Cell;
use crate::servers::bodies_file;
use crate::socket::Kind;
use crate::truth::View;

/// Ticks of the recording; then it begins again.
pub const TICKS: usize = 1200;
/// Of one body in the file: three coordinates in cm, four components of a rotation, all 32 bits, little-endian.
const BODY_BYTES: usize = 28;
/// A place may be off by so much, in metres: half a quantum of 1 cm, and what rounding adds.
const PLACE_SLACK_M: f32 = 0.0075;
/// A rotation may be off by so much, in radians: a few quanta.
const TURN_SLACK: f32 = 0.004;

/// Writes the recording for the servers.
///
/// # Errors
/// When it cannot be written.
pub fn record() -> Result<(), String> {
    let recording = tickwire_tests::recordings::rigid_bodies(1, Cell::Bodies.drones() as u32, TICKS as u32);
    let mut bytes = Vec::with_capacity(TICKS * Cell::Bodies.drones() * BODY_BYTES);
    for body in recording.ticks.iter().flatten() {
        let body = tickwire_tests::recordings::Body::restore(&body.state);
        for value in body.position.to_array().map(|metres| (metres * 100.0).round()) {
            bytes.extend(value.to_le_bytes());
        }
        let turned = if body.rotation.w < 0.0 { -body.rotation } else { body.rotation };
        for value in turned.to_array() {
            bytes.extend(value.to_le_bytes());
        }
    }
    let file = bodies_file();
    std::fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))
}

/// The recording, by tick and body: places in metres, and rotations.
///
/// # Errors
/// When it is not there.
pub fn recorded() -> Result<Vec<Vec<(Vec3, Quat)>>, String> {
    let file = bodies_file();
    let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let body = |bytes: &[u8]| {
        let number =
            |at: usize| bytes[4 * at..].first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes));
        let place = Vec3::new(number(0), number(1), number(2)) / 100.0;
        (place, Quat::from_xyzw(number(3), number(4), number(5), number(6)))
    };
    let bodies: Vec<_> = bytes.chunks_exact(BODY_BYTES).map(body).collect();
    Ok(bodies.chunks(Cell::Bodies.drones()).map(<[_]>::to_vec).collect())
}

/// Compares what was told with the recording.
struct Checker {
    view: View,
}

impl Checker {
    fn new() -> Self {
        Self { view: View::new(Cell::Bodies.drones()) }
    }

    fn check(&mut self, tick: u32, told: impl Iterator<Item = (usize, Vec3, Quat)>) -> Result<(), String> {
        static RECORDED: OnceLock<Vec<Vec<(Vec3, Quat)>>> = OnceLock::new();
        let recorded = RECORDED.get_or_init(|| recorded().unwrap_or_default());
        let truth = recorded.get(tick as usize % TICKS).ok_or("there is no recording")?;
        self.view.entities.fill(None);
        self.view.tick = tick;
        for (body, place, rotation) in told {
            let (true_place, true_rotation) = truth[body];
            let off = (place - true_place).abs().max_element();
            if off > PLACE_SLACK_M || rotation.angle_between(true_rotation) > TURN_SLACK {
                return Err(format!(
                    "tick {tick}: body {body} told {place} {rotation}, is {true_place} {true_rotation}"
                ));
            }
            self.view.entities[body] = Some(Seen::default());
        }
        match self.view.count() == Cell::Bodies.drones() {
            true => Ok(()),
            false => Err(format!("tick {tick}: only {} bodies", self.view.count())),
        }
    }
}

/// A client of Tickwire.
pub struct Tickwire {
    session: Session<RigidBodies>,
    checker: Checker,
}

impl Default for Tickwire {
    /// A client that has not said Hello.
    fn default() -> Self {
        let session = Session::new(Identity::default()).expect("a schema");
        Self { session, checker: Checker::new() }
    }
}

impl Dialect for Tickwire {
    fn greet(&mut self, out: &mut Out, now: Micros) {
        self.poll(out, now);
    }

    fn handle(&mut self, message: &[u8], out: &mut Out, now: Micros) -> Result<bool, String> {
        let frames = self.session.stats().frames;
        self.session.handle_message(message, now).map_err(|error| error.to_string())?;
        while self.session.poll_happening().is_some() {}
        self.poll(out, now);
        Ok(self.session.stats().frames > frames)
    }

    fn check(&mut self) -> Result<(), String> {
        let tick = self.session.replica().map_or(0, |replica| replica.tick().0);
        let told = self.session.entities().map(|(slot, Entity::Rigid(Rigid { position, rotation }))| {
            (usize::from(slot.spawn), position, rotation)
        });
        self.checker.check(tick, told)
    }

    fn input(&mut self, _input: Input, out: &mut Out, now: Micros) {
        self.poll(out, now);
    }

    fn poll(&mut self, out: &mut Out, now: Micros) {
        while let Some(bytes) = self.session.poll_transmit(now) {
            out.push((Kind::Binary, bytes));
        }
    }

    fn view(&mut self) -> Option<&View> {
        Some(&self.checker.view)
    }
}

/// A client of Colyseus.
pub struct Colyseus {
    decodes: bool,
    decoder: Decoder,
    tick: u32,
    told: Vec<[u32; 7]>,
    checker: Checker,
}

/// x, y, z, the rotation's three smaller components, and which is the largest.
const BODY: [Field; 7] =
    [Field::Word, Field::Word, Field::Word, Field::Word, Field::Word, Field::Word, Field::Byte];

impl Colyseus {
    /// A client that knows nothing.
    #[must_use]
    pub fn new(seat: Seat) -> Self {
        let told = vec![[0; 7]; Cell::Bodies.drones()];
        Self { decodes: seat.decodes, decoder: Decoder::new(&BODY), tick: 0, told, checker: Checker::new() }
    }
}

impl Dialect for Colyseus {
    fn handle(&mut self, message: &[u8], out: &mut Out, _now: Micros) -> Result<bool, String> {
        let Some(body) = colyseus::open(message, out)? else { return Ok(false) };
        if !self.decodes {
            return Ok(true);
        }
        let Self { decoder, tick, told, .. } = self;
        decoder.read(body, |change| match change {
            Change::Tick(now) => *tick = now,
            Change::Field { entity, field, value } => told[entity][field] = value,
            Change::Gone(_) => {}
        })?;
        Ok(true)
    }

    fn input(&mut self, _input: Input, _out: &mut Out, _now: Micros) {}

    fn check(&mut self) -> Result<(), String> {
        // As in `node/colyseus_bodies.mjs`: metres in -327.67 to 327.67, components in -1 to 1, an exact zero.
        let scaled = |value: u32, most: f32| (value as f32 / 32_767.0 - 1.0) * most;
        let told = self.told.iter().enumerate().map(|(body, value)| {
            let place = Vec3::from_array([0, 1, 2].map(|at| scaled(value[at], 327.67)));
            let [a, b, c] = [3, 4, 5].map(|at| scaled(value[at], 1.0));
            let d = (1.0 - a * a - b * b - c * c).max(0.0).sqrt();
            let turn = match value[6] {
                0 => [d, a, b, c],
                1 => [a, d, b, c],
                2 => [a, b, d, c],
                _ => [a, b, c, d],
            };
            (body, place, Quat::from_array(turn).normalize())
        });
        self.checker.check(self.tick, told)
    }

    fn view(&mut self) -> Option<&View> {
        self.decodes.then_some(&self.checker.view)
    }
}
