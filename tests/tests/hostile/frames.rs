//! Attacks by single frames and by pieces of messages.

use std::net::SocketAddr;
use std::time::Duration;

use crate::handshakes::paced;
use crate::raw::{CONTINUATION, DATA, frame, frame_with};
use crate::wire::{Score, hello};

/// Frames that announce far more than is allowed, and never bring it.
pub(crate) async fn giant_lengths(address: SocketAddr, time: Duration, score: Score) {
    const LENGTHS: [u64; 4] = [4097, 1 << 30, 1 << 40, (1 << 62) + 1];
    paced(address, time, Duration::from_millis(15), score, move |mut wire, number, score| async move {
        if !matches!(wire.upgrade(address).await, Ok(101)) {
            return;
        }
        // Half of them after a Hello.
        if number.is_multiple_of(2) && wire.send(&frame(DATA, &hello())).await.is_err() {
            return;
        }
        let length = LENGTHS[number / 2 % LENGTHS.len()];
        let mut head = match length {
            ..65_536 => [&[0x82, 0xFE][..], &(length as u16).to_be_bytes()].concat(),
            _ => [&[0x82, 0xFF][..], &length.to_be_bytes()].concat(),
        };
        head.extend([1, 2, 3, 4]);
        if wire.send(&head).await.is_ok() && wire.close_code(Duration::from_secs(3)).await == Some(1009) {
            score.refused();
        }
    })
    .await;
}

/// Pieces of one byte, without end.
pub(crate) async fn fragments(address: SocketAddr, time: Duration, score: Score) {
    paced(address, time, Duration::from_millis(15), score, move |mut wire, _, score| async move {
        if !matches!(wire.upgrade(address).await, Ok(101)) {
            return;
        }
        if wire.send(&frame_with(DATA, b"x")).await.is_err() {
            return;
        }
        for _ in 0..50 {
            if wire.send(&frame_with(CONTINUATION, b"x").repeat(20)).await.is_err() {
                break;
            }
        }
        if matches!(wire.close_code(Duration::from_secs(3)).await, Some(1002 | 0)) {
            score.refused();
        }
    })
    .await;
}
