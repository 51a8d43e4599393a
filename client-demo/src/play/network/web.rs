//! A page's connection: the browser's WebSocket. A message is handled and acknowledged as the browser hands it over, and a timer
//! keeps the session going, so that a tab that is hidden and draws nothing keeps its place.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::{Math, Uint8Array};
use tickwire_shared::arena::ArenaInput;
use tickwire_shared::client::{Ended, Identity};
use tickwire_shared::{CloseCode, Micros};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use crate::play::controls::Controls;
use crate::play::player::Player;
use crate::play::port::{Port, Wish};
use crate::play::scene::Scene;
use crate::play::{PlayConfig, PlayError};
use crate::time;

/// How often the player is asked whether something is due; browsers make it a second while the tab is hidden.
const TIMER_MS: i32 = 8;
/// With so many bytes waiting in the browser nothing more is put there: the session says the newest later.
const BUFFERED_BYTES_MAX: u32 = 16 * 1024;
/// When nobody has looked for so long, the page is hidden; events are shown to nobody then.
const UNSEEN_MICROS: u64 = 500_000;

/// A connection that is kept. Dropped, it says goodbye to the server.
pub struct Network {
    line: Rc<RefCell<Line>>,
    timer: i32,
    /// Held for the timer.
    _tick: Closure<dyn FnMut()>,
}

/// What the work on messages and scenes took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Messages that were handled.
    pub messages: u64,
    /// The time that took.
    pub messages_micros: u64,
    /// Scenes that were made.
    pub scenes: u64,
    /// The time that took.
    pub scenes_micros: u64,
}

struct Line {
    url: String,
    player: Player,
    socket: Option<WebSocket>,
    handlers: Option<Handlers>,
    work: Work,
}

/// What the browser calls; the same for every socket.
struct Handlers {
    open: Closure<dyn FnMut(Event)>,
    message: Closure<dyn FnMut(MessageEvent)>,
    close: Closure<dyn FnMut(CloseEvent)>,
}

impl Network {
    /// Starts to connect.
    ///
    /// # Errors
    /// [`PlayError::Window`] outside of a page.
    pub fn start(config: PlayConfig) -> Result<Self, PlayError> {
        let no_page = || PlayError::Window("there is no page".to_owned());
        let window = web_sys::window().ok_or_else(no_page)?;
        let PlayConfig { endpoint, name, room, token } = config;
        let identity = Identity { name, room, token, ..Identity::default() };
        let seed = (Math::random() * u64::MAX as f64) as u64;
        let player = Player::new(identity, seed, time::now());
        let line = Rc::new(RefCell::new(Line {
            url: endpoint,
            player,
            socket: None,
            handlers: None,
            work: Work::default(),
        }));
        line.borrow_mut().handlers = Some(Handlers::new(&Rc::downgrade(&line)));
        let weak = Rc::downgrade(&line);
        let tick = Closure::<dyn FnMut()>::new(move || with(&weak, |line| line.pump(time::now())));
        let timer = window
            .set_interval_with_callback_and_timeout_and_arguments_0(tick.as_ref().unchecked_ref(), TIMER_MS)
            .map_err(|_| no_page())?;
        line.borrow_mut().pump(time::now());
        Ok(Self { line, timer, _tick: tick })
    }

    /// Somebody who may look at the player at any time.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        Watcher(Rc::clone(&self.line))
    }
}

/// Looks and touches nothing.
pub struct Watcher(Rc<RefCell<Line>>);

impl Watcher {
    /// How the player does, and what that took.
    pub fn look<T>(&self, at: impl FnOnce(&Player, Work) -> T) -> T {
        let line = self.0.borrow();
        at(&line.player, line.work)
    }
}

impl Port for Network {
    fn set_input(&mut self, input: ArenaInput) {
        let (mut line, now) = (self.line.borrow_mut(), time::now());
        line.player.set_input(input, now);
        line.pump(now);
    }

    fn scene(&mut self, controls: &Controls) -> Scene {
        let (mut line, now) = (self.line.borrow_mut(), time::now());
        line.player.set_controls(*controls, now);
        let scene = line.player.scene(now);
        line.work.scenes += 1;
        line.work.scenes_micros += time::now().since(now);
        scene
    }

    fn wish(&mut self, wish: Wish) -> bool {
        let (mut line, now) = (self.line.borrow_mut(), time::now());
        let is_taken = line.player.wish(wish, now);
        line.pump(now);
        is_taken
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(window) = web_sys::window() {
            window.clear_interval_with_handle(self.timer);
        }
        let mut line = self.line.borrow_mut();
        line.player.leave();
        line.pump(time::now());
    }
}

