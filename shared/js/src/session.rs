//! The class that JavaScript sees. Each call is one of [`Kit`]'s or of the session's in it; what is documented here stands in the
//! package's types.

use tickwire_kit::{Kit, Options as Choices};
use tickwire_shared::client::{Ended, State};
use tickwire_shared::untyped::{Blob, Input};
use wasm_bindgen::prelude::*;

use crate::arrays::{self, Account, Picture};
use crate::incoming::{self, Closed, Options, micros};
use crate::objects::{self, GameEvent, Layout, Stats, Welcome};

/// One client's session: bytes and times in, the world and bytes out. Times are milliseconds of a clock of yours that only goes
/// forward, like `performance.now()`.
#[wasm_bindgen]
pub struct Session {
    kit: Kit,
    picture: Picture,
    account: Account,
}

#[wasm_bindgen]
impl Session {
    /// A session that will say Hello first. The schema is what `tickwire-server schema --json` prints, as text or parsed. Throws
    /// when it or the options make no sense.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "string | object")] schema: &JsValue,
        options: &Options,
    ) -> Result<Session, JsError> {
        let (schema, wishes) = (incoming::schema(schema)?, options.read()?);
        let kit = Kit::new(&Choices {
            schema: schema.as_bytes(),
            tables: &wishes.tables,
            input: &wishes.input,
            name: wishes.name.as_bytes(),
            room: wishes.room.as_bytes(),
            token: wishes.token.as_bytes(),
            budget_bytes_per_s: wishes.budget_bytes_per_s,
        });
        let kit = kit.map_err(|words| JsError::new(&words))?;
        Ok(Self { picture: Picture::new(&kit), account: Account::new(&kit), kit })
    }

    /// A binary message arrived. Throws when it makes no sense: the session is then refused, and the connection to be closed.
    #[wasm_bindgen(js_name = handleMessage)]
    pub fn handle_message(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Bytes")] message: &JsValue,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> Result<(), JsError> {
        let message = incoming::bytes(message, "the message")?;
        self.kit.receive(&message, micros(now_ms)).map_err(|words| JsError::new(&words))
    }

    /// The next message to send, one binary message each. To be called until it gives none, and again every few milliseconds.
    #[wasm_bindgen(js_name = pollTransmit, unchecked_return_type = "Uint8Array<ArrayBuffer> | undefined")]
    pub fn poll_transmit(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> Option<Vec<u8>> {
        self.kit.session_mut().poll_transmit(micros(now_ms))
    }

    /// What the player wants from now on, encoded. `aims`: whether the game says that such an input is aimed at what is seen.
    #[wasm_bindgen(js_name = setInput)]
    pub fn set_input(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Bytes")] input: &JsValue,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
        aims: Option<bool>,
    ) -> Result<(), JsError> {
        let bytes = Blob(incoming::bytes(input, "the input")?);
        let input = Input { bytes, aims: aims.unwrap_or_default() };
        self.kit.session_mut().set_input(input, micros(now_ms));
        Ok(())
    }

    /// Sends a command, encoded. `false` when too many are waiting to leave: it is not sent.
    #[wasm_bindgen(js_name = sendCommand)]
    pub fn send_command(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Bytes")] command: &JsValue,
    ) -> Result<bool, JsError> {
        let command = Blob(incoming::bytes(command, "the command")?);
        Ok(self.kit.session_mut().send_command(command))
    }

    /// How the session is doing.
    pub fn state(&self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> objects::State {
        objects::state(match self.kit.session().state(micros(now_ms)) {
            State::Connecting => "connecting",
            State::Live => "live",
            State::Stalled => "stalled",
            State::Resuming => "resuming",
            State::Refused(_) => "refused",
        })
    }

    /// Why the session is over, once it is.
    #[wasm_bindgen(getter)]
    pub fn refusal(&self) -> Option<String> {
        match self.kit.session().state(micros(0.0)) {
            State::Refused(why) => Some(why),
            _ => None,
        }
    }

    /// What the server said first, once it has.
    #[wasm_bindgen(getter)]
    pub fn welcome(&self) -> Option<Welcome> {
        objects::welcome(&self.kit)
    }

    /// Where in an entity's row which field is: the same as long as the session lives, to be asked for once.
    #[wasm_bindgen(getter)]
    pub fn layout(&self) -> Layout {
        objects::layout(&self.kit)
    }

    /// What to draw, between two states; to be called once per picture. `undefined` before the first frame.
    pub fn view(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> Option<arrays::View> {
        self.picture.take(&mut self.kit, micros(now_ms))
    }

    /// What was told once of an entity when it came into view, encoded; by its index in the last view.
    pub fn spawn(&self, index: usize) -> Option<Vec<u8>> {
        self.kit.shown_spawn(index).map(<[u8]>::to_vec)
    }

    /// The newest state as it was told, for programs that draw nothing. `undefined` before Welcome.
    pub fn told(&mut self) -> Option<arrays::Told> {
        self.account.take(&self.kit)
    }

    /// What happened, in order. To be called until it gives none.
    #[wasm_bindgen(js_name = pollHappening)]
    pub fn poll_happening(&mut self) -> Option<objects::Happened> {
        loop {
            let happening = self.kit.session_mut().poll_happening()?;
            if let Some(told) = objects::happening(&happening) {
                return Some(told);
            }
        }
    }

    /// The next event that the view has reached; `pollHappening` has the same when they arrive. To be called until it gives none.
    #[wasm_bindgen(js_name = pollShownEvent)]
    pub fn poll_shown_event(&mut self) -> Option<GameEvent> {
        let (tick, event) = self.kit.next_shown_event()?;
        Some(objects::event(tick.0, &event))
    }

    /// A connection ended, or did not come about: how (a `CloseEvent` will do), and what `Math.random()` gives. When to open
    /// another one and call `resume`; `undefined` when there is no point: the session is then refused.
    pub fn ended(
        &mut self,
        closed: &Closed,
        random: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> Option<f64> {
        let (code, reason) = closed.read();
        let ended = code.map_or(Ended::Lost, |code| Ended::Closed { code, reason: &reason });
        let due = self.kit.ended(ended, incoming::word(random), micros(now_ms))?;
        Some(due.0 as f64 / 1e3)
    }

    /// Another connection is open in place of one that has ended: Hello goes first again. Says whether it asks to go on with an
    /// earlier session.
    pub fn resume(&mut self) -> bool {
        self.kit.session_mut().resume()
    }

    /// There will be no other connection, for this reason.
    #[wasm_bindgen(js_name = giveUp)]
    pub fn give_up(&mut self, why: String) {
        self.kit.session_mut().give_up(why);
    }

    /// How the session is doing in numbers.
    pub fn stats(&self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> Stats {
        objects::stats(&self.kit.session().figures(micros(now_ms)))
    }
}
