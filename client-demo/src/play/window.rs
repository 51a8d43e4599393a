//! The native window around the screen.

use std::time::Duration;

use eframe::egui::{self, Ui, vec2};

use super::network::Network;
use super::screen::Screen;
use super::{PlayConfig, PlayError};

/// A picture this often, where the display does not set the pace.
const FRAME: Duration = Duration::from_millis(16);

/// Opens the window, and plays until it is closed.
pub(super) fn run(config: &PlayConfig) -> Result<(), PlayError> {
    let network = Network::start(config.clone())?;
    let name = config.name.clone();
    let viewport = egui::ViewportBuilder::default()
        .with_inner_size(vec2(1180.0, 760.0))
        .with_min_inner_size(vec2(320.0, 320.0));
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    eframe::run_native(
        "Tickwire arena",
        options,
        Box::new(move |creation| {
            let screen = Screen::new(&creation.egui_ctx, &name);
            Ok(Box::new(Window { network, screen }))
        }),
    )
    .map_err(|error| PlayError::Window(error.to_string()))
}

struct Window {
    network: Network,
    screen: Screen,
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.screen.show(ui, &mut self.network);
        ui.ctx().request_repaint_after(FRAME);
    }
}
