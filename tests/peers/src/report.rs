//! The documents' part about peers, made from `results/*.json` and nothing else: tables, the verdict on what had to be
//! reached, plots. Written between markers; what stands outside them is written by hand.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::plan::{Cell, Inputs, Peer};
use crate::plot::{self, number};
use crate::results::{Figures, Series, Spread};
use crate::servers::home;
use crate::verdict;

const BEGIN: &str = "<!-- peers: begin (written by tests/peers/report) -->";
const END: &str = "<!-- peers: end -->";
const CELLS: [Cell; 4] = [Cell::All50, Cell::All100, Cell::All200, Cell::Interest500];

/// Writes the documents and the plots, or compares them with what is there.
///
/// # Errors
/// When a file is missing or, for a comparison, differs.
pub fn write(check: bool) -> Result<(), String> {
    let series: Series =
        serde_json::from_str(&results()?).map_err(|error| format!("results/series.json: {error}"))?;
    let root = home().join("../..");
    let mut files = vec![
        within(&root.join("BENCHMARKS.md"), &benchmarks(&series))?,
        within(&root.join("README.md"), &readme(&series))?,
    ];
    for (name, svg) in plots(&series) {
        files.push((home().join("plots").join(name), svg));
    }
    for (path, text) in files {
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        match check {
            true if there != text => {
                return Err(format!("{} is not what results/ makes: tests/peers/report", path.display()));
            }
            true => {}
            false => std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?,
        }
    }
    Ok(())
}

fn results() -> Result<String, String> {
    let path = home().join("results/series.json");
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A document with its marked part replaced.
fn within(path: &Path, part: &str) -> Result<(PathBuf, String), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let marked = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = marked.ok_or_else(|| format!("{} has no place for it", path.display()))?;
    let seal = seal(&results()?, part);
    Ok((path.to_owned(), format!("{before}{BEGIN}\n{part}<!-- {seal:016x} -->\n{END}{after}")))
}

/// A hash of the results and of what is made of them (FNV-1a), which the tidy test of the workspace compares too.
fn seal(results: &str, part: &str) -> u64 {
    let bytes = results.bytes().chain(part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn benchmarks(series: &Series) -> String {
    let mut text = String::new();
    let machine = &series.machine;
    let versions: Vec<String> = series.versions.iter().map(|(_, version)| version.clone()).collect();
    let _ = writeln!(
        text,
        "Measured on {} UTC: {}, {} cores, Linux {}, load {:.1} before it began; servers and clients on loopback of this \
         machine. {} s for each measurement, interleaved; medians, and in parentheses the least and the most of the runs. \
         Versions: {}.\n",
        series.date,
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.load,
        series.seconds,
        versions.join("; ")
    );
    text.push_str(&verdict::table(series));
    for (inputs, title) in [
        (Inputs::EachTick, "Every client sends an input at each tick"),
        (Inputs::OnChange, "Inputs are sent when they change, twice a second"),
    ] {
        let cells: Vec<Cell> = CELLS.into_iter().filter(|cell| has(series, *cell, inputs)).collect();
        if cells.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n### {title}\n");
        for cell in cells {
            let _ = writeln!(text, "{}{}\n", cell.title(), runs(series, cell, inputs));
            text.push_str(&table(series, cell, inputs));
            text.push('\n');
        }
    }
    text.push_str(&bodies(series));
    text.push_str(
        "\n![Server CPU beside the peers](tests/peers/plots/cpu.svg)\n\n\
         ![Bytes beside the peers](tests/peers/plots/bytes.svg)\n",
    );
    for failure in &series.failures {
        let _ = writeln!(
            text,
            "\nNot measured: {}, {}, {:?}: {}",
            failure.peer.title(),
            failure.cell.title(),
            failure.inputs,
            failure.why
        );
    }
    text
}

fn has(series: &Series, cell: Cell, inputs: Inputs) -> bool {
    series.runs.iter().any(|run| (run.cell, run.inputs) == (cell, inputs))
}

fn runs(series: &Series, cell: Cell, inputs: Inputs) -> String {
    let counts: Vec<usize> = Peer::ALL
        .iter()
        .map(|peer| series.runs(*peer, cell, inputs).count())
        .filter(|count| *count > 0)
        .collect();
    match (counts.iter().min(), counts.iter().max()) {
        (Some(1), Some(1)) => " (one run of each):".to_owned(),
        (Some(least), Some(most)) if least == most => format!(" ({least} runs of each):"),
        (Some(least), Some(most)) => format!(" ({least} to {most} runs of each):"),
        _ => ":".to_owned(),
    }
}

fn table(series: &Series, cell: Cell, inputs: Inputs) -> String {
    let mut text =
        "| | server CPU, µs per (client × update) | bytes per client and second | bytes per entity-update | \
                    updates per second, p1 and p50 | input to visible, p50 and p99, ms | resident, MiB |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for peer in Peer::ALL {
        let of = |figure: fn(&Figures) -> f64| series.spread(peer, cell, inputs, figure);
        let (Some(cpu), Some(bytes)) = (of(|figures| figures.cpu_us), of(|figures| figures.bytes_per_s))
        else {
            continue;
        };
        let median = |figure: fn(&Figures) -> f64| number(of(figure).unwrap_or_default().median);
        let is_floor = peer == Peer::Floor;
        let per_entity = if is_floor { "".to_owned() } else { median(bytes_per_entity) };
        let (p50, p99) = (median(|figures| figures.visible_p50_ms), median(|figures| figures.visible_p99_ms));
        let latency = if is_floor { String::new() } else { format!("{p50}, {p99}") };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {per_entity} | {}, {} | {latency} | {} |",
            peer.title(),
            ranged(cpu),
            ranged(bytes),
            median(|figures| figures.updates_p1),
            median(|figures| figures.updates_p50),
            median(|figures| figures.rss_mib),
        );
    }
    let held_back =
        series.spread(Peer::Tickwire, cell, inputs, |figures| figures.held_back).unwrap_or_default();
    if held_back.high > 0.0 {
        let share = |value: f64| number(value * 100.0);
        let _ = writeln!(
            text,
            "\nTickwire told of {} % (most {} %) of what was in view less often than at each tick, or later, since it believed that \
             more would queue up on the way to clients.",
            share(held_back.median),
            share(held_back.high)
        );
    }
    text
}

