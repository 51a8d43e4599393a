//! What had to be reached beside the peers, and whether it was: ratios within one round, their median over the rounds.

use std::fmt::Write;

use crate::plan::{Cell, Inputs, Peer};
use crate::plot::number;
use crate::report::bytes_per_entity;
use crate::results::{Figures, Series, Spread};

/// Half a tick: how long an input waits for the next one, on average, that comes at any moment.
const HALF_TICK_MS: f64 = 1000.0 / 30.0 / 2.0;

/// Updates per second of somebody who keeps up with 30 ticks.
const KEEPS_UP: f64 = 28.5;

/// So many times less than a peer.
struct Aim {
    what: &'static str,
    peer: Peer,
    /// Of these the one that is best for the peer counts.
    cells: &'static [Cell],
    figure: fn(&Figures) -> f64,
    must: f64,
    good: f64,
}

const AIMS: [Aim; 8] = [
    Aim {
        what: "Colyseus, all see all, 200 and 300: bytes per entity-update",
        peer: Peer::Colyseus,
        cells: &[Cell::All200],
        figure: bytes_per_entity,
        must: 5.0,
        good: 10.0,
    },
    Aim {
        what: "… server CPU per (client × update)",
        peer: Peer::Colyseus,
        cells: &[Cell::All200],
        figure: |figures| figures.cpu_us,
        must: 1.8,
        good: 2.2,
    },
    Aim {
        what: "Colyseus StateView, 500 and 2,000: server CPU",
        peer: Peer::Colyseus,
        cells: &[Cell::Interest500],
        figure: |figures| figures.cpu_us,
        must: 3.0,
        good: 4.0,
    },
    Aim {
        what: "… bytes per entity-update",
        peer: Peer::Colyseus,
        cells: &[Cell::Interest500],
        figure: bytes_per_entity,
        must: 5.0,
        good: 10.0,
    },
    Aim {
        what: "tokio-tungstenite + bincode, with radius: server CPU",
        peer: Peer::Bincode,
        cells: &[Cell::Interest500],
        figure: |figures| figures.cpu_us,
        must: 1.5,
        good: 1.9,
    },
    Aim {
        what: "… bytes per entity-update",
        peer: Peer::Bincode,
        cells: &[Cell::Interest500],
        figure: bytes_per_entity,
        must: 8.0,
        good: 15.0,
    },
    Aim {
        what: "bevy_replicon, its best cell: bytes per entity-update",
        peer: Peer::Replicon,
        cells: &[Cell::All50, Cell::All100, Cell::All200, Cell::Interest500],
        figure: bytes_per_entity,
        must: 4.0,
        good: 8.0,
    },
    Aim {
        what: "bevy_replicon, its best cell: server CPU",
        peer: Peer::Replicon,
        cells: &[Cell::All50, Cell::All100, Cell::All200, Cell::Interest500],
        figure: |figures| figures.cpu_us,
        must: 6.0,
        good: 8.0,
    },
];

/// The table of what had to be reached.
pub(crate) fn table(series: &Series) -> String {
    let mut text =
        "| less than | times, median (least–most) | had to be | good | |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for aim in &AIMS {
        let ratios = aim.cells.iter().filter_map(|cell| Some((*cell, ratio(series, aim, *cell)?)));
        let found = ratios.min_by(|(_, one), (_, other)| one.median.total_cmp(&other.median));
        let (value, said) = match found {
            None => (String::new(), "not measured".to_owned()),
            Some((cell, Spread { low, median, high })) => (
                format!("{} ({}–{})", number(median), number(low), number(high)),
                word(median >= aim.must, median >= aim.good).to_owned() + &behind(series, aim.peer, cell),
            ),
        };
        let _ = writeln!(
            text,
            "| {} | {value} | {} | {} | {said} |",
            aim.what,
            number(aim.must),
            number(aim.good)
        );
    }
    text.push_str("\n| input to visible, p50, ms | measured | ideal: half a tick and the margin | had to be | good | |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for cell in [Cell::All200, Cell::Interest500] {
        let of = |figure: fn(&Figures) -> f64| series.spread(Peer::Tickwire, cell, Inputs::EachTick, figure);
        let (Some(measured), Some(margin)) =
            (of(|figures| figures.visible_p50_ms), of(|figures| figures.margin_ms.unwrap_or_default()))
        else {
            continue;
        };
        let ideal = HALF_TICK_MS + margin.median;
        let said = word(measured.median <= ideal + 4.0, measured.median <= ideal + 2.0);
        let _ = writeln!(
            text,
            "| {} | {} | {} = {} + {} | {} | {} | {said} |",
            cell.title(),
            number(measured.median),
            number(ideal),
            number(HALF_TICK_MS),
            number(margin.median),
            number(ideal + 4.0),
            number(ideal + 2.0)
        );
    }
    text
}

/// Who does not send a state at each tick does less work than what is asked for, and ratios are of what is left.
fn behind(series: &Series, peer: Peer, cell: Cell) -> String {
    let mut text = String::new();
    for peer in [Peer::Tickwire, peer] {
        let updates =
            series.spread(peer, cell, Inputs::EachTick, |figures| figures.updates_p50).unwrap_or_default();
        if updates.median < KEEPS_UP {
            let _ = write!(
                text,
                "; {} falls behind: {} updates per second",
                peer.title(),
                number(updates.median)
            );
        }
    }
    text
}

fn word(is_reached: bool, is_good: bool) -> &'static str {
    match (is_reached, is_good) {
        (_, true) => "good",
        (true, false) => "reached",
        (false, false) => "**missed**",
    }
}

/// How many times as much a peer needs as Tickwire in the same round.
fn ratio(series: &Series, aim: &Aim, cell: Cell) -> Option<Spread> {
    let theirs = series.runs(aim.peer, cell, Inputs::EachTick);
    let ratios: Vec<f64> = theirs
        .filter_map(|run| {
            let mut ours = series.runs(Peer::Tickwire, cell, Inputs::EachTick);
            let ours = ours.find(|ours| ours.round == run.round)?;
            Some((aim.figure)(&run.figures) / (aim.figure)(&ours.figures))
        })
        .collect();
    (!ratios.is_empty()).then(|| Spread::of(ratios))
}
