//! The part of BENCHMARKS.md that says how many clients are fine, made of what `tickwire-server bench capacity --json` wrote into
//! `tests/results` and nothing else. Written between markers; what stands outside them is written by hand.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

const BEGIN: &str = "<!-- capacity: begin (written by `cargo xtask benchmarks`) -->\n";
const END: &str = "<!-- capacity: end -->";
/// The searches, by what of a tick they held to the limit.
const SEARCHES: [(&str, &str); 2] = [
    ("simulation", "Before the first frame: hearing and the step"),
    ("whole", "The whole tick: hearing, the step, packing and sending all frames"),
];

/// The document as the results make it.
pub(crate) fn document(root: &Path) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(root.join("BENCHMARKS.md"))?;
    let marked = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = marked.ok_or("BENCHMARKS.md has no place for it")?;
    let mut part = String::new();
    for (name, title) in SEARCHES {
        let file = format!("tests/results/capacity-{name}.json");
        let read = fs::read_to_string(root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        let results: Value = serde_json::from_str(&read).map_err(|error| format!("{file}: {error}"))?;
        if results.pointer("/limits/part").and_then(Value::as_str) != Some(name) {
            return Err(
                format!("{file} is of another part of the tick: measure it with --part {name}").into()
            );
        }
        section(&mut part, &results, title)?;
        let _ = writeln!(part, "\n![Time per tick by clients](tests/results/capacity-{name}.svg)");
    }
    Ok(format!("{before}{BEGIN}{part}{END}{after}"))
}

fn section(text: &mut String, results: &Value, title: &str) -> Result<(), Box<dyn Error>> {
    let number = |path| figure(results, path);
    let word = |path| results.pointer(path).and_then(Value::as_str).ok_or_else(|| missing(path));
    writeln!(text, "\n### {title}\n")?;
    writeln!(
        text,
        "**{} clients are fine**; limited by {}. Held at p99: {} ms for that part of a tick, begun {} ms late at the most, states \
         {} ms old at the most. {} Hz, {} entities in view, {} inputs per second, {} s each; {}, {} cores, Linux {}, load {}; {}.\n",
        number("/clients_max")?,
        word("/limited_by")?,
        number("/limits/tick_p99_ms")?,
        number("/limits/lateness_p99_ms")?,
        number("/limits/staleness_p99_ms")?,
        number("/settings/tick_hz")?,
        number("/settings/visible")?,
        number("/settings/input_changes_per_s")?,
        number("/settings/seconds_per_probe")?,
        word("/machine/cpu")?,
        number("/machine/cores")?,
        word("/machine/kernel")?,
        word("/machine/load")?,
        match results["quiet"].as_bool().ok_or_else(|| missing("/quiet"))? {
            true => "no other program took a seventh of a core",
            false => "**other programs ran beside it**",
        }
    )?;
    text.push_str(
        "| clients | hear and step, p50, p99 | pack, p99 | send, p99 | all, p50, p99 | begun late, p99 | states old, p99 | input to \
         visible, p50 | server, swarm | |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut probes: Vec<&Value> = results["probes"].as_array().ok_or("no probes")?.iter().collect();
    probes.sort_by_key(|probe| probe["clients"].as_u64());
    for probe in probes {
        writeln!(text, "{}", row(probe)?)?;
    }
    Ok(())
}

fn row(probe: &Value) -> Result<String, Box<dyn Error>> {
    let of = |path| figure(&probe["measured"], path);
    let verdict = match probe["broken"].as_array().ok_or_else(|| missing("/broken"))?.len() {
        0 => "fine",
        _ => "too many",
    };
    Ok(format!(
        "| {} | {:.1}, {:.1} ms | {:.1} | {:.1} | {:.1}, {:.1} | {:.1} | {:.0} | {:.1} | {:.2}, {:.2} cores | {verdict} |",
        figure(probe, "/clients")?,
        of("/tick_ms/simulated/p50")?,
        of("/tick_ms/simulated/p99")?,
        of("/tick_ms/stages/2/p99")?,
        of("/tick_ms/stages/3/p99")?,
        of("/tick_ms/whole/p50")?,
        of("/tick_ms/whole/p99")?,
        of("/lateness_ms/p99")?,
        of("/swarm/staleness_p99_ms")?,
        of("/swarm/input_to_visible_p50_ms")?,
        of("/server_cores")?,
        of("/swarm_cores")?,
    ))
}

fn figure(results: &Value, path: &str) -> Result<f64, String> {
    results.pointer(path).and_then(Value::as_f64).ok_or_else(|| missing(path))
}

fn missing(path: &str) -> String {
    format!("the results have no {path}: measure them again with this version's `bench capacity --json`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed document is what the committed results make.
    #[test]
    fn the_document_is_what_the_results_make() {
        let root = crate::root();
        let there = fs::read_to_string(root.join("BENCHMARKS.md")).expect("readable");
        assert!(document(&root).expect("results") == there, "`cargo xtask benchmarks` writes it");
    }
}
