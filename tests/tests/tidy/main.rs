//! The walls of the house: who may import whom, how long a file may be, what nothing may be called.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file at most. "About 500": a file that has to be longer is listed in `LONGER` with a reason.
const LINES_MAX: usize = 500;
const LONGER: [(&str, &str); 0] = [];

/// Names that say nothing.
const BANNED_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "data"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// Every Rust file of the workspace, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in ["shared", "server", "client-demo", "tests", "xtask"] {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 40, "only {} sources found", found.len());
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            found.insert(name, fs::read_to_string(&path).expect("readable"));
        }
    }
}

#[test]
fn files_are_short_documented_and_named_for_something() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        let allowed = LONGER.iter().any(|(longer, _)| *longer == path);
        assert!(lines <= LINES_MAX || allowed, "{path} has {lines} lines");
        assert!(text.starts_with("//!"), "{path} does not say what it is for");
        let stem = Path::new(&path).file_stem().expect("a name").to_string_lossy().into_owned();
        for word in stem.split('_') {
            assert!(!BANNED_NAMES.contains(&word), "{path}: `{word}` says nothing");
        }
    }
}

/// Which parts of the server a part may name with `crate::`.
const EDGES: [(&str, &[&str]); 9] = [
    ("server/src/simulation/", &["simulation"]),
    ("server/src/session/", &["session"]),
    ("server/src/snapshot/", &["snapshot", "simulation"]),
    ("server/src/host/", &["host", "session", "simulation", "snapshot"]),
    ("server/src/arena/", &["simulation", "driver"]),
    ("server/src/config", &["config", "arena"]),
    ("server/src/auth/", &["auth", "config"]),
    ("server/src/driver/", &["driver", "auth", "config", "host", "session", "simulation"]),
    ("shared/src/wire/", &["wire", "schema", "limits", "id", "tick", "close"]),
];

#[test]
fn parts_import_only_what_they_may() {
    for (path, text) in sources() {
        let Some((_, allowed)) = EDGES.iter().find(|(part, _)| path.starts_with(part)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            for (at, _) in line.match_indices("crate::") {
                let name: String =
                    line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(
                    name.is_empty() || allowed.contains(&name.as_str()),
                    "{path}:{}: `{name}` is not for this part",
                    number + 1
                );
            }
        }
    }
}

/// Words that only the named places may contain.
const RESERVED: [(&str, &[&str]); 12] = [
    ("bincode::", &["shared/src/wire/codec.rs"]),
    ("fastwebsockets", &["server/src/driver/socket/", "client-demo/src/transport"]),
    ("rustls::", &["server/src/driver/", "client-demo/src/transport", "tests/"]),
    (
        "tokio::",
        &[
            "server/src/driver/",
            "server/src/main.rs",
            "server/src/commands/",
            "server/examples/",
            "shared/c/tests/",
            "client-demo/",
            "tests/",
        ],
    ),
    (
        "std::net",
        &[
            "server/src/driver/",
            "server/src/auth/",
            "server/src/config",
            "server/src/main.rs",
            "server/src/commands/",
            "server/src/bench/",
            "server/examples/",
            "shared/examples/",
            "client-demo/",
            "tests/",
        ],
    ),
    ("jsonwebtoken", &["server/src/auth/", "tests/"]),
    ("Instant", &["server/src/driver/", "server/src/bench/", "shared/examples/", "client-demo/", "tests/"]),
    (
        "std::thread",
        &["server/src/driver/", "server/src/bench/", "shared/examples/", "client-demo/", "tests/", "xtask/"],
    ),
    ("HashMap", &["server/src/driver/", "client-demo/", "tests/"]),
    ("wasm_bindgen", &["client-demo/", "shared/js/", "xtask/"]),
    ("serde_json", &["shared/kit/", "server/", "client-demo/", "tests/", "xtask/"]),
    ("unbounded", &["tests/tests/tidy/"]),
];

#[test]
fn reserved_words_stay_where_they_belong() {
    for (path, text) in sources() {
        for (word, places) in RESERVED {
            if places.iter().any(|place| path.starts_with(place)) || path.starts_with("tests/tests/tidy/") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                assert!(!code.contains(word), "{path}:{}: `{word}` does not belong here", number + 1);
            }
        }
    }
}

#[test]
fn tests_are_neither_skipped_nor_expected_to_panic() {
    for (path, text) in sources() {
        if path.starts_with("tests/tests/tidy/") {
            continue;
        }
        for word in ["#[ignore", "#[should_panic"] {
            assert!(!text.contains(word), "{path} contains `{word}`");
        }
    }
}

#[test]
fn nothing_in_the_core_names_the_arena() {
    for (path, text) in sources() {
        let core = ["simulation/", "session/", "snapshot/", "host/", "driver/"];
        if core.iter().any(|part| path.starts_with(&format!("server/src/{part}"))) {
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                assert!(!code.to_lowercase().contains("arena"), "{path}:{} names the arena", number + 1);
            }
        }
    }
}

#[test]
fn the_plain_coder_shares_nothing_with_the_fast_one() {
    let reference: Vec<_> =
        sources().into_iter().filter(|(path, _)| path.starts_with("tests/src/reference/")).collect();
    assert!(reference.len() > 5);
    for (path, text) in reference {
        for line in text.lines().filter(|line| line.contains("tickwire_")) {
            assert!(line.starts_with("use tickwire_shared::schema::"), "{path}: {line}");
        }
    }
}

#[test]
fn the_second_game_is_small() {
    let text = &sources()["tests/tag/src/lib.rs"];
    let code = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//")).count();
    assert!(code <= 150, "{code} lines of code");
}

/// Their generated parts end with a hash (FNV-1a) of the results and of the part; `tests/peers/report` writes both.
#[test]
fn the_documents_tell_what_the_peers_results_are() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("readable");
    let results = read("tests/peers/results/series.json");
    for name in ["BENCHMARKS.md", "README.md"] {
        let text = read(name);
        let part = text
            .split_once("<!-- peers: begin (written by tests/peers/report) -->\n")
            .expect("a beginning")
            .1;
        let part = part.split_once("<!-- peers: end -->").expect("an end").0;
        let (part, seal) = part.rsplit_once("<!-- ").expect("a hash");
        let bytes = results.bytes().chain(part.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(
            seal,
            format!("{hash:016x} -->\n"),
            "{name} is not what results/ makes: tests/peers/report"
        );
    }
}
