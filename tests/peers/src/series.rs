//! A series: peers in turn, several rounds, each measurement a fresh server and fresh clients, until the plan or the time is
//! at its end.

use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::plan::{Cell, Inputs, Peer};
use crate::results::{Failure, Figures, Machine, Run, Series, load};
use crate::servers::{self, Server};
use crate::swarm::{self, Swarm};

/// Before measuring, for joins and for what is told once.
const WARM_UP: Duration = Duration::from_millis(1200);
/// After measuring Tickwire, so that the floor does not run out of what to send.
const SPARE: Duration = Duration::from_millis(1000);
/// What one measurement takes besides, about.
const BESIDES: Duration = Duration::from_secs(4);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom.
    pub peers: Vec<Peer>,
    /// At what, how often: what stands earlier in a round is measured earlier.
    pub workloads: Vec<(Cell, Inputs, u32)>,
    /// Of each measurement.
    pub lasting: Duration,
    /// Nothing is begun that could not end by then.
    pub within: Duration,
    /// First of the ports to use; servers have them in turns.
    pub port: u16,
}

/// What a whole series measures unless it is told otherwise: all that the report shows, the two largest cells most often.
#[must_use]
pub fn whole() -> Vec<(Cell, Inputs, u32)> {
    vec![
        (Cell::All200, Inputs::EachTick, 3),
        (Cell::Interest500, Inputs::EachTick, 3),
        (Cell::Bodies, Inputs::OnChange, 2),
        (Cell::All50, Inputs::EachTick, 2),
        (Cell::All100, Inputs::EachTick, 2),
        (Cell::All200, Inputs::OnChange, 2),
        (Cell::Interest500, Inputs::OnChange, 2),
    ]
}

/// Goes through a plan. `save` is called after each measurement.
pub fn run(plan: &Plan, date: String, mut save: impl FnMut(&Series)) -> Series {
    let begun = Instant::now();
    let rounds = plan.workloads.iter().map(|(.., runs)| *runs).max().unwrap_or_default();
    let mut series =
        Series { date, machine: Machine::here(), seconds: plan.lasting.as_secs(), ..Series::default() };
    let mut recorded = Vec::new();
    let mut ports = (plan.port..plan.port + 100).cycle();
    for round in 0..rounds {
        for (cell, inputs, _) in plan.workloads.iter().filter(|(.., runs)| *runs > round) {
            for peer in plan.peers.iter().filter(|peer| plays(**peer, *cell)) {
                if begun.elapsed() + plan.lasting + BESIDES > plan.within {
                    eprintln!("the time is over: what is left of the plan is left out");
                    return series;
                }
                let port = ports.next().unwrap_or(plan.port);
                let measured = measure((*peer, *cell, *inputs), plan.lasting, port, &mut recorded);
                let minutes = begun.elapsed().as_secs_f64() / 60.0;
                let what = format!("{minutes:4.1} min, round {}: {peer:?} {cell:?} {inputs:?}", round + 1);
                note(&mut series, (*peer, *cell, *inputs, round), measured, &what);
                save(&series);
            }
        }
    }
    series
}

/// Whether a peer takes part in a workload.
fn plays(peer: Peer, cell: Cell) -> bool {
    cell != Cell::Bodies || matches!(peer, Peer::Tickwire | Peer::Colyseus)
}

fn note(
    series: &mut Series,
    (peer, cell, inputs, round): (Peer, Cell, Inputs, u32),
    measured: Result<(Figures, String), String>,
    what: &str,
) {
    match measured {
        Ok((figures, version)) => {
            let Figures { cpu_us, bytes_per_s, updates_p50, visible_p50_ms, in_view, compared, .. } = figures;
            eprintln!(
                "{what}: {cpu_us:.1} µs/update, {bytes_per_s:.0} B/s, {updates_p50:.1} updates/s, \
                 {visible_p50_ms:.1} ms, {in_view:.0} in view, {compared} compared"
            );
            if !version.is_empty() && !series.versions.iter().any(|(other, _)| *other == peer) {
                series.versions.push((peer, version));
            }
            series.runs.push(Run { peer, cell, inputs, round, load: load(), figures });
        }
        Err(why) => {
            eprintln!("{what}: FAILED: {why}");
            series.failures.push(Failure { peer, cell, inputs, why });
        }
    }
}

/// One measurement. `recorded` is filled in by Tickwire's and handed on to the floor's.
fn measure(
    (peer, cell, inputs): (Peer, Cell, Inputs),
    lasting: Duration,
    port: u16,
    recorded: &mut Vec<Vec<u8>>,
) -> Result<(Figures, String), String> {
    if peer == Peer::Floor && recorded.is_empty() {
        return Err("the floor sends what Tickwire has sent: measure both".to_owned());
    }
    let server = servers::start(peer, cell, port, recorded)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let (figures, messages) =
        LocalSet::new().block_on(&runtime, clients((peer, cell, inputs), lasting, &server))?;
    if peer == Peer::Tickwire {
        *recorded = messages;
    } else if peer == Peer::Floor {
        recorded.clear();
    }
    let checks = peer != Peer::Floor;
    if checks && figures.compared == 0 {
        return Err("nothing could be compared with the truth".to_owned());
    }
    Ok((figures, server.version.clone()))
}

async fn clients(
    (peer, cell, inputs): (Peer, Cell, Inputs),
    lasting: Duration,
    server: &Server,
) -> Result<(Figures, Vec<Vec<u8>>), String> {
    let records = peer == Peer::Tickwire && cell != Cell::Bodies;
    let swarm = Swarm::join(swarm::Run { peer, cell, inputs, address: server.address, records }).await?;
    tokio::time::sleep(WARM_UP).await;
    let mut marks = Vec::new();
    let counted = swarm.measure(lasting, || marks.push(server.cpu_micros())).await?;
    let rss_mib = server.rss_mib();
    if records {
        tokio::time::sleep(SPARE).await;
    }
    let cpu_micros = marks.last().copied().unwrap_or_default() - marks.first().copied().unwrap_or_default();
    Ok((Figures::new(counted, cpu_micros, rss_mib), swarm.recorded()))
}
