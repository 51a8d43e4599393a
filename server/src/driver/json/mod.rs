//! The JSON session: the same session as the binary one, spoken in text for people with a generic WebSocket
//! tool and for the embedded page. The server plays the binary client itself and translates.
//!
//! What depends on the game is a [`Dialect`].

use serde::Serialize;
use serde_json::{Map, Value};
use tickwire_shared::Protocol;

mod gateway;

mod request;

pub(super) use gateway::Gateway;

/// How one game speaks JSON. Refusals are sentences that name the key.
pub trait Dialect<P: Protocol>: Send + Sync + 'static {
    /// The value of `{"input": …}`.
    ///
    /// # Errors
    /// A sentence naming what is wrong; the client is closed with it.
    fn input(&self, value: &Value) -> Result<P::Input, String>;

    /// The value of any other key, like `{"chat": …}`. `None` for a key that is not one of this game.
    ///
    /// # Errors
    /// A sentence naming what is wrong; the client is closed with it.
    fn command(&self, key: &str, value: &Value) -> Result<Option<P::Command>, String>;

    /// What only the client itself is told, an object.
    fn private(&self, private: &P::Private) -> Value;

    /// An entity and what was told when it entered, an object. Its id is added.
    fn entity(&self, entity: &P::Entity, spawn: &P::Spawn) -> Value {
        let mut object = flat(entity);
        if let Value::Object(spawn) = plain(spawn) {
            object.extend(spawn);
        }
        Value::Object(object)
    }

    /// An event. Its tick is added.
    fn event(&self, event: &P::Event) -> Value {
        plain(event)
    }

    /// Members for `{"welcome": …}`: what a client needs to draw the world.
    fn welcome(&self, setup: &P::Setup) -> Map<String, Value> {
        Map::from_iter([("setup".to_owned(), plain(setup))])
    }
}

/// A value of ours as JSON, with floats cut to what is worth reading.
#[must_use]
pub fn plain<T: Serialize>(value: &T) -> Value {
    let mut value = serde_json::to_value(value).unwrap_or(Value::Null);
    shorten(&mut value);
    value
}

/// An enum of structs as one object: `{"Player": {"hp": 3}}` becomes `{"kind": "Player", "hp": 3}`.
#[must_use]
pub fn flat<T: Serialize>(value: &T) -> Map<String, Value> {
    let mut object = Map::new();
    if let Value::Object(outer) = plain(value) {
        for (kind, inner) in outer {
            object.insert("kind".to_owned(), Value::String(kind));
            if let Value::Object(inner) = inner {
                object.extend(inner);
            }
        }
    }
    object
}

/// Four digits after the point. A 32-bit float printed as a 64-bit one has fifteen.
fn shorten(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().map(|number| (number * 1e4).round() / 1e4);
            if let Some(rounded) = rounded.and_then(serde_json::Number::from_f64) {
                *number = rounded;
            }
        }
        Value::Array(members) => members.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_become_flat_and_floats_short() {
        #[derive(Serialize)]
        enum Kind {
            Box { x: f32 },
        }
        let value = Value::Object(flat(&Kind::Box { x: 0.1 }));
        assert_eq!(value.to_string(), r#"{"kind":"Box","x":0.1}"#);
    }
}
