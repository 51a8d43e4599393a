//! The hook: what an authenticator is asked, and what it may answer.

use std::net::IpAddr;
use std::pin::Pin;

use tickwire_shared::{Close, CloseCode};

/// Decides who may play. Runs in the connection's own task, under a deadline, so it may wait for a database or
/// another service; the room goes on meanwhile.
pub trait Authenticator: Send + Sync + 'static {
    /// The answer to one Hello. Dropped when the connection or the server's patience ends.
    fn authenticate<'a>(&'a self, applicant: Applicant<'a>) -> Decision<'a>;
}

/// An answer to come.
pub type Decision<'a> = Pin<Box<dyn Future<Output = Result<Pass, Denial>> + Send + 'a>>;

/// Who wants in.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// The token in Hello. Not yet looked at, at most 2048 bytes.
    pub token: Option<Token<'a>>,
    /// Where the client is, as far as the configured proxies can be believed.
    pub address: IpAddr,
    /// The display name that it asks for; checked later.
    pub name: &'a str,
    /// The room that it asks for; empty for the default one.
    pub room: &'a str,
}

/// A token's text, which `Debug` does not show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token<'a>(pub &'a str);

impl std::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What somebody who may play is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Who it is, for the log.
    pub identity: String,
    /// Who it is, so that nobody else comes back to the session, whoever has its resume token. Without one the token
    /// alone counts.
    pub subject: Option<String>,
    /// The display name to show in place of the one that was asked for.
    pub name: Option<String>,
    /// The room to play in, in place of the one that was asked for.
    pub room: Option<String>,
    /// The session ends at this time, in seconds since 1970.
    pub expires_at_s: Option<u64>,
}

/// Why somebody may not play. The client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A token is needed.
    Missing,
    /// The token was good once.
    Expired,
    /// The token is no good; the words say in what respect, and nothing of its content.
    NotValid(String),
    /// A good token, but not for this; or banned, or no subscriber.
    NotForYou(String),
    /// Nobody can tell at the moment. The client may try again.
    Unavailable,
}

impl From<Denial> for Close {
    fn from(denial: Denial) -> Self {
        let not_allowed = |detail: &str| Self::because(CloseCode::NotAllowed, detail);
        match denial {
            Denial::Missing => not_allowed("token missing"),
            Denial::Expired => not_allowed("token expired"),
            Denial::NotValid(why) => not_allowed(&format!("token not valid: {why}")),
            Denial::NotForYou(why) => not_allowed(&why),
            Denial::Unavailable => Self::because(CloseCode::Full, "tokens cannot be checked now, try again"),
        }
    }
}
