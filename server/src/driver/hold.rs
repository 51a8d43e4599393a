//! A room that an operator has stopped: it hears and answers, and makes no tick but those that it is told to. For development
//! only. Set by the admin port, read by the room's worker before each tick.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Most ticks that may be waiting to be made.
pub(super) const STEPS_MAX: u32 = 600;

/// Whether one room is stopped.
#[derive(Debug, Default)]
pub(super) struct Hold {
    stopped: AtomicBool,
    /// Ticks that it is to make all the same.
    steps: AtomicU32,
}

impl Hold {
    pub(super) fn pause(&self) {
        self.steps.store(0, Ordering::Relaxed);
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn resume(&self) {
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// So many more ticks, at the room's own rate; it is stopped afterwards.
    pub(super) fn step(&self, ticks: u32) {
        self.stopped.store(true, Ordering::Relaxed);
        let more = |steps: u32| Some(steps.saturating_add(ticks).min(STEPS_MAX));
        // The closure never refuses.
        let _ = self.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Whether the tick that is due is to be made.
    pub(super) fn lets_tick(&self) -> bool {
        let one_less = |steps: u32| steps.checked_sub(1);
        !self.is_paused() || self.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_ticks_as_it_is_told() {
        let hold = Hold::default();
        let ticks = |hold: &Hold| (0..1000).take_while(|_| hold.lets_tick()).count();
        assert_eq!(ticks(&hold), 1000);
        hold.pause();
        assert_eq!(ticks(&hold), 0);
        hold.step(1);
        hold.step(2);
        assert_eq!(ticks(&hold), 3);
        hold.step(u32::MAX);
        assert_eq!(ticks(&hold), STEPS_MAX as usize);
        hold.step(5);
        hold.pause();
        assert_eq!(ticks(&hold), 0, "a pause forgets what was to be made");
        hold.resume();
        assert_eq!(ticks(&hold), 1000);
    }
}
