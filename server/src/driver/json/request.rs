//! Text from a JSON client to what it asks for. One object with one key per message.

use serde_json::{Map, Value};
use tickwire_shared::Protocol;
use tickwire_shared::client::Identity;

use super::Dialect;

/// What a JSON client asks for.
pub(super) enum Request<P: Protocol> {
    Hello(Identity),
    Input(P::Input),
    Command(P::Command),
}

/// Reads one message.
///
/// # Errors
/// A sentence for the client that names the key.
pub(super) fn parse<P: Protocol>(text: &str, dialect: &dyn Dialect<P>) -> Result<Request<P>, String> {
    let (key, value) = member(text)?;
    match key.as_str() {
        "hello" => hello(&value).map(Request::Hello),
        "input" => dialect.input(&value).map(Request::Input),
        other => match dialect.command(other, &value)? {
            Some(command) => Ok(Request::Command(command)),
            None => Err(format!("unknown key `{}`", clip(other))),
        },
    }
}

/// The only member of the message.
fn member(text: &str) -> Result<(String, Value), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(object) = value else {
        return Err("a message is an object like {\"hello\":{}}".to_owned());
    };
    let mut members = object.into_iter();
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        _ => Err("a message has one key: hello, input or a command".to_owned()),
    }
}

fn hello(value: &Value) -> Result<Identity, String> {
    let object = value.as_object().ok_or("`hello` must be an object")?;
    if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "name" | "room" | "token")) {
        return Err(format!("unknown key `hello.{}`", clip(key)));
    }
    Ok(Identity {
        name: string(object, "name")?.unwrap_or_default(),
        room: string(object, "room")?.unwrap_or_default(),
        token: string(object, "token")?.map(Into::into),
        budget_bytes_per_s: 0,
    })
}

fn string(object: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`hello.{key}` must be a string")),
    }
}

/// A peer's word, short enough for a close reason.
fn clip(word: &str) -> String {
    word.chars().filter(|letter| !letter.is_control()).take(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greet(text: &str) -> Result<Identity, String> {
        let (key, value) = member(text)?;
        assert_eq!(key, "hello");
        hello(&value)
    }

    #[test]
    fn hello_with_and_without() {
        let identity = greet(r#"{"hello":{"name":"ann","room":"main"}}"#).expect("a hello");
        assert_eq!((identity.name.as_str(), identity.room.as_str(), identity.token), ("ann", "main", None));
        assert!(greet(r#"{"hello":{}}"#).is_ok());
    }

    #[test]
    fn refusals_name_the_key() {
        for (text, words) in [
            (r#"{"hello":{"nam":"ann"}}"#, "hello.nam"),
            (r#"{"hello":{"name":7}}"#, "hello.name"),
            (r#"{"hello":7}"#, "`hello`"),
            (r#"{"hello":{},"input":{}}"#, "one key"),
            ("{}", "one key"),
            ("[]", "object"),
            ("{", "not JSON"),
        ] {
            let refusal = greet(text).expect_err(text);
            assert!(refusal.contains(words), "{text}: {refusal}");
        }
        assert!(greet(&"[".repeat(4000)).is_err_and(|words| words.contains("not JSON")), "depth is bounded");
    }
}
