//! Attacks by number: pings, messages just below and above the limit, joins without end.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_shared::arena::ArenaInput;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::raw::{DATA, PING, frame};
use crate::wire::{Score, Wire, hello, input, source};

/// Clients of one flood.
const CLIENTS: usize = 20;

/// Pings as fast as they are taken.
pub(crate) async fn pings(address: SocketAddr, time: Duration, score: Score) {
    flood(address, time, 200, score, |_| frame(PING, &[7; 125])).await;
}

/// Inputs at 75 per second, where 80 are allowed.
pub(crate) async fn below(address: SocketAddr, time: Duration, score: Score) {
    flood(address, time, 75, score, any_input).await;
}

/// Inputs at five times what is allowed.
pub(crate) async fn above(address: SocketAddr, time: Duration, score: Score) {
    flood(address, time, 400, score, any_input).await;
}

fn any_input(number: u32) -> Vec<u8> {
    let direction = glam::Vec2::from_angle(number as f32);
    input(number as u16, number, ArenaInput::new(direction, number as f32, true))
}

/// Each client sends so many frames per second; whoever is closed comes again.
async fn flood(
    address: SocketAddr,
    time: Duration,
    per_s: u32,
    score: Score,
    message: impl Fn(u32) -> Vec<u8> + Copy + Send + Sync + 'static,
) {
    let mut tasks = JoinSet::new();
    for client in 0..CLIENTS {
        let score = score.clone();
        tasks.spawn(async move {
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < time {
                let Some(mut wire) = Wire::join(source(client), address).await else {
                    sleep(Duration::from_millis(200)).await;
                    continue;
                };
                let mut pace = interval(Duration::from_secs(1) / per_s);
                pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
                while begun.elapsed() < time {
                    pace.tick().await;
                    number += 1;
                    score.tried();
                    if wire.send(&message(number)).await.is_err() {
                        score.refused();
                        break;
                    }
                    // What comes is read over, else it would be a reader that stalls.
                    if number.is_multiple_of(8) && wire.close_code(Duration::from_millis(1)).await.is_some() {
                        score.refused();
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Joins and hangs up, 200 times a second.
pub(crate) async fn churn(address: SocketAddr, time: Duration, score: Score) {
    let mut pace = interval(Duration::from_millis(5));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    let mut number = 0;
    while begun.elapsed() < time {
        pace.tick().await;
        number += 1;
        let score = score.clone();
        tasks.spawn(async move {
            score.tried();
            let Ok(Ok(mut wire)) = Wire::open(source(number % 200), address).await else {
                return score.refused();
            };
            // Every other one gets as far as the room; some say goodbye.
            if number.is_multiple_of(2) {
                let _ = wire.send(&frame(DATA, &hello())).await;
                sleep(Duration::from_millis(50)).await;
            }
            if number.is_multiple_of(3) {
                let _ = wire.send(&frame(8, &1000_u16.to_be_bytes())).await;
            }
        });
        while tasks.try_join_next().is_some() {}
    }
    tasks.join_all().await;
}
