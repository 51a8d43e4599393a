//! One entity's full record: its four last states, so that whoever reads it can follow the shared stream from
//! the next tick on. Used when an entity enters a roster and when a client has to catch up.
//!
//! The newest state is written as it is; the older ones as updates that run backwards in time.

use super::bits::BitsError;
use super::cadence::{Cadences, Tier};
use super::residual::{self, Decoder, SymbolSink, Window};
use super::update::{self, Step};
use crate::id::NetId;
use crate::limits::{COLUMNS_MAX, HISTORY};
use crate::schema::{FieldClass, KindPlan, View};
use crate::tick::Tick;

/// Writes the window as `view` sees it.
pub fn write<S: SymbolSink>(kind: &KindPlan, view: View, stride: usize, window: Window<'_>, out: &mut S) {
    kind.seen(view).for_each(|field| residual::write_absolute(field, window.state(0), out));
    let mut backwards = Backwards::new(window.state(0), stride);
    for age in 1..HISTORY {
        update::write(kind, view, Step::Moved, backwards.window(), window.state(age), out);
        backwards.push(window.state(age));
    }
}

/// Reads what [`write()`] wrote into `window`, four states of `stride` columns. Columns that the view does not
/// see become zero.
///
/// # Errors
/// [`BitsError`] when the stream ends or a value is out of range.
pub fn read(
    kind: &KindPlan,
    view: View,
    stride: usize,
    window: &mut [i32],
    from: &mut Decoder<'_, '_>,
) -> Result<(), BitsError> {
    window.fill(0);
    kind.seen(view).try_for_each(|field| residual::read_absolute(field, &mut window[..stride], from.bits))?;
    let mut backwards = Backwards::new(&window[..stride], stride);
    for age in 1..HISTORY {
        let older = &mut window[age * stride..(age + 1) * stride];
        if update::read(kind, view, backwards.window(), older, from)? == Step::Cut {
            return Err(BitsError::OutOfRange);
        }
        backwards.push(older);
    }
    Ok(())
}

/// Takes a client from the window that it holds of an entity to a later one: the states that it does not hold, the last
/// four at most, oldest first, each as an update from those before it.
pub fn write_gap<S: SymbolSink>(gap: &Gap<'_>, held: Window<'_>, window: Window<'_>, out: &mut S) {
    let mut known = Bridge::new(gap, held);
    for age in (0..gap.states).rev() {
        update::write(gap.kind, gap.view, Step::Moved, known.window(), window.state(age), out);
        known.push(window.state(age));
    }
}

/// Reads what [`write_gap`] wrote into `window`, four states of the gap's stride.
///
/// # Errors
/// [`BitsError`] when the stream ends or a value is out of range.
pub fn read_gap(
    gap: &Gap<'_>,
    held: Window<'_>,
    window: &mut [i32],
    from: &mut Decoder<'_, '_>,
) -> Result<(), BitsError> {
    let mut known = Bridge::new(gap, held);
    for _ in 0..gap.states {
        let mut state = [0; COLUMNS_MAX];
        if update::read(gap.kind, gap.view, known.window(), &mut state, from)? == Step::Cut {
            return Err(BitsError::OutOfRange);
        }
        known.push(&state[..gap.stride]);
    }
    window.copy_from_slice(&known.columns[..gap.stride * HISTORY]);
    Ok(())
}

/// An entity that a client was not told of for a while, or is told of at another cadence from now on.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'a> {
    /// Its kind.
    pub kind: &'a KindPlan,
    /// How much of it the client sees.
    pub view: View,
    /// Columns of one state.
    pub stride: usize,
    /// How many of the window's states the client does not hold, 1 to 4.
    pub states: usize,
    /// Ticks from the newest state that the client holds to the oldest that it does not; negative where the cadence
    /// became slower.
    pub ahead: i32,
    /// Ticks between the states that the client holds.
    pub from_period: u32,
    /// Ticks between those of the new window.
    pub to_period: u32,
}

/// Bounds that keep extrapolation inside 32 bits; beyond them prediction is bad anyway.
const GAP_TICKS_MAX: i32 = 255;
const GAP_STEP_MAX: i32 = 1 << 18;

