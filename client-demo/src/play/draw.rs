//! From a scene to shapes. Thousands of bodies are one mesh with one texture: a disc, tinted.

use eframe::egui::{
    Align2, Color32, ColorImage, Context, FontId, Mesh, Painter, Pos2, Rect, Stroke, TextureHandle,
    TextureOptions, Vec2 as Offset, pos2, vec2,
};
use glam::Vec2;
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::motion::PLAYER_RADIUS_M;

use super::world::{BodyView, Scene, ShotView, What};

/// Names and health bars of the nearest only: text is what costs.
const LABELS_MAX: usize = 120;
/// Distance of the grid's lines, in metres.
const GRID_M: f32 = 10.0;
/// Side of the disc's texture, in pixels.
const DISC_PIXELS: usize = 64;

const DRONE_RADIUS_M: f32 = 0.4;
const PICKUP_RADIUS_M: f32 = 0.3;
const HP_MAX: f32 = 100.0;

const OUTSIDE: Color32 = Color32::from_rgb(10, 11, 14);
const GROUND: Color32 = Color32::from_rgb(24, 27, 33);
const GRID: Color32 = Color32::from_rgb(35, 39, 47);
const OBSTACLE: Color32 = Color32::from_rgb(74, 82, 97);
const OWN: Color32 = Color32::from_rgb(255, 255, 255);
const DRONE: Color32 = Color32::from_rgb(150, 150, 160);
const PICKUP: Color32 = Color32::from_rgb(90, 220, 120);
const GONE: Color32 = Color32::from_rgb(70, 70, 76);
const MISS: Color32 = Color32::from_rgb(255, 230, 150);
const HIT: Color32 = Color32::from_rgb(255, 90, 70);
const TEXT: Color32 = Color32::from_rgb(205, 210, 220);
const PALETTE: [Color32; 8] = [
    Color32::from_rgb(239, 108, 91),
    Color32::from_rgb(242, 169, 71),
    Color32::from_rgb(232, 214, 88),
    Color32::from_rgb(134, 203, 96),
    Color32::from_rgb(77, 198, 184),
    Color32::from_rgb(88, 160, 240),
    Color32::from_rgb(150, 124, 240),
    Color32::from_rgb(232, 118, 196),
];

/// From metres to points on the screen. North is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Camera {
    pub(super) centre: Vec2,
    pub(super) rect: Rect,
    /// Points per metre.
    pub(super) scale: f32,
}

impl Camera {
    fn place(&self, at: Vec2) -> Pos2 {
        let offset = (at - self.centre) * self.scale;
        self.rect.center() + vec2(offset.x, -offset.y)
    }

    /// The direction from the middle of the screen to a point on it, in metres.
    pub(super) fn direction(&self, to: Pos2) -> Vec2 {
        let offset = to - self.rect.center();
        Vec2::new(offset.x, -offset.y) / self.scale
    }

    fn half_m(&self) -> Vec2 {
        Vec2::new(self.rect.width(), self.rect.height()) / (2.0 * self.scale)
    }

    fn shows(&self, at: Vec2, half: Vec2) -> bool {
        (at - self.centre).abs().cmple(self.half_m() + half).all()
    }

    fn rect_of(&self, centre: Vec2, half: Vec2) -> Rect {
        let size = half * 2.0 * self.scale;
        Rect::from_center_size(self.place(centre), vec2(size.x, size.y))
    }
}

/// A white disc, to be tinted.
pub(super) fn disc(context: &Context) -> TextureHandle {
    let middle = (DISC_PIXELS as f32 - 1.0) / 2.0;
    let pixels = (0..DISC_PIXELS * DISC_PIXELS)
        .map(|index| {
            let (x, y) = ((index % DISC_PIXELS) as f32, (index / DISC_PIXELS) as f32);
            let inside = middle - Vec2::new(x - middle, y - middle).length();
            Color32::from_white_alpha((inside.clamp(0.0, 1.0) * 255.0) as u8)
        })
        .collect();
    context.load_texture("disc", ColorImage::new([DISC_PIXELS; 2], pixels), TextureOptions::LINEAR)
}

/// Draws everything. `aim` is where the own avatar looks, in radians.
pub(super) fn scene(painter: &Painter, camera: &Camera, scene: &Scene, aim: f32, disc: &TextureHandle) {
    painter.rect_filled(camera.rect, 0.0, OUTSIDE);
    if let Some(map) = &scene.map {
        ground(painter, camera, map);
    }
    for shot in &scene.shots {
        draw_shot(painter, camera, shot);
    }
    let mut discs = Discs { mesh: Mesh::with_texture(disc.id()), camera };
    for body in &scene.bodies {
        discs.body(body);
    }
    if let Some(own) = &scene.own {
        let colour = if own.own.respawn_ticks > 0 { GONE } else { OWN };
        discs.player(own.position, aim, colour);
    }
    painter.add(discs.mesh);
    labels(painter, camera, &scene.bodies);
}

