//! What stands over the arena: the own health, what just happened, the log, the scores, and why nothing moves. Runs once
//! per drawn frame, after the arena was drawn.

use eframe::egui::{
    Align2, Button, FontId, Frame, Grid, Key, Painter, Rect, RichText, Stroke, StrokeKind, TextEdit, Ui,
    UiBuilder, pos2, vec2,
};

use super::draw;
use super::palette;
use super::port::{Port, Wish};
use super::scene::{Scene, Status, What};

/// Rows of the scoreboard.
const SCORES_MAX: usize = 10;
/// Longest chat line, in characters.
const CHAT_CHARS_MAX: usize = 120;
/// What [`Hud::chat`] leaves free at the lower edge for the own health.
const BOTTOM: f32 = 12.0;

/// What stays from frame to frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Hud {
    /// The line being typed; while there is one, keys are letters.
    pub(super) line: Option<String>,
    /// Whether nobody typed anything when the frame began: then keys mean what they mean in the game.
    pub(super) are_keys_free: bool,
    /// Whether the scores are folded away.
    pub(super) is_folded: bool,
    /// Where buttons are, so that fingers on them move nothing else.
    pub(super) taken: Vec<Rect>,
}

/// Why nothing moves, in words; `None` while everything is as it should be.
pub(super) fn status_words(scene: &Scene) -> Option<String> {
    match (&scene.status, &scene.own) {
        (Status::Connecting, _) => Some("Connecting …".to_owned()),
        (Status::Over(why), _) => Some(format!("The session is over: {why}")),
        (Status::Stalled, _) => {
            Some("The server is silent: what you see is old. It goes on when something arrives.".to_owned())
        }
        (Status::Resuming(why), _) => Some(format!("The connection was lost ({why}). Coming back …")),
        (Status::Playing, None) => Some("Waiting for the first frame …".to_owned()),
        (Status::Playing, Some(own)) if own.respawn_seconds > 0.0 => {
            Some(format!("You were shot. Back in {:.1} s", own.respawn_seconds))
        }
        (Status::Playing, Some(_)) => None,
    }
}

impl Hud {
    /// What the keys do while nobody types.
    pub(super) fn keys(&mut self, ui: &Ui) {
        if ui.input(|input| input.key_pressed(Key::B)) {
            self.is_folded = !self.is_folded;
        }
    }

    /// All of it. `own_name` stands in the scores.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        scene: &Scene,
        own_name: &str,
        port: &mut dyn Port,
    ) {
        self.taken.clear();
        let painter = ui.painter_at(rect);
        feedback(&painter, rect, scene);
        health(&painter, rect, scene);
        self.scores(ui, rect, scene, own_name);
        self.log(&painter, rect, scene);
        self.chat(ui, rect, port);
        self.status(ui, rect, scene, port);
    }

    fn scores(&mut self, ui: &mut Ui, rect: Rect, scene: &Scene, own_name: &str) {
        let place = Rect::from_min_size(rect.min + vec2(8.0, 8.0), vec2(190.0, rect.height() * 0.6));
        let inner = ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
            Frame::new()
                .fill(palette::OUTSIDE.gamma_multiply(0.6))
                .inner_margin(6.0)
                .corner_radius(4.0)
                .show(ui, |ui| {
                    let words = if self.is_folded { "Scores …" } else { "Scores" };
                    let title = ui.add(Button::new(RichText::new(words).strong()).frame(false));
                    if title.on_hover_text("B folds and unfolds").clicked() {
                        self.is_folded = !self.is_folded;
                    }
                    if !self.is_folded {
                        score_rows(ui, scene, own_name);
                    }
                });
        });
        self.taken.push(inner.response.rect);
    }

    /// What was said and done, above the chat line.
    fn log(&self, painter: &Painter, rect: Rect, scene: &Scene) {
        let mut at = rect.left_bottom() + vec2(12.0, -BOTTOM - 34.0);
        for line in scene.lines.iter().rev() {
            let width = rect.width() * 0.45;
            let galley = painter.layout(line.clone(), FontId::proportional(14.0), palette::TEXT, width);
            at.y -= galley.size().y + 2.0;
            painter.galley_with_override_text_color(at, galley, palette::TEXT);
        }
    }

    /// Enter or the button opens the line, Enter sends it, Escape forgets it.
    fn chat(&mut self, ui: &mut Ui, rect: Rect, port: &mut dyn Port) {
        let (enter, escape) =
            ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
        let corner = rect.left_bottom() + vec2(12.0, -BOTTOM - 26.0);
        let Some(mut line) = self.line.take() else {
            let place = Rect::from_min_size(corner, vec2(54.0, 26.0));
            self.taken.push(place);
            let is_clicked = ui.put(place, Button::new("Chat")).on_hover_text("or Enter").clicked();
            let is_asked = enter && self.are_keys_free;
            self.line = (is_asked || is_clicked).then(String::new);
            return;
        };
        let width = (rect.width() - 100.0).min(360.0);
        let place = Rect::from_min_size(corner, vec2(width, 26.0));
        let send = Rect::from_min_size(corner + vec2(width + 6.0, 0.0), vec2(54.0, 26.0));
        self.taken.extend([place, send]);
        let edit = TextEdit::singleline(&mut line).char_limit(CHAT_CHARS_MAX).hint_text("say to everybody");
        let response = ui.put(place, edit).on_hover_text("Say to everybody");
        let is_sent = enter || ui.put(send, Button::new("Send")).clicked();
        if is_sent && !line.trim().is_empty() {
            // A full queue keeps the line, so that it can be sent again.
            let is_taken = port.wish(Wish::Chat(line.trim().to_owned()));
            self.line = (!is_taken).then_some(line);
        } else if !is_sent && !escape {
            response.request_focus();
            self.line = Some(line);
        }
    }

    /// The reason in words and, when it is over, a button.
    fn status(&mut self, ui: &mut Ui, rect: Rect, scene: &Scene, port: &mut dyn Port) {
        let Some(words) = status_words(scene) else { return };
        let size = vec2((rect.width() * 0.7).min(520.0), 120.0);
        let place = Rect::from_center_size(pos2(rect.center().x, rect.top() + rect.height() * 0.3), size);
        let inner = ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
            Frame::new()
                .fill(palette::OUTSIDE.gamma_multiply(0.8))
                .inner_margin(10.0)
                .corner_radius(6.0)
                .show(ui, |ui| {
                    ui.vertical_centered(|ui| {
                        ui.label(RichText::new(words).size(18.0).color(palette::OWN));
                        if matches!(scene.status, Status::Over(_)) && ui.button("Try again").clicked() {
                            // Nothing but this wish is taken when a session is over.
                            let _ = port.wish(Wish::Reconnect);
                        }
                    });
                });
        });
        self.taken.push(inner.response.rect);
    }
}

