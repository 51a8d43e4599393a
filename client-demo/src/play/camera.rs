//! From metres to points on the screen and back. North is up. Points are the toolkit's: on a dense screen each is more
//! than one pixel, so that everything measured in them scales.

use eframe::egui::{Pos2, Rect, pos2, vec2};
use glam::Vec2;

/// Where the player looks from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Camera {
    /// The place in the middle, in metres.
    pub(super) centre: Vec2,
    /// The part of the screen that shows the arena.
    pub(super) rect: Rect,
    /// Points per metre.
    pub(super) scale: f32,
}

impl Camera {
    pub(super) fn place(&self, at: Vec2) -> Pos2 {
        let middle = self.rect.center();
        let offset = (at - self.centre) * self.scale;
        pos2(middle.x + offset.x, middle.y - offset.y)
    }

    /// The direction from the middle of the screen to a point on it, in metres.
    pub(super) fn direction(&self, to: Pos2) -> Vec2 {
        let offset = to - self.rect.center();
        Vec2::new(offset.x, -offset.y) / self.scale
    }

    pub(super) fn half_m(&self) -> Vec2 {
        Vec2::new(self.rect.width(), self.rect.height()) / (2.0 * self.scale)
    }

    pub(super) fn shows(&self, at: Vec2, half: Vec2) -> bool {
        (at - self.centre).abs().cmple(self.half_m() + half).all()
    }

    pub(super) fn rect_of(&self, centre: Vec2, half: Vec2) -> Rect {
        let size = half * 2.0 * self.scale;
        Rect::from_center_size(self.place(centre), vec2(size.x, size.y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_both_ways_and_north_is_up() {
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
