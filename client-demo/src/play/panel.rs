//! The net panel: switches with the reason for each, a worse link on request, and live plots of what the netcode does.

use eframe::egui::{Align2, Button, FontId, Key, RichText, ScrollArea, Slider, Ui, vec2};
use egui_plot::{Line, Plot, PlotPoints};

use super::controls::{Controls, LINK_MAX, LinkControls, STALL_EVERY_MS, Toggle};
use super::history::{FIGURES, Figure, History, SECONDS};
use super::palette;

const PLOT_HEIGHT: f32 = 34.0;
/// Number keys of the switches, in their order, and the one of the links.
const DIGITS: [Key; Toggle::ALL.len()] = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6];
const NEXT_LINK: Key = Key::Num7;

/// What the number keys do.
pub(super) fn keys(ui: &Ui, controls: &mut Controls) {
    for (toggle, key) in Toggle::ALL.into_iter().zip(DIGITS) {
        if ui.input(|input| input.key_pressed(key)) {
            let switch = controls.switch(toggle);
            *switch = !*switch;
        }
    }
    if ui.input(|input| input.key_pressed(NEXT_LINK)) {
        controls.link = controls.link.next_preset();
    }
}

/// The whole panel, to be scrolled where it does not fit.
pub(super) fn show(ui: &mut Ui, controls: &mut Controls, history: &History) {
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.label(
            RichText::new("Press 7 for a link of 150 ms, walk, then press 1: that is why prediction exists.")
                .color(palette::PLAYERS[3]),
        );
        ui.add_space(4.0);
        ui.heading("Netcode");
        switches(ui, controls);
        ui.add_space(6.0);
        ui.heading("Link");
        link(ui, &mut controls.link);
        ui.add_space(6.0);
        ui.heading(format!("The last {SECONDS} s"));
        plots(ui, history);
        ui.add_space(6.0);
        ui.label("W A S D or arrows walk, the mouse aims, its button or Space fires, the wheel zooms, Enter talks, B folds the scores.");
    });
}

fn switches(ui: &mut Ui, controls: &mut Controls) {
    for toggle in Toggle::ALL {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.weak(RichText::new(toggle.digit().to_string()).monospace());
            ui.checkbox(controls.switch(toggle), toggle.label());
        });
        let reason = RichText::new(toggle.explanation()).size(11.5).color(palette::TEXT.gamma_multiply(0.8));
        ui.indent(toggle.label(), |ui| ui.label(reason));
    }
}

fn link(ui: &mut Ui, link: &mut LinkControls) {
    ui.horizontal_wrapped(|ui| {
        ui.weak(RichText::new("7").monospace());
        for (name, preset) in LinkControls::PRESETS {
            if ui.add(Button::selectable(*link == preset, name)).clicked() {
                *link = preset;
            }
        }
    });
    ui.spacing_mut().slider_width = 96.0;
    ui.add(Slider::new(&mut link.delay_ms, 0..=LINK_MAX.delay_ms).text("delay, ms each way"));
    ui.add(Slider::new(&mut link.jitter_ms, 0..=LINK_MAX.jitter_ms).text("jitter, ms"));
    let rate = Slider::new(&mut link.rate_kbit, 0..=LINK_MAX.rate_kbit);
    ui.add(rate.step_by(100.0).text("rate, kbit/s (0: any)"));
    let every = format!("stall, ms every {} s", STALL_EVERY_MS / 1_000);
    ui.add(Slider::new(&mut link.stall_ms, 0..=LINK_MAX.stall_ms).step_by(100.0).text(every));
}

const _: () = assert!(Figure::ALL.len() == FIGURES);

/// Two columns of plots.
fn plots(ui: &mut Ui, history: &History) {
    for (row, pair) in Figure::ALL.chunks(2).enumerate() {
        ui.columns(2, |columns| {
            for (column, (ui, figure)) in columns.iter_mut().zip(pair).enumerate() {
                plot(ui, history, row * 2 + column, *figure);
            }
        });
    }
}

/// A figure's name, its course, and its newest value on top of that.
fn plot(ui: &mut Ui, history: &History, place: usize, figure: Figure) {
    ui.label(RichText::new(figure.label()).size(12.0)).on_hover_text(figure.explanation());
    let points: Vec<[f64; 2]> = history.points(place).collect();
    let shown = Plot::new(figure.label())
        .height(PLOT_HEIGHT)
        .show_axes(false)
        .show_grid([false, true])
        .show_x(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(vec2(0.0, 0.1))
        .include_y(0.0)
        .include_y(1.0)
        .include_x(-(SECONDS as f64))
        .include_x(0.0)
        .show(ui, |plot| {
            let line = Line::new(figure.label(), PlotPoints::from(points));
            plot.line(line.color(palette::PLAYERS[1]).width(1.5));
        });
    let newest = history.newest(place).map_or("-".to_owned(), |value| format!("{value:.1}"));
    let corner = shown.response.rect.left_top() + vec2(4.0, 2.0);
    ui.painter().text(corner, Align2::LEFT_TOP, newest, FontId::proportional(12.0), palette::OWN);
}
