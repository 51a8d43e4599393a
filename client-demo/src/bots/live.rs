//! How a swarm fares, while it runs: one line per second, or a few lines that stay in place on a terminal. On stderr, so that the
//! report alone is on stdout.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::board::{Board, Phase};
use super::figures::Histogram;
use crate::time;

/// How often lines are drawn anew on a terminal, and written elsewhere.
const TERMINAL_EVERY: Duration = Duration::from_millis(250);
const LINE_EVERY: Duration = Duration::from_secs(1);
/// Length of the bar.
const BAR: usize = 40;

/// What is to happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) clients: usize,
    /// Of the measurement.
    pub(super) seconds: f64,
}

/// Counts at one moment, for rates.
struct Moment {
    frames: u64,
    bytes: u64,
    seconds: f64,
}

/// Shows until it is aborted.
pub(super) async fn show(board: Arc<Board>, plan: Plan) {
    let terminal = std::io::stderr().is_terminal();
    let every = if terminal { TERMINAL_EVERY } else { LINE_EVERY };
    let began = time::now();
    let now = || time::now().since(began) as f64 / 1e6;
    let (mut before, mut measuring_since, mut drawn) = (moment(&board, 0.0), None, 0);
    loop {
        sleep(every).await;
        let current = moment(&board, now());
        let phase = board.phase();
        if phase == Phase::Measuring && measuring_since.is_none() {
            measuring_since = Some(current.seconds);
        }
        let measured = measuring_since.map_or(0.0, |since| current.seconds - since);
        if terminal {
            let text = block(&board, plan, (phase, measured), (&before, &current));
            // Back over the lines of before, and clear from there on.
            let back = if drawn > 0 { format!("\x1b[{drawn}A\x1b[J") } else { String::new() };
            drawn = text.lines().count();
            eprint!("{back}{text}");
        } else {
            eprintln!("{}", line(&board, plan, phase, (&before, &current)));
        }
        before = current;
    }
}

fn moment(board: &Board, seconds: f64) -> Moment {
    Moment { frames: board.frames(), bytes: board.framed_bytes(), seconds }
}

fn rates(before: &Moment, now: &Moment) -> (f64, f64) {
    let seconds = (now.seconds - before.seconds).max(1e-3);
    let per_s = |now: u64, before: u64| (now - before) as f64 / seconds;
    (per_s(now.frames, before.frames), per_s(now.bytes, before.bytes) / 1000.0)
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Joining => "joining",
        Phase::Measuring => "measuring",
        Phase::Leaving => "leaving",
    }
}

fn line(board: &Board, plan: Plan, phase: Phase, (before, now): (&Moment, &Moment)) -> String {
    let (frames, kilobytes) = rates(before, now);
    format!(
        "{:4.0} s  {:9}  {:5}/{} connected  {frames:8.0} snapshots/s  {kilobytes:8.1} kB/s",
        now.seconds,
        name(phase),
        board.playing(),
        plan.clients,
    )
}

fn block(
    board: &Board,
    plan: Plan,
    (phase, measured): (Phase, f64),
    (before, now): (&Moment, &Moment),
) -> String {
    let share = match phase {
        Phase::Joining => board.decided() as f64 / plan.clients.max(1) as f64,
        Phase::Measuring | Phase::Leaving => measured / plan.seconds.max(0.1),
    };
    let full = ((share.clamp(0.0, 1.0)) * BAR as f64).round() as usize;
    let bar = "█".repeat(full) + &"░".repeat(BAR - full);
    let (frames, kilobytes) = rates(before, now);
    let figures = &board.figures;
    let tail = |samples: &Histogram| {
        let at =
            |share| samples.quantile(share).map_or("-".to_owned(), |micros| format!("{:.1}", micros / 1e3));
        format!("p50 {:>6}  p99 {:>6}", at(0.5), at(0.99))
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{bar} {:9} {:5.0} s", name(phase), now.seconds);
    let _ = writeln!(text, "connected            {:>6} of {}", board.playing(), plan.clients);
    let _ = writeln!(text, "snapshots/s          {frames:>6.0}   {kilobytes:.0} kB/s");
    let _ = writeln!(text, "frames late, ms      {}", tail(&figures.lateness));
    let _ = writeln!(text, "states old, ms       {}", tail(&figures.staleness));
    let _ = writeln!(text, "input to visible, ms {}", tail(&figures.input_to_visible));
    let _ = writeln!(text, "own timers late, ms  {}", tail(&figures.timer_late));
    let _ = writeln!(text, "state mismatches     {:>6}", board.mismatches());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_blocks() {
        let board = Board::default();
        let plan = Plan { clients: 4, seconds: 10.0 };
        let before = moment(&board, 1.0);
        let now = Moment { frames: 300, bytes: 50_000, seconds: 3.0 };
        let text = line(&board, plan, Phase::Joining, (&before, &now));
        assert!(
            text.contains("joining") && text.contains("0/4") && text.contains("150 snapshots/s"),
            "{text}"
        );
        board.figures.lateness.record(2_000);
        let text = block(&board, plan, (Phase::Measuring, 5.0), (&before, &now));
        assert_eq!(text.lines().count(), 8);
        assert!(text.starts_with(&("█".repeat(20) + "░")) && text.contains("p50    2.0"), "{text}");
    }
}
