//! Tokens: who is let in, who is not and why, and that good ones run out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};
use tickwire_server::auth::{Wanted, mint};
use tickwire_server::config::{AuthMode, Config};
use tickwire_server::driver::{self, Running};
use tickwire_shared::client::Identity;

use crate::folder::Folder;
use crate::player::{ArenaSession, Player, Witness, identity};
use crate::raw::{BINARY, DATA, JSON, Raw, TEXT, frame};
use crate::server::{config, start};

/// Somebody who signs: a key of one kind, and the file that a server checks with.
pub(crate) struct Issuer {
    algorithm: Algorithm,
    /// What signs.
    private: Vec<u8>,
    /// What checks.
    public: Vec<u8>,
}

impl Issuer {
    fn secret() -> Self {
        let secret = b"0123456789abcdef0123456789abcdef\n".to_vec();
        Self { algorithm: Algorithm::HS256, private: secret.clone(), public: secret }
    }

    pub(crate) fn ed25519() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let (private, public) = (pair.serialize_pem().into_bytes(), pair.public_key_pem().into_bytes());
        Self { algorithm: Algorithm::EdDSA, private, public }
    }

    /// Nothing here makes RSA keys, so OpenSSL's program does.
    fn rsa(folder: &Folder) -> Option<Self> {
        let private = folder.path().join("rsa.pem");
        let made =
            Command::new("openssl").args(["genrsa", "-out"]).arg(&private).arg("2048").output().ok()?;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let public = Command::new("openssl").args(["rsa", "-pubout", "-in"]).arg(&private).output().ok()?;
        let private = std::fs::read(private).expect("a key");
        Some(Self { algorithm: Algorithm::RS256, private, public: public.stdout })
    }

    pub(crate) fn config(&self, folder: &Folder) -> Config {
        let file = folder.write("key", &self.public);
        let mut config = config();
        match self.algorithm {
            Algorithm::HS256 => config.auth.secret_file = Some(file),
            _ => config.auth.key_file = Some(file),
        }
        config
    }

    /// A good token for everywhere.
    fn token(&self) -> String {
        self.wanted(&[], Duration::from_secs(60))
    }

    fn wanted(&self, rooms: &[&str], lifetime: Duration) -> String {
        let wanted = Wanted {
            subject: Some("u-17".to_owned()),
            name: Some("ann".to_owned()),
            rooms: rooms.iter().map(|room| (*room).to_owned()).collect(),
            audience: "tickwire".to_owned(),
            lifetime,
        };
        mint(&self.private, wanted).expect("a token")
    }

    /// Whatever claims, signed rightly.
    fn signed(&self, header: &Header, claims: &Value) -> String {
        let key = match self.algorithm {
            Algorithm::HS256 => EncodingKey::from_secret(self.private.trim_ascii_end()),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(&self.private).expect("a key"),
            _ => EncodingKey::from_rsa_pem(&self.private).expect("a key"),
        };
        encode(header, claims, &key).expect("a token")
    }

    pub(crate) fn claiming(&self, claims: &Value) -> String {
        self.signed(&Header::new(self.algorithm), claims)
    }
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |three: &[u8]| {
        let word =
            three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let digit = |index: usize| DIGITS[(word >> (18 - 6 * index)) as usize & 63] as char;
        (0..=three.len()).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn bearer(token: Option<String>, room: &str) -> Identity {
    Identity { token: token.map(Into::into), ..identity("somebody", room) }
}

async fn join(server: &Running, token: String, room: &str) -> Player {
    let raw = Raw::open(server.public_addr(), BINARY).await;
    let mut player = Player::over_as(raw, bearer(Some(token), room)).await;
    player.until("it is welcomed", |session| session.stats().frames > 0).await;
    player
}

/// The close that a Hello with this token gets.
async fn refused(address: SocketAddr, token: Option<String>, room: &str) -> String {
    let mut session = ArenaSession::new(bearer(token, room)).expect("a session");
    let hello = session.poll_transmit(tickwire_shared::Micros(0)).expect("a Hello");
    let mut raw = Raw::open(address, BINARY).await;
    raw.send(&frame(DATA, &hello)).await;
    let ending = raw.ending().await;
    let (code, reason) = ending.sole();
    assert_eq!(code, 4002, "{reason}");
    reason.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_tokens_of_every_kind() {
    let folder = Folder::new("tokens-good");
    let mut issuers = vec![Issuer::secret(), Issuer::ed25519()];
    match Issuer::rsa(&folder) {
        Some(issuer) => issuers.push(issuer),
        None => println!("skipped RS256: there is no `openssl` here to make a key"),
    }
    for issuer in issuers {
        let server = start(issuer.config(&folder)).await;
        let player = join(&server, issuer.token(), "").await;
        assert_eq!(player.session.welcome().expect("welcome").room, "main");
        // A room that the token names is where its bearer goes without asking for one.
        let token = issuer.wanted(&["arena-7", "arena-8"], Duration::from_secs(60));
        for (asked, given) in [("", "arena-7"), ("arena-8", "arena-8")] {
            let player = join(&server, token.clone(), asked).await;
            assert_eq!(player.session.welcome().expect("welcome").room, given);
        }
        assert_eq!(refused(server.public_addr(), None, "").await, "not allowed: token missing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_in_the_token_is_the_one_that_others_see() {
    let (folder, issuer) = (Folder::new("tokens-name"), Issuer::ed25519());
    let mut config = issuer.config(&folder);
    config.json_session = tickwire_server::config::JsonSession::On;
    let server = start(config).await;
    let _ann = join(&server, issuer.token(), "").await;
    let mut json = Raw::open(server.public_addr(), JSON).await;
    let hello = json!({ "hello": { "name": "not ann", "token": issuer.token() } });
    json.send(&frame(TEXT, hello.to_string().as_bytes())).await;
    loop {
        let line: Value = serde_json::from_slice(&json.frame_of(TEXT).await.payload).expect("JSON");
        let Some(entities) = line["state"]["entities"].as_array() else { continue };
        let names: Vec<_> = entities.iter().filter_map(|entity| entity["name"].as_str()).collect();
        assert!(!names.contains(&"somebody") && !names.contains(&"not ann"), "{names:?}");
        if names.contains(&"ann") {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_tokens_are_told_why_and_disturb_nobody() {
    let folder = Folder::new("tokens-bad");
    for issuer in [Issuer::secret(), Issuer::ed25519()] {
        let server = start(issuer.config(&folder)).await;
        let address = server.public_addr();
        let witness = Witness::over(join(&server, issuer.token(), "").await);
        let now = get_current_timestamp();
        let good = json!({ "aud": "tickwire", "exp": now + 60, "name": "eve" });
        let with = |key: &str, value: Value| {
            let mut claims = good.clone();
            claims[key] = value;
            issuer.claiming(&claims)
        };
        let without = |key: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().expect("an object").remove(key);
            issuer.claiming(&claims)
        };
        let forged = |token: String| {
            let (rest, signature) = token.rsplit_once('.').expect("three parts");
            let first = if signature.starts_with('A') { "B" } else { "A" };
            format!("{rest}.{first}{}", &signature[1..])
        };
        // The signature of one token under the claims of another.
        let swapped = {
            let (one, other) = (issuer.token(), with("name", json!("admin")));
            let signature = one.rsplit_once('.').expect("three parts").1.to_owned();
            format!("{}.{signature}", other.rsplit_once('.').expect("three parts").0)
        };
        let stranger = match issuer.algorithm {
            Algorithm::HS256 => Issuer { private: vec![b'x'; 32], ..Issuer::secret() },
            _ => Issuer::ed25519(),
        };
        // The public key, or whatever the server checks with, as the secret of another algorithm.
        let confused = encode(
            &Header::new(Algorithm::HS256),
            &good,
            &EncodingKey::from_secret(if issuer.algorithm == Algorithm::HS256 {
                b"x"
            } else {
                &issuer.public
            }),
        )
        .expect("a token");
        let critical = Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(issuer.algorithm) };
        let of = |alg: &str| unsigned(&json!({ "alg": alg, "typ": "JWT" }), &good, "");
        let not_valid = "not allowed: token not valid: ";
        let wrong_key = if issuer.algorithm == Algorithm::HS256 { "signature" } else { "algorithm" };
        let table = [
            ("empty", String::new(), "not allowed: token missing".to_owned()),
            ("expired", with("exp", json!(now - 60)), "not allowed: token expired".to_owned()),
            ("forged", forged(issuer.token()), format!("{not_valid}signature")),
            ("swapped", swapped, format!("{not_valid}signature")),
            ("another's", stranger.token(), format!("{not_valid}signature")),
            ("confused", confused, format!("{not_valid}{wrong_key}")),
            ("none", of("none"), format!("{not_valid}malformed")),
            ("None", of("None"), format!("{not_valid}malformed")),
            ("unsigned", of("EdDSA"), not_valid.to_owned()),
            ("unsigned HS", of("HS256"), not_valid.to_owned()),
            ("HS384", of("HS384"), not_valid.to_owned()),
            ("audience", with("aud", json!("another")), format!("{not_valid}audience")),
            ("no audience", without("aud"), format!("{not_valid}no `aud`")),
            ("no end", without("exp"), format!("{not_valid}no `exp`")),
            ("end in words", with("exp", json!("never")), format!("{not_valid}malformed")),
            ("end before all", with("exp", json!(-1)), not_valid.to_owned()),
            ("not yet", with("nbf", json!(now + 60)), format!("{not_valid}not yet")),
            ("nbf in words", with("nbf", json!("soon")), format!("{not_valid}malformed")),
            ("room of no kind", with("room", json!(7)), format!("{not_valid}malformed")),
            (
                "no room at all",
                with("room", json!([])),
                "not allowed: token not valid for this room".to_owned(),
            ),
            ("critical", issuer.signed(&critical, &good), format!("{not_valid}critical")),
            ("words", "let me in".to_owned(), format!("{not_valid}malformed")),
            ("dots", "...".to_owned(), format!("{not_valid}malformed")),
            ("too long", "x".repeat(2049), format!("{not_valid}longer than 2048 bytes")),
        ];
        for (what, token, reason) in table {
            let told = refused(address, Some(token), "").await;
            assert!(told.starts_with(&reason), "{what}: {told}");
            assert!(!told.contains("eve") && !told.contains("admin"), "{what}: tells what it read: {told}");
        }
        let elsewhere = issuer.wanted(&["arena-7"], Duration::from_secs(60));
        let told = refused(address, Some(elsewhere), "main").await;
        assert_eq!(told, "not allowed: token not valid for this room");
        witness.assert_undisturbed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_its_token_and_others_go_on() {
    let (folder, issuer) = (Folder::new("tokens-end"), Issuer::ed25519());
    let server = start(issuer.config(&folder)).await;
    let witness = Witness::over(join(&server, issuer.token(), "").await);
    // Over already, but within what clocks may differ by: good for a second or two.
    let claims = json!({ "aud": "tickwire", "exp": get_current_timestamp() as f64 - 3.25 });
    let mut player = join(&server, issuer.claiming(&claims), "").await;
    let begun = tokio::time::Instant::now();
    let ending = player.raw.ending().await;
    assert_eq!(ending.sole(), (4002, "not allowed: token expired"));
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_set_is_used_by_its_ids_and_replaced_under_way() {
    let folder = Folder::new("tokens-jwks");
    let [first, second] =
        [(); 2].map(|()| rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key"));
    let issuer = |pair: &rcgen::KeyPair| Issuer {
        algorithm: Algorithm::EdDSA,
        private: pair.serialize_pem().into_bytes(),
        public: Vec::new(),
    };
    let jwk = |pair: &rcgen::KeyPair, id: &str| {
        let x = base64url(pair.public_key_raw());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x })
    };
    let set = |keys: &[Value]| json!({ "keys": keys }).to_string();
    let file = folder.write("jwks.json", set(&[jwk(&first, "a"), jwk(&second, "b")]));
    let mut config = config();
    config.auth.jwks_file = Some(file);
    config.auth.reload_every = Duration::from_millis(100);
    let server = start(config).await;
    let address = server.public_addr();
    let claims = json!({ "aud": "tickwire", "exp": get_current_timestamp() + 60 });
    let with_kid = |pair: &rcgen::KeyPair, id: &str| {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        issuer(pair).signed(&header, &claims)
    };
    let mut player = join(&server, with_kid(&first, "a"), "").await;
    join(&server, with_kid(&second, "b"), "").await;
    join(&server, issuer(&second).token(), "").await;
    assert!(refused(address, Some(with_kid(&first, "b")), "").await.ends_with("signature"));
    assert!(refused(address, Some(with_kid(&first, "c")), "").await.ends_with("no key with this kid"));

    // What cannot be read changes nothing; what can be read counts from then on.
    folder.write("jwks.json", "{}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    join(&server, with_kid(&first, "a"), "").await;
    folder.write("jwks.json", set(&[jwk(&second, "b")]));
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut raw = Raw::open(address, BINARY).await;
        let mut session = ArenaSession::new(bearer(Some(with_kid(&first, "a")), "")).expect("a session");
        raw.send(&frame(DATA, &session.poll_transmit(tickwire_shared::Micros(0)).expect("a Hello"))).await;
        if raw.frame().await.expect("a frame").expect("a frame").opcode == crate::raw::CLOSE {
            let frames = player.session.stats().frames;
            player.until("its session goes on", |session| session.stats().frames > frames + 5).await;
            return;
        }
    }
    panic!("the old key is good for ever");
}

/// Names a file in a configuration.
type Put = fn(&mut Config, PathBuf);

#[test]
fn keys_that_cannot_be_used_open_no_port() {
    let folder = Folder::new("tokens-keys");
    let ed = Issuer::ed25519();
    let secret: Put = |config, file| config.auth.secret_file = Some(file);
    let key: Put = |config, file| config.auth.key_file = Some(file);
    let jwks: Put = |config, file| config.auth.jwks_file = Some(file);
    let table: [(&str, Put, &[u8], &str); 9] = [
        ("short", secret, b"too short\n", "32 are the least"),
        ("PEM as a secret", secret, &ed.public, "auth.key_file"),
        ("private", key, &ed.private, "private"),
        ("words", key, b"words", "no public key"),
        ("EC", key, EC_PUBLIC.as_bytes(), "neither"),
        ("no set", jwks, b"[]", "no JWK set"),
        ("empty set", jwks, br#"{"keys":[]}"#, "no key"),
        ("a secret in a set", jwks, br#"{"keys":[{"kty":"oct","kid":"s","k":"AAAA"}]}"#, "only RSA"),
        ("EC in a set", jwks, br#"{"keys":[{"kty":"RSA","alg":"PS256","n":"AQAB","e":"AQAB"}]}"#, "alg"),
    ];
    for (what, put, bytes, words) in table {
        let mut config = config();
        put(&mut config, folder.write("key", bytes));
        let error = driver::check_files(&config).expect_err(what).to_string();
        assert!(error.contains(words) && error.starts_with("auth."), "{what}: {error}");
    }
    let mut missing = config();
    missing.auth.mode = AuthMode::Jwt;
    missing.auth.key_file = Some(folder.path().join("none"));
    assert!(driver::check_files(&missing).is_err());
}

/// A public key on P-256, which nobody here signs with.
const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----
";

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_ever_logged() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = Folder::new("tokens-logged");
    let secret = folder.write("secret", Issuer::secret().private);
    let made = crate::command_line::tickwire()
        .args(["token", "--name", "ann", "--expires-in", "1min", "--key"])
        .arg(&secret)
        .output()
        .expect("a token");
    let token = String::from_utf8(made.stdout).expect("text").trim().to_owned();
    let log = std::fs::File::create(folder.path().join("log")).expect("a file");
    let server = crate::command_line::tickwire()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--json-session", "on"])
        .arg("--auth-secret")
        .arg(&secret)
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn();
    let mut server = crate::command_line::Server(server.expect("the server runs"));
    let line = BufReader::new(server.0.stdout.take().expect("its output")).lines().next();
    let line = line.expect("a line").expect("text");
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).expect("a URL");
    let address: SocketAddr = url.trim_end_matches('/').parse().expect("an address");
    let raw = Raw::open(address, BINARY).await;
    let mut player = Player::over_as(raw, bearer(Some(token.clone()), "")).await;
    player.until("it plays", |session| session.stats().frames > 3).await;
    let mut json = Raw::open(address, JSON).await;
    let hello = json!({ "hello": { "token": token } }).to_string();
    json.send(&frame(TEXT, hello.as_bytes())).await;
    assert!(json.frame_of(TEXT).await.payload.starts_with(b"{\"welcome\""));
    let forged = format!("{token}x");
    assert!(refused(address, Some(forged.clone()), "").await.contains("token not valid"));
    let mut json = Raw::open(address, JSON).await;
    let hello = json!({ "hello": { "token": forged } }).to_string();
    json.send(&frame(TEXT, hello.as_bytes())).await;
    assert_eq!(json.ending().await.sole().0, 4002);
    let ended = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().expect("kill");
    assert!(ended.success() && server.0.wait().expect("it ended").success());
    let log = std::fs::read_to_string(folder.path().join("log")).expect("the log");
    assert!(log.contains("let in") && log.contains("not let in"), "the log says who came");
    for part in token.split('.').skip(1) {
        assert!(!log.contains(part), "a token is in the log");
    }
}
