//! One entity's full record: its four last states, so that whoever reads it can follow the shared stream from
//! the next tick on. Used when an entity enters a roster and when a client has to catch up.
//!
//! The newest state is written as it is; the older ones as updates that run backwards in time.

use super::bits::BitsError;
use super::residual::{self, Decoder, SymbolSink, Window};
use super::update::{self, Step};
use crate::limits::{COLUMNS_MAX, HISTORY};
use crate::schema::{FieldClass, KindPlan, View};

/// Writes the window as `view` sees it.
pub fn write<S: SymbolSink>(kind: &KindPlan, view: View, stride: usize, window: Window<'_>, out: &mut S) {
    kind.seen(view).for_each(|field| residual::write_absolute(field, window.state(0), out));
    write_older(kind, view, stride, window, out);
}

fn write_older<S: SymbolSink>(kind: &KindPlan, view: View, stride: usize, window: Window<'_>, out: &mut S) {
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
    read_older(kind, view, stride, window, from)
}

fn read_older(
    kind: &KindPlan,
    view: View,
    stride: usize,
    window: &mut [i32],
    from: &mut Decoder<'_, '_>,
) -> Result<(), BitsError> {
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

/// Writes the window for a client that still holds `held`, the window of `ticks` ticks ago: the newest state as an
/// update from where the entity would have gone, the older ones as in a full record.
pub fn write_gap<S: SymbolSink>(gap: &Gap<'_>, held: Window<'_>, window: Window<'_>, out: &mut S) {
    let &Gap { kind, view, stride, .. } = gap;
    let ahead = gap.extrapolate(held);
    update::write(kind, view, Step::Moved, Window::new(&ahead, stride), window.state(0), out);
    write_older(kind, view, stride, window, out);
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
    let &Gap { kind, view, stride, .. } = gap;
    window.fill(0);
    let ahead = gap.extrapolate(held);
    if update::read(kind, view, Window::new(&ahead, stride), &mut window[..stride], from)? == Step::Cut {
        return Err(BitsError::OutOfRange);
    }
    read_older(kind, view, stride, window, from)
}

/// An entity that was not told of for some ticks.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'a> {
    /// Its kind.
    pub kind: &'a KindPlan,
    /// How much of it the client sees.
    pub view: View,
    /// Columns of one state.
    pub stride: usize,
    /// From the last frame to this one.
    pub ticks: u32,
}

/// Bounds that keep extrapolation inside 32 bits; beyond them prediction is bad anyway.
const GAP_TICKS_MAX: i32 = 255;
const GAP_STEP_MAX: i32 = 1 << 18;

impl Gap<'_> {
    /// The held window as it would be had every position gone on with its last step. The steps between its states
    /// stay as they are, and with them the contexts.
    fn extrapolate(&self, held: Window<'_>) -> [i32; COLUMNS_MAX * HISTORY] {
        let mut ahead = [0; COLUMNS_MAX * HISTORY];
        for age in 0..HISTORY {
            ahead[age * self.stride..(age + 1) * self.stride].copy_from_slice(held.state(age));
        }
        let ticks = i32::try_from(self.ticks.saturating_sub(1)).unwrap_or(i32::MAX).min(GAP_TICKS_MAX);
        let positions =
            self.kind.seen(self.view).filter(|field| matches!(field.class, FieldClass::Position { .. }));
        for column in positions.flat_map(|field| field.first..field.first + field.columns) {
            let [s1, s2, ..] = held.column(column);
            let shift = (s1 - s2).clamp(-GAP_STEP_MAX, GAP_STEP_MAX) * ticks;
            (0..HISTORY).for_each(|age| ahead[age * self.stride + column] += shift);
        }
        ahead
    }
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
