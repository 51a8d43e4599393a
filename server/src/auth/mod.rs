//! Who may play: asked once for every Hello, outside of any room. A game's program can bring its own
//! [`Authenticator`]; built in are tokens that somebody signed (JWT), and letting everybody in.
//!
//! Knows no socket and no session. No token ever reaches a log or an error's text.

mod hook;

mod anonymous;

mod jwt;

mod keyring;

mod mint;

mod ring_provider;

pub use anonymous::Anonymous;
pub use hook::{Applicant, Authenticator, Decision, Denial, Pass, Token};
pub use jwt::JwtAuthenticator;
pub use mint::{MintError, Wanted, mint};
