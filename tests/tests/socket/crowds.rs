//! Many at once: a burst of joins gets in as a whole.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::player::{Witness, hello};
use crate::raw::{BINARY, CLOSE, DATA, Raw, frame};
use crate::server::{config, start};

const CROWD: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hellos_at_once() {
    let mut config = config();
    config.room_capacity = CROWD + 10;
    // The machine that tests may be slow, and all of them are upgraded before the first says Hello.
    config.limits.hello_deadline = Duration::from_secs(60);
    config.limits.unauthenticated_max = CROWD;
    let server = start(config).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut waiting = Vec::new();
    for _ in 0..CROWD {
        waiting.push(Raw::open(address, BINARY).await);
    }
    let message = frame(DATA, &hello("crowd", ""));
    let begun = Instant::now();
    for raw in &mut waiting {
        raw.send(&message).await;
    }
    let mut welcomes = JoinSet::new();
    for mut raw in waiting {
        welcomes.spawn(async move {
            let first = raw.frame().await.expect("a frame").expect("a frame before the end");
            assert_ne!(first.opcode, CLOSE, "{:?}", String::from_utf8_lossy(&first.payload));
            (first.payload[0], raw)
        });
    }
    let all = welcomes.join_all().await;
    assert!(all.iter().all(|(kind, _)| *kind == 0), "everybody is welcomed");
    println!("{CROWD} joins in {:?}", begun.elapsed());
    drop(all);
    witness.assert_alive().await;
}
