//! Gives memory back to the system that rooms held before they fell asleep or ended: it lies between what others still hold, where
//! the allocator keeps it for whoever asks next. Done while all rooms sleep, since nobody gets memory meanwhile: a third of a second
//! after a thousand rooms.

#![allow(unsafe_code, reason = "the allocator of the system is asked in C; nothing else does it")]

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::Protocol;

use super::rooms::Rooms;

/// How often it is looked whether there is something to give back, and nobody who would have to wait.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// As long as there are rooms.
pub(super) async fn run<P: Protocol>(rooms: Arc<Rooms<P>>) {
    let mut done = rooms.rests();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let rests = rooms.rests();
        if rests != done && rooms.all_sleep() {
            done = rests;
            // Should it panic, there is nothing that waits for it.
            let _ = tokio::task::spawn_blocking(trim).await;
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: it takes a number, locks the allocator, and gives back pages on which nothing lives.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Elsewhere the allocator does as it thinks best.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
