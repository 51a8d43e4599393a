//! Tokens for development: signed with the key that the server checks them with, or its private half.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde::Serialize;

use super::jwt::Rooms;
use super::keyring::{SECRET_BYTES_MIN, trimmed};
use super::ring_provider;

/// What a token is to say.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Who its bearer is.
    pub subject: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Where its bearer may play; empty means everywhere.
    pub rooms: Vec<String>,
    /// For which server it is.
    pub audience: String,
    /// How long it is good for.
    pub lifetime: Duration,
}

/// What is signed.
#[derive(Serialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    aud: String,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<Rooms>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The key file's bytes are no key.
    #[error(
        "no key to sign with: it must be a private key in PEM (Ed25519 or RSA), or a secret of at least \
         {SECRET_BYTES_MIN} bytes"
    )]
    Key,
    /// The key did not sign.
    #[error("the key does not sign: {0}")]
    Signing(String),
}

/// A token by the key in a file.
///
/// # Errors
/// [`MintError`] when the key cannot sign.
pub fn mint(key_file: &[u8], wanted: Wanted) -> Result<String, MintError> {
    ring_provider::install();
    let (algorithm, key) = if key_file.starts_with(b"-----BEGIN") {
        EncodingKey::from_ed_pem(key_file)
            .map(|key| (Algorithm::EdDSA, key))
            .or_else(|_| EncodingKey::from_rsa_pem(key_file).map(|key| (Algorithm::RS256, key)))
            .map_err(|_| MintError::Key)?
    } else if trimmed(key_file).len() >= SECRET_BYTES_MIN {
        (Algorithm::HS256, EncodingKey::from_secret(trimmed(key_file)))
    } else {
        return Err(MintError::Key);
    };
    let Wanted { subject, name, mut rooms, audience, lifetime } = wanted;
    let room = match rooms.len() {
        0 => None,
        1 => rooms.pop().map(Rooms::One),
        _ => Some(Rooms::Several(rooms)),
    };
    let iat = get_current_timestamp();
    let claims = Claims { sub: subject, aud: audience, iat, exp: iat + lifetime.as_secs(), name, room };
    encode(&Header::new(algorithm), &claims, &key).map_err(|error| MintError::Signing(error.to_string()))
}
