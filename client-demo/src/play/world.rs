//! From a session to a scene, once per drawn frame: what the session shows at that moment, and what is remembered besides for a
//! player's eyes, which is shots, hits, the log and why nothing moves. It knows no toolkit, no socket and no clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use glam::Vec2;
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaEvent, flags};
use tickwire_shared::client::{Freshness, Session, Shown, View};
use tickwire_shared::{Micros, NetId};

use super::controls::{Controls, Toggle};
use super::scene::{BodyView, Feedback, NetView, OwnView, Scene, ShotView, Status, What};

/// How long a shot is seen, and a mark of a hit.
const SHOT_MICROS: u64 = 250_000;
const HIT_MICROS: u64 = 300_000;
const KILL_MICROS: u64 = 3_000_000;
/// Shots and hits that are shown at once; the oldest make room.
const SHOTS_MAX: usize = 256;
/// How long a line of the log stays, and how many there are.
const LINE_MICROS: u64 = 12_000_000;
const LINES_MAX: usize = 8;
/// Over which time the farthest body is looked for.
const FARTHEST_MICROS: u64 = 2_000_000;
/// What nobody gave a name is remembered for so many bodies at the most.
const NAMES_MAX: usize = 8_192;

/// What is remembered from frame to frame.
#[derive(Debug, Default)]
pub struct World {
    own_name: String,
    status: Status,
    map: Option<Arc<Map>>,
    tick_micros: u64,
    tick_hz: u16,
    names: HashMap<NetId, Arc<str>>,
    no_name: Arc<str>,
    shots: VecDeque<Shot>,
    hits: VecDeque<(NetId, Micros)>,
    own_hit: Option<Micros>,
    own_hurt: Option<Micros>,
    kill: Option<(String, Micros)>,
    lines: VecDeque<(Micros, String)>,
    farthest: Farthest,
    pauses: u64,
    reconnects: u64,
}

#[derive(Debug)]
struct Shot {
    line: [Vec2; 2],
    is_hit: bool,
    fired: Micros,
}

/// The largest of the last stretch and the one before.
#[derive(Debug, Default)]
struct Farthest {
    since: Micros,
    before_m: f32,
    now_m: f32,
}

impl World {
    /// Nothing yet. `own_name` tells own kills from those of others.
    #[must_use]
    pub fn new(own_name: &str) -> Self {
        Self { own_name: own_name.to_owned(), ..Self::default() }
    }

    /// A session begins; nothing of the last one is left but the log.
    pub fn begin(&mut self) {
        *self = Self {
            own_name: std::mem::take(&mut self.own_name),
            lines: std::mem::take(&mut self.lines),
            ..Self::default()
        };
    }

    /// The session said that it has begun.
    pub fn welcome(&mut self, session: &Session<Arena>) {
        self.status = Status::Playing;
        self.map = session.setup().map(|setup| Arc::new(Map::new(setup.seed, setup.size_m)));
        self.tick_micros = session.clock().map_or(1, |clock| clock.tick_micros());
        self.tick_hz = session.welcome().map_or(0, |welcome| welcome.tick_hz);
    }

    /// The session goes on over another connection.
    pub fn welcome_back(&mut self) {
        self.status = Status::Playing;
    }

    /// Whether frames still arrive.
    pub fn stalled(&mut self, is_stalled: bool) {
        match self.status {
            Status::Playing if is_stalled => {
                self.pauses += 1;
                self.status = Status::Stalled;
            }
            Status::Stalled if !is_stalled => self.status = Status::Playing,
            _ => {}
        }
    }

    /// The connection was lost; what there is to see stays.
    pub fn lose(&mut self, why: String) {
        self.reconnects += 1;
        self.status = Status::Resuming(why);
    }

    /// The session ended.
    pub fn end(&mut self, why: String) {
        self.status = Status::Over(why);
    }

