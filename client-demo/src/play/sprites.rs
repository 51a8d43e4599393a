//! Everything that moves, as one mesh: quads with a picture from one small texture that is made here and tinted. A disc of
//! the toolkit's own costs a hundred times as much.

use eframe::egui::epaint::Vertex;
use eframe::egui::{Color32, ColorImage, Context, Mesh, Pos2, Rect, TextureHandle, TextureOptions, pos2};
use glam::Vec2;

use super::camera::Camera;

/// Side of one picture of the texture, in pixels; there are four in a row.
const CELL: usize = 64;
const CELLS: usize = 4;

/// The pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sprite {
    /// A disc with a darker middle: somebody.
    Disc,
    /// An arrowhead that points east: a drone.
    Arrow,
    /// A cross: something to pick up.
    Cross,
    /// A thin ring.
    Ring,
}

impl Sprite {
    const ALL: [Self; CELLS] = [Self::Disc, Self::Arrow, Self::Cross, Self::Ring];

    /// Coverage and brightness at a place of the picture, which reaches from −1 to 1; `edge` is a pixel.
    fn at(self, place: Vec2, edge: f32) -> (f32, f32) {
        let cover = |inside: f32| (inside / edge + 0.5).clamp(0.0, 1.0);
        let length = place.length();
        // A pixel is left free all around, so that neighbours do not shine through.
        let radius = 1.0 - 2.0 * edge;
        match self {
            Self::Disc => (cover(radius - length), 1.0 - 0.4 * cover(0.6 - length)),
            Self::Arrow => {
                let side = (radius - place.x) * 0.45 - place.y.abs();
                (cover(side.min(place.x + 0.8)), 1.0)
            }
            Self::Cross => {
                let arm = |a: f32, b: f32| (0.34 - a.abs()).min(radius - b.abs());
                (cover(arm(place.x, place.y).max(arm(place.y, place.x))), 1.0)
            }
            Self::Ring => (cover((radius - length).min(length - radius + 0.16)), 1.0),
        }
    }

    fn uv(self) -> Rect {
        let left = self as usize as f32 / CELLS as f32;
        Rect::from_min_max(pos2(left, 0.0), pos2(left + 1.0 / CELLS as f32, 1.0))
    }
}

/// Makes the texture.
pub(super) fn texture(context: &Context) -> TextureHandle {
    let edge = 2.0 / CELL as f32;
    let pixels = (0..CELL * CELL * CELLS)
        .map(|index| {
            let (x, y) = (index % (CELL * CELLS), index / (CELL * CELLS));
            let middle = |at: usize| ((at % CELL) as f32 + 0.5) * edge - 1.0;
            let (cover, light) = Sprite::ALL[x / CELL].at(Vec2::new(middle(x), middle(y)), edge);
            let [light, alpha] = [light * cover, cover].map(|value| (value * 255.0).round() as u8);
            Color32::from_rgba_premultiplied(light, light, light, alpha)
        })
        .collect();
    let image = ColorImage::new([CELL * CELLS, CELL], pixels);
    context.load_texture("sprites", image, TextureOptions::LINEAR)
}

/// The mesh, while it grows.
pub(super) struct Sprites<'a> {
    pub(super) mesh: Mesh,
    camera: &'a Camera,
}

impl<'a> Sprites<'a> {
    pub(super) fn new(camera: &'a Camera, texture: &TextureHandle) -> Self {
        Self { mesh: Mesh::with_texture(texture.id()), camera }
    }

    /// A picture of `radius` metres, turned so that its east points along `direction`, which is one long.
    pub(super) fn put(&mut self, sprite: Sprite, at: Vec2, radius: f32, direction: Vec2, colour: Color32) {
        let along = direction * radius;
        self.quad(at, (along, along.perp()), sprite.uv(), colour);
    }

    /// A bar from one place to another.
    pub(super) fn bar(&mut self, [from, to]: [Vec2; 2], half_width: f32, colour: Color32) {
        let along = (to - from) / 2.0;
        let across = along.normalize_or_zero().perp() * half_width;
        // The arms of the cross are full in its very middle.
        let middle = Sprite::Cross.uv().center();
        self.quad((from + to) / 2.0, (along, across), Rect::from_min_max(middle, middle), colour);
    }

    fn quad(&mut self, at: Vec2, (along, across): (Vec2, Vec2), uv: Rect, color: Color32) {
        let first = self.mesh.vertices.len() as u32;
        let mut vertex = |place: Vec2, uv: Pos2| {
            self.mesh.vertices.push(Vertex { pos: self.camera.place(place), uv, color });
        };
        vertex(at - along + across, uv.left_top());
        vertex(at + along + across, uv.right_top());
        vertex(at + along - across, uv.right_bottom());
        vertex(at - along - across, uv.left_bottom());
        self.mesh.indices.extend([0, 1, 2, 0, 2, 3].map(|corner| first + corner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(sprite: Sprite, x: f32, y: f32) -> bool {
        sprite.at(Vec2::new(x, y), 2.0 / CELL as f32).0 > 0.5
    }

    #[test]
    fn shapes_differ_without_colour() {
        let shape = |sprite: Sprite| {
            [(0.0, 0.0), (0.9, 0.0), (0.6, 0.6), (-0.9, 0.0), (0.0, 0.9)].map(|(x, y)| covered(sprite, x, y))
        };
        assert_eq!(shape(Sprite::Disc), [true, true, true, true, true]);
        assert_eq!(shape(Sprite::Cross), [true, true, false, true, true]);
        assert_eq!(shape(Sprite::Ring), [false, true, true, true, true]);
        assert_eq!(shape(Sprite::Arrow), [true, true, false, false, false]);
    }

    #[test]
    fn east_of_the_picture_points_along() {
        let rect = Rect::from_min_size(pos2(0.0, 0.0), eframe::egui::vec2(100.0, 100.0));
        let camera = Camera { centre: Vec2::ZERO, rect, scale: 10.0 };
        let context = Context::default();
        let texture = texture(&context);
        let mut sprites = Sprites::new(&camera, &texture);
        sprites.put(Sprite::Arrow, Vec2::ZERO, 1.0, Vec2::Y, Color32::WHITE);
        let east = sprites.mesh.vertices.iter().filter(|vertex| vertex.uv.x > 0.4);
        let [a, b] = east.map(|vertex| vertex.pos.y).collect::<Vec<_>>()[..] else { panic!() };
        assert!(a < 50.0 && b < 50.0, "north is up: {a} {b}");
        assert_eq!((sprites.mesh.vertices.len(), sprites.mesh.indices.len()), (4, 6));
    }
}
