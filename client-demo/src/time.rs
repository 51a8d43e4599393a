//! The clock: the only file of this crate that reads one. Everything else takes [`Micros`] or asks here.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tickwire_shared::Micros;

/// Microseconds since this process first asked. One epoch for all threads, so their times can be compared.
#[allow(clippy::disallowed_methods, reason = "this file is the shell's clock")]
#[must_use]
pub fn now() -> Micros {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let epoch = *EPOCH.get_or_init(Instant::now);
    Micros(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// Waits until `due`; at once when it has passed.
pub(crate) async fn sleep_until(due: Micros) {
    tokio::time::sleep(Duration::from_micros(due.since(now()))).await;
}
