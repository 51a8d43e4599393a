//! The configuration as a list of dotted keys: to know which there are, which is meant, and which differ.

use std::collections::BTreeMap;

use figment::value::Value;

use super::Config;

/// Every key and its value, keys without a value included.
pub(super) fn values(config: &Config) -> BTreeMap<String, Value> {
    // Plain fields only: nothing in it can fail to become a value.
    Value::serialize(config).map(flat).unwrap_or_default()
}

/// By dotted keys. A section without any is a key of its own.
pub(super) fn flat(value: Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect(String::new(), value, &mut found);
    found
}

fn collect(path: String, value: Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Dict(_, dict) if !dict.is_empty() => {
            for (key, value) in dict {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                collect(path, value, found);
            }
        }
        // Nothing at all was set.
        _ if path.is_empty() => {}
        value => {
            found.insert(path, value);
        }
    }
}

/// The key that is most like one that is none: by its spelling, its words in another order, or its name in another
/// section.
pub(super) fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    let likeness = |one: &str, other: &str| {
        strsim::normalized_damerau_levenshtein(one, other).max(strsim::sorensen_dice(one, other))
    };
    let name = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let score = |other: &str| {
        let by_name = 0.9 * likeness(&name(key), &name(other));
        likeness(key, other).max(by_name)
    };
    known.max_by(|one, other| score(one).total_cmp(&score(other))).unwrap_or_default()
}
