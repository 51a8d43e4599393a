//! `CONFIG.md`, made from the code: every key with its default and what another value takes, from the configuration
//! itself, and the reasons, from the chapters below this file. A key without a reason makes no page.

use std::fmt::Write;

use figment::value::Value;

use super::{Config, RELOADABLE, keys};

mod players;

mod operators;

/// Keys that belong together.
struct Chapter {
    title: &'static str,
    before: &'static str,
    /// What each is, and why its default is what it is.
    keys: &'static [(&'static str, &'static str)],
    after: &'static str,
}

/// A bound that nobody can set.
struct Fixed {
    what: &'static str,
    value: &'static str,
    why: &'static str,
}

const HEAD: &str = "\
# Configuration

Made from the code by `tickwire-server print-config --reference`; a test holds it to the code.

Defaults, then the TOML file (`--config FILE`), then the environment, then flags: each beats the one before. In the environment
a key has capitals, `TICKWIRE_` in front and `__` between section and name (`tick_hz` is `TICKWIRE_TICK_HZ`,
`limits.head_deadline` is `TICKWIRE_LIMITS__HEAD_DEADLINE`), and `PORT=8080` means `listen = \"0.0.0.0:8080\"`. The flags, in
`tickwire-server --help`, are for what is set most. Durations are written like `250ms`, `15s` or `2min`, sizes like `512B`, `4KiB` or
`1MiB`.

`tickwire-server check-config` exits with 0, or with 2 and the reason; `print-config` prints the effective values as TOML. A key
that does not exist is refused with the one that was probably meant, and so are values that make no sense together. Every
number and time has a least and a most, and none of `[limits]` can be switched off.

SIGHUP reads the file, the environment and the flags again. Keys marked **SIGHUP** are taken over, for connections that come from
then on where they are about connections; the log names every other key that was changed: it needs a restart. A configuration
that is refused changes nothing, and the log says why. (SIGHUP also reads certificates and keys of tokens again.)
";

impl Config {
    /// The page.
    #[must_use]
    pub fn reference() -> String {
        let mut page = HEAD.to_owned();
        let defaults = keys::values(&Self::default());
        for Chapter { title, before, keys, after } in players::CHAPTERS.iter().chain(&operators::CHAPTERS) {
            section(&mut page, title, before);
            page.push_str(
                "\n| key | default | another value takes | what, and why so |\n| --- | --- | --- | --- |\n",
            );
            for (key, why) in *keys {
                let default = defaults.get(*key).map_or("—".to_owned(), shown);
                let takes = if RELOADABLE.contains(key) { "**SIGHUP**" } else { "a restart" };
                line(&mut page, format_args!("| `{key}` | {default} | {takes} | {why} |"));
            }
            if !after.is_empty() {
                line(&mut page, format_args!("\n{after}"));
            }
        }
        section(&mut page, "What cannot be set", "");
        page.push_str("\n| what | value | why so |\n| --- | --- | --- |\n");
        for Fixed { what, value, why } in &operators::FIXED {
            line(&mut page, format_args!("| {what} | {value} | {why} |"));
        }
        page
    }
}

fn section(page: &mut String, title: &str, before: &str) {
    line(page, format_args!("\n## {title}"));
    if !before.is_empty() {
        line(page, format_args!("\n{before}"));
    }
}

fn line(page: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{line}");
}

/// A default as TOML has it; what has none is a dash.
fn shown(value: &Value) -> String {
    let text = toml::Value::try_from(value).map(|value| value.to_string());
    text.map_or("—".to_owned(), |text| format!("`{}`", text.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::layers;
    use super::*;

    #[test]
    fn every_key_has_its_reason_once() {
        let known: BTreeSet<_> = keys::values(&Config::default()).into_keys().collect();
        let chapters = players::CHAPTERS.iter().chain(&operators::CHAPTERS);
        let told: Vec<_> =
            chapters.flat_map(|chapter| chapter.keys).map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(told.len(), told.iter().collect::<BTreeSet<_>>().len(), "a key is told of twice");
        let told = BTreeSet::from_iter(told);
        assert_eq!(
            known.difference(&told).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "no chapter has a reason for these"
        );
        assert_eq!(told.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "no key");
    }

    #[test]
    fn a_row_fits_a_table() {
        let chapters = players::CHAPTERS.iter().chain(&operators::CHAPTERS);
        for (key, why) in chapters.flat_map(|chapter| chapter.keys) {
            assert!(!why.contains(['|', '\n']) && why.ends_with(['.', ')']), "{key}: {why}");
        }
        assert!(Config::reference().contains("| `limits.head_deadline` | `5s` | **SIGHUP** | "));
        assert!(Config::reference().contains("| `tls.cert` | — | a restart | "));
        assert_eq!(
            layers::variable("limits.head_deadline"),
            "TICKWIRE_LIMITS__HEAD_DEADLINE",
            "as the page says"
        );
    }

    #[test]
    fn the_page_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../CONFIG.md");
        let made = Config::reference();
        if std::fs::read_to_string(path).is_ok_and(|page| page == made) {
            return;
        }
        assert!(
            std::env::var("TICKWIRE_BLESS").is_ok_and(|value| value == "1"),
            "CONFIG.md is not what the code says: cargo run -- print-config --reference > CONFIG.md"
        );
        std::fs::write(path, made).expect("written");
    }
}
