//! What the hands do: keys, mouse and touches become one input. It draws nothing but the virtual stick, and sends nothing.

use eframe::egui::{
    Event, Key, Painter, Pos2, Rect, Response, Stroke, TouchId, TouchPhase, Ui, Vec2 as Offset, vec2,
};
use glam::Vec2;
use tickwire_shared::arena::ArenaInput;

use super::camera::Camera;
use super::palette;

/// How far a thumb goes from the middle of a stick to its rim, in points.
const STICK_POINTS: f32 = 56.0;
/// Nearer to the middle than this a stick is at rest.
const DEAD_POINTS: f32 = 10.0;
/// Where the sticks are shown while nobody touches them, from the lower corners.
const HOME: Offset = vec2(88.0, 104.0);
/// So long after the last touch the toolkit's made-up pointer is not taken for a mouse, in seconds.
const POINTER_REST_SECONDS: f64 = 0.7;

/// Where the hands are.
#[derive(Clone, Debug, Default)]
pub(super) struct Hands {
    /// Where the own avatar looks, in radians.
    pub(super) aim: f32,
    walk: Option<Stick>,
    fire: Option<Stick>,
    /// When the last finger was seen, in the toolkit's time.
    touched: Option<f64>,
}

/// A finger that went down somewhere and has moved since.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stick {
    finger: TouchId,
    middle: Pos2,
    now: Pos2,
}

impl Stick {
    /// Which way it leans, north up, at most 1 long; nothing while it rests.
    fn lean(&self) -> Option<Vec2> {
        let offset = self.now - self.middle;
        (offset.length() > DEAD_POINTS)
            .then(|| Vec2::new(offset.x, -offset.y).clamp_length_max(STICK_POINTS) / STICK_POINTS)
    }
}

impl Hands {
    /// Whether there is a touch screen.
    pub(super) fn has_touch(&self) -> bool {
        self.touched.is_some()
    }

    /// Follows the fingers. Those that go down on a button, in `taken`, are none of ours.
    pub(super) fn follow_touches(&mut self, ui: &Ui, rect: Rect, taken: &[Rect]) {
        ui.input(|input| {
            for event in &input.events {
                if let Event::Touch { id, phase, pos, .. } = event {
                    self.touched = Some(input.time);
                    self.touch(*id, *phase, *pos, rect, taken);
                }
            }
        });
    }

    fn touch(&mut self, finger: TouchId, phase: TouchPhase, at: Pos2, rect: Rect, taken: &[Rect]) {
        if phase == TouchPhase::Start {
            if !rect.contains(at) || taken.iter().any(|taken| taken.contains(at)) {
                return;
            }
            let stick = if at.x < rect.center().x { &mut self.walk } else { &mut self.fire };
            *stick = stick.or(Some(Stick { finger, middle: at, now: at }));
            return;
        }
        for stick in [&mut self.walk, &mut self.fire] {
            if let Some(held) = stick.as_mut().filter(|held| held.finger == finger) {
                match phase {
                    TouchPhase::End | TouchPhase::Cancel => *stick = None,
                    _ => held.now = at,
                }
            }
        }
    }

    /// What they want. `are_typing` is when keys are letters.
    pub(super) fn input(
        &mut self,
        ui: &Ui,
        response: &Response,
        camera: &Camera,
        are_typing: bool,
    ) -> ArenaInput {
        let is_mouse =
            ui.input(|input| self.touched.is_none_or(|touched| input.time - touched > POINTER_REST_SECONDS));
        if is_mouse && let Some(pointer) = response.hover_pos().or(response.interact_pointer_pos()) {
            self.aim = camera.direction(pointer).to_angle();
        }
        let keys = if are_typing { Vec2::ZERO } else { keys(ui) };
        let thumb = self.walk.and_then(|stick| stick.lean());
        let walk = thumb.unwrap_or(keys);
        if let Some(lean) = self.fire.and_then(|stick| stick.lean()) {
            self.aim = lean.to_angle();
        } else if let Some(lean) = thumb {
            // With one thumb only it looks where it goes.
            self.aim = lean.to_angle();
        }
        let is_pressed = is_mouse && response.is_pointer_button_down_on();
        let has_trigger = !are_typing && ui.input(|input| input.key_down(Key::Space));
        ArenaInput::new(walk, self.aim, is_pressed || has_trigger || self.fire.is_some())
    }

    /// The sticks, where there is a touch screen.
    pub(super) fn draw(&self, painter: &Painter, rect: Rect) {
        if !self.has_touch() {
            return;
        }
        let left = rect.left_bottom() + vec2(HOME.x, -HOME.y);
        let right = rect.right_bottom() - HOME;
        for (stick, home) in [(&self.walk, left), (&self.fire, right)] {
            let (middle, now) = stick.map_or((home, home), |stick| (stick.middle, stick.now));
            let knob = middle + (now - middle).normalized() * (now - middle).length().min(STICK_POINTS);
            let strength = if stick.is_some() { 0.7 } else { 0.3 };
            let colour = palette::TEXT.gamma_multiply(strength);
            painter.circle_stroke(middle, STICK_POINTS, Stroke::new(2.0, colour));
            painter.circle_filled(knob, STICK_POINTS * 0.4, colour.gamma_multiply(0.6));
        }
    }
}

fn keys(ui: &Ui) -> Vec2 {
    ui.input(|input| {
        let axis = |plus: [Key; 2], minus: [Key; 2]| {
            let is_down = |keys: [Key; 2]| keys.into_iter().any(|key| input.key_down(key));
            f32::from(i8::from(is_down(plus)) - i8::from(is_down(minus)))
        };
        Vec2::new(
            axis([Key::D, Key::ArrowRight], [Key::A, Key::ArrowLeft]),
            axis([Key::W, Key::ArrowUp], [Key::S, Key::ArrowDown]),
        )
    })
}

#[cfg(test)]
mod tests {
    use eframe::egui::pos2;

    use super::*;

    const RECT: Rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(800.0, 600.0));

    #[test]
    fn two_thumbs_hold_two_sticks() {
        let mut hands = Hands::default();
        let button = Rect::from_min_max(pos2(0.0, 500.0), pos2(100.0, 600.0));
        let mut touch = |finger, phase, at: Pos2| hands.touch(TouchId(finger), phase, at, RECT, &[button]);
        touch(1, TouchPhase::Start, pos2(200.0, 400.0));
        touch(2, TouchPhase::Start, pos2(600.0, 400.0));
        touch(3, TouchPhase::Start, pos2(210.0, 400.0));
        touch(4, TouchPhase::Start, pos2(50.0, 550.0));
        touch(1, TouchPhase::Move, pos2(200.0, 300.0));
        touch(2, TouchPhase::Move, pos2(572.0, 400.0));
        let leans = |hands: &Hands| [hands.walk, hands.fire].map(|stick| stick.and_then(|it| it.lean()));
        assert_eq!(leans(&hands), [Some(Vec2::Y), Some(Vec2::new(-0.5, 0.0))]);
        hands.touch(TouchId(3), TouchPhase::End, pos2(0.0, 0.0), RECT, &[]);
        assert!(hands.walk.is_some(), "the first finger holds the stick");
        hands.touch(TouchId(1), TouchPhase::Cancel, pos2(0.0, 0.0), RECT, &[]);
        assert_eq!(leans(&hands), [None, Some(Vec2::new(-0.5, 0.0))]);
        hands.touch(TouchId(2), TouchPhase::Move, pos2(603.0, 400.0), RECT, &[]);
        assert_eq!(leans(&hands), [None, None], "at rest near the middle");
        assert!(hands.fire.is_some(), "which fires all the same");
    }
}
