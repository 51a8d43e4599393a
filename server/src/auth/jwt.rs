//! Tokens that somebody else signed: JSON Web Tokens with an audience, an end, and what their bearer may do.

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::{Deserialize, Serialize};

use super::hook::{Applicant, Authenticator, Decision, Denial, Pass};
use super::keyring::{Key, Keyring};
use crate::config::{AuthSection, ConfigError};

/// How far the clocks of those who sign and those who check may be apart, in seconds.
const LEEWAY_S: u64 = 5;
/// Longest identity in a log, in bytes.
const IDENTITY_BYTES_MAX: usize = 64;

/// Lets those in whose token a configured key has signed.
pub struct JwtAuthenticator {
    section: AuthSection,
    keyring: RwLock<Arc<Keyring>>,
}

/// What is read of a token's claims. `aud`, `exp` and `nbf` are checked by the library.
#[derive(Debug, Deserialize)]
struct Claims {
    /// Who it is. Names are no proof of that: several may have the same.
    sub: Option<String>,
    /// Its end, in seconds since 1970; some write fractions.
    exp: Option<f64>,
    /// The display name of its bearer.
    name: Option<String>,
    /// Where its bearer may play; everywhere without it.
    room: Option<Rooms>,
}

/// One room or several.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Rooms {
    One(String),
    Several(Vec<String>),
}

impl JwtAuthenticator {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file and what is wrong with it.
    pub fn load(section: &AuthSection) -> Result<Self, ConfigError> {
        let keyring = RwLock::new(Arc::new(Keyring::load(section)?));
        Ok(Self { section: section.clone(), keyring })
    }

    /// Reads the keys again. Sessions that have begun go on.
    ///
    /// # Errors
    /// As [`Self::load`]; then everything stays as it was.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let keyring = Arc::new(Keyring::load(&self.section)?);
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = keyring;
        Ok(())
    }

    fn check(&self, applicant: Applicant<'_>) -> Result<Pass, Denial> {
        let token = applicant.token.ok_or(Denial::Missing)?.0;
        if token.is_empty() {
            return Err(Denial::Missing);
        }
        let header = decode_header(token).map_err(|error| denial(error.kind()))?;
        if header.crit.is_some() {
            return Err(Denial::NotValid("critical extensions".to_owned()));
        }
        let keyring = Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner));
        let mut refused = Denial::NotValid("no key with this kid".to_owned());
        for key in keyring.candidates(header.kid.as_deref()) {
            match decode::<Claims>(token, &key.decoding, &self.validation(key)) {
                Ok(decoded) => return decoded.claims.pass(applicant),
                Err(error) => {
                    refused = denial(error.kind());
                    let other_key = [ErrorKind::InvalidSignature, ErrorKind::InvalidAlgorithm];
                    if !other_key.contains(error.kind()) {
                        break;
                    }
                }
            }
        }
        Err(refused)
    }

    /// The algorithm is the key's, never the token's.
    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.section.audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation
    }
}

impl Authenticator for JwtAuthenticator {
    fn authenticate<'a>(&'a self, applicant: Applicant<'a>) -> Decision<'a> {
        // Some tens of microseconds; nothing to wait for.
        Box::pin(async move { self.check(applicant) })
    }
}

impl Claims {
    fn pass(self, applicant: Applicant<'_>) -> Result<Pass, Denial> {
        let rooms = match self.room {
            None => None,
            Some(Rooms::One(room)) => Some(vec![room]),
            Some(Rooms::Several(rooms)) => Some(rooms),
        };
        let fits = |room: &String| applicant.room.is_empty() || room == applicant.room;
        let room = match rooms.map(|rooms| rooms.into_iter().find(fits)) {
            None => None,
            Some(Some(room)) => Some(room),
            Some(None) => return Err(Denial::NotForYou("token not valid for this room".to_owned())),
        };
        Ok(Pass {
            identity: clip(self.sub.as_ref().or(self.name.as_ref()).map_or("", String::as_str)),
            subject: self.sub,
            name: self.name,
            room,
            expires_at_s: self.exp.map(|end| end as u64 + LEEWAY_S),
        })
    }
}

/// What the bearer is told: enough to act on, nothing that helps to guess.
fn denial(kind: &ErrorKind) -> Denial {
    let words = match kind {
        ErrorKind::ExpiredSignature => return Denial::Expired,
        ErrorKind::InvalidSignature => "signature",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            "algorithm"
        }
        ErrorKind::InvalidAudience => "audience",
        ErrorKind::ImmatureSignature => "not yet",
        ErrorKind::MissingRequiredClaim(claim) if claim == "exp" => "no `exp`",
        ErrorKind::MissingRequiredClaim(_) => "no `aud`",
        _ => "malformed",
    };
    Denial::NotValid(words.to_owned())
}

/// Somebody else's words, fit for a line of a log.
fn clip(words: &str) -> String {
    let mut clipped: String = words.chars().filter(|letter| !letter.is_control()).collect();
    let mut end = clipped.len().min(IDENTITY_BYTES_MAX);
    while !clipped.is_char_boundary(end) {
        end -= 1;
    }
    clipped.truncate(end);
    clipped
}
