//! Attacks with access tokens that are no good and with resume tokens that are somebody else's, on a server that asks
//! for tokens.

use std::net::SocketAddr;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::json;
use tickwire_server::auth::{Wanted, mint};
use tickwire_shared::Tick;
use tickwire_shared::arena::{ArenaInput, Command};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{
    AccessToken, ClientMessage, Hello, Resume, ResumeToken, ServerMessage, decode_server,
};

use crate::handshakes::paced;
use crate::players::Tokens;
use crate::raw::{DATA, frame};
use crate::wire::{Score, Wire, hello, input};

/// What the server checks tokens with.
pub(crate) const SECRET: &[u8] = b"a secret for these tests, not for a server";

/// A good token of somebody's, for a minute.
pub(crate) fn token(subject: &str) -> AccessToken {
    signed(SECRET, "tickwire", subject)
}

fn signed(secret: &[u8], audience: &str, subject: &str) -> AccessToken {
    let wanted = Wanted {
        subject: Some(subject.to_owned()),
        name: None,
        rooms: Vec::new(),
        audience: audience.to_owned(),
        lifetime: Duration::from_secs(300),
    };
    mint(secret, wanted).expect("a token").into()
}

/// Expired, unsigned, signed by somebody else, for another service, changed, mixed, and of another algorithm.
fn bad_tokens() -> Vec<AccessToken> {
    let good = token("player 0");
    let [head, claims, signature] = parts(&good);
    let [_, others, _] = parts(&token("mallory"));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let ended = json!({ "aud": "tickwire", "sub": "player 0", "exp": get_current_timestamp() - 60 });
    let ended = encode(&Header::default(), &ended, &EncodingKey::from_secret(SECRET)).expect("a token");
    // {"alg":"none"}, {"alg":"None","typ":"JWT"} and {"alg":"EdDSA","typ":"JWT"} in base64.
    let [none, spelled, eddsa] = [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0",
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9",
    ];
    vec![
        ended.into(),
        format!("{none}.{claims}.").into(),
        format!("{none}.{claims}.{signature}").into(),
        format!("{spelled}.{claims}.").into(),
        format!("{eddsa}.{claims}.{signature}").into(),
        signed(b"another secret, of the same length or so", "tickwire", "player 0"),
        signed(SECRET, "another service", "player 0"),
        format!("{head}.{others}.{signature}").into(),
        format!("{head}.{claims}.{other}{}", &signature[1..]).into(),
        format!("{head}.{claims}").into(),
        String::new().into(),
        "x".repeat(2000).into(),
    ]
}

fn parts(token: &AccessToken) -> [String; 3] {
    let mut parts = token.as_str().split('.').map(str::to_owned);
    std::array::from_fn(|_| parts.next().expect("three parts"))
}

/// A Hello of mallory's, with papers.
fn papers(token: Option<AccessToken>, resume: Option<ResumeToken>) -> Vec<u8> {
    type Message = ClientMessage<ArenaInput, Command>;
    let Ok(Message::Hello(plain)) = codec::decode(&hello()) else { panic!("no Hello") };
    let resume = resume.map(|token| Resume { token, applied: Tick(1) });
    codec::encode(&Message::Hello(Hello { token, resume, ..plain }))
}

/// Each kind of bad token in turn, and none at all.
pub(crate) async fn bad_access_tokens(address: SocketAddr, time: Duration, score: Score) {
    let mut kinds: Vec<_> = bad_tokens().into_iter().map(Some).collect();
    kinds.push(None);
    paced(address, time, Duration::from_millis(20), score, move |mut wire, number, score| {
        let hello = papers(kinds[number % kinds.len()].clone(), None);
        async move {
            if matches!(wire.upgrade(address).await, Ok(101))
                && wire.send(&frame(DATA, &hello)).await.is_ok()
                && wire.close_code(Duration::from_secs(3)).await == Some(4002)
            {
                score.refused();
            }
        }
    })
    .await;
}

/// The players' own resume tokens in mallory's hands: with papers of mallory's, with none, with a guess at the secret half,
/// and one of mallory's own that was followed by a newer one.
pub(crate) async fn stolen_resume_tokens(address: SocketAddr, time: Duration, tokens: Tokens, score: Score) {
    let stolen = tokens.now();
    paced(address, time, Duration::from_millis(20), score, move |mut wire, number, score| {
        let mut resume = stolen[number / 4 % stolen.len()];
        let papers = match number % 4 {
            0 => Some(papers(Some(token("mallory")), Some(resume))),
            1 => Some(papers(None, Some(resume))),
            2 => {
                resume.0[8 + number / 4 % 8] ^= 1 + (number % 255) as u8;
                Some(papers(Some(token("mallory")), Some(resume)))
            }
            _ => None,
        };
        async move {
            let papers = match papers {
                Some(papers) => papers,
                None => match outdated(&mut wire, address).await {
                    Some(papers) => papers,
                    None => return,
                },
            };
            if matches!(wire.upgrade(address).await, Ok(101))
                && wire.send(&frame(DATA, &papers)).await.is_ok()
                && wire.close_code(Duration::from_secs(3)).await == Some(4002)
            {
                score.refused();
            }
        }
    })
    .await;
}

/// A Hello with a token that was good until its session came back once more. `wire` is a fresh connection afterwards.
async fn outdated(wire: &mut Wire, address: SocketAddr) -> Option<Vec<u8>> {
    let source = wire.source();
    let mut first = None;
    let mut resume = None;
    // Welcome, and a word under it; then the same again with its token; then the first token is worth nothing.
    for _ in 0..2 {
        matches!(wire.upgrade(address).await, Ok(101)).then_some(())?;
        wire.send(&frame(DATA, &papers(Some(token("mallory")), resume))).await.ok()?;
        let welcome = wire.message(Duration::from_secs(3)).await?;
        let Ok(ServerMessage::Welcome(welcome)) = decode_server(&welcome) else { return None };
        first.get_or_insert(welcome.resume);
        resume = Some(welcome.resume);
        wire.send(&input(0, 0, ArenaInput::default())).await.ok()?;
        // The room hears it in its next tick.
        wire.message(Duration::from_secs(3)).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        *wire = Wire::connect(source, address).await.ok()?;
    }
    Some(papers(Some(token("mallory")), first))
}

#[test]
fn there_are_many_ways_to_be_wrong() {
    let (good, bad) = (token("player 0"), bad_tokens());
    for (index, token) in bad.iter().enumerate() {
        assert_ne!(token.as_str(), good.as_str());
        assert!(bad[..index].iter().all(|other| other.as_str() != token.as_str()), "{index} is there twice");
    }
}
