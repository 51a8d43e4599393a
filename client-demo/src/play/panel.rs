//! What stands beside and over the arena: scores, the connection's figures, the log, and why nothing moves.

use eframe::egui::{self, Align2, FontId, Grid, Painter, Ui, vec2};

use super::draw;
use super::world::{NetView, Scene, Status, What};

/// Rows of the scoreboard.
const SCORES_MAX: usize = 16;

/// The panel beside the arena.
pub(super) fn side(ui: &mut Ui, scene: &Scene, name: &str) {
    ui.heading("Connection");
    net(ui, &scene.net);
    ui.separator();
    ui.heading("Players in view");
    scores(ui, scene, name);
    ui.separator();
    ui.label("WASD or arrows walk, mouse aims, button or space fires, wheel zooms, Enter talks");
}

fn net(ui: &mut Ui, net: &NetView) {
    let rtt = net.rtt_ms.map_or("-".to_owned(), |rtt| format!("{rtt:.1} ms"));
    Grid::new("net").num_columns(2).show(ui, |ui| {
        let mut row = |name: &str, value: String| {
            ui.label(name);
            ui.monospace(value);
            ui.end_row();
        };
        row("round trip", rtt);
        row("snapshots", format!("{:.0} of {} /s", net.snapshots_per_s, net.tick_hz));
        row("received", format!("{:.2} kB/s", net.bytes_per_s / 1000.0));
        row("in view", net.entities.to_string());
        row("bits per update", format!("{:.1}", net.bits_per_update));
        row("mismatches", net.mismatches.to_string());
        row("resyncs", net.resyncs.to_string());
    });
}

fn scores(ui: &mut Ui, scene: &Scene, name: &str) {
    let mut scores: Vec<(i16, &str, bool)> = scene
        .bodies
        .iter()
        .filter_map(|body| match body.what {
            What::Player { score, .. } => Some((score, &*body.name, false)),
            _ => None,
        })
        .collect();
    scores.extend(scene.own.as_ref().map(|own| (own.own.score, name, true)));
    scores.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    Grid::new("scores").num_columns(2).striped(true).show(ui, |ui| {
        for (score, name, is_own) in scores.into_iter().take(SCORES_MAX) {
            ui.monospace(score.to_string());
            if is_own {
                ui.strong(name)
            } else {
                ui.label(name)
            };
            ui.end_row();
        }
    });
}

/// The log, the own health and, when nothing moves, the reason.
pub(super) fn over_arena(painter: &Painter, rect: egui::Rect, scene: &Scene) {
    let colour = egui::Color32::from_gray(210);
    let mut line_at = rect.left_bottom() + vec2(12.0, -40.0);
    for line in scene.lines.iter().rev() {
        let drawn = painter.text(line_at, Align2::LEFT_BOTTOM, line, FontId::proportional(14.0), colour);
        line_at.y -= drawn.height() + 2.0;
    }
    let words = match (&scene.status, &scene.own) {
        (Status::Connecting, _) => Some("connecting …".to_owned()),
        (Status::Over(why), _) => Some(why.clone()),
        (Status::Stalled, _) => Some("the server is silent …".to_owned()),
        (Status::Resuming(why), _) => Some(format!("{why}; coming back …")),
        (Status::Playing, None) => Some("waiting for the first frame …".to_owned()),
        (Status::Playing, Some(own)) if own.respawn_seconds > 0.0 => {
            Some(format!("back in {:.1} s", own.respawn_seconds))
        }
        (Status::Playing, Some(own)) => {
            let bar = rect.center_bottom() - vec2(0.0, 24.0);
            draw::health_bar(painter, bar, f32::from(own.own.hp) / 100.0);
            let words = format!("{} hit points", own.own.hp);
            painter.text(
                bar - vec2(0.0, 6.0),
                Align2::CENTER_BOTTOM,
                words,
                FontId::proportional(13.0),
                colour,
            );
            None
        }
    };
    if let Some(words) = words {
        let galley = painter.layout(words, FontId::proportional(20.0), colour, rect.width() * 0.7);
        let at = rect.center_top() + vec2(-galley.size().x / 2.0, rect.height() * 0.3);
        painter.galley(at, galley, colour);
    }
}