fn ground(painter: &Painter, camera: &Camera, map: &Map) {
    let arena = camera.rect_of(Vec2::ZERO, Vec2::splat(map.half_m()));
    let seen = arena.intersect(camera.rect);
    if !seen.is_positive() {
        return;
    }
    painter.rect_filled(seen, 0.0, GROUND);
    let (low, high) = (camera.centre - camera.half_m(), camera.centre + camera.half_m());
    let lines = |low: f32, high: f32| {
        let limit = (map.half_m() / GRID_M).floor();
        let first = (low / GRID_M).ceil().max(-limit) as i32;
        let last = (high / GRID_M).floor().min(limit) as i32;
        (first..=last).map(|line| line as f32 * GRID_M)
    };
    let stroke = Stroke::new(1.0, GRID);
    for x in lines(low.x, high.x) {
        painter.vline(camera.place(Vec2::new(x, 0.0)).x, seen.y_range(), stroke);
    }
    for y in lines(low.y, high.y) {
        painter.hline(seen.x_range(), camera.place(Vec2::new(0.0, y)).y, stroke);
    }
    let mut boxes = Mesh::default();
    for obstacle in map.obstacles() {
        if camera.shows(obstacle.centre, obstacle.half) {
            boxes.add_colored_rect(camera.rect_of(obstacle.centre, obstacle.half), OBSTACLE);
        }
    }
    painter.add(boxes);
}

fn draw_shot(painter: &Painter, camera: &Camera, shot: &ShotView) {
    let colour = if shot.is_hit { HIT } else { MISS }.gamma_multiply(shot.strength);
    painter.line_segment(shot.line.map(|end| camera.place(end)), Stroke::new(2.0, colour));
}

/// The mesh of all bodies.
struct Discs<'a> {
    mesh: Mesh,
    camera: &'a Camera,
}

impl Discs<'_> {
    fn body(&mut self, body: &BodyView) {
        if !self.camera.shows(body.position, Vec2::ONE) {
            return;
        }
        match body.what {
            What::Player { aim, is_dead, is_away, .. } => {
                let colour = if is_dead || is_away { GONE } else { colour(body) };
                self.player(body.position, aim, colour);
            }
            What::Drone { heading, .. } => {
                let nose = Vec2::from_angle(heading) * DRONE_RADIUS_M;
                self.disc(body.position, DRONE_RADIUS_M, DRONE);
                self.disc(body.position + nose, DRONE_RADIUS_M / 3.0, GROUND);
            }
            What::Pickup => self.disc(body.position, PICKUP_RADIUS_M, PICKUP),
        }
    }

    /// A disc with a barrel.
    fn player(&mut self, at: Vec2, aim: f32, colour: Color32) {
        let direction = Vec2::from_angle(aim);
        for step in 1..=3 {
            let reach = PLAYER_RADIUS_M * (0.8 + 0.3 * step as f32);
            self.disc(at + direction * reach, PLAYER_RADIUS_M * 0.3, colour);
        }
        self.disc(at, PLAYER_RADIUS_M, colour);
        self.disc(at, PLAYER_RADIUS_M * 0.55, colour.lerp_to_gamma(GROUND, 0.4));
    }

    fn disc(&mut self, at: Vec2, radius: f32, colour: Color32) {
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        self.mesh.add_rect_with_uv(self.camera.rect_of(at, Vec2::splat(radius)), uv, colour);
    }
}

fn colour(body: &BodyView) -> Color32 {
    PALETTE[usize::from(body.colour) % PALETTE.len()]
}

/// Names and health of the nearest players.
fn labels(painter: &Painter, camera: &Camera, bodies: &[BodyView]) {
    let distance = |body: &BodyView| body.position.distance_squared(camera.centre);
    let mut named: Vec<_> = bodies
        .iter()
        .filter_map(|body| match body.what {
            What::Player { hp, is_dead: false, .. } if camera.shows(body.position, Vec2::ONE) => {
                Some((body, f32::from(hp) / HP_MAX))
            }
            _ => None,
        })
        .collect();
    named.sort_by(|a, b| distance(a.0).total_cmp(&distance(b.0)));
    named.truncate(LABELS_MAX);
    for (body, health) in named {
        let top = camera.place(body.position) - vec2(0.0, PLAYER_RADIUS_M * camera.scale + 6.0);
        health_bar(painter, top, health);
        painter.text(
            top - vec2(0.0, 4.0),
            Align2::CENTER_BOTTOM,
            &body.name,
            FontId::proportional(12.0),
            TEXT,
        );
    }
}

/// A bar around a point, `health` of 1 full.
pub(super) fn health_bar(painter: &Painter, middle: Pos2, health: f32) {
    let full: Offset = vec2(32.0, 4.0);
    let whole = Rect::from_center_size(middle, full);
    let colour = PALETTE[if health > 0.5 { 3 } else { 0 }];
    painter.rect_filled(whole, 1.0, GONE);
    let left = Rect::from_min_size(whole.min, vec2(full.x * health.clamp(0.0, 1.0), full.y));
    painter.rect_filled(left, 1.0, colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_goes_both_ways_and_north_is_up() {
        let rect = Rect::from_min_size(pos2(100.0, 50.0), vec2(800.0, 600.0));
        let camera = Camera { centre: Vec2::new(10.0, 20.0), rect, scale: 16.0 };
        assert_eq!(camera.place(camera.centre), rect.center());
        let north_east = Vec2::new(3.0, 4.0);
        let point = camera.place(camera.centre + north_east);
        assert!(point.x > rect.center().x && point.y < rect.center().y);
        assert!(camera.direction(point).distance(north_east) < 1e-4);
        assert!(camera.shows(Vec2::new(34.0, 20.0), Vec2::ZERO));
        assert!(!camera.shows(Vec2::new(36.0, 20.0), Vec2::ZERO));
        assert!(camera.shows(Vec2::new(36.0, 20.0), Vec2::ONE));
    }
}
