//! Attacks on the real server, each from many addresses, while fifty players play on: they keep at least 97 % of the
//! rate that they had without the attack in the same run, and the server's memory stays bounded.
//!
//! A few attacks run by default, all of them with `TICKWIRE_SLOW=1`, those with a word in their name with
//! `TICKWIRE_ATTACK=word`; best with `--release` and `--nocapture`: each prints a line of the table in `tests/README.md`.

#[path = "../socket/raw.rs"]
#[allow(dead_code, reason = "the socket tests use more of it")]
mod raw;

mod served;

mod players;

mod wire;

mod handshakes;

mod frames;

mod floods;

mod silence;

mod lies;

mod papers;

mod trial;

use std::time::Duration;

use trial::{Attack, trial};

/// Whether attacks that take long are made.
fn slow() -> bool {
    std::env::var_os("TICKWIRE_SLOW").is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks() {
    let short = [Attack::SlowHandshakes, Attack::MessagesAbove];
    let (attacks, time) = match slow() {
        true => (&Attack::ALL[..], Duration::from_secs(10)),
        false => (&short[..], Duration::from_secs(4)),
    };
    let wanted = std::env::var("TICKWIRE_ATTACK").ok();
    let attacks: Vec<_> = match &wanted {
        Some(word) => Attack::ALL.into_iter().filter(|attack| format!("{attack:?}").contains(word)).collect(),
        None => attacks.to_vec(),
    };
    assert!(!attacks.is_empty(), "no attack is called {wanted:?}");
    println!("{}", trial::HEAD);
    let mut failures = Vec::new();
    for attack in attacks {
        // On a machine that is busy with other things the first try may say nothing about the server.
        let mut line = None;
        for _ in 0..3 {
            let report = trial(attack, time).await;
            let verdict = report.verdict();
            println!("{report}");
            line = verdict.err();
            if line.is_none() {
                break;
            }
        }
        failures.extend(line.map(|why| format!("{attack:?}: {why}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
