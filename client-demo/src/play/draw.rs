//! From a scene to shapes: ground, shots, one mesh of everything that moves, names. Runs once per drawn frame and costs by
//! what is on the screen.

use std::f32::consts::TAU;

use eframe::egui::{Align2, Color32, FontId, Mesh, Painter, Pos2, Rect, Stroke, TextureHandle, vec2};
use glam::Vec2;
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::motion::PLAYER_RADIUS_M;

use super::camera::Camera;
use super::controls::{Controls, Toggle};
use super::palette;
use super::scene::{BodyView, OwnView, Scene, ShotView, What};
use super::sprites::{Sprite, Sprites};

/// Names and health bars of the nearest only: text is what costs.
const LABELS_MAX: usize = 120;
/// Distance of the grid's lines, in metres.
const GRID_M: f32 = 10.0;
/// More lines than this in one direction would be a grey field.
const GRID_LINES_MAX: f32 = 80.0;
const DRONE_RADIUS_M: f32 = 0.55;
const PICKUP_RADIUS_M: f32 = 0.4;
/// Nothing is drawn smaller than this, in points.
const RADIUS_POINTS_MIN: f32 = 2.0;
const HP_MAX: f32 = 100.0;
/// Sides of the circle of what is seen.
const CIRCLE_SIDES: usize = 96;

/// What is drawn, and how.
pub(super) struct Picture<'a> {
    pub(super) scene: &'a Scene,
    pub(super) controls: &'a Controls,
    pub(super) camera: Camera,
    /// Where the own avatar looks, in radians.
    pub(super) aim: f32,
    pub(super) sprites: &'a TextureHandle,
}

