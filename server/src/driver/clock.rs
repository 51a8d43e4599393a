//! The one clock. Everything below the driver takes its time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

    /// Since it started.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_micros(self.now().since(Micros(BEGIN_MICROS)))
    }
}

/// The clock on the wall, in seconds since 1970, for what others have dated.
#[allow(clippy::disallowed_methods, reason = "the shell's clock")]
pub(super) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
