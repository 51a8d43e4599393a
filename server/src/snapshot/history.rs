//! The quantized past: for each row and tier the four states that clients of that tier hold, and for a while the state
//! of every row at every tick, from which follows what a paused client holds, and what clients were shown some time ago.

use tickwire_shared::limits::{CADENCE_TICKS_MAX, HISTORY};
use tickwire_shared::wire::cadence::{TIERS, Tier};
use tickwire_shared::wire::residual::Window;

/// For so many ticks a paused client can be told differences to what it holds.
pub(super) const RING_TICKS_MIN: u32 = 64;

const _: () = assert!(RING_TICKS_MIN as usize > HISTORY * CADENCE_TICKS_MAX as usize);

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
    /// Which rows were cut at each of them, one bit each.
    cuts: Vec<Vec<u64>>,
    tick: u64,
    /// Where the present tick is in the ring.
    present: usize,
}

impl History {
    /// That keeps `ring_ticks` ticks, or [`RING_TICKS_MIN`].
    pub(super) fn new(stride: usize, ring_ticks: u32) -> Self {
        let ring_ticks = ring_ticks.max(RING_TICKS_MIN) as usize;
        Self {
            stride,
            windows: Default::default(),
            past: vec![Vec::new(); ring_ticks],
            cuts: vec![Vec::new(); ring_ticks],
            tick: 0,
            present: 0,
        }
    }

    /// For how many ticks states are kept.
    pub(super) fn ring_ticks(&self) -> u64 {
        self.past.len() as u64
    }

    fn place(&self, tick: u64) -> usize {
        (tick % self.ring_ticks()) as usize
    }

    /// A tick begins. `rows` is how many rows there may be.
    pub(super) fn begin(&mut self, tick: u64, rows: usize) {
        (self.tick, self.present) = (tick, self.place(tick));
        self.cuts[self.present].clear();
        self.grow(rows);
    }

    /// There may be so many rows.
    pub(super) fn grow(&mut self, rows: usize) {
        self.past[self.present].resize(rows * self.stride, 0);
        self.cuts[self.present].resize(rows.div_ceil(64), 0);
        self.windows.iter_mut().for_each(|windows| windows.resize(rows * HISTORY * self.stride, 0));
    }

    /// The state of a row at this tick, and whether it was cut.
    pub(super) fn note(&mut self, row: u32, state: &[i32], cut: bool) {
        let at = row as usize * self.stride;
        self.past[self.present][at..at + self.stride].copy_from_slice(&state[..self.stride]);
        if cut {
            self.cuts[self.present][row as usize / 64] |= 1 << (row % 64);
        }
    }

    /// The state of a row at one of the last ticks.
    pub(super) fn state(&self, row: u32, tick: u64) -> &[i32] {
        debug_assert!(tick <= self.tick && tick + self.ring_ticks() > self.tick);
        let at = row as usize * self.stride;
        &self.past[self.place(tick)][at..at + self.stride]
    }

    /// Whether a row was cut after the tick `after`, up to and at `until`.
    pub(super) fn is_cut(&self, row: u32, after: u64, until: u64) -> bool {
        (after + 1..=until).any(|tick| self.cuts[self.place(tick)][row as usize / 64] >> (row % 64) & 1 == 1)
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
        if at(HISTORY - 1) + self.ring_ticks() <= self.tick {
            return false;
        }
        for (age, state) in window.chunks_exact_mut(self.stride.max(1)).take(HISTORY).enumerate() {
            state.copy_from_slice(self.state(row, at(age)));
        }
        true
    }
}