impl Picture<'_> {
    /// Draws everything.
    pub(super) fn draw(&self, painter: &Painter) {
        let Self { scene, camera, .. } = self;
        painter.rect_filled(camera.rect, 0.0, palette::OUTSIDE);
        if let Some(map) = &scene.map {
            self.ground(painter, map);
        }
        if self.controls.is_on(Toggle::InterestRadius) {
            self.interest(painter);
        }
        painter.add(self.movers());
        for shot in &scene.shots {
            self.shot(painter, shot);
        }
        self.labels(painter);
    }

    fn ground(&self, painter: &Painter, map: &Map) {
        let camera = &self.camera;
        let seen = camera.rect_of(Vec2::ZERO, Vec2::splat(map.half_m())).intersect(camera.rect);
        if !seen.is_positive() {
            return;
        }
        painter.rect_filled(seen, 0.0, palette::GROUND);
        let (low, high) = (camera.centre - camera.half_m(), camera.centre + camera.half_m());
        let lines = |low: f32, high: f32| {
            let (low, high) = (low.max(-map.half_m()), high.min(map.half_m()));
            let step = GRID_M * ((high - low) / GRID_M / GRID_LINES_MAX).ceil().max(1.0);
            let (first, last) = ((low / step).ceil() as i32, (high / step).floor() as i32);
            (first..=last).map(move |line| line as f32 * step)
        };
        let stroke = Stroke::new(1.0, palette::GRID);
        for x in lines(low.x, high.x) {
            painter.vline(camera.place(Vec2::new(x, 0.0)).x, seen.y_range(), stroke);
        }
        for y in lines(low.y, high.y) {
            painter.hline(seen.x_range(), camera.place(Vec2::new(0.0, y)).y, stroke);
        }
        let mut boxes = Mesh::default();
        for obstacle in map.obstacles() {
            if camera.shows(obstacle.centre, obstacle.half) {
                boxes.add_colored_rect(camera.rect_of(obstacle.centre, obstacle.half), palette::OBSTACLE);
            }
        }
        painter.add(boxes);
    }

    /// A circle around all that was told of lately.
    fn interest(&self, painter: &Painter) {
        let (Some(own), radius) = (&self.scene.own, self.scene.farthest_m) else { return };
        let corner = |side: usize| {
            let direction = Vec2::from_angle(side as f32 * TAU / CIRCLE_SIDES as f32);
            self.camera.place(own.position + direction * radius)
        };
        let corners: Vec<Pos2> = (0..=CIRCLE_SIDES).map(corner).collect();
        painter.line(corners, Stroke::new(2.0, palette::GHOST));
    }

    /// The one mesh.
    pub(super) fn movers(&self) -> Mesh {
        let Self { scene, camera, .. } = self;
        let mut sprites = Sprites::new(camera, self.sprites);
        for body in &scene.bodies {
            self.body(&mut sprites, body);
        }
        if let Some(own) = &scene.own {
            self.own(&mut sprites, own);
        }
        for ghost in &scene.ghosts {
            if camera.shows(*ghost, Vec2::ONE) {
                let radius = self.radius(PLAYER_RADIUS_M * 1.3);
                sprites.put(Sprite::Ring, *ghost, radius, Vec2::X, palette::GHOST);
            }
        }
        for (id, strength) in &scene.hurt {
            if let Some(place) = self.place_of(*id) {
                let radius = self.radius(PLAYER_RADIUS_M * (2.4 - strength));
                sprites.put(Sprite::Ring, place, radius, Vec2::X, palette::HIT.gamma_multiply(*strength));
            }
        }
        sprites.mesh
    }

    fn place_of(&self, id: tickwire_shared::NetId) -> Option<Vec2> {
        match &self.scene.own {
            Some(own) if own.id == Some(id) => Some(own.position),
            _ => self.scene.bodies.iter().find(|body| body.id == id).map(|body| body.position),
        }
    }

    fn body(&self, sprites: &mut Sprites<'_>, body: &BodyView) {
        if !self.camera.shows(body.position, Vec2::ONE) {
            return;
        }
        let tint = |usual: Color32| match self.controls.is_on(Toggle::CadenceColours) {
            true => palette::CADENCES[if body.is_guess { 3 } else { usize::from(body.tier).min(2) }],
            false => usual,
        };
        match body.what {
            What::Player { aim, is_dead, is_away, .. } => {
                let usual = palette::PLAYERS[usize::from(body.colour) % palette::PLAYERS.len()];
                let usual = if is_dead || is_away { palette::GONE } else { usual };
                self.player(sprites, body.position, aim, tint(usual));
            }
            What::Drone { heading, .. } => {
                let radius = self.radius(DRONE_RADIUS_M);
                let direction = Vec2::from_angle(heading);
                sprites.put(Sprite::Arrow, body.position, radius, direction, tint(palette::DRONE));
            }
            What::Pickup => {
                let radius = self.radius(PICKUP_RADIUS_M);
                sprites.put(Sprite::Cross, body.position, radius, Vec2::X, tint(palette::PICKUP));
            }
        }
    }

    fn own(&self, sprites: &mut Sprites<'_>, own: &OwnView) {
        let colour = if own.respawn_seconds > 0.0 { palette::GONE } else { palette::OWN };
        self.player(sprites, own.position, self.aim, colour);
        let ring = self.radius(PLAYER_RADIUS_M * 1.6);
        sprites.put(Sprite::Ring, own.position, ring, Vec2::X, colour.gamma_multiply(0.35));
    }

    /// A disc with a barrel.
    fn player(&self, sprites: &mut Sprites<'_>, at: Vec2, aim: f32, colour: Color32) {
        let radius = self.radius(PLAYER_RADIUS_M);
        let direction = Vec2::from_angle(aim);
        sprites.bar([at, at + direction * radius * 1.9], radius * 0.28, colour);
        sprites.put(Sprite::Disc, at, radius, direction, colour);
    }

    fn radius(&self, metres: f32) -> f32 {
        metres.max(RADIUS_POINTS_MIN / self.camera.scale)
    }

    fn shot(&self, painter: &Painter, shot: &ShotView) {
        let [from, to] = shot.line.map(|end| self.camera.place(end));
        let colour = if shot.is_hit { palette::HIT } else { palette::MISS }.gamma_multiply(shot.strength);
        painter.line_segment([from, to], Stroke::new(if shot.is_hit { 3.0 } else { 1.5 }, colour));
        if shot.is_hit {
            // A star where it struck, so that colour alone says nothing.
            for arm in 0..4 {
                let way = Vec2::from_angle(arm as f32 * TAU / 8.0) * 7.0;
                let way = vec2(way.x, way.y);
                painter.line_segment([to - way, to + way], Stroke::new(1.5, colour));
            }
        }
    }

    /// Names and health of the nearest players.
    fn labels(&self, painter: &Painter) {
        let camera = &self.camera;
        let distance = |body: &BodyView| body.position.distance_squared(camera.centre);
        let mut named: Vec<_> = self
            .scene
            .bodies
            .iter()
            .filter_map(|body| match body.what {
                What::Player { hp, is_dead: false, is_away, .. }
                    if camera.shows(body.position, Vec2::ONE) =>
                {
                    Some((distance(body), body, f32::from(hp) / HP_MAX, is_away))
                }
                _ => None,
            })
            .collect();
        if named.len() > LABELS_MAX {
            named.select_nth_unstable_by(LABELS_MAX, |a, b| a.0.total_cmp(&b.0));
            named.truncate(LABELS_MAX);
        }
        for (_, body, health, is_away) in named {
            let top =
                camera.place(body.position) - vec2(0.0, self.radius(PLAYER_RADIUS_M) * camera.scale + 6.0);
            health_bar(painter, top, 32.0, health);
            let at = top - vec2(0.0, 4.0);
            let font = FontId::proportional(12.0);
            if is_away {
                painter.text(at, Align2::CENTER_BOTTOM, format!("{} (away)", body.name), font, palette::TEXT);
            } else {
                painter.text(at, Align2::CENTER_BOTTOM, &body.name, font, palette::TEXT);
            }
        }
    }
}