    /// Where the session stands.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Adds a line to the log.
    pub fn say(&mut self, line: String, now: Micros) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back((now, line));
    }

    /// What there is to see at `now`. To be called once per drawn frame, after what the hands do was set.
    pub fn scene(&mut self, session: Option<&mut Session<Arena>>, controls: &Controls, now: Micros) -> Scene {
        let mut scene = Scene { now, status: self.status.clone(), map: self.map.clone(), ..Scene::default() };
        if let Some(session) = session {
            session.set_smoothing(controls.smoothing());
            if let Some(view) = session.view(now) {
                self.look(&view, controls, &mut scene);
            }
            while let Some((_, event)) = session.poll_shown_event() {
                self.event(&event, &scene, now);
            }
            scene.net.figures = session.figures(now);
        }
        self.remembered(&mut scene);
        scene
    }

    fn look(&mut self, view: &View<'_, Arena>, controls: &Controls, scene: &mut Scene) {
        let own = view.own();
        scene.own = Some(OwnView {
            id: own.id,
            position: own.state.position,
            own: own.state.clone(),
            respawn_seconds: f32::from(own.told.respawn_ticks) * self.tick_micros as f32 / 1e6,
        });
        if self.names.len() > NAMES_MAX {
            self.names.clear();
        }
        scene.bodies.extend(view.entities().map(|shown| self.body(&shown)));
        if controls.is_on(Toggle::Ghosts) {
            scene.ghosts.push(own.told.position);
            scene.ghosts.extend(view.told().map(|shown| place_and_kind(&shown.state).0));
        }
        if controls.is_on(Toggle::InterestRadius) {
            let distance =
                |shown: Shown<'_, Arena>| place_and_kind(&shown.state).0.distance_squared(own.told.position);
            let farthest = view.told().map(distance).fold(0.0, f32::max).sqrt();
            scene.farthest_m = self.farthest.note(farthest, scene.now);
        }
    }

    fn body(&mut self, shown: &Shown<'_, Arena>) -> BodyView {
        let (position, what) = place_and_kind(&shown.state);
        let name = if shown.spawn.name.is_empty() {
            &self.no_name
        } else {
            self.names.entry(shown.id).or_insert_with(|| shown.spawn.name.as_str().into())
        };
        BodyView {
            id: shown.id,
            position,
            what,
            name: Arc::clone(name),
            colour: shown.spawn.colour,
            tier: shown.tier.index() as u8,
            is_guess: shown.is_parked || shown.freshness != Freshness::Interpolated,
        }
    }

    /// Something happened, and the view has come to it.
    fn event(&mut self, event: &ArenaEvent, scene: &Scene, now: Micros) {
        let own_id = scene.own.as_ref().and_then(|own| own.id);
        match event {
            ArenaEvent::Joined { name } => self.say(format!("{name} joined"), now),
            ArenaEvent::Left { name } => self.say(format!("{name} left"), now),
            ArenaEvent::Chat { name, text } => self.say(format!("{name}: {text}"), now),
            ArenaEvent::Killed { victim, by } => {
                self.say(format!("{by} shot {victim}"), now);
                if *by == self.own_name {
                    self.kill = Some((format!("You shot {victim}"), now));
                } else if *victim == self.own_name {
                    self.kill = Some((format!("{by} shot you"), now));
                }
            }
            ArenaEvent::Shot { by, end, hit } => {
                if let Some(hit) = hit {
                    push_bounded(&mut self.hits, (*hit, now));
                    if own_id == Some(*by) {
                        self.own_hit = Some(now);
                    }
                    if own_id == Some(*hit) {
                        self.own_hurt = Some(now);
                    }
                }
                let Some(from) = position(scene, *by) else { return };
                let to = Vec2::new(f32::from(end[0]), f32::from(end[1])) / 10.0;
                push_bounded(&mut self.shots, Shot { line: [from, to], is_hit: hit.is_some(), fired: now });
            }
            ArenaEvent::Taken { .. } => {}
        }
    }

    fn remembered(&self, scene: &mut Scene) {
        let now = scene.now;
        let left = |at: Micros, micros: u64| 1.0 - (now.since(at) as f32 / micros as f32).min(1.0);
        let since = |at: Option<Micros>| at.map_or(0.0, |at| left(at, HIT_MICROS));
        let shots = self.shots.iter().filter(|shot| now.since(shot.fired) < SHOT_MICROS);
        scene.shots.extend(shots.map(|shot| ShotView {
            line: shot.line,
            is_hit: shot.is_hit,
            strength: left(shot.fired, SHOT_MICROS),
        }));
        let hurt = self.hits.iter().filter(|(_, at)| now.since(*at) < HIT_MICROS);
        scene.hurt.extend(hurt.map(|(id, at)| (*id, left(*at, HIT_MICROS))));
        let kill = self.kill.as_ref().filter(|(_, at)| now.since(*at) < KILL_MICROS);
        scene.feedback = Feedback {
            hit: since(self.own_hit),
            hurt: since(self.own_hurt),
            kill: kill.map(|(words, at)| (words.clone(), left(*at, KILL_MICROS))),
        };
        let lines = self.lines.iter().filter(|(at, _)| now.since(*at) < LINE_MICROS);
        scene.lines.extend(lines.map(|(_, line)| line.clone()));
        let figures = std::mem::take(&mut scene.net.figures);
        let (pauses, reconnects) = (self.pauses, self.reconnects);
        scene.net = NetView { tick_hz: self.tick_hz, figures, pauses, reconnects };
    }
}

