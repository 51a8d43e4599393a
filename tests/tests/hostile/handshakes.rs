//! Attacks before there is a session.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::raw::{BINARY, frame_with, upgrade_request};
use crate::wire::{Score, Wire, source};

/// Requests that never end, a byte now and then.
pub(crate) async fn slow(address: SocketAddr, time: Duration, score: Score) {
    let mut tasks = JoinSet::new();
    for number in 0..500 {
        let score = score.clone();
        tasks.spawn(async move {
            score.tried();
            let begun = Instant::now();
            let Ok(mut wire) = Wire::connect(source(number / 20), address).await else {
                return score.refused();
            };
            let request = upgrade_request(address, &[("X-Padding", &"x".repeat(500))]);
            for byte in request.as_bytes() {
                if wire.send(&[*byte]).await.is_err() {
                    return score.refused();
                }
                if begun.elapsed() > time {
                    return;
                }
                sleep(Duration::from_millis(300)).await;
            }
        });
        sleep(Duration::from_millis(2)).await;
    }
    tasks.join_all().await;
}

/// Heads of 64 KiB, and heads of a thousand lines.
pub(crate) async fn header_bombs(address: SocketAddr, time: Duration, score: Score) {
    let long = format!("X-Long: {}\r\nUpgrade: ", "x".repeat(64 * 1024));
    let many = format!("{}Upgrade: ", "X-A: b\r\n".repeat(1000));
    let good = upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]);
    let bombs = [good.replace("Upgrade: ", &long), good.replace("Upgrade: ", &many)];
    paced(address, time, Duration::from_millis(20), score, move |mut wire, number, score| {
        let bomb = bombs[number % 2].clone();
        async move {
            let status = wire.ask(&bomb).await.map(|(status, _)| status);
            if matches!(status, Ok(400..=599) | Err(_)) {
                score.refused();
            }
        }
    })
    .await;
}

/// Upgrades as fast as they are answered, from four addresses.
pub(crate) async fn flood(address: SocketAddr, time: Duration, score: Score) {
    let mut tasks = JoinSet::new();
    for number in 0..4 {
        let score = score.clone();
        tasks.spawn(async move {
            let begun = Instant::now();
            let mut kept = Vec::new();
            while begun.elapsed() < time {
                score.tried();
                match Wire::open(source(number), address).await {
                    Ok(Ok(wire)) => kept.push(wire),
                    _ => score.refused(),
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Pages from elsewhere.
pub(crate) async fn wrong_origin(address: SocketAddr, time: Duration, score: Score) {
    const ORIGINS: [&str; 4] =
        ["null", "https://evil.example", "http://127.0.0.1:7777.evil.example", "file://"];
    paced(address, time, Duration::from_millis(20), score, move |mut wire, number, score| async move {
        let origin = ("Origin", ORIGINS[number % ORIGINS.len()]);
        let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY), origin]);
        if matches!(wire.ask(&request).await, Ok((403, _))) {
            score.refused();
        }
    })
    .await;
}

/// Compression is offered, and then used although nobody agreed.
pub(crate) async fn deflate(address: SocketAddr, time: Duration, score: Score) {
    paced(address, time, Duration::from_millis(20), score, move |mut wire, _, score| async move {
        let offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
        let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY), offer]);
        let Ok((101, head)) = wire.ask(&request).await else { return };
        let agreed = head.to_lowercase().contains("sec-websocket-extensions");
        // A megabyte of zeros, deflated.
        let bomb = [&[0xEC, 0xC1, 0x01, 0x01][..], &[0; 1000]].concat();
        if wire.send(&frame_with(0xC2, &bomb)).await.is_ok()
            && !agreed
            && wire.close_code(Duration::from_secs(3)).await == Some(1002)
        {
            score.refused();
        }
    })
    .await;
}

/// One connection after the other, from so many addresses that none is turned away for its own sake.
pub(crate) async fn paced<F>(
    address: SocketAddr,
    time: Duration,
    pause: Duration,
    score: Score,
    attempt: impl Fn(Wire, usize, Score) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < time {
        number += 1;
        score.tried();
        match Wire::connect(source(number % 200), address).await {
            Ok(wire) => drop(tasks.spawn(attempt(wire, number, score.clone()))),
            Err(_) => score.refused(),
        }
        while tasks.try_join_next().is_some() {}
        sleep(pause).await;
    }
    tasks.join_all().await;
}
