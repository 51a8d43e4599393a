//! What all bots of a swarm write on while they play: who is there, how much has arrived, which tick it is.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use tickwire_shared::Tick;

/// Counts of the whole swarm.
#[derive(Debug, Default)]
pub(super) struct Board {
    welcomed: AtomicUsize,
    /// Ended without a Welcome.
    turned_away: AtomicUsize,
    /// Ended after Welcome.
    gone: AtomicUsize,
    frames: AtomicU64,
    framed_bytes: AtomicU64,
    newest_tick: AtomicU32,
    tick_hz: AtomicU32,
}

impl Board {
    pub(super) fn count_welcome(&self, tick: Tick, tick_hz: u16) {
        // The first one sets the tick that others are compared with.
        if self.tick_hz.swap(u32::from(tick_hz), Relaxed) == 0 {
            self.newest_tick.store(tick.0, Relaxed);
        }
        self.welcomed.fetch_add(1, Relaxed);
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
        self.welcomed.load(Relaxed).saturating_sub(self.gone.load(Relaxed))
    }
}
