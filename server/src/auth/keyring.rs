//! The keys that tokens are verified with, from files. Each key has one algorithm, whatever a token says of itself.

use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::ring_provider;
use crate::config::{AuthSection, ConfigError};

/// Shortest secret for HS256, in bytes: as long as the hash (RFC 7518, section 3.2).
pub(super) const SECRET_BYTES_MIN: usize = 32;
/// Most keys in one file; each may be tried for each token.
const KEYS_MAX: usize = 16;

/// Keys, in the order of their file.
#[derive(Debug)]
pub(super) struct Keyring(Vec<Key>);

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl Keyring {
    /// Reads the one file that is named.
    ///
    /// # Errors
    /// [`ConfigError`] naming it and what is wrong with it.
    pub(super) fn load(section: &AuthSection) -> Result<Self, ConfigError> {
        ring_provider::install();
        let AuthSection { secret_file, key_file, jwks_file, .. } = section;
        match (secret_file, key_file, jwks_file) {
            (Some(path), _, _) => read("auth.secret_file", path, secret),
            (_, Some(path), _) => read("auth.key_file", path, public_key),
            (_, _, Some(path)) => read("auth.jwks_file", path, key_set),
            (None, None, None) => Err(ConfigError::Unusable {
                key: "auth.mode",
                value: "jwt".to_owned(),
                why: "no key is named".to_owned(),
            }),
        }
    }

    /// The keys that a token with this key id may be signed with.
    pub(super) fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| id.is_none() || key.id.is_none() || key.id.as_deref() == id)
    }
}

fn read(
    key: &'static str,
    path: &Path,
    parse: fn(&[u8]) -> Result<Vec<Key>, String>,
) -> Result<Keyring, ConfigError> {
    let unusable = |why: String| ConfigError::Unusable { key, value: path.display().to_string(), why };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    parse(&bytes).map(Keyring).map_err(unusable)
}

/// The bytes of a secret file, without the line's end that editors add.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [head @ .., b'\n' | b'\r'] = rest {
        rest = head;
    }
    rest
}

fn secret(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let secret = trimmed(bytes);
    if bytes.starts_with(b"-----BEGIN") {
        return Err("that is a key in PEM; name it as auth.key_file (--auth-key)".to_owned());
    }
    if secret.len() < SECRET_BYTES_MIN {
        return Err(format!(
            "the secret has {} bytes, {SECRET_BYTES_MIN} are the least; make one with `openssl rand -hex 32`",
            secret.len()
        ));
    }
    Ok(vec![Key { id: None, algorithm: Algorithm::HS256, decoding: DecodingKey::from_secret(secret) }])
}

fn public_key(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("PRIVATE KEY-----") {
        return Err("that is a private key; the server needs the public one only".to_owned());
    }
    if !text.contains("PUBLIC KEY-----") {
        return Err("no public key in PEM".to_owned());
    }
    let key = |algorithm, decoding| vec![Key { id: None, algorithm, decoding }];
    DecodingKey::from_ed_pem(bytes)
        .map(|decoding| key(Algorithm::EdDSA, decoding))
        .or_else(|_| DecodingKey::from_rsa_pem(bytes).map(|decoding| key(Algorithm::RS256, decoding)))
        .map_err(|_| "neither an Ed25519 nor an RSA key".to_owned())
}

fn key_set(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|error| format!("no JWK set: {error}"))?;
    let signing = |jwk: &&Jwk| jwk.common.public_key_use != Some(PublicKeyUse::Encryption);
    let keys: Vec<Key> = set.keys.iter().filter(signing).map(from_jwk).collect::<Result<_, _>>()?;
    match keys.len() {
        0 => Err("no key for signatures in it".to_owned()),
        1..=KEYS_MAX => Ok(keys),
        count => Err(format!("{count} keys, {KEYS_MAX} are the most")),
    }
}

fn from_jwk(jwk: &Jwk) -> Result<Key, String> {
    let id = jwk.common.key_id.clone();
    let name = id.clone().unwrap_or_else(|| "without kid".to_owned());
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return Err(format!("key {name}: only RSA and Ed25519 keys are used here")),
    };
    if jwk.common.key_algorithm.is_some_and(|stated| stated != algorithm.1) {
        return Err(format!("key {name}: `alg` must be RS256 or EdDSA, and fit the key"));
    }
    let decoding = DecodingKey::from_jwk(jwk).map_err(|_| format!("key {name} cannot be read"))?;
    if algorithm.0 == Algorithm::EdDSA && decoding.try_get_as_bytes().map_or(0, <[u8]>::len) != 32 {
        return Err(format!("key {name}: an Ed25519 key has 32 bytes"));
    }
    Ok(Key { id, algorithm: algorithm.0, decoding })
}
