//! Attacks by doing nothing: clients that never read, and connections that nobody is behind.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::raw::{DATA, frame};
use crate::wire::{Score, Wire, hello, source};

/// Fifty join, acknowledge nothing and read nothing, with the smallest buffers that a kernel has.
pub(crate) async fn never_reading(address: SocketAddr, time: Duration, score: Score) {
    let begun = Instant::now();
    let mut kept = Vec::new();
    for number in 0..50 {
        score.tried();
        let Ok(mut wire) = Wire::connect_with(source(number), address, Some(2048)).await else { continue };
        if matches!(wire.upgrade(address).await, Ok(101)) && wire.send(&frame(DATA, &hello())).await.is_ok() {
            kept.push(wire);
        }
    }
    // Each says something now and then, so that only its reading is at fault.
    while begun.elapsed() < time {
        sleep(Duration::from_secs(1)).await;
        for (number, wire) in kept.iter_mut().enumerate() {
            let idle = tickwire_shared::arena::ArenaInput::default();
            let _ = wire.send(&crate::wire::input(number as u16, 0, idle)).await;
        }
    }
    score_closed(kept, &score).await;
}

/// Two hundred: a third connects only, a third upgrades, a third joins; then nothing.
pub(crate) async fn half_open(address: SocketAddr, time: Duration, score: Score) {
    let begun = Instant::now();
    let mut kept = Vec::new();
    for number in 0..200 {
        score.tried();
        let Ok(mut wire) = Wire::connect(source(number / 10), address).await else { continue };
        if number % 3 > 0 && !matches!(wire.upgrade(address).await, Ok(101)) {
            continue;
        }
        if number % 3 > 1 && wire.send(&frame(DATA, &hello())).await.is_err() {
            continue;
        }
        kept.push(wire);
        sleep(Duration::from_millis(2)).await;
    }
    sleep(time.saturating_sub(begun.elapsed())).await;
    // 10 s are the longest deadline of those who are in a room, and a close frame has 3 s.
    sleep(Duration::from_secs(14).saturating_sub(begun.elapsed())).await;
    score_closed(kept, &score).await;
}

async fn score_closed(kept: Vec<Wire>, score: &Score) {
    for mut wire in kept {
        if wire.close_code(Duration::from_millis(20)).await.is_some() {
            score.refused();
        }
    }
}
