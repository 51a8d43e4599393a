//! The quantized past: for each row and tier the four states that clients of that tier hold, and for a while the state
//! of every row at every tick, from which follows what a paused client holds.

use tickwire_shared::limits::{CADENCE_TICKS_MAX, HISTORY};
use tickwire_shared::wire::cadence::{TIERS, Tier};
use tickwire_shared::wire::residual::Window;

/// For so many ticks a paused client can be told differences to what it holds.
const RING_TICKS: usize = 64;

const _: () = assert!(RING_TICKS > HISTORY * CADENCE_TICKS_MAX as usize);

/// A sequence of samples of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples {
    /// The tick of the newest.
    pub(super) newest: u64,
    /// Ticks from one to the next.
    pub(super) period: u64,
    /// The tick of the first there is: of the row's spawn or its last cut.
    pub(super) first: u64,
}

/// All states.
#[derive(Debug)]
pub(super) struct History {
    stride: usize,
    /// For each tier, four states of `stride` columns for each row, the newest first.
    windows: [Vec<i32>; TIERS],
    /// The states of all rows at each of the last ticks, in a ring.
    past: Vec<Vec<i32>>,
    tick: u64,
}

impl History {
    pub(super) fn new(stride: usize) -> Self {
        Self { stride, windows: Default::default(), past: vec![Vec::new(); RING_TICKS], tick: 0 }
    }

    /// A tick begins. `rows` is how many rows there may be.
    pub(super) fn begin(&mut self, tick: u64, rows: usize) {
        self.tick = tick;
        self.past[tick as usize % RING_TICKS].resize(rows * self.stride, 0);
        self.windows.iter_mut().for_each(|windows| windows.resize(rows * HISTORY * self.stride, 0));
    }

    /// The state of a row at this tick.
    pub(super) fn note(&mut self, row: u32, state: &[i32]) {
        let at = row as usize * self.stride;
        self.past[self.tick as usize % RING_TICKS][at..at + self.stride]
            .copy_from_slice(&state[..self.stride]);
    }

    /// The window of a row at a tier.
    pub(super) fn window(&self, row: u32, tier: Tier) -> Window<'_> {
        let size = HISTORY * self.stride;
        Window::new(&self.windows[tier.index()][row as usize * size..(row as usize + 1) * size], self.stride)
    }

    /// The same, to change it.
    pub(super) fn window_mut(&mut self, row: u32, tier: Tier) -> &mut [i32] {
        let size = HISTORY * self.stride;
        &mut self.windows[tier.index()][row as usize * size..(row as usize + 1) * size]
    }

    /// Writes the window of a row that `samples` made into `window`; `false` when that is too long ago.
    pub(super) fn past_window(&self, row: u32, samples: Samples, window: &mut [i32]) -> bool {
        let Samples { newest, period, first } = samples;
        let at = |age: usize| newest.saturating_sub(age as u64 * period).max(first);
        if at(HISTORY - 1) + RING_TICKS as u64 <= self.tick {
            return false;
        }
        for (age, state) in window.chunks_exact_mut(self.stride.max(1)).take(HISTORY).enumerate() {
            let past = &self.past[at(age) as usize % RING_TICKS];
            state.copy_from_slice(&past[row as usize * self.stride..(row as usize + 1) * self.stride]);
        }
        true
    }
}
