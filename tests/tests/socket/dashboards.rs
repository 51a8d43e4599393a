//! The names of metrics: those that scripts rely on are there, and the dashboard and the rules ask for no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tickwire_server::config::Config;

use crate::player::Player;
use crate::raw::{BINARY, Raw};
use crate::server::{config, start};

/// Names that will not change.
const PROMISED: [(&str, &str, &[&str]); 13] = [
    ("tickwire_tick_duration_seconds", "histogram", &["stage"]),
    ("tickwire_tick_late_total", "counter", &[]),
    ("tickwire_clients", "gauge", &[]),
    ("tickwire_rooms", "gauge", &[]),
    ("tickwire_sent_bytes_total", "counter", &[]),
    ("tickwire_received_bytes_total", "counter", &[]),
    ("tickwire_snapshot_bits_total", "counter", &["kind", "group"]),
    ("tickwire_closes_total", "counter", &["code"]),
    ("tickwire_inputs_total", "counter", &["outcome"]),
    ("tickwire_paused_clients", "gauge", &[]),
    ("tickwire_resyncs_total", "counter", &[]),
    ("tickwire_state_mismatches_total", "counter", &[]),
    ("tickwire_dropped_messages_total", "counter", &["reason"]),
];

/// Series by name, each with its labels and value.
type Series = BTreeMap<String, Vec<(String, f64)>>;

/// Reads the text as a scraper would: every series belongs to the metric that was announced last.
fn read(page: &str) -> (BTreeMap<String, String>, Series) {
    let (mut kinds, mut series) = (BTreeMap::new(), Series::new());
    let mut current = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
            name.clone_into(&mut current);
        } else if !line.starts_with('#') {
            let (what, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = what.split_once('{').unwrap_or((what, ""));
            assert!(name.starts_with(&current), "{name} was never announced");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            series.entry(name.to_owned()).or_default().push((labels.trim_end_matches('}').to_owned(), value));
        }
    }
    (kinds, series)
}

fn deployed(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    std::fs::read_to_string(file).expect("a file")
}

/// All words of a text that name a metric.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !is_word(character));
    words.filter(|word| word.starts_with("tickwire_")).map(str::to_owned).collect()
}

/// All expressions of a dashboard, wherever they stand in it.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
            Some(text) if ["expr", "query", "definition"].contains(&name.as_str()) => {
                found.push(text.to_owned())
            }
            _ => expressions(value, found),
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// What a server says of itself while somebody plays on it.
async fn played(config: Config) -> String {
    let server = start(config).await;
    let mut player = Player::over(Raw::open(server.public_addr(), BINARY).await, "ann", "").await;
    player.until("it plays", |session| session.stats().frames > 90).await;
    server.metrics()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promised_name_is_there() {
    let (kinds, series) = read(&played(config()).await);
    for (name, kind, labels) in PROMISED {
        assert_eq!(kinds.get(name).map(String::as_str), Some(kind), "{name}");
        let counted = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let entries = &series.get(&counted);
        // Nobody has left yet: there is no code to count.
        let Some(entries) = entries else { continue };
        for label in labels {
            assert!(
                entries.iter().all(|(labels, _)| labels.contains(&format!("{label}=\""))),
                "{name}: {label}"
            );
        }
    }
    let bits = &series["tickwire_snapshot_bits_total"];
    assert!(
        bits.iter().any(|(labels, bits)| labels.contains("group=\"position\"") && *bits > 0.0),
        "{bits:?}"
    );
    assert!(bits.iter().any(|(labels, _)| labels.contains("kind=\"Drone\"")), "{bits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_and_the_rules_ask_for_what_there_is() {
    let (kinds, _) = read(&played(config()).await);
    let mut known: BTreeSet<String> = kinds.keys().cloned().collect();
    for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "histogram") {
        known.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
    }
    let dashboard = serde_json::from_str(&deployed("grafana.json")).expect("JSON");
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    for (file, text, least) in
        [("grafana.json", asked.join("\n"), 25), ("alerts.yaml", deployed("alerts.yaml"), 10)]
    {
        let names = names_in(&text);
        assert!(names.len() >= least, "{file}: only {names:?}");
        let missing: Vec<_> = names.difference(&known).collect();
        assert!(missing.is_empty(), "{file} asks for what is not at /metrics: {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_rooms_there_are_only_the_busiest_are_named() {
    let mut few = config();
    few.metrics.top_rooms = 3;
    let server = start(few).await;
    let mut players = Vec::new();
    for (room, clients) in [("crowd", 3), ("pair", 2), ("alone", 1), ("other", 1), ("last", 1)] {
        for _ in 0..clients {
            let raw = Raw::open(server.public_addr(), BINARY).await;
            let mut player = Player::over(raw, "ann", room).await;
            player.until("it plays", |session| session.stats().frames > 5).await;
            players.push(player);
        }
    }
    let (_, series) = read(&server.metrics());
    assert!(series["tickwire_rooms"][0].1 >= 5.0);
    let top = &series["tickwire_top_room_clients"];
    assert_eq!(top.len(), 3, "{top:?}");
    assert_eq!(top[0], ("room=\"crowd\"".to_owned(), 3.0));
    assert_eq!(top[1], ("room=\"pair\"".to_owned(), 2.0));
    for list in ["tickwire_top_room_tick_seconds", "tickwire_top_room_sent_bytes_per_second"] {
        assert_eq!(series[list].len(), 3, "{list}");
        assert!(series[list].iter().all(|(_, value)| *value > 0.0), "{list}: {:?}", series[list]);
    }
}
