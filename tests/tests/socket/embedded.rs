//! The example of an embedded client, `shared/examples/textual.rs`, as it is, against a server.

use std::sync::mpsc::sync_channel;

use crate::server::{config, start};

#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../../../shared/examples/textual.rs"]
mod textual;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_textual_client_plays() {
    let server = start(config()).await;
    let address = server.public_addr().to_string();
    let (lines, said) = sync_channel(4096);
    let player = tokio::task::spawn_blocking(move || {
        let mut say = |line: String| lines.send(line).expect("somebody listens");
        textual::play(&address, 5, &mut say).map_err(|error| error.to_string())
    });
    assert_eq!(player.await.expect("no panic"), Ok(()));
    let said: Vec<_> = said.iter().collect();
    let text = said.join("\n");
    assert!(text.contains("Joined { name: \"textual\" }"), "{text}");
    let places: Vec<_> = said.iter().filter(|line| line.contains(" in view")).collect();
    assert!(
        places.len() >= 2
            && places.windows(2).any(|two| two[0].split(" at ").nth(1) != two[1].split(" at ").nth(1)),
        "{text}"
    );
    assert!(text.contains("position: Vec2("), "{text}");
    assert!(text.contains("mismatches: 0"), "{text}");
    server.shutdown().await;
}
