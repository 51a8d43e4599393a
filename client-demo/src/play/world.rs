//! The world as it is shown: made from the session's replica when a frame was applied, and asked for a scene at
//! any time in between.
//!
//! Everything glides from where it was shown to its newest place within one tick; that is all the smoothing
//! there is. It knows no toolkit, no socket and no clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use glam::Vec2;
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaEvent, ArenaSpawn, Own, flags};
use tickwire_shared::client::{Session, Stats};
use tickwire_shared::{Micros, NetId};

/// How long a shot is seen.
const SHOT_MICROS: u64 = 250_000;
/// Shots that are shown at once; the oldest make room.
const SHOTS_MAX: usize = 256;
/// How long a line of the log stays, and how many there are.
const LINE_MICROS: u64 = 12_000_000;
const LINES_MAX: usize = 8;
/// Nobody walks this far in a tick, in metres: it was a respawn.
const JUMP_M: f32 = 4.0;
/// Over which time the net figures are taken.
const NET_WINDOW_MICROS: u64 = 1_000_000;

/// Where the session stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// No Welcome yet.
    #[default]
    Connecting,
    /// Frames arrive.
    Playing,
    /// For a while none has arrived.
    Stalled,
    /// The connection was lost, and this is why; the session is to go on over another one.
    Resuming(String),
    /// It is over, and why.
    Over(String),
}

/// What there is to see at one time.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Where the session stands.
    pub status: Status,
    /// The obstacles, after Welcome.
    pub map: Option<Arc<Map>>,
    /// The own avatar, after the first frame.
    pub own: Option<OwnView>,
    /// Everything else in view.
    pub bodies: Vec<BodyView>,
    /// Shots of the last moments.
    pub shots: Vec<ShotView>,
    /// What was said and done lately, oldest first.
    pub lines: Vec<String>,
    /// How the connection does.
    pub net: NetView,
}

/// The own avatar.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnView {
    /// Where it is shown, in metres.
    pub position: Vec2,
    /// Its newest state.
    pub own: Own,
    /// Seconds until it is back; zero is alive.
    pub respawn_seconds: f32,
}

/// Something else that is in view.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyView {
    /// Where it is shown, in metres.
    pub position: Vec2,
    /// What it is.
    pub what: What,
    /// Display name; empty for what has none.
    pub name: Arc<str>,
    /// Colour index, 0..=7.
    pub colour: u8,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A person or a bot.
    Player {
        /// Where it looks, in radians.
        aim: f32,
        /// Hit points.
        hp: u8,
        /// Kills less deaths by own hand.
        score: i16,
        /// Waits to respawn.
        is_dead: bool,
        /// Its client is gone for the moment.
        is_away: bool,
    },
    /// A wandering drone.
    Drone {
        /// Where it goes, in radians.
        heading: f32,
        /// Hit points.
        hp: u8,
    },
    /// Something to walk over.
    Pickup,
}

/// A shot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShotView {
    /// From and to, in metres.
    pub line: [Vec2; 2],
    /// Whether it hit somebody.
    pub is_hit: bool,
    /// 1 when it was fired, 0 when it is gone.
    pub strength: f32,
}

/// How the connection does, over the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NetView {
    /// Smoothed round trip.
    pub rtt_ms: Option<f64>,
    /// What Welcome says.
    pub tick_hz: u16,
    /// Applied frames.
    pub snapshots_per_s: f64,
    /// Payload from the server.
    pub bytes_per_s: f64,
    /// Entities in view, the own avatar not counted.
    pub entities: usize,
    /// Bits of all updates by the changed ones.
    pub bits_per_update: f64,
    /// Checksums that differed, since the beginning.
    pub mismatches: u64,
    /// Frames that caught up after a pause, since the beginning.
    pub resyncs: u64,
}

/// The state behind the scenes.
#[derive(Debug, Default)]
pub struct World {
    status: Status,
    map: Option<Arc<Map>>,
    tick_micros: u64,
    own: Option<(Glide, Own)>,
    avatar: Option<NetId>,
    bodies: HashMap<NetId, Body>,
    shots: VecDeque<Shot>,
    lines: VecDeque<(Micros, String)>,
    net: NetView,
    net_since: Option<(Micros, Stats)>,
}

#[derive(Debug)]
struct Body {
    glide: Glide,
    what: What,
    name: Arc<str>,
    colour: u8,
    seen: Micros,
}

#[derive(Debug)]
struct Shot {
    line: [Vec2; 2],
    is_hit: bool,
    fired: Micros,
}

/// A way from one place to another.
#[derive(Clone, Copy, Debug)]
struct Glide {
    from: Vec2,
    to: Vec2,
    began: Micros,
    micros: u64,
}

impl Glide {
    fn still(at: Vec2, now: Micros) -> Self {
        Self { from: at, to: at, began: now, micros: 1 }
    }

    fn at(&self, now: Micros) -> Vec2 {
        let share = now.since(self.began) as f32 / self.micros as f32;
        self.from.lerp(self.to, share.min(1.0))
    }

