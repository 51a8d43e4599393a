//! What comes from JavaScript, where a value can be anything: as the types say, or an error that says what was wanted.

use js_sys::{ArrayBuffer, JSON, Uint8Array};
use tickwire_shared::Micros;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What a session begins with.
    #[wasm_bindgen(typescript_type = "Options")]
    pub type Options;
    #[wasm_bindgen(method, getter)]
    fn input(this: &Options) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn tables(this: &Options) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn name(this: &Options) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn room(this: &Options) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn token(this: &Options) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = budgetBytesPerS)]
    fn budget_bytes_per_s(this: &Options) -> JsValue;

    /// How a connection ended: an event of a WebSocket's is one.
    #[wasm_bindgen(typescript_type = "{ code: number; reason: string }")]
    pub type Closed;
    #[wasm_bindgen(method, getter)]
    fn code(this: &Closed) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn reason(this: &Closed) -> JsValue;
}

/// [`Options`], read.
pub(crate) struct Wishes {
    pub(crate) input: Vec<u8>,
    pub(crate) tables: Vec<u8>,
    pub(crate) name: String,
    pub(crate) room: String,
    pub(crate) token: String,
    pub(crate) budget_bytes_per_s: u32,
}

impl Options {
    pub(crate) fn read(&self) -> Result<Wishes, JsError> {
        if !self.is_object() {
            return Err(JsError::new("options: an object is wanted"));
        }
        let tables = self.tables();
        Ok(Wishes {
            input: bytes(&self.input(), "options.input")?,
            tables: if missing(&tables) { Vec::new() } else { bytes(&tables, "options.tables")? },
            name: text(&self.name(), "options.name")?,
            room: text(&self.room(), "options.room")?,
            token: text(&self.token(), "options.token")?,
            budget_bytes_per_s: match self.budget_bytes_per_s() {
                none if missing(&none) => 0,
                some => some.as_f64().ok_or_else(|| wanted("options.budgetBytesPerS", "a number"))? as u32,
            },
        })
    }
}

impl Closed {
    /// The code, where a close frame brought one, and the reason.
    pub(crate) fn read(&self) -> (Option<u16>, String) {
        /// What browsers say where there was no close frame.
        const NO_CLOSE_FRAME: u16 = 1006;
        let code = self.code().as_f64().map(|code| code as u16);
        (code.filter(|code| *code != NO_CLOSE_FRAME), self.reason().as_string().unwrap_or_default())
    }
}

/// A schema as text, or as what `JSON.parse` made of it.
pub(crate) fn schema(value: &JsValue) -> Result<String, JsError> {
    let text = value.as_string().or_else(|| JSON::stringify(value).ok()?.as_string());
    text.ok_or_else(|| wanted("schema", "what `tickwire-server schema --json` prints"))
}

pub(crate) fn bytes(value: &JsValue, what: &str) -> Result<Vec<u8>, JsError> {
    if let Some(array) = value.dyn_ref::<Uint8Array>() {
        return Ok(array.to_vec());
    }
    if value.has_type::<ArrayBuffer>() {
        return Ok(Uint8Array::new(value).to_vec());
    }
    Err(wanted(what, "a Uint8Array or an ArrayBuffer (socket.binaryType = 'arraybuffer')"))
}

fn text(value: &JsValue, what: &str) -> Result<String, JsError> {
    if missing(value) {
        return Ok(String::new());
    }
    value.as_string().ok_or_else(|| wanted(what, "a string"))
}

fn missing(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

fn wanted(what: &str, wanted: &str) -> JsError {
    JsError::new(&format!("{what}: {wanted} is wanted"))
}

/// Milliseconds with a fraction, as `performance.now()` has them.
pub(crate) fn micros(now_ms: f64) -> Micros {
    // What is not a number is 0; the clock then stands, and nothing worse.
    Micros((now_ms * 1e3) as u64)
}

/// What `Math.random()` gives, as a word.
pub(crate) fn word(random: f64) -> u32 {
    (random * 4_294_967_296.0) as u32
}
