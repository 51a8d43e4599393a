//! The window itself: hands in, one frame of picture out.

use std::time::Duration;

use eframe::egui::{self, Id, Key, Rect, Sense, TextEdit, TextureHandle, Ui, vec2};
use glam::Vec2;
use tickwire_shared::arena::ArenaInput;

use super::draw::{self, Camera};
use super::network::{Network, Wish};
use super::panel;
use super::world::{Scene, Status};
use super::{PlayConfig, PlayError};

/// Metres of arena from top to bottom: at first, closest and farthest.
const HEIGHT_M: f32 = 44.0;
const HEIGHT_M_MIN: f32 = 15.0;
const HEIGHT_M_MAX: f32 = 300.0;
/// Longest chat line, in characters.
const CHAT_CHARS_MAX: usize = 120;
/// A picture this often, where the screen does not set the pace.
const FRAME: Duration = Duration::from_millis(16);
const PANEL_WIDTH: f32 = 230.0;

/// Opens the window, and plays until it is closed.
pub(super) fn run(config: &PlayConfig) -> Result<(), PlayError> {
    let network = Network::start(config.clone())?;
    let name = config.name.clone();
    let viewport = egui::ViewportBuilder::default().with_inner_size(vec2(1180.0, 760.0));
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    eframe::run_native(
        "Tickwire arena",
        options,
        Box::new(|creation| {
            creation.egui_ctx.set_theme(egui::Theme::Dark);
            let disc = draw::disc(&creation.egui_ctx);
            Ok(Box::new(Window { network, name, disc, chat: None, aim: 0.0, height_m: HEIGHT_M }))
        }),
    )
    .map_err(|error| PlayError::Window(error.to_string()))
}

struct Window {
    network: Network,
    name: String,
    disc: TextureHandle,
    /// The line being typed; while there is one, keys are letters.
    chat: Option<String>,
    /// Where the own avatar looks, in radians.
    aim: f32,
    height_m: f32,
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let scene = self.network.scene();
        egui::Panel::right("panel")
            .exact_size(PANEL_WIDTH)
            .resizable(false)
            .show(ui, |ui| panel::side(ui, &scene, &self.name));
        egui::CentralPanel::no_frame().show(ui, |ui| self.arena(ui, &scene));
        ui.ctx().request_repaint_after(FRAME);
    }
}

impl Window {
    fn arena(&mut self, ui: &mut Ui, scene: &Scene) {
        let rect = ui.available_rect_before_wrap();
        let response = ui.interact(rect, Id::unique("arena"), Sense::click_and_drag());
        if response.hovered() {
            let wheel = ui.input(|input| input.smooth_scroll_delta().y);
            self.height_m = (self.height_m * 1.002_f32.powi(-wheel as i32)).clamp(HEIGHT_M_MIN, HEIGHT_M_MAX);
        }
        let centre = scene.own.as_ref().map_or(Vec2::ZERO, |own| own.position);
        let camera = Camera { centre, rect, scale: rect.height() / self.height_m };
        if let Some(pointer) = response.hover_pos().or(response.interact_pointer_pos()) {
            self.aim = camera.direction(pointer).to_angle();
        }
        let is_firing = response.is_pointer_button_down_on();
        self.network.set_input(self.hands(ui, is_firing));
        draw::scene(&ui.painter_at(rect), &camera, scene, self.aim, &self.disc);
        panel::over_arena(&ui.painter_at(rect), rect, scene);
        self.chat_line(ui, rect);
        self.reconnect_button(ui, rect, &scene.status);
    }

    fn hands(&self, ui: &Ui, is_firing: bool) -> ArenaInput {
        if self.chat.is_some() {
            return ArenaInput::new(Vec2::ZERO, self.aim, false);
        }
        ui.input(|input| {
            let axis = |plus: [Key; 2], minus: [Key; 2]| {
                let is_down = |keys: [Key; 2]| keys.into_iter().any(|key| input.key_down(key));
                f32::from(i8::from(is_down(plus)) - i8::from(is_down(minus)))
            };
            let walk = Vec2::new(
                axis([Key::D, Key::ArrowRight], [Key::A, Key::ArrowLeft]),
                axis([Key::W, Key::ArrowUp], [Key::S, Key::ArrowDown]),
            );
            ArenaInput::new(walk, self.aim, is_firing || input.key_down(Key::Space))
        })
    }

    /// Enter opens the line, Enter sends it, Escape forgets it.
    fn chat_line(&mut self, ui: &mut Ui, rect: Rect) {
        let (enter, escape) =
            ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
        let Some(mut line) = self.chat.take() else {
            self.chat = enter.then(String::new);
            return;
        };
        let place = Rect::from_min_size(rect.left_bottom() + vec2(12.0, -34.0), vec2(360.0, 24.0));
        let edit = TextEdit::singleline(&mut line).char_limit(CHAT_CHARS_MAX).hint_text("say to everybody");
        let response = ui.put(place, edit);
        if enter && !line.trim().is_empty() {
            // A full queue keeps the line, so that Enter can be pressed again.
            let is_sent = self.network.wish(Wish::Chat(line.trim().to_owned()));
            self.chat = (!is_sent).then_some(line);
        } else if !enter && !escape {
            response.request_focus();
            self.chat = Some(line);
        }
    }

    fn reconnect_button(&self, ui: &mut Ui, rect: Rect, status: &Status) {
        if !matches!(status, Status::Over(_)) {
            return;
        }
        let place = Rect::from_center_size(rect.center(), vec2(120.0, 32.0));
        if ui.put(place, egui::Button::new("Try again")).clicked() {
            // The thread takes nothing but this wish when a session is over.
            let _ = self.network.wish(Wish::Reconnect);
        }
    }
}