    /// Goes on to `to` from where it is now, unless that is too far to walk.
    fn go(&mut self, to: Vec2, micros: u64, now: Micros) {
        let from = self.at(now);
        *self = if from.distance(to) > JUMP_M {
            Self::still(to, now)
        } else {
            Self { from, to, began: now, micros: micros.max(1) }
        };
    }
}

impl World {
    /// A session begins; nothing of the last one is left but the log.
    pub fn begin(&mut self) {
        *self = Self { lines: std::mem::take(&mut self.lines), ..Self::default() };
    }

    /// The session said that it has begun.
    pub fn welcome(&mut self, session: &Session<Arena>) {
        self.status = Status::Playing;
        self.map = session.setup().map(|setup| Arc::new(Map::new(setup.seed, setup.size_m)));
        self.tick_micros = session.clock().map_or(1, |clock| clock.tick_micros());
        self.net.tick_hz = session.welcome().map_or(0, |welcome| welcome.tick_hz);
    }

    /// The session goes on over another connection.
    pub fn welcome_back(&mut self) {
        self.status = Status::Playing;
    }

    /// Whether frames still arrive.
    pub fn stalled(&mut self, is_stalled: bool) {
        match self.status {
            Status::Playing if is_stalled => self.status = Status::Stalled,
            Status::Stalled if !is_stalled => self.status = Status::Playing,
            _ => {}
        }
    }

    /// The connection was lost; what there is to see stays.
    pub fn lose(&mut self, why: String) {
        self.status = Status::Resuming(why);
    }

    /// The session ended.
    pub fn end(&mut self, why: String) {
        self.status = Status::Over(why);
    }

    /// A frame was applied.
    pub fn apply(&mut self, session: &Session<Arena>, now: Micros) {
        let tick = session.replica().map(|replica| replica.tick()).unwrap_or_default();
        for (slot, entity) in session.entities() {
            let (position, what) = place_and_kind(&entity);
            let body =
                self.bodies.entry(slot.id).or_insert_with(|| Body::new(&slot.spawn, position, what, now));
            if slot.cut == tick {
                body.glide = Glide::still(position, now);
            } else {
                body.glide.go(position, self.tick_micros, now);
            }
            body.what = what;
            body.seen = now;
        }
        self.bodies.retain(|_, body| body.seen == now);
        self.avatar = session.avatar();
        if let Some(own) = session.private() {
            let place = own.position;
            let (glide, newest) = self.own.get_or_insert_with(|| (Glide::still(place, now), Own::default()));
            glide.go(place, self.tick_micros, now);
            *newest = own;
        }
        self.note_net(session, now);
    }

    fn note_net(&mut self, session: &Session<Arena>, now: Micros) {
        let stats = *session.stats();
        let (since, before) = *self.net_since.get_or_insert((now, stats));
        let micros = now.since(since);
        if micros < NET_WINDOW_MICROS {
            return;
        }
        self.net_since = Some((now, stats));
        let per_second = |count: u64| count as f64 * 1e6 / micros as f64;
        let updates = (stats.updates - before.updates).max(1);
        self.net = NetView {
            rtt_ms: session.rtt_micros().map(|micros| micros as f64 / 1e3),
            tick_hz: self.net.tick_hz,
            snapshots_per_s: per_second(stats.frames - before.frames),
            bytes_per_s: per_second(stats.received_bytes - before.received_bytes),
            entities: self.bodies.len(),
            bits_per_update: (stats.update_bits - before.update_bits) as f64 / updates as f64,
            mismatches: stats.mismatches,
            resyncs: stats.resyncs,
        };
    }

    /// Something happened.
    pub fn event(&mut self, event: &ArenaEvent, now: Micros) {
        match event {
            ArenaEvent::Joined { name } => self.say(format!("{name} joined"), now),
            ArenaEvent::Left { name } => self.say(format!("{name} left"), now),
            ArenaEvent::Chat { name, text } => self.say(format!("{name}: {text}"), now),
            ArenaEvent::Killed { victim, by } => self.say(format!("{by} shot {victim}"), now),
            ArenaEvent::Shot { by, end, hit } => {
                let Some(from) = self.position(*by, now) else { return };
                let to = Vec2::new(f32::from(end[0]), f32::from(end[1])) / 10.0;
                if self.shots.len() == SHOTS_MAX {
                    self.shots.pop_front();
                }
                self.shots.push_back(Shot { line: [from, to], is_hit: hit.is_some(), fired: now });
            }
            ArenaEvent::Taken { .. } => {}
        }
    }

