//! One entity's full record: its four last states, so that whoever reads it can follow the shared stream from
//! the next tick on. Used when an entity enters a roster and when a client has to catch up.
//!
//! The newest state is written as it is; the older ones as updates that run backwards in time.

use super::bits::BitsError;
use super::residual::{self, Decoder, SymbolSink, Window};
use super::update::{self, Step};
use crate::limits::{COLUMNS_MAX, HISTORY};
use crate::schema::{KindPlan, View};

/// Writes the window as `view` sees it.
pub fn write<S: SymbolSink>(kind: &KindPlan, view: View, stride: usize, window: Window<'_>, out: &mut S) {
    kind.seen(view).for_each(|field| residual::write_absolute(field, window.state(0), out));
    let mut backwards = Backwards::new(window.state(0), stride);
    for age in 1..HISTORY {
        update::write(kind, view, Step::Moved, backwards.window(), window.state(age), out);
        backwards.push(window.state(age));
    }
}

/// Reads what [`write`] wrote into `window`, four states of `stride` columns. Columns that the view does not
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
