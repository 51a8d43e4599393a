//! Attacks with messages that are well formed and untrue.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_shared::arena::{ArenaInput, Command};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{Ack, ClientMessage, ServerMessage, ViewAge, decode_server};
use tickwire_shared::{Tick, ViewTick};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::raw::{DATA, frame};
use crate::wire::{Score, Wire, input, source};

/// Inputs for ticks that are long gone, far ahead, or all the same one; shots in every one of them; and values
/// that no stick has. Within all budgets.
pub(crate) async fn impossible_inputs(address: SocketAddr, time: Duration, score: Score) {
    each_of_twenty(address, time, score, |client, number| {
        let shot = ArenaInput::new(glam::Vec2::X, 0.0, true);
        match client % 5 {
            0 => input(number as u16, 0, shot),
            1 => input(number as u16, 0x7000_0000 + number, shot),
            2 => input(7, 1000, shot),
            3 => input(number as u16, number, ArenaInput { walk: [i8::MIN, i8::MIN], ..shot }),
            // What would be NaN or infinite, had inputs floats; the bytes are no input either way.
            _ => {
                frame(DATA, &[&[2, 1, 2][..], &f32::NAN.to_le_bytes(), &f32::INFINITY.to_le_bytes()].concat())
            }
        }
    })
    .await;
}

/// Acknowledgements of ticks that were never sent, and of the same one for ever.
pub(crate) async fn false_acknowledgements(address: SocketAddr, time: Duration, score: Score) {
    each_of_twenty(address, time, score, |client, number| {
        let applied = match client % 4 {
            0 => Tick(0x7FFF_FFFF),
            1 => Tick(number.wrapping_mul(0x9E37_79B9)),
            2 => Tick(0),
            _ => Tick(number + 10_000),
        };
        let ack = Ack { applied, held_ms: 0 };
        frame(DATA, &codec::encode(&ClientMessage::<ArenaInput, Command>::Ack(ack)))
    })
    .await;
}

/// Shots said to be aimed at moments that nobody was shown then: long gone, not yet over, and a second ago. As often as
/// the weapon fires.
pub(crate) async fn false_views(address: SocketAddr, time: Duration, score: Score) {
    const WEAPON: Duration = Duration::from_millis(225);
    let mut tasks = JoinSet::new();
    for client in 0..20_u32 {
        let score = score.clone();
        tasks.spawn(async move {
            let begun = Instant::now();
            while begun.elapsed() < time {
                let Some((mut wire, welcomed_at)) = welcomed(source(client as usize), address).await else {
                    sleep(Duration::from_millis(200)).await;
                    continue;
                };
                let joined = Instant::now();
                for number in 0_u32.. {
                    let tick = Tick(welcomed_at.0 + (joined.elapsed().as_millis() * 30 / 1000) as u32 + 3);
                    let back = [250, 0, 30][((client + number) % 3) as usize];
                    let view = ViewAge::of(ViewTick { tick: tick.minus(back), fraction: 0 }, tick);
                    let shot = ArenaInput::new(glam::Vec2::X, number as f32, true);
                    let seq = 2 * number as u16;
                    let aimed = Message::Aimed { seq, tick, ack: None, view, input: shot };
                    score.tried();
                    let still = input(seq + 1, tick.0 + 7, ArenaInput::default());
                    if wire.send(&frame(DATA, &codec::encode(&aimed))).await.is_err()
                        || wire.close_code(WEAPON).await.is_some()
                        || wire.send(&still).await.is_err()
                        || wire.close_code(WEAPON).await.is_some()
                        || begun.elapsed() >= time
                    {
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
}

type Message = ClientMessage<ArenaInput, Command>;

/// In a room, and the tick that Welcome names.
async fn welcomed(source: [u8; 4], address: SocketAddr) -> Option<(Wire, Tick)> {
    let mut wire = Wire::join(source, address).await?;
    match decode_server(&wire.message(Duration::from_secs(3)).await?) {
        Ok(ServerMessage::Welcome(welcome)) => Some((wire, welcome.tick)),
        _ => None,
    }
}

async fn each_of_twenty(
    address: SocketAddr,
    time: Duration,
    score: Score,
    message: impl Fn(usize, u32) -> Vec<u8> + Copy + Send + Sync + 'static,
) {
    let mut tasks = JoinSet::new();
    for client in 0..20 {
        let score = score.clone();
        tasks.spawn(async move {
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < time {
                let Some(mut wire) = Wire::join(source(client), address).await else {
                    sleep(Duration::from_millis(200)).await;
                    continue;
                };
                while begun.elapsed() < time {
                    number += 1;
                    score.tried();
                    if wire.send(&message(client, number)).await.is_err()
                        || wire.close_code(Duration::from_millis(15)).await.is_some()
                    {
                        score.refused();
                        // At the pace that its address may come back.
                        sleep(Duration::from_millis(250)).await;
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
}
