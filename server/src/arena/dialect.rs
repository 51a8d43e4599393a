//! The arena in JSON: `{"input":{"move":[x,y],"aim":radians,"fire":bool}}`, `{"chat":"text"}`.

use glam::Vec2;
use serde_json::{Map, Value, json};
use tickwire_shared::arena::{Arena, ArenaInput, ArenaSetup, Command, Own, map::Map as Obstacles};

use crate::driver::json::{Dialect, plain};

/// How the arena speaks JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArenaDialect;

impl Dialect<Arena> for ArenaDialect {
    fn input(&self, value: &Value) -> Result<ArenaInput, String> {
        let object = value.as_object().ok_or("`input` must be an object")?;
        let (mut walk, mut aim, mut fire) = (Vec2::ZERO, 0.0, false);
        for (key, value) in object {
            match key.as_str() {
                "move" => walk = direction(value)?,
                "aim" => aim = angle(value)?,
                "fire" => fire = value.as_bool().ok_or("`input.fire` must be true or false")?,
                _ => return Err("unknown key in `input`; it has move, aim and fire".to_owned()),
            }
        }
        Ok(ArenaInput::new(walk, aim, fire))
    }

    fn command(&self, key: &str, value: &Value) -> Result<Option<Command>, String> {
        match (key, value) {
            ("chat", Value::String(text)) => Ok(Some(Command::Chat(text.clone()))),
            ("chat", _) => Err("`chat` must be a string".to_owned()),
            _ => Ok(None),
        }
    }

    fn private(&self, private: &Own) -> Value {
        plain(private)
    }

    fn welcome(&self, setup: &ArenaSetup) -> Map<String, Value> {
        let obstacles = Obstacles::new(setup.seed, setup.size_m);
        let boxes: Vec<_> = obstacles
            .obstacles()
            .iter()
            .map(|obstacle| plain(&[obstacle.centre.x, obstacle.centre.y, obstacle.half.x, obstacle.half.y]))
            .collect();
        Map::from_iter([("setup".to_owned(), plain(setup)), ("map".to_owned(), json!(boxes))])
    }
}

/// Two numbers from −1 to 1.
fn direction(value: &Value) -> Result<Vec2, String> {
    let axis = |value: &Value| value.as_f64().filter(|axis| (-1.0..=1.0).contains(axis));
    match value.as_array().map(Vec::as_slice) {
        Some([x, y]) => axis(x).zip(axis(y)),
        _ => None,
    }
    .map(|(x, y)| Vec2::new(x as f32, y as f32))
    .ok_or_else(|| "`input.move` must be two numbers from -1 to 1".to_owned())
}

/// A turn either way.
fn angle(value: &Value) -> Result<f32, String> {
    let turn = std::f64::consts::TAU;
    value
        .as_f64()
        .filter(|angle| (-turn..=turn).contains(angle))
        .map(|angle| angle as f32)
        .ok_or_else(|| "`input.aim` must be a number of radians from -2π to 2π".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::Protocol;

    fn input(text: &str) -> Result<ArenaInput, String> {
        ArenaDialect.input(&serde_json::from_str(text).expect("test JSON"))
    }

    #[test]
    fn inputs() {
        let all = input(r#"{"move":[1,0],"aim":0.5,"fire":true}"#).expect("all three");
        assert_eq!((all.walk, all.fire), ([127, 0], true));
        assert_eq!(input("{}"), Ok(ArenaInput::default()));
        assert!(Arena::is_possible(&input(r#"{"move":[-1,-1]}"#).expect("a corner")));
    }

    #[test]
    fn refusals_name_the_key() {
        for (text, key) in [
            (r#"{"move":[2,0]}"#, "input.move"),
            (r#"{"move":[1]}"#, "input.move"),
            (r#"{"move":"up"}"#, "input.move"),
            (r#"{"aim":1e300}"#, "input.aim"),
            (r#"{"aim":null}"#, "input.aim"),
            (r#"{"fire":1}"#, "input.fire"),
            (r#"{"jump":true}"#, "unknown key"),
            ("7", "`input`"),
        ] {
            let words = input(text).expect_err(text);
            assert!(words.contains(key), "{text}: {words}");
        }
        assert!(ArenaDialect.command("chat", &json!(7)).is_err());
        assert_eq!(ArenaDialect.command("dance", &json!(7)), Ok(None));
    }
}
