//! The list of all keys for `CONFIG.md`, made from the code: the default, the variable, and whether SIGHUP is enough.

use std::fmt::Write;

use super::{Config, RELOADABLE, keys, layers};

/// Where the list begins and ends in the page.
#[cfg(test)]
const MARKS: [&str; 2] = ["<!-- all keys: made from the code -->\n", "<!-- end of all keys -->"];

impl Config {
    /// Every key as a row of a Markdown table.
    #[must_use]
    pub fn reference() -> String {
        let mut page =
            "| key | default | environment | another value takes |\n| --- | --- | --- | --- |\n".to_owned();
        let defaults = toml::Value::try_from(Self::default()).unwrap_or(toml::Value::Boolean(false));
        for key in keys::values(&Self::default()).into_keys() {
            let value = key.split('.').try_fold(&defaults, |table, part| table.get(part));
            let default = value.map_or("—".to_owned(), |value| format!("`{}`", value.to_string().trim()));
            let takes = if RELOADABLE.contains(&key.as_str()) { "SIGHUP" } else { "a restart" };
            let variable = layers::variable(&key);
            // Writing to a string cannot fail.
            let _ = writeln!(page, "| `{key}` | {default} | `{variable}` | {takes} |");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_list_that_the_code_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../CONFIG.md");
        let page = std::fs::read_to_string(path).expect("CONFIG.md");
        let (before, rest) = page.split_once(MARKS[0]).expect("a place for the list");
        let (list, after) = rest.split_once(MARKS[1]).expect("its end");
        let made = format!("\n{}\n", Config::reference());
        if list == made {
            return;
        }
        assert!(
            std::env::var_os("TICKWIRE_BLESS").is_some(),
            "CONFIG.md is not what the code says: TICKWIRE_BLESS=1 cargo test -p tickwire-server --lib reference"
        );
        std::fs::write(path, [before, MARKS[0], &made, MARKS[1], after].concat()).expect("written");
    }
}
