//! The clock: the only file of this crate that reads one. Everything else takes [`Micros`] or asks here.

use tickwire_shared::Micros;

/// Microseconds since this process first asked. One epoch for all threads, so their times can be compared.
#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::disallowed_methods, reason = "this file is the shell's clock")]
#[must_use]
pub fn now() -> Micros {
    use std::sync::OnceLock;
    use std::time::Instant;

    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let epoch = *EPOCH.get_or_init(Instant::now);
    Micros(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// Microseconds since the page began to load, as exactly as the browser says them.
#[cfg(target_arch = "wasm32")]
#[must_use]
pub fn now() -> Micros {
    thread_local! {
        static PERFORMANCE: Option<web_sys::Performance> = web_sys::window().and_then(|window| window.performance());
    }
    PERFORMANCE.with(|clock| Micros(clock.as_ref().map_or(0.0, |clock| clock.now() * 1e3) as u64))
}

/// Waits until `due`; at once when it has passed.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn sleep_until(due: Micros) {
    tokio::time::sleep(std::time::Duration::from_micros(due.since(now()))).await;
}
