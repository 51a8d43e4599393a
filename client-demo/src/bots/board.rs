//! What all bots of a swarm write on while they play: who is there, how much has arrived, which tick it is.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use tickwire_shared::Tick;

use super::figures::Histogram;

/// What the whole swarm is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not everybody is there.
    Joining,
    /// All are measured.
    Measuring,
    /// Everybody says goodbye.
    Leaving,
}

/// Counts of the whole swarm.
#[derive(Debug, Default)]
pub(super) struct Board {
    phase: AtomicU8,
    pub(super) figures: Figures,
    welcomed: AtomicUsize,
    /// Ended without a Welcome.
    turned_away: AtomicUsize,
    /// Ended after Welcome.
    gone: AtomicUsize,
    frames: AtomicU64,
    framed_bytes: AtomicU64,
    /// Left for a while.
    away: AtomicUsize,
    mismatches: AtomicU64,
    /// How early inputs are meant to come at the least.
    margin_micros: AtomicU64,
    newest_tick: AtomicU32,
    tick_hz: AtomicU32,
}

/// Samples of all bots. Times are in microseconds.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// From an input's change to the frame that shows it.
    pub(super) input_to_visible: Histogram,
    /// How early inputs came, as the server says.
    pub(super) input_early: Histogram,
    /// Smoothed round trips, one sample per acknowledged input.
    pub(super) rtt: Histogram,
    /// Entities in view, one sample per frame that is read.
    pub(super) entities: Histogram,
    /// Ticks from one frame to the next.
    pub(super) gaps: Histogram,
    /// How much later than the quickest frame of the last seconds each one came.
    pub(super) lateness: Histogram,
    /// How old the newest state had become when the next one came.
    pub(super) staleness: Histogram,
    /// From the attempt to connect to Welcome; also before the measurement.
    pub(super) joining: Histogram,
    /// How late the swarm's own timers are.
    pub(super) timer_late: Histogram,
}

impl Board {
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Joining,
            1 => Phase::Measuring,
            _ => Phase::Leaving,
        }
    }

    pub(super) fn count_welcome(&self, tick: Tick, tick_hz: u16) {
        // The first one sets the tick that others are compared with.
        if self.tick_hz.swap(u32::from(tick_hz), Relaxed) == 0 {
            self.newest_tick.store(tick.0, Relaxed);
        }
        self.welcomed.fetch_add(1, Relaxed);
    }

    pub(super) fn count_leave(&self) {
        self.away.fetch_add(1, Relaxed);
    }

    pub(super) fn count_return(&self) {
        self.away.fetch_sub(1, Relaxed);
    }

    pub(super) fn count_mismatch(&self) {
        self.mismatches.fetch_add(1, Relaxed);
    }

    pub(super) fn mismatches(&self) -> u64 {
        self.mismatches.load(Relaxed)
    }

    pub(super) fn note_margin(&self, micros: u64) {
        self.margin_micros.store(micros, Relaxed);
    }

    pub(super) fn margin_micros(&self) -> u64 {
        self.margin_micros.load(Relaxed)
    }

    /// A bot stopped playing, before or after its Welcome.
    pub(super) fn count_end(&self, was_welcomed: bool) {
        let count = if was_welcomed { &self.gone } else { &self.turned_away };
        count.fetch_add(1, Relaxed);
    }

    pub(super) fn count_frame(&self, tick: Tick) {
        self.frames.fetch_add(1, Relaxed);
        let is_newer = |newest: u32| (tick.since(Tick(newest)) > 0).then_some(tick.0);
        // Refused when it is not newer, which is as good.
        let _ = self.newest_tick.fetch_update(Relaxed, Relaxed, is_newer);
    }

    pub(super) fn count_bytes(&self, framed_bytes: u64) {
        self.framed_bytes.fetch_add(framed_bytes, Relaxed);
    }

    /// The newest tick that any bot has seen.
    pub(super) fn newest_tick(&self) -> Tick {
        Tick(self.newest_tick.load(Relaxed))
    }

    pub(super) fn tick_hz(&self) -> u32 {
        self.tick_hz.load(Relaxed)
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    pub(super) fn framed_bytes(&self) -> u64 {
        self.framed_bytes.load(Relaxed)
    }

    /// How many have been welcomed or have failed to be.
    pub(super) fn decided(&self) -> usize {
        self.welcomed.load(Relaxed) + self.turned_away.load(Relaxed)
    }

    /// How many have been welcomed and are still there.
    pub(super) fn playing(&self) -> usize {
        let gone = self.gone.load(Relaxed) + self.away.load(Relaxed);
        self.welcomed.load(Relaxed).saturating_sub(gone)
    }
}
