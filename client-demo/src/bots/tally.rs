//! What one bot counts, and what of it lies in the interval that is measured: one stretch per session, since a bot may leave
//! and come back. Samples go to the board that all bots share.

use std::collections::BTreeMap;

use tickwire_shared::arena::Arena;
use tickwire_shared::client::{FrameSummary, Session, Stats};
use tickwire_shared::{Micros, Tick};

use super::board::Figures;
use crate::transport::Traffic;

/// Lateness is counted from the quickest frame of a while this long and the one before it.
const WHILE_MICROS: u64 = 5_000_000;

/// One bot's counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Where the counts stood when the stretch at hand began.
    start: Option<Mark>,
    /// What happened in the stretches that are over.
    pub(super) interval: Option<Interval>,
    /// Of all sessions that are over.
    pub(super) stats: Stats,
    /// Connections that were lost or closed and after which the bot came back, by close code.
    pub(super) breaks: BTreeMap<u16, u64>,
    /// Connections that the bot cut itself, because it was told to.
    pub(super) cuts: u64,
    /// Sessions that the bot ended to begin another one, because it was told to.
    pub(super) leaves: u64,
    /// Times in which the bot did nothing, because it was told to.
    pub(super) stalls: u64,
    /// Sessions that went on over another connection.
    pub(super) resumed: u64,
    /// Sessions that began anew over another connection.
    pub(super) begun_anew: u64,
    pace: Pace,
    framed_bytes_noted: u64,
}

/// Where the counts stood at a time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Micros,
    newest: Tick,
    stats: Stats,
    traffic: Traffic,
}

/// What happened between marks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interval {
    pub(super) seconds: f64,
    /// Ticks that the server went on, as far as any bot knows.
    pub(super) ticks: u64,
    pub(super) frames: u64,
    pub(super) updates: u64,
    pub(super) update_bits: u64,
    pub(super) traffic: Traffic,
}

/// When frames come.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// Tick and time of the last frame, and how late it was.
    last: Option<(Tick, Micros, u64)>,
    /// The tick from which times are counted, and the least offset of this while and the one before.
    base: Option<Tick>,
    least: Option<i64>,
    least_before: Option<i64>,
    while_began: Micros,
}

impl Tally {
    /// A stretch begins. A bot that has no Welcome yet is not measured. `newest` is the newest tick that any
    /// bot has seen: taken at both ends, it makes no client look slow for being far away.
    pub(super) fn begin(&mut self, session: &Session<Arena>, traffic: Traffic, newest: Tick, now: Micros) {
        self.start = session.welcome().map(|_| Mark { at: now, newest, stats: *session.stats(), traffic });
    }

    /// A frame was applied that came at `at`. Says how many bytes arrived since the last one.
    pub(super) fn frame(
        &mut self,
        session: &Session<Arena>,
        traffic: Traffic,
        (summary, at): (&FrameSummary, Micros),
        figures: &Figures,
    ) -> u64 {
        let tick_hz = session.welcome().map_or(1, |welcome| welcome.tick_hz.max(1));
        let before = self.pace.last;
        let late_micros = self.pace.note(summary.tick, at, tick_hz);
        if self.start.is_some() {
            figures.lateness.record(late_micros);
            if let Some((tick, came, late)) = before {
                figures.gaps.record(u64::try_from(summary.tick.since(tick)).unwrap_or(0));
                figures.staleness.record(at.since(came) + late);
            }
            if let Some(ack) = summary.ack {
                let early_micros = i64::from(ack.margin_eighths) * 1_000_000 / (8 * i64::from(tick_hz));
                figures.input_early.record(u64::try_from(early_micros).unwrap_or(0));
                if let Some(rtt) = session.rtt_micros() {
                    figures.rtt.record(rtt);
                }
            }
        }
        let fresh = traffic.received_framed_bytes - self.framed_bytes_noted;
        self.framed_bytes_noted = traffic.received_framed_bytes;
        fresh
    }

    /// Whether what happens now counts.
    pub(super) fn is_measuring(&self) -> bool {
        self.start.is_some()
    }

    /// The stretch is over, and the session.
    pub(super) fn finish(&mut self, session: &Session<Arena>, traffic: Traffic, newest: Tick, now: Micros) {
        let stats = *session.stats();
        self.stats = sum(&self.stats, &stats);
        self.pace = Pace::default();
        let Some(start) = self.start.take() else { return };
        let so_far = self.interval.unwrap_or_default();
        let grown = |of: fn(&Traffic) -> u64| of(&traffic) - of(&start.traffic);
        self.interval = Some(Interval {
            seconds: so_far.seconds + now.since(start.at) as f64 / 1e6,
            ticks: so_far.ticks + u64::try_from(newest.since(start.newest)).unwrap_or(0),
            frames: so_far.frames + stats.frames - start.stats.frames,
            updates: so_far.updates + stats.updates - start.stats.updates,
            update_bits: so_far.update_bits + stats.update_bits - start.stats.update_bits,
            traffic: so_far.traffic.plus(Traffic {
                received_bytes: grown(|t| t.received_bytes),
                received_framed_bytes: grown(|t| t.received_framed_bytes),
                sent_bytes: grown(|t| t.sent_bytes),
                sent_framed_bytes: grown(|t| t.sent_framed_bytes),
            }),
        });
    }
}

impl Pace {
    /// How much later than the quickest one lately a frame came.
    fn note(&mut self, tick: Tick, at: Micros, tick_hz: u16) -> u64 {
        let base = *self.base.get_or_insert(tick);
        let offset = at.0 as i64 - i64::from(tick.since(base)) * 1_000_000 / i64::from(tick_hz);
        if at.since(self.while_began) > WHILE_MICROS {
            (self.while_began, self.least_before) = (at, self.least.take());
        }
        self.least = Some(self.least.map_or(offset, |least| least.min(offset)));
        let least = self.least.into_iter().chain(self.least_before).min().unwrap_or(offset);
        let late_micros = u64::try_from(offset - least).unwrap_or(0);
        self.last = Some((tick, at, late_micros));
        late_micros
    }
}

/// Of two sessions one after the other, what a report tells of.
fn sum(one: &Stats, other: &Stats) -> Stats {
    Stats {
        frames: one.frames + other.frames,
        received_bytes: one.received_bytes + other.received_bytes,
        sent_bytes: one.sent_bytes + other.sent_bytes,
        updates: one.updates + other.updates,
        update_bits: one.update_bits + other.update_bits,
        mismatches: one.mismatches + other.mismatches,
        checksums: one.checksums + other.checksums,
        checksums_skipped: one.checksums_skipped + other.checksums_skipped,
        resyncs: one.resyncs + other.resyncs,
        happenings_forgotten: one.happenings_forgotten + other.happenings_forgotten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_that_after_the_quickest() {
        let mut pace = Pace::default();
        let at = |tick: u32, late: u64| Micros(1_000_000 + u64::from(tick) * 50_000 + late);
        assert_eq!(pace.note(Tick(7), at(7, 3_000), 20), 0);
        assert_eq!(pace.note(Tick(8), at(8, 0), 20), 0);
        assert_eq!(pace.note(Tick(9), at(9, 4_000), 20), 4_000);
        // The server made a pause of a second: a new least is found in two whiles.
        let paused: Vec<u64> = (10..260).map(|tick| pace.note(Tick(tick), at(tick, 1_000_000), 20)).collect();
        assert_eq!((paused[0], paused[249]), (1_000_000, 0));
    }
}
