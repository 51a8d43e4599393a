//! The whole screen, the same in a window and in a page: hands in, one frame of picture out. It owns what a player has
//! switched and typed; the session is behind the [`Port`].

use std::sync::Arc;

use eframe::egui::{
    self, Button, CentralPanel, Context, FontData, FontDefinitions, FontFamily, Id, Panel, Rect, Sense,
    TextureHandle, Ui,
};
use glam::Vec2;

use super::camera::Camera;
use super::controls::Controls;
use super::draw::Picture;
use super::hands::Hands;
use super::history::{Figure, History};
use super::hud::Hud;
use super::port::Port;
use super::scene::Scene;
use super::{panel, sprites};

/// Metres of arena along the shorter side of the screen: at first, closest and farthest.
const ACROSS_M: f32 = 40.0;
const ACROSS_M_MIN: f32 = 12.0;
const ACROSS_M_MAX: f32 = 400.0;
/// From this width on, the panel stands beside the arena rather than below it.
const WIDE_POINTS: f32 = 760.0;
const PANEL_WIDTH: f32 = 320.0;
/// Share of the height that an open panel below takes.
const PANEL_SHARE: f32 = 0.42;

/// Everything that a player sees.
pub struct Screen {
    own_name: String,
    controls: Controls,
    hands: Hands,
    hud: Hud,
    history: History,
    scene: Scene,
    sprites: TextureHandle,
    across_m: f32,
    /// Whether the panel below is open; the one beside always is.
    is_panel_open: bool,
}

impl Screen {
    /// Makes what a screen needs in its context: one font, one texture, dark colours.
    #[must_use]
    pub fn new(context: &Context, own_name: &str) -> Self {
        set_up(context);
        Self {
            own_name: own_name.to_owned(),
            controls: Controls::default(),
            hands: Hands::default(),
            hud: Hud::default(),
            history: History::default(),
            scene: Scene::default(),
            sprites: sprites::texture(context),
            across_m: ACROSS_M,
            is_panel_open: false,
        }
    }

    /// What was drawn last.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// What is switched how.
    #[must_use]
    pub fn controls(&self) -> &Controls {
        &self.controls
    }

    /// What is switched how, to be changed.
    pub fn controls_mut(&mut self) -> &mut Controls {
        &mut self.controls
    }

    /// One frame.
    pub fn show(&mut self, ui: &mut Ui, port: &mut dyn Port) {
        self.hud.are_keys_free = !self.are_typing(ui);
        if self.hud.are_keys_free {
            panel::keys(ui, &mut self.controls);
            self.hud.keys(ui);
        }
        let whole = ui.available_rect_before_wrap();
        if whole.width() >= WIDE_POINTS {
            Panel::right("panel")
                .exact_size(PANEL_WIDTH)
                .resizable(false)
                .show(ui, |ui| panel::show(ui, &mut self.controls, &self.history));
        } else {
            self.panel_below(ui, whole);
        }
        CentralPanel::no_frame().show(ui, |ui| self.arena(ui, port));
    }

    /// Whether keys are letters: for the chat, or a number of a slider.
    fn are_typing(&self, ui: &Ui) -> bool {
        self.hud.line.is_some() || ui.ctx().text_edit_focused()
    }

    fn panel_below(&mut self, ui: &mut Ui, whole: Rect) {
        if self.is_panel_open {
            Panel::bottom("panel").exact_size(whole.height() * PANEL_SHARE).resizable(false).show(ui, |ui| {
                if ui.button("Hide net panel").clicked() {
                    self.is_panel_open = false;
                }
                panel::show(ui, &mut self.controls, &self.history);
            });
        } else {
            Panel::bottom("summary").resizable(false).show(ui, |ui| {
                ui.horizontal(|ui| {
                    if ui.add(Button::new("Show net panel")).clicked() {
                        self.is_panel_open = true;
                    }
                    let newest = |place: usize| self.history.newest(place).unwrap_or_default();
                    let words = |place: usize| format!("{} {:.0}", Figure::ALL[place].label(), newest(place));
                    ui.weak(words(0));
                });
            });
        }
    }

    fn arena(&mut self, ui: &mut Ui, port: &mut dyn Port) {
        let rect = ui.available_rect_before_wrap();
        let response = ui.interact(rect, Id::unique("arena"), Sense::click_and_drag());
        if response.hovered() {
            let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let across = self.across_m * (1.0 - wheel * 0.002).clamp(0.5, 2.0) / pinch;
            self.across_m = across.clamp(ACROSS_M_MIN, ACROSS_M_MAX);
        }
        let scale = rect.width().min(rect.height()).max(1.0) / self.across_m;
        let centre = |scene: &Scene| scene.own.as_ref().map_or(Vec2::ZERO, |own| own.position);
        let camera = Camera { centre: centre(&self.scene), rect, scale };
        self.hands.follow_touches(ui, rect, &self.hud.taken);
        port.set_input(self.hands.input(ui, &response, &camera, self.are_typing(ui)));
        self.scene = port.scene(&self.controls);
        self.history.note(&self.scene);
        let picture = Picture {
            scene: &self.scene,
            controls: &self.controls,
            camera: Camera { centre: centre(&self.scene), ..camera },
            aim: self.hands.aim,
            sprites: &self.sprites,
        };
        picture.draw(&ui.painter_at(rect));
        self.hands.draw(&ui.painter_at(rect), rect);
        self.hud.show(ui, rect, &self.scene, &self.own_name, port);
    }
}

/// Fonts and colours, to be set before the first frame. One font only: a page is to be small.
pub fn set_up(context: &Context) {
    let name = "Ubuntu-Light";
    let mut fonts = FontDefinitions::empty();
    let data = FontData::from_static(epaint_default_fonts::UBUNTU_LIGHT);
    fonts.font_data.insert(name.to_owned(), Arc::new(data));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.insert(family, vec![name.to_owned()]);
    }
    context.set_fonts(fonts);
    context.set_theme(egui::Theme::Dark);
}