impl<'a> Gap<'a> {
    /// To the window at `tick` of an entity that is told of at `tier`, for a client that has followed it at `from`
    /// until `held`. `None` when there is nothing that it does not hold.
    #[must_use]
    pub fn between(
        (kind, view, stride): (&'a KindPlan, View, usize),
        (cadences, id): (&Cadences, NetId),
        (from, held): (Tier, Tick),
        (tier, tick): (Tier, Tick),
    ) -> Option<Self> {
        let (from_period, to_period) = (cadences.period(from), cadences.period(tier));
        let missed = if from == tier { cadences.samples(tier, id, held, tick) } else { HISTORY as u32 };
        let states = missed.min(HISTORY as u32);
        let oldest = cadences.last_due(tier, id, tick).minus(states.saturating_sub(1) * to_period);
        let ahead = oldest.since(cadences.last_due(from, id, held));
        (states > 0).then_some(Self {
            kind,
            view,
            stride,
            states: states as usize,
            ahead: ahead.clamp(-GAP_TICKS_MAX, GAP_TICKS_MAX),
            from_period,
            to_period,
        })
    }

    /// Whether the first missing state follows upon the held ones as usual.
    fn is_seamless(&self) -> bool {
        self.from_period == self.to_period && self.ahead == self.from_period as i32
    }
}

/// What a reader of a gap record knows so far.
struct Bridge<'a> {
    gap: &'a Gap<'a>,
    columns: [i32; COLUMNS_MAX * HISTORY],
    /// Where the positions go on from their last step once the first state is known.
    rebase: bool,
}

impl<'a> Bridge<'a> {
    /// The held window; across a gap, as it would be had every position gone on with its last step, and with the
    /// steps that it would make in the new period.
    fn new(gap: &'a Gap<'a>, held: Window<'_>) -> Self {
        let mut columns = [0; COLUMNS_MAX * HISTORY];
        for age in 0..HISTORY {
            columns[age * gap.stride..(age + 1) * gap.stride].copy_from_slice(held.state(age));
        }
        let mut bridge = Self { gap, columns, rebase: !gap.is_seamless() };
        if bridge.rebase {
            let (from, to) = (gap.from_period as i32, gap.to_period as i32);
            for column in positions(gap) {
                let [s1, s2, s3, s4] = held.column(column);
                let step = |newer: i32, older: i32| (newer - older).clamp(-GAP_STEP_MAX, GAP_STEP_MAX);
                let next = s1 + step(s1, s2) * gap.ahead / from;
                let steps = [step(s1, s2), step(s1, s2), step(s2, s3), step(s3, s4)];
                bridge.set(column, next, steps.map(|step| step * to / from));
            }
        }
        bridge
    }

    fn window(&self) -> Window<'_> {
        Window::new(&self.columns, self.gap.stride)
    }

    /// Makes `column` such that it has made `steps`, the newest first, and `next` follows.
    fn set(&mut self, column: usize, next: i32, steps: [i32; HISTORY]) {
        let mut value = next;
        for (age, step) in steps.into_iter().enumerate() {
            value -= step;
            self.columns[age * self.gap.stride + column] = value;
        }
    }

    /// One more state. What was extrapolated across a gap was never there: once the first state is known, the
    /// positions are moved so that they lead to it, and only their steps count.
    fn push(&mut self, state: &[i32]) {
        if std::mem::take(&mut self.rebase) {
            for column in positions(self.gap) {
                let [s1, s2, s3, s4] = self.window().column(column);
                self.set(column, state[column], [s1 - s2, s1 - s2, s2 - s3, s3 - s4]);
            }
        }
        let stride = self.gap.stride;
        self.columns.copy_within(0..(HISTORY - 1) * stride, stride);
        self.columns[..stride].copy_from_slice(&state[..stride]);
    }
}

fn positions<'a>(gap: &Gap<'a>) -> impl Iterator<Item = usize> + use<'a> {
    gap.kind
        .seen(gap.view)
        .filter(|field| matches!(field.class, FieldClass::Position { .. }))
        .flat_map(|field| field.first..field.first + field.columns)
}

/// A window that grows from the newest state towards the oldest.
struct Backwards {
    columns: [i32; COLUMNS_MAX * HISTORY],
    stride: usize,
}

impl Backwards {
    fn new(newest: &[i32], stride: usize) -> Self {
        let mut columns = [0; COLUMNS_MAX * HISTORY];
        for age in 0..HISTORY {
            columns[age * stride..age * stride + newest.len()].copy_from_slice(newest);
        }
        Self { columns, stride }
    }

    fn window(&self) -> Window<'_> {
        Window::new(&self.columns, self.stride)
    }

    fn push(&mut self, older: &[i32]) {
        self.columns.copy_within(0..(HISTORY - 1) * self.stride, self.stride);
        self.columns[..older.len()].copy_from_slice(older);
    }
}