impl Handlers {
    fn new(line: &Weak<RefCell<Line>>) -> Self {
        let (for_open, for_message, for_close) = (line.clone(), line.clone(), line.clone());
        Self {
            open: Closure::new(move |event: Event| {
                with(&for_open, |line| {
                    if line.is_current(&event) {
                        let now = time::now();
                        line.player.opened(now);
                        line.pump(now);
                    }
                });
            }),
            message: Closure::new(move |event: MessageEvent| {
                // Here and nowhere later: the time of the next drawn frame would add a whole frame to every round trip.
                let at = time::now();
                with(&for_message, |line| {
                    if line.is_current(&event) {
                        line.received(&event, at);
                    }
                });
            }),
            close: Closure::new(move |event: CloseEvent| {
                with(&for_close, |line| {
                    if line.is_current(&event) {
                        line.closed(&event);
                    }
                });
            }),
        }
    }
}

fn with(line: &Weak<RefCell<Line>>, act: impl FnOnce(&mut Line)) {
    if let Some(line) = line.upgrade() {
        act(&mut line.borrow_mut());
    }
}

impl Line {
    /// Sockets that were given up may still say something.
    fn is_current(&self, event: &Event) -> bool {
        let socket = self.socket.as_ref().map(AsRef::<JsValue>::as_ref);
        event.target().as_ref().map(AsRef::<JsValue>::as_ref) == socket
    }

    fn received(&mut self, event: &MessageEvent, at: Micros) {
        // Anything but an array buffer is no message, and is refused as an empty one is.
        let data = event.data();
        let bytes = if data.is_instance_of::<js_sys::ArrayBuffer>() {
            Uint8Array::new(&data).to_vec()
        } else {
            vec![]
        };
        self.player.received(bytes, at);
        self.work.messages += 1;
        self.work.messages_micros += time::now().since(at);
        self.pump(at);
    }

    fn closed(&mut self, event: &CloseEvent) {
        self.socket = None;
        let (code, reason) = (event.code(), event.reason());
        // What the browser says when there was no close frame.
        let is_lost = code == 1006;
        let why = match (is_lost, reason.is_empty()) {
            (true, _) => "the connection to the server was lost, or never came about".to_owned(),
            (false, true) => format!("the server closed the connection with {code}"),
            (false, false) => format!("the server closed the connection with {code}: {reason}"),
        };
        let ended = if is_lost { Ended::Lost } else { Ended::Closed { code, reason: &reason } };
        self.player.ended(ended, &why, false, time::now());
    }

    fn pump(&mut self, now: Micros) {
        self.player.advance(now);
        if now.since(self.player.looked_at()) > UNSEEN_MICROS {
            // Nobody draws: what was to be shown is passed over, so that it is not shown all at once later.
            drop(self.player.scene(now));
        }
        if self.player.is_dead(now) {
            self.give_up_socket(CloseCode::Deadline);
            self.player.ended(Ended::Lost, "nothing has come for too long", false, now);
        }
        if let Some(code) = self.player.poll_close() {
            self.give_up_socket(code);
        }
        if self.player.poll_connect(now) {
            self.open(now);
        }
        self.transmit(now);
    }

    fn transmit(&mut self, now: Micros) {
        let Some(socket) = self.socket.as_ref().filter(|socket| socket.ready_state() == WebSocket::OPEN)
        else {
            return;
        };
        while socket.buffered_amount() <= BUFFERED_BYTES_MAX
            && let Some(bytes) = self.player.poll_transmit(now)
        {
            if socket.send_with_u8_array(&bytes).is_err() {
                // It closes, and says so.
                return;
            }
        }
    }

    fn open(&mut self, now: Micros) {
        self.give_up_socket(CloseCode::Deadline);
        let Ok(socket) = WebSocket::new_with_str(&self.url, tickwire_shared::limits::SUBPROTOCOL_BINARY)
        else {
            let why = format!("the browser does not connect to {}", self.url);
            return self.player.ended(Ended::Lost, &why, true, now);
        };
        socket.set_binary_type(BinaryType::Arraybuffer);
        if let Some(Handlers { open, message, close }) = &self.handlers {
            socket.set_onopen(Some(open.as_ref().unchecked_ref()));
            socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
            socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        }
        self.socket = Some(socket);
    }

    fn give_up_socket(&mut self, code: CloseCode) {
        let Some(socket) = self.socket.take() else { return };
        socket.set_onopen(None);
        socket.set_onmessage(None);
        socket.set_onclose(None);
        // A page may say 1000, and 3000 and above.
        let number = if code.number() >= 3000 { code.number() } else { CloseCode::Normal.number() };
        // It is closed already, or closes now.
        drop(socket.close_with_code(number));
    }
}
