//! Durations written like `15s` and sizes written like `4KiB`, both ways.

use std::time::Duration;

/// A number with one of these units, longest first so that `ms` is not read as `m`.
const TIME_UNITS: [(&str, u64); 5] =
    [("us", 1), ("ms", 1_000), ("min", 60_000_000), ("h", 3_600_000_000), ("s", 1_000_000)];
const SIZE_UNITS: [(&str, u64); 4] = [("MiB", 1 << 20), ("KiB", 1 << 10), ("kB", 1_000), ("B", 1)];

/// Reads `15s`, `250ms`, `2min`.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match parse(text, &TIME_UNITS) {
        Some(micros) => Ok(Duration::from_micros(micros)),
        None => Err(format!("`{text}` is not a duration; write it like 15s, 250ms or 2min")),
    }
}

/// Reads `4KiB`, `1MiB`, `512B`.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    parse(text, &SIZE_UNITS)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| format!("`{text}` is not a size; write it like 4KiB, 1MiB or 512B"))
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (unit, factor) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text[..text.len() - unit.len()].trim_end();
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let fits = units.iter().filter(|(_, factor)| value.is_multiple_of(*factor) && value >= *factor);
    match fits.max_by_key(|(_, factor)| factor) {
        Some((unit, factor)) => format!("{}{unit}", value / factor),
        None => format!("{value}{}", units.iter().min_by_key(|(_, factor)| factor).map_or("", |unit| unit.0)),
    }
}

/// For `#[serde(with = …)]` on a [`Duration`].
pub mod duration {
    use super::{Duration, TIME_UNITS, parse_duration, show};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// As `15s`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show(value.as_micros() as u64, &TIME_UNITS))
    }

    /// From `15s`.
    ///
    /// # Errors
    /// A sentence that says what is allowed.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// For `#[serde(with = …)]` on a `usize` of bytes.
pub mod bytes {
    use super::{SIZE_UNITS, parse_bytes, show};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// A size may also be a plain number of bytes.
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a size like 4KiB, or a number of bytes")]
    enum Written {
        Number(usize),
        Text(String),
    }

    /// As `4KiB`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show(*value as u64, &SIZE_UNITS))
    }

    /// From `4KiB` or a number.
    ///
    /// # Errors
    /// A sentence that says what is allowed.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(bytes),
            Written::Text(text) => parse_bytes(&text).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_come_back() {
        for text in ["15s", "250ms", "2min", "1h", "1us", "0us"] {
            let value = parse_duration(text).expect(text);
            assert_eq!(show(value.as_micros() as u64, &TIME_UNITS), text);
        }
        for text in ["", "15", "s", "1.5s", "-1s", "15 parsecs", "99999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_come_back() {
        for text in ["4KiB", "1MiB", "513B"] {
            assert_eq!(show(parse_bytes(text).expect(text) as u64, &SIZE_UNITS), text);
        }
        for text in ["", "4", "KiB", "4 Gulden"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