/// A bar around a point, `health` of 1 full. Its length says it, its colour says it again.
pub(super) fn health_bar(painter: &Painter, middle: Pos2, width: f32, health: f32) {
    let whole = Rect::from_center_size(middle, vec2(width, (width / 8.0).max(4.0)));
    let colour = if health > 0.35 { palette::HEALTHY } else { palette::WEAK };
    painter.rect_filled(whole, 1.0, palette::GONE);
    let left = vec2(whole.width() * health.clamp(0.0, 1.0), whole.height());
    painter.rect_filled(Rect::from_min_size(whole.min, left), 1.0, colour);
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Duration;

    use eframe::egui::{Context, FullOutput, LayerId, RawInput, pos2};
    use tickwire_shared::NetId;

    use super::super::port::{Port, Wish};
    use super::super::screen::{self, Screen};
    use super::super::sprites;
    use super::*;

    const BODIES: u32 = 2_000;
    const RECT: Rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(1200.0, 800.0));

    /// So many in view, a quarter of them players.
    fn crowd() -> Scene {
        let body = |id: u32| {
            let place = Vec2::new((id % 50) as f32, (id / 50) as f32) * 0.8 - Vec2::splat(18.0);
            let what = match id % 4 {
                0 => What::Player { aim: id as f32, hp: 60, score: 0, is_dead: false, is_away: false },
                1 => What::Pickup,
                _ => What::Drone { heading: id as f32, hp: 50 },
            };
            let (name, colour) = ("somebody".into(), id as u8 % 8);
            BodyView { id: NetId(id), position: place, what, name, colour, tier: 0, is_guess: false }
        };
        let map = Some(std::sync::Arc::new(Map::new(1, 200)));
        Scene {
            map,
            own: Some(OwnView::default()),
            bodies: (0..BODIES).map(body).collect(),
            ..Scene::default()
        }
    }

    /// A world in which nothing happens.
    struct Still(Scene);

    impl Port for Still {
        fn set_input(&mut self, _input: tickwire_shared::arena::ArenaInput) {}

        fn scene(&mut self, _controls: &Controls) -> Scene {
            self.0.now = self.0.now.plus(100_000);
            self.0.clone()
        }

        fn wish(&mut self, _wish: Wish) -> bool {
            true
        }
    }

    /// The quickest of a few: what is being measured, not what else the machine does.
    fn quickest(mut run: impl FnMut()) -> Duration {
        let times = (0..9).map(|_| {
            let began = crate::time::now();
            run();
            Duration::from_micros(crate::time::now().since(began))
        });
        times.min().unwrap_or_default()
    }

    fn shapes(context: &Context, mut paint: impl FnMut(&Painter)) -> FullOutput {
        let input = RawInput { screen_rect: Some(RECT), ..RawInput::default() };
        context.run_ui(input, |ui| paint(&ui.ctx().layer_painter(LayerId::background())))
    }

    #[test]
    fn thousands_cost_little_because_they_are_one_mesh() {
        let context = Context::default();
        screen::set_up(&context);
        shapes(&context, |_| {}).drop_without_applying_deltas();
        let (scene, controls) = (crowd(), Controls::default());
        let texture = sprites::texture(&context);
        let camera = Camera { centre: Vec2::ZERO, rect: RECT, scale: 20.0 };
        let picture = Picture { scene: &scene, controls: &controls, camera, aim: 0.0, sprites: &texture };
        let quads = |mesh: &Mesh| mesh.indices.len() / 6;
        // Players have a barrel; the own one has a ring besides.
        assert_eq!(quads(&picture.movers()), BODIES as usize * 5 / 4 + 3, "all of it is in the one mesh");
        let tessellated = |output: FullOutput| {
            let primitives = context.tessellate(output.shapes.clone(), 1.0);
            output.drop_without_applying_deltas();
            primitives
        };
        let mesh = quickest(|| {
            let shapes = shapes(&context, |painter| {
                painter.add(picture.movers());
            });
            black_box(tessellated(shapes));
        });
        let circles = quickest(|| {
            let shapes = shapes(&context, |painter| {
                for body in &scene.bodies {
                    painter.circle_filled(camera.place(body.position), 10.0, palette::DRONE);
                }
            });
            black_box(tessellated(shapes));
        });
        let all = quickest(|| {
            let shapes = shapes(&context, |painter| picture.draw(painter));
            black_box(tessellated(shapes));
        });
        let (mut port, mut screen) = (Still(crowd()), Screen::new(&context, "ann"));
        let frame = quickest(|| {
            let input = RawInput { screen_rect: Some(RECT), ..RawInput::default() };
            black_box(tessellated(context.run_ui(input, |ui| screen.show(ui, &mut port))));
        });
        println!("{BODIES} visible: mesh {mesh:?}, as circles {circles:?}; with ground and names {all:?}");
        println!("a whole frame, with a copy of the scene, scores, panel and plots: {frame:?}");
        assert!(mesh * 3 < circles, "{mesh:?} is not much less than {circles:?}");
    }
}