impl Farthest {
    fn note(&mut self, metres: f32, now: Micros) -> f32 {
        if now.since(self.since) > FARTHEST_MICROS {
            (self.since, self.before_m, self.now_m) = (now, self.now_m, 0.0);
        }
        self.now_m = self.now_m.max(metres);
        self.now_m.max(self.before_m)
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == SHOTS_MAX {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn position(scene: &Scene, id: NetId) -> Option<Vec2> {
    match &scene.own {
        Some(own) if own.id == Some(id) => Some(own.position),
        _ => scene.bodies.iter().find(|body| body.id == id).map(|body| body.position),
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

    /// A drone with the id 7, and the own avatar with the id 1.
    fn seen() -> Scene {
        let drone = BodyView {
            id: NetId(7),
            position: Vec2::new(1.0, 2.0),
            what: What::Drone { heading: 0.0, hp: 1 },
            name: "".into(),
            colour: 3,
            tier: 0,
            is_guess: false,
        };
        let own = OwnView { id: Some(NetId(1)), ..OwnView::default() };
        Scene { bodies: vec![drone], own: Some(own), ..Scene::default() }
    }

    fn shot(by: u32, hit: Option<u32>) -> ArenaEvent {
        ArenaEvent::Shot { by: NetId(by), end: [105, -20], hit: hit.map(NetId) }
    }

    fn at(world: &mut World, now: u64) -> Scene {
        world.scene(None, &Controls::default(), Micros(now))
    }

    #[test]
    fn shots_start_at_whoever_fired_and_fade() {
        let mut world = World::new("ann");
        world.event(&shot(7, None), &seen(), Micros(0));
        world.event(&shot(8, None), &seen(), Micros(0));
        let scene = at(&mut world, SHOT_MICROS / 2);
        assert_eq!(scene.shots.len(), 1, "whoever is out of view has no place to shoot from");
        assert_eq!(scene.shots[0].line, [Vec2::new(1.0, 2.0), Vec2::new(10.5, -2.0)]);
        assert!((scene.shots[0].strength - 0.5).abs() < 1e-3);
        assert_eq!(at(&mut world, SHOT_MICROS).shots, []);
        for _ in 0..2 * SHOTS_MAX {
            world.event(&shot(7, Some(9)), &seen(), Micros(1));
        }
        assert_eq!((world.shots.len(), world.hits.len()), (SHOTS_MAX, SHOTS_MAX));
    }

    #[test]
    fn hits_and_kills_are_told_apart() {
        let mut world = World::new("ann");
        world.event(&shot(1, Some(7)), &seen(), Micros(0));
        let scene = at(&mut world, 1);
        assert!(scene.feedback.hit > 0.9 && scene.feedback.hurt == 0.0);
        assert_eq!(scene.hurt[0].0, NetId(7));
        world.event(&shot(7, Some(1)), &seen(), Micros(HIT_MICROS));
        let scene = at(&mut world, HIT_MICROS);
        assert!(scene.feedback.hit == 0.0 && scene.feedback.hurt == 1.0);
        let killed = |by: &str, victim: &str| ArenaEvent::Killed { by: by.into(), victim: victim.into() };
        world.event(&killed("bob", "cid"), &seen(), Micros(HIT_MICROS));
        assert_eq!(at(&mut world, HIT_MICROS).feedback.kill, None);
        world.event(&killed("ann", "bob"), &seen(), Micros(HIT_MICROS));
        assert_eq!(at(&mut world, HIT_MICROS).feedback.kill, Some(("You shot bob".to_owned(), 1.0)));
        world.event(&killed("bob", "ann"), &seen(), Micros(HIT_MICROS));
        assert_eq!(at(&mut world, HIT_MICROS).feedback.kill, Some(("bob shot you".to_owned(), 1.0)));
        assert_eq!(at(&mut world, HIT_MICROS + KILL_MICROS).feedback.kill, None);
    }

    #[test]
    fn the_log_is_short_and_forgets() {
        let mut world = World::new("ann");
        for index in 0..20 {
            world.event(&ArenaEvent::Joined { name: index.to_string() }, &seen(), Micros(0));
        }
        let lines = at(&mut world, 1).lines;
        assert_eq!((lines.len(), lines[LINES_MAX - 1].as_str()), (LINES_MAX, "19 joined"));
        world.begin();
        assert_eq!(at(&mut world, 1).lines.len(), LINES_MAX);
        assert!(at(&mut world, LINE_MICROS).lines.is_empty());
    }

    #[test]
    fn states_are_left_for_a_reason() {
        let mut world = World::new("ann");
        world.stalled(true);
        assert_eq!(world.status(), &Status::Connecting, "what has not begun cannot stall");
        world.welcome_back();
        world.stalled(true);
        world.stalled(true);
        assert_eq!(at(&mut world, 0).net.pauses, 1);
        assert_eq!(world.status(), &Status::Stalled);
        world.lose("cut".to_owned());
        world.stalled(false);
        assert_eq!(world.status(), &Status::Resuming("cut".to_owned()));
    }

    #[test]
    fn the_farthest_of_a_while() {
        let mut farthest = Farthest::default();
        assert_eq!(farthest.note(50.0, Micros(1)), 50.0);
        assert_eq!(farthest.note(10.0, Micros(FARTHEST_MICROS + 2)), 50.0);
        assert_eq!(farthest.note(10.0, Micros(2 * FARTHEST_MICROS + 4)), 10.0);
    }
}
