//! The one clock. Everything below the driver takes its time as an argument.

use std::time::Instant;

use tickwire_shared::Micros;

/// Time zero means "never" to whoever keeps times in atomics, so the clock begins later.
const BEGIN_MICROS: u64 = 1_000_000;

/// Microseconds since the server started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "the shell's clock")]
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    #[allow(clippy::disallowed_methods, reason = "the shell's clock")]
    pub(super) fn now(&self) -> Micros {
        Micros(BEGIN_MICROS + Instant::now().duration_since(self.start).as_micros() as u64)
    }
}