/// The players in view and the own one, the best first.
fn score_rows(ui: &mut Ui, scene: &Scene, own_name: &str) {
    let mut scores: Vec<(i16, &str, bool)> = scene
        .bodies
        .iter()
        .filter_map(|body| match body.what {
            What::Player { score, .. } => Some((score, &*body.name, false)),
            _ => None,
        })
        .collect();
    let first = |a: &(i16, &str, bool), b: &(i16, &str, bool)| b.0.cmp(&a.0).then(a.1.cmp(b.1));
    // One row is the player's own, however low.
    if scores.len() >= SCORES_MAX {
        scores.select_nth_unstable_by(SCORES_MAX - 1, first);
        scores.truncate(SCORES_MAX - 1);
    }
    scores.extend(scene.own.as_ref().map(|own| (own.own.score, own_name, true)));
    scores.sort_by(first);
    Grid::new("scores").num_columns(2).min_col_width(20.0).spacing(vec2(8.0, 2.0)).show(ui, |ui| {
        for (score, name, is_own) in scores {
            ui.monospace(score.to_string());
            ui.label(if is_own {
                RichText::new(format!("{name} (you)")).strong()
            } else {
                RichText::new(name)
            });
            ui.end_row();
        }
    });
}

/// The own health at the lower edge.
fn health(painter: &Painter, rect: Rect, scene: &Scene) {
    let Some(own) = scene.own.as_ref().filter(|own| own.respawn_seconds <= 0.0) else { return };
    let bar = rect.center_bottom() - vec2(0.0, BOTTOM + 6.0);
    draw::health_bar(painter, bar, 120.0, f32::from(own.own.hp) / 100.0);
    let words = format!("{} hit points", own.own.hp);
    let font = FontId::proportional(13.0);
    painter.text(bar - vec2(0.0, 10.0), Align2::CENTER_BOTTOM, words, font, palette::TEXT);
}

/// A cross when an own shot hit, a frame when one hit the own avatar, words when somebody died by it.
fn feedback(painter: &Painter, rect: Rect, scene: &Scene) {
    let feedback = &scene.feedback;
    if feedback.hurt > 0.0 {
        let stroke = Stroke::new(10.0, palette::HIT.gamma_multiply(feedback.hurt * 0.8));
        painter.rect_stroke(rect, 0.0, stroke, StrokeKind::Inside);
    }
    if feedback.hit > 0.0 {
        let pointer = painter.ctx().input(|input| input.pointer.hover_pos());
        let middle = pointer.filter(|pointer| rect.contains(*pointer)).unwrap_or(rect.center());
        let stroke = Stroke::new(2.0, palette::OWN.gamma_multiply(feedback.hit));
        for (x, y) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
            let way = vec2(x, y);
            painter.line_segment([middle + way * 5.0, middle + way * 11.0], stroke);
        }
    }
    if let Some((words, strength)) = &feedback.kill {
        let colour = palette::OWN.gamma_multiply((strength * 3.0).min(1.0));
        let at = rect.center_top() + vec2(0.0, rect.height() * 0.16);
        painter.text(at, Align2::CENTER_CENTER, words, FontId::proportional(24.0), colour);
    }
}
