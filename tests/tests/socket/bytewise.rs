//! Frames that arrive byte by byte, with ticks in between: reading must never be begun anew in mid-frame.

use std::time::Duration;

use tickwire_shared::arena::{ArenaInput, Command};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::ClientMessage;
use tickwire_tests::seeds::Dice;

use crate::player::{Player, hello};
use crate::raw::{BINARY, CONTINUATION, DATA, PING, PONG, Raw, frame, frame_with, upgrade_request};
use crate::server::{config, metric, start, until};

async fn drip(raw: &mut Raw, bytes: &[u8], pause: Duration) {
    for byte in bytes {
        raw.send(&[*byte]).await;
        tokio::time::sleep(pause).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_byte_by_byte() {
    let server = start(config()).await;
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    drip(&mut raw, &frame(DATA, &hello("drip", "")), Duration::from_millis(12)).await;
    assert_eq!(raw.frame_of(DATA).await.payload[0], 0, "Welcome");
    assert_eq!(raw.frame_of(DATA).await.payload[0], 1, "a frame");
    // Several ticks pass within each of these frames, head and payload, and frames come meanwhile.
    for round in 0..3_u8 {
        drip(&mut raw, &frame(PING, &[round; 5]), Duration::from_millis(40)).await;
        assert_eq!(raw.frame_of(PONG).await.payload, [round; 5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_byte_by_byte() {
    let server = start(config()).await;
    let mut player = Player::join(server.public_addr(), "drip", "").await;
    for walk in [1.0, -1.0, 1.0] {
        let seen = player.session.stats().frames;
        let direction = glam::Vec2::new(walk, 0.0);
        let input = tickwire_shared::arena::ArenaInput::new(direction, 0.0, false);
        player.session.set_input(input, player.now());
        // A changed input leaves once per tick; frames wait meanwhile.
        let message = loop {
            match player.session.poll_transmit(player.now()) {
                Some(message) => break message,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        drip(&mut player.raw, &frame(DATA, &message), Duration::from_millis(10)).await;
        player
            .until("it moves that way, or to a wall", |session| {
                let speed = session.private().map_or(0.0, |own| own.velocity.x * walk);
                session.stats().frames > seen && speed >= 0.0
            })
            .await;
    }
    assert_eq!(player.session.stats().mismatches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_in_one_piece_with_the_request() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut raw = Raw::connect(address).await;
    let request = upgrade_request(address, &[("Sec-WebSocket-Protocol", BINARY)]);
    raw.send(&[request.as_bytes(), &frame(DATA, &hello("hasty", "")), &frame(PING, b"hasty")].concat()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(raw.frame_of(PONG).await.payload, b"hasty");
    assert_eq!(raw.frame_of(DATA).await.payload[0], 0, "Welcome");
}

/// What is short and whole is taken another way than what is long, in pieces or cut: in whatever order they come, each is taken
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_and_long_and_in_pieces_wherever_it_is_cut() {
    const SEED: u64 = 7;
    let mut config = config();
    (config.limits.commands_per_s, config.limits.commands_burst) = (1000, 1000);
    let server = start(config).await;
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    raw.send(&frame(DATA, &hello("cut", ""))).await;
    raw.frame_of(DATA).await;
    let chat = |bytes: usize| {
        codec::encode(&ClientMessage::<ArenaInput, Command>::Command(Command::Chat("x".repeat(bytes))))
    };
    let (mut dice, mut sent) = (Dice::new(SEED), 0);
    for round in 0..12_u64 {
        let mut stream = Vec::new();
        for _ in 0..8 {
            match dice.word() % 5 {
                0 | 1 => stream.extend(frame(DATA, &chat(20))),
                2 => stream.extend(frame(DATA, &chat(300))),
                3 => {
                    let message = chat(50);
                    stream.extend(frame_with(DATA, &message[..10]));
                    stream.extend(frame(PONG, b"in between"));
                    stream.extend(frame(CONTINUATION, &message[10..]));
                }
                _ => {
                    stream.extend(frame(PONG, b""));
                    continue;
                }
            }
            sent += 1;
        }
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + dice.word() as usize % 150).min(rest.len()));
            raw.send(piece).await;
            // Into the same sweep, or into the next one.
            tokio::time::sleep(Duration::from_millis(u64::from(dice.word() % 3) * 9)).await;
            rest = after;
        }
        let heard = || metric(&server, "tickwire_commands_total");
        until(&format!("round {round}, seed {SEED}: all {sent}"), || heard() >= sent).await;
        assert_eq!(heard(), sent, "round {round}, seed {SEED}");
    }
    raw.send(&frame(PING, b"still there")).await;
    assert_eq!(raw.frame_of(PONG).await.payload, b"still there");
    let closed = [frame(DATA, &chat(1)), frame(DATA, &[0xFF; 9]), frame(DATA, &chat(1))].concat();
    raw.send(&closed).await;
    assert_eq!(raw.ending().await.sole().0, 4000);
}
