//! Sessions belong to whoever began them: resume tokens in other hands, and what becomes of a session whose bearer may
//! not play any more.

use std::time::Duration;

use jsonwebtoken::get_current_timestamp;
use serde_json::json;
use tickwire_server::driver::Running;
use tickwire_shared::client::Identity;
use tickwire_shared::wire::message::AccessToken;

use crate::folder::Folder;
use crate::player::{ArenaSession, Player, Witness, identity};
use crate::raw::{BINARY, DATA, Raw, frame};
use crate::server::{metric, start, until};
use crate::tokens::Issuer;

/// A good token of somebody's.
fn token_of(issuer: &Issuer, subject: &str) -> AccessToken {
    let claims = json!({ "aud": "tickwire", "exp": get_current_timestamp() + 60, "sub": subject });
    issuer.claiming(&claims).into()
}

async fn play(server: &Running, token: AccessToken) -> Player {
    let raw = Raw::open(server.public_addr(), BINARY).await;
    let mut player = Player::over_as(raw, Identity { token: Some(token), ..identity("one", "") }).await;
    player.until("it plays", |session| session.stats().frames > 5).await;
    player
}

/// A Hello that asks for this player's session, with another access token.
fn asking_for(owner: &ArenaSession, token: Option<AccessToken>) -> Vec<u8> {
    use tickwire_shared::wire::codec;
    use tickwire_shared::wire::message::{ClientMessage, Hello, Resume};
    type Message = ClientMessage<tickwire_shared::arena::ArenaInput, tickwire_shared::arena::Command>;
    let token_of_the_session = owner.welcome().expect("welcomed").resume;
    let resume = Resume { token: token_of_the_session, applied: owner.replica().expect("welcomed").tick() };
    let Message::Hello(plain) = codec::decode(&crate::player::hello("thief", "")).expect("a message") else {
        panic!("no Hello")
    };
    codec::encode(&Message::Hello(Hello { token, resume: Some(resume), ..plain }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_token_is_worth_nothing_to_somebody_else() {
    let (folder, issuer) = (Folder::new("owners-stolen"), Issuer::ed25519());
    let server = start(issuer.config(&folder)).await;
    let mut ann = play(&server, token_of(&issuer, "ann")).await;
    let expired = json!({ "aud": "tickwire", "exp": get_current_timestamp() - 60, "sub": "ann" });
    let nobody = json!({ "aud": "tickwire", "exp": get_current_timestamp() + 60 });
    let table = [
        ("nobody's", None, "not allowed: token missing"),
        ("eve's", Some(token_of(&issuer, "eve")), "not allowed: this resume token is somebody else's"),
        (
            "no one's",
            Some(issuer.claiming(&nobody).into()),
            "not allowed: this resume token is somebody else's",
        ),
        ("forged", Some(token_of(&Issuer::ed25519(), "ann")), "not allowed: token not valid: signature"),
        ("ann's, but expired", Some(issuer.claiming(&expired).into()), "not allowed: token expired"),
    ];
    // While she plays, and while her connection is lost.
    for lost in [false, true] {
        if lost {
            let Player { raw, session, .. } = ann;
            drop(raw);
            until("she is away", || metric(&server, "tickwire_away_clients") == 1).await;
            ann = Player::over(Raw::open(server.public_addr(), BINARY).await, "unused", "").await;
            ann.session = session;
        }
        for (whose, token, reason) in &table {
            let mut raw = Raw::open(server.public_addr(), BINARY).await;
            raw.send(&frame(DATA, &asking_for(&ann.session, token.clone()))).await;
            assert_eq!(raw.ending().await.sole(), (4002, *reason), "{whose}");
        }
        if !lost {
            let frames = ann.session.stats().frames;
            ann.until("she plays on", |session| session.stats().frames > frames + 3).await;
        }
    }
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"resumed\"}"), 0);
    // She comes back herself, with a newer access token of hers.
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    raw.send(&frame(DATA, &asking_for(&ann.session, Some(token_of(&issuer, "ann"))))).await;
    assert_eq!(raw.frame_of(DATA).await.payload[0], 0, "Welcome");
    until("it is her session", || metric(&server, "tickwire_absences_total{step=\"resumed\"}") == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_token_ends_is_not_held() {
    let (folder, issuer) = (Folder::new("owners-ended"), Issuer::ed25519());
    let server = start(issuer.config(&folder)).await;
    let witness = Witness::over(play(&server, token_of(&issuer, "witness")).await);
    // Over already, but within what clocks may differ by: good for a few seconds.
    let ending = json!({ "aud": "tickwire", "exp": get_current_timestamp() as f64 - 1.5, "sub": "ann" });
    let mut player = play(&server, issuer.claiming(&ending).into()).await;
    let begun = tokio::time::Instant::now();
    // It plays to the end, so that the close is all that ends it.
    let (code, reason) = loop {
        let received = player.raw.frame().await.expect("a frame").expect("a frame before the end");
        if received.opcode == crate::raw::CLOSE {
            let (code, reason) = received.payload.split_first_chunk::<2>().expect("a code");
            break (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned());
        }
        player.take(received).await;
    };
    assert_eq!((code, reason.as_str()), (4002, "not allowed: token expired"));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    until("it has left", || metric(&server, "tickwire_clients") == 1).await;
    assert_eq!(metric(&server, "tickwire_away_clients"), 0);
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"held\"}"), 0);
    // With a new access token it begins anew: its resume token names nothing any more.
    let mut raw = Raw::open(server.public_addr(), BINARY).await;
    raw.send(&frame(DATA, &asking_for(&player.session, Some(token_of(&issuer, "ann"))))).await;
    raw.frame_of(DATA).await;
    until("it is there", || metric(&server, "tickwire_clients") == 2).await;
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"resumed\"}"), 0);
    witness.assert_undisturbed().await;
}