    /// Adds a line to the log.
    pub fn say(&mut self, line: String, now: Micros) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back((now, line));
    }

    fn position(&self, id: NetId, now: Micros) -> Option<Vec2> {
        match (&self.own, self.bodies.get(&id)) {
            (Some((glide, _)), _) if self.avatar == Some(id) => Some(glide.at(now)),
            (_, body) => body.map(|body| body.glide.at(now)),
        }
    }

    /// What there is to see at `now`.
    #[must_use]
    pub fn scene(&self, now: Micros) -> Scene {
        let fresh_shots = self.shots.iter().filter(|shot| now.since(shot.fired) < SHOT_MICROS);
        let fresh_lines = self.lines.iter().filter(|(at, _)| now.since(*at) < LINE_MICROS);
        Scene {
            status: self.status.clone(),
            map: self.map.clone(),
            own: self.own.as_ref().map(|(glide, own)| OwnView {
                position: glide.at(now),
                own: own.clone(),
                respawn_seconds: f32::from(own.respawn_ticks) * self.tick_micros as f32 / 1e6,
            }),
            bodies: self.bodies.values().map(|body| body.view(now)).collect(),
            shots: fresh_shots
                .map(|shot| ShotView {
                    line: shot.line,
                    is_hit: shot.is_hit,
                    strength: 1.0 - now.since(shot.fired) as f32 / SHOT_MICROS as f32,
                })
                .collect(),
            lines: fresh_lines.map(|(_, line)| line.clone()).collect(),
            net: self.net,
        }
    }
}

impl Body {
    fn new(spawn: &ArenaSpawn, position: Vec2, what: What, now: Micros) -> Self {
        let name = spawn.name.as_str().into();
        Self { glide: Glide::still(position, now), what, name, colour: spawn.colour, seen: now }
    }

    fn view(&self, now: Micros) -> BodyView {
        let Self { glide, what, name, colour, .. } = self;
        BodyView { position: glide.at(now), what: *what, name: Arc::clone(name), colour: *colour }
    }
}

fn place_and_kind(entity: &ArenaEntity) -> (Vec2, What) {
    match entity {
        ArenaEntity::Player(player) => {
            let is = |flag: u8| player.flags & flag != 0;
            let what = What::Player {
                aim: player.aim,
                hp: player.hp,
                score: player.score,
                is_dead: is(flags::DEAD),
                is_away: is(flags::AWAY),
            };
            (player.position, what)
        }
        ArenaEntity::Drone(drone) => (drone.position, What::Drone { heading: drone.heading, hp: drone.hp }),
        ArenaEntity::Pickup(pickup) => (pickup.position, What::Pickup),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 33_333;

    #[test]
    fn a_body_is_between_its_two_newest_places() {
        let mut glide = Glide::still(Vec2::ZERO, Micros(0));
        glide.go(Vec2::new(1.0, 0.0), TICK, Micros(0));
        assert_eq!(glide.at(Micros(0)).x, 0.0);
        assert!((glide.at(Micros(TICK / 2)).x - 0.5).abs() < 1e-3);
        assert_eq!(glide.at(Micros(TICK * 5)).x, 1.0);
    }

    #[test]
    fn an_early_frame_does_not_make_it_jump() {
        let mut glide = Glide::still(Vec2::ZERO, Micros(0));
        glide.go(Vec2::new(1.0, 0.0), TICK, Micros(0));
        let early = Micros(TICK / 2);
        let before = glide.at(early);
        glide.go(Vec2::new(2.0, 0.0), TICK, early);
        assert_eq!(glide.at(early), before);
    }

    #[test]
    fn a_respawn_is_no_walk() {
        let mut glide = Glide::still(Vec2::ZERO, Micros(0));
        glide.go(Vec2::new(50.0, 0.0), TICK, Micros(0));
        assert_eq!(glide.at(Micros(1)).x, 50.0);
    }

    #[test]
    fn shots_start_at_whoever_fired_and_fade() {
        let mut world = World::default();
        let spawn = ArenaSpawn { name: "ann".to_owned(), colour: 3 };
        let what = What::Drone { heading: 0.0, hp: 1 };
        world.bodies.insert(NetId(7), Body::new(&spawn, Vec2::new(1.0, 2.0), what, Micros(0)));
        let shot = |by| ArenaEvent::Shot { by: NetId(by), end: [105, -20], hit: None };
        world.event(&shot(7), Micros(0));
        world.event(&shot(8), Micros(0));
        let scene = world.scene(Micros(SHOT_MICROS / 2));
        assert_eq!(scene.shots.len(), 1, "whoever is out of view has no place to shoot from");
        assert_eq!(scene.shots[0].line, [Vec2::new(1.0, 2.0), Vec2::new(10.5, -2.0)]);
        assert!((scene.shots[0].strength - 0.5).abs() < 1e-3);
        assert_eq!(world.scene(Micros(SHOT_MICROS)).shots, []);
        for _ in 0..2 * SHOTS_MAX {
            world.event(&shot(7), Micros(1));
        }
        assert_eq!(world.shots.len(), SHOTS_MAX);
    }

    #[test]
    fn the_log_is_short_and_forgets() {
        let mut world = World::default();
        for index in 0..20 {
            world.event(&ArenaEvent::Joined { name: index.to_string() }, Micros(0));
        }
        let lines = world.scene(Micros(1)).lines;
        assert_eq!((lines.len(), lines[LINES_MAX - 1].as_str()), (LINES_MAX, "19 joined"));
        world.begin();
        assert_eq!(world.scene(Micros(1)).lines.len(), LINES_MAX);
        assert!(world.scene(Micros(LINE_MICROS)).lines.is_empty());
    }
}
