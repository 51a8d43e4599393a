//! What one bot counts, and what of it lies in the interval that is measured.

use std::collections::BTreeMap;

use tickwire_shared::arena::Arena;
use tickwire_shared::client::{FrameSummary, Session, Stats};
use tickwire_shared::{Micros, Tick};

use super::figures::Histogram;
use crate::transport::Traffic;

/// One bot's counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Where the counts stood when the interval began.
    start: Option<Mark>,
    /// What happened in the interval, once it is over.
    pub(super) interval: Option<Interval>,
    /// Of the whole session.
    pub(super) stats: Stats,
    /// Microseconds from an input's change to the frame that shows it.
    pub(super) input_to_visible: Histogram,
    /// Smoothed round trips, in microseconds, one sample per acknowledged input.
    pub(super) rtt: Histogram,
    /// Entities in view, one sample per frame.
    pub(super) entities: Histogram,
    /// Ticks from one frame to the next.
    pub(super) gaps: Histogram,
    /// Connections that were lost or closed and after which the bot came back, by close code.
    pub(super) breaks: BTreeMap<u16, u64>,
    /// Connections that the bot cut itself, because it was told to.
    pub(super) cuts: u64,
    /// Sessions that went on over another connection.
    pub(super) resumed: u64,
    /// Sessions that began anew over another connection.
    pub(super) begun_anew: u64,
    last_tick: Option<Tick>,
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

/// What happened between two marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) seconds: f64,
    /// Ticks that the server went on, as far as any bot knows.
    pub(super) ticks: u64,
    pub(super) frames: u64,
    pub(super) updates: u64,
    pub(super) update_bits: u64,
    pub(super) traffic: Traffic,
}

impl Tally {
    /// The interval begins. A bot that has no Welcome yet is not measured. `newest` is the newest tick that any
    /// bot has seen: taken at both ends, it makes no client look slow for being far away.
    pub(super) fn begin(&mut self, session: &Session<Arena>, traffic: Traffic, newest: Tick, now: Micros) {
        self.start = session.welcome().map(|_| Mark { at: now, newest, stats: *session.stats(), traffic });
    }

    /// A frame was applied. Says how many bytes arrived since the last one.
    pub(super) fn frame(
        &mut self,
        session: &Session<Arena>,
        traffic: Traffic,
        summary: &FrameSummary,
    ) -> u64 {
        if self.start.is_some() {
            let gap = self.last_tick.map_or(0, |last| summary.tick.since(last));
            self.gaps.record(u64::try_from(gap).unwrap_or(0));
            self.entities.record(session.replica().map_or(0, |replica| replica.slots().len()) as u64);
            if let (Some(rtt), Some(_)) = (session.rtt_micros(), summary.ack) {
                self.rtt.record(rtt);
            }
        }
        self.last_tick = Some(summary.tick);
        let fresh = traffic.received_framed_bytes - self.framed_bytes_noted;
        self.framed_bytes_noted = traffic.received_framed_bytes;
        fresh
    }

    /// An input became visible.
    pub(super) fn input_seen(&mut self, micros: u64) {
        if self.start.is_some() {
            self.input_to_visible.record(micros);
        }
    }

    /// The interval is over, or the session.
    pub(super) fn finish(&mut self, session: &Session<Arena>, traffic: Traffic, newest: Tick, now: Micros) {
        self.stats = *session.stats();
        let Some(start) = self.start.take() else { return };
        let end = Mark { at: now, newest, stats: self.stats, traffic };
        self.interval = Some(Interval {
            seconds: end.at.since(start.at) as f64 / 1e6,
            ticks: u64::try_from(end.newest.since(start.newest)).unwrap_or(0),
            frames: end.stats.frames - start.stats.frames,
            updates: end.stats.updates - start.stats.updates,
            update_bits: end.stats.update_bits - start.stats.update_bits,
            traffic: Traffic {
                received_bytes: end.traffic.received_bytes - start.traffic.received_bytes,
                received_framed_bytes: end.traffic.received_framed_bytes
                    - start.traffic.received_framed_bytes,
                sent_bytes: end.traffic.sent_bytes - start.traffic.sent_bytes,
                sent_framed_bytes: end.traffic.sent_framed_bytes - start.traffic.sent_framed_bytes,
            },
        });
    }
}
