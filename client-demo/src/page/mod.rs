//! The demo in a browser's page: what the page begins with, and what it draws. Runs in wasm only, on the page's one thread; the
//! session is in [`Network`], the screen is the native window's.

mod address;

mod stats;

use eframe::egui::Ui;
use eframe::{App, CreationContext, Frame, WebOptions, WebRunner};
use tickwire_shared::Micros;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlCanvasElement};

use crate::play::network::Network;
use crate::play::port::Port;
use crate::play::scene::{Scene, Status};
use crate::play::screen::Screen;
use crate::time;
use stats::Stats;

/// How often a screen reader is told how things are.
const SAY_MICROS: u64 = 4_000_000;

/// What the page's script calls, once.
///
/// # Errors
/// What the browser does not give, in a sentence for the player.
#[wasm_bindgen]
pub async fn play() -> Result<(), JsValue> {
    let window = web_sys::window().ok_or("there is no window")?;
    let document = window.document().ok_or("there is no document")?;
    let config = address::config(&window)?;
    let canvas = element(&document, "arena")?.dyn_into::<HtmlCanvasElement>()?;
    let (said, name) = (element(&document, "said")?, config.name.clone());
    let network = Network::start(config).map_err(|error| error.to_string())?;
    let stats = Stats::new(network.watcher());
    stats.expose()?;
    let create = move |creation: &CreationContext<'_>| {
        let screen = Screen::new(&creation.egui_ctx, &name);
        let page = Page { network, screen, stats, said, said_at: Micros::default() };
        Ok(Box::new(page) as Box<dyn App>)
    };
    WebRunner::new().start(canvas, WebOptions::default(), Box::new(create)).await
}

fn element(document: &Document, id: &str) -> Result<Element, JsValue> {
    document.get_element_by_id(id).ok_or_else(|| format!("the page has no element `{id}`").into())
}

struct Page {
    network: Network,
    screen: Screen,
    stats: Stats,
    /// Where screen readers are told how things are: the toolkit has no accessibility tree in a browser.
    said: Element,
    said_at: Micros,
}

impl App for Page {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        let now = time::now();
        self.screen.show(ui, &mut self.network as &mut dyn Port);
        self.stats.drawn(self.screen.scene(), self.screen.controls(), time::now().since(now));
        if now.since(self.said_at) >= SAY_MICROS {
            self.said_at = now;
            self.said.set_text_content(Some(&sentence(self.screen.scene())));
        }
        ui.ctx().request_repaint();
    }
}

fn sentence(scene: &Scene) -> String {
    let own = scene.own.as_ref().map(|own| {
        format!("{} hit points, score {}, {} others in view.", own.own.hp, own.own.score, scene.bodies.len())
    });
    let how = match &scene.status {
        Status::Connecting => "Connecting.".to_owned(),
        Status::Playing => "Playing.".to_owned(),
        Status::Stalled => "Nothing comes from the server for the moment.".to_owned(),
        Status::Resuming(why) => format!("Coming back: {why}."),
        Status::Over(why) => format!("The session is over: {why}."),
    };
    format!("{how} {}", own.unwrap_or_default())
}
