//! What is said where a bug of ours stops the program: without this a caller would see `unreachable` and nothing else. Runs once,
//! when the program is loaded.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn error(words: &str);
}

#[wasm_bindgen(start)]
fn listen() {
    std::panic::set_hook(Box::new(|panic| {
        error(&format!("a bug in tickwire, please report it; the page has to be loaded anew: {panic}"));
    }));
}