/// Of one entity in view, in one update.
pub(crate) fn bytes_per_entity(figures: &Figures) -> f64 {
    figures.bytes_per_s / (figures.updates_p50 * figures.in_view).max(1.0)
}

fn ranged(Spread { low, median, high }: Spread) -> String {
    if low == high {
        number(median)
    } else {
        format!("{} ({}–{})", number(median), number(low), number(high))
    }
}

fn bodies(series: &Series) -> String {
    let of = |peer, figure: fn(&Figures) -> f64| series.spread(peer, Cell::Bodies, Inputs::OnChange, figure);
    let mut text = String::new();
    if !has(series, Cell::Bodies, Inputs::OnChange) {
        return text;
    }
    text.push_str(
        "\n### Rigid bodies\n\n250 tumbling bodies at 30 Hz, places to 1 cm, rotations to 0.001, 20 clients see all. Both \
         servers play the same recorded motion, and what clients are told is compared with it.\n\n\
         | | kB/s to each client | bytes per body and update | server CPU, µs per (client × update) |\n\
         | --- | --- | --- | --- |\n",
    );
    for peer in [Peer::Tickwire, Peer::Colyseus] {
        if let (Some(bytes), Some(cpu)) = (of(peer, |f| f.bytes_per_s / 1000.0), of(peer, |f| f.cpu_us)) {
            let per_body = of(peer, bytes_per_entity).unwrap_or_default().median;
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                peer.title(),
                ranged(bytes),
                number(per_body),
                ranged(cpu)
            );
        }
    }
    text.push_str(
        "\nPublished by KinematicSoup for its own scene of 250 bodies at 30 Hz with the same precision (Reactor's open benchmark, \
         <https://www.kinematicsoup.com/reactor/benchmarks>), kB/s to one client; **not run here**, and neither the motion nor \
         the way of counting is the same: Reactor 10, PurrNet 95, FishNet 98, Photon Fusion 107, Mirror 117, Netcode for \
         GameObjects 185, Colyseus 173 to 281.\n",
    );
    text
}

fn readme(series: &Series) -> String {
    let mut text = format!(
        "Beside its peers, `tests/peers/run` on {}, the same scene and the same measuring client for all, every client sends \
         an input at each tick of 30 Hz; medians. Above: 200 players and 300 drones, all see all. Below: 500 players and \
         2,000 drones in 1 km², seen up to 100 m. What had to be reached and was not stands in `BENCHMARKS.md`.\n\n\
         | | server CPU, µs per (client × update) | bytes per client and second | updates per second, p1 | input to visible, p50 |\n\
         | --- | --- | --- | --- | --- |\n",
        series.date.split(' ').next().unwrap_or_default()
    );
    for cell in [Cell::All200, Cell::Interest500] {
        for peer in Peer::ALL {
            let of = |figure: fn(&Figures) -> f64| series.spread(peer, cell, Inputs::EachTick, figure);
            let Some(cpu) = of(|figures| figures.cpu_us) else { continue };
            let median = |figure: fn(&Figures) -> f64| number(of(figure).unwrap_or_default().median);
            let title = match (peer, cell) {
                (Peer::Colyseus, Cell::Interest500) => "Colyseus, StateView",
                _ => peer.title(),
            };
            let players = cell.players();
            let latency = match peer {
                Peer::Floor => String::new(),
                _ => median(|figures| figures.visible_p50_ms) + " ms",
            };
            let _ = writeln!(
                text,
                "| {players}: {title} | {} | {} | {} | {latency} |",
                number(cpu.median),
                median(|figures| figures.bytes_per_s),
                median(|figures| figures.updates_p1),
            );
        }
    }
    text.push('\n');
    text
}

fn plots(series: &Series) -> Vec<(&'static str, String)> {
    let groups = |figure: fn(&Figures) -> f64| -> Vec<_> {
        let of = |cell: Cell| {
            let bar = |peer: Peer| Some((peer, series.spread(peer, cell, Inputs::EachTick, figure)?));
            (cell.title().to_owned(), Peer::ALL.into_iter().filter_map(bar).collect::<Vec<_>>())
        };
        CELLS.into_iter().map(of).filter(|(_, bars)| !bars.is_empty()).collect()
    };
    let (cpu, bytes) = (groups(|figures| figures.cpu_us), groups(|figures| figures.bytes_per_s));
    vec![
        ("cpu.svg", plot::bars("Server CPU per (client × update), inputs at each tick", "µs", &cpu)),
        ("bytes.svg", plot::bars("Bytes to each client, WebSocket framing included", "bytes/s", &bytes)),
    ]
}

#[cfg(test)]
mod tests {
    /// The committed documents are what the committed results make.
    #[test]
    fn documents_are_what_results_make() {
        super::write(true).expect("`tests/peers/report` writes them");
    }
}
