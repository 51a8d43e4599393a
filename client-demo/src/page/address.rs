//! What the page's address says: the server that it came from, `?room=` and `?name=`, and `#token=`, which no server is sent and
//! which is taken out of the address as soon as it was read.

use tickwire_shared::limits::{NAME_BYTES_MAX, ROOM_BYTES_MAX};
use tickwire_shared::wire::message::AccessToken;
use wasm_bindgen::JsValue;
use web_sys::{UrlSearchParams, Window};

use crate::play::PlayConfig;

/// What to play.
pub(super) fn config(window: &Window) -> Result<PlayConfig, JsValue> {
    let location = window.location();
    let (search, hash, path) = (location.search()?, location.hash()?, location.pathname()?);
    let asked = UrlSearchParams::new_with_str(&search)?;
    let hidden = UrlSearchParams::new_with_str(hash.trim_start_matches('#'))?;
    let token = hidden.get("token").filter(|token| !token.is_empty());
    if token.is_some() {
        // Whoever looks over a shoulder, or gets the address sent, is not to have it.
        window.history()?.replace_state_with_url(&JsValue::NULL, "", Some(&(path + &search)))?;
    }
    let scheme = if location.protocol()? == "https:" { "wss" } else { "ws" };
    let guest = || format!("guest {}", (js_sys::Math::random() * 900.0) as u32 + 100);
    let name = asked.get("name").filter(|name| !name.trim().is_empty()).unwrap_or_else(guest);
    Ok(PlayConfig {
        endpoint: format!("{scheme}://{}/ws", location.host()?),
        name: cut(name, NAME_BYTES_MAX),
        room: cut(asked.get("room").unwrap_or_default(), ROOM_BYTES_MAX),
        token: token.map(AccessToken::from),
    })
}

/// At most so many bytes, of whole characters.
fn cut(mut text: String, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    text
}
