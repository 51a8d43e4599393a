//! Who may come back to which session. A resume token is 16 random bytes: the first half names the session for as long
//! as it lives, the second half is the secret of one generation, drawn anew each time that the client comes back.
//!
//! The newest token is good; so is the one that the client came back with, until the client has said something under
//! the newest, since nothing else shows that it has that one. Every other secret of a known session is refused, and so
//! is a good one in the hands of somebody else, where it is known who has it. Knows no connection, no time and no
//! randomness. Holds as many entries as its room has clients.

use std::collections::BTreeMap;

use subtle::{Choice, ConstantTimeEq};
use tickwire_shared::ClientId;
use tickwire_shared::wire::message::ResumeToken;

/// Bytes of the half that names a session, and of the half that is a secret.
const HALF: usize = 8;

type Half = [u8; HALF];

/// The tokens of all sessions of a room. Not shown by `Debug`: these are secrets.
#[derive(Default)]
pub struct Tenures {
    by_name: BTreeMap<Half, Tenure>,
    names: BTreeMap<ClientId, Half>,
}

/// What a newcomer could come back with.
#[derive(Clone)]
pub struct Key {
    /// Its token.
    pub resume: ResumeToken,
    /// Who it is, where somebody has found that out.
    pub subject: Option<String>,
}

struct Tenure {
    client: ClientId,
    subject: Option<String>,
    newest: Half,
    previous: Option<Half>,
    /// Whether the client has ever said something after a Welcome.
    confirmed: bool,
}

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It names no session: of another server, or one whose time is over.
    Unknown,
    /// It names a session, but is none of its good tokens.
    Outdated,
    /// It is good, but this is not who began the session.
    Anothers,
    /// It is good for this client's session.
    Good(ClientId),
}

impl Tenures {
    /// A session begins. A name that is taken, which chance does not bring about, is left to who has it; the newcomer
    /// cannot come back then.
    pub fn enter(&mut self, client: ClientId, key: Key) {
        let Key { resume, subject } = key;
        let (name, newest) = halves(&resume);
        if let std::collections::btree_map::Entry::Vacant(entry) = self.by_name.entry(name) {
            entry.insert(Tenure { client, subject, newest, previous: None, confirmed: false });
            self.names.insert(client, name);
        }
    }

    /// Whose session a token is good for, presented by `subject`. Finding the name may take different times, comparing
    /// secrets does not.
    #[must_use]
    pub fn claim(&self, token: &ResumeToken, subject: Option<&str>) -> Claim {
        let (name, secret) = halves(token);
        let Some(tenure) = self.by_name.get(&name) else { return Claim::Unknown };
        let newest = tenure.newest.ct_eq(&secret);
        let previous = tenure.previous.map_or(Choice::from(0), |previous| previous.as_slice().ct_eq(&secret));
        match bool::from(newest | previous) {
            false => Claim::Outdated,
            true if tenure.subject.as_deref() != subject => Claim::Anothers,
            true => Claim::Good(tenure.client),
        }
    }

    /// The client came back with `presented`, which was good. Its new token has the secret of `fresh`.
    pub fn renew(&mut self, presented: &ResumeToken, fresh: &ResumeToken) -> ResumeToken {
        let ((name, presented), (_, secret)) = (halves(presented), halves(fresh));
        if let Some(tenure) = self.by_name.get_mut(&name) {
            (tenure.newest, tenure.previous) = (secret, Some(presented));
        }
        let mut token = [0; 2 * HALF];
        token[..HALF].copy_from_slice(&name);
        token[HALF..].copy_from_slice(&secret);
        ResumeToken(token)
    }

    /// The client said something under its newest token, which makes the previous one worthless.
    pub fn confirm(&mut self, client: ClientId) {
        if let Some(tenure) = self.names.get(&client).and_then(|name| self.by_name.get_mut(name)) {
            (tenure.previous, tenure.confirmed) = (None, true);
        }
    }

    /// Whether the client can have a token that it could come back with.
    #[must_use]
    pub fn can_return(&self, client: ClientId) -> bool {
        self.names.get(&client).and_then(|name| self.by_name.get(name)).is_some_and(|tenure| tenure.confirmed)
    }

    /// The session is over.
    pub fn leave(&mut self, client: ClientId) {
        if let Some(name) = self.names.remove(&client) {
            self.by_name.remove(&name);
        }
    }
}

impl std::fmt::Debug for Tenures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tenures({})", self.by_name.len())
    }
}

fn halves(token: &ResumeToken) -> (Half, Half) {
    let (mut name, mut secret) = ([0; HALF], [0; HALF]);
    name.copy_from_slice(&token.0[..HALF]);
    secret.copy_from_slice(&token.0[HALF..]);
    (name, secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: ClientId = ClientId(1);

    fn token(number: u8) -> ResumeToken {
        ResumeToken([number; 16])
    }

    fn nobodys(resume: ResumeToken) -> Key {
        Key { resume, subject: None }
    }

    #[test]
    fn a_token_is_good_in_its_owners_hands_only() {
        let mut tenures = Tenures::default();
        tenures.enter(ANN, Key { resume: token(1), subject: Some("ann".to_owned()) });
        tenures.confirm(ANN);
        assert_eq!(tenures.claim(&token(1), Some("ann")), Claim::Good(ANN));
        for thief in [None, Some(""), Some("anna"), Some("eve")] {
            assert_eq!(tenures.claim(&token(1), thief), Claim::Anothers, "{thief:?}");
        }
        let second = tenures.renew(&token(1), &token(2));
        assert_eq!(
            tenures.claim(&second, Some("eve")),
            Claim::Anothers,
            "whoever comes back stays the owner"
        );
        let mut guessed = token(1);
        guessed.0[15] ^= 1;
        assert_eq!(
            tenures.claim(&guessed, Some("eve")),
            Claim::Outdated,
            "whose it is, a guess does not tell"
        );
        tenures.enter(ClientId(2), nobodys(token(7)));
        assert_eq!(tenures.claim(&token(7), Some("eve")), Claim::Anothers, "nor is nobody's anybody's");
    }

    #[test]
    fn each_return_makes_older_tokens_worthless() {
        let mut tenures = Tenures::default();
        tenures.enter(ANN, nobodys(token(1)));
        assert!(!tenures.can_return(ANN), "it has not shown that it has its Welcome");
        tenures.confirm(ANN);
        assert!(tenures.can_return(ANN));
        assert_eq!(tenures.claim(&token(1), None), Claim::Good(ANN));
        let second = tenures.renew(&token(1), &token(2));
        assert_eq!([tenures.claim(&token(1), None), tenures.claim(&second, None)], [Claim::Good(ANN); 2]);
        // Its Welcome was lost, and it comes back with what it has.
        let third = tenures.renew(&token(1), &token(3));
        assert_eq!(tenures.claim(&second, None), Claim::Outdated, "nobody ever had it");
        assert_eq!([tenures.claim(&token(1), None), tenures.claim(&third, None)], [Claim::Good(ANN); 2]);
        tenures.confirm(ANN);
        assert_eq!(tenures.claim(&token(1), None), Claim::Outdated);
        assert_eq!(tenures.claim(&third, None), Claim::Good(ANN));
        tenures.leave(ANN);
        assert_eq!(tenures.claim(&third, None), Claim::Unknown);
    }

    #[test]
    fn half_a_token_is_none() {
        let mut tenures = Tenures::default();
        tenures.enter(ANN, nobodys(token(1)));
        let mut forged = [1; 16];
        forged[15] = 0;
        assert_eq!(tenures.claim(&ResumeToken(forged), None), Claim::Outdated);
        forged[0] = 0;
        assert_eq!(tenures.claim(&ResumeToken(forged), None), Claim::Unknown);
        assert_eq!(tenures.claim(&token(9), None), Claim::Unknown);
    }

    #[test]
    fn a_name_that_is_taken_stays_with_who_has_it() {
        let mut tenures = Tenures::default();
        tenures.enter(ANN, nobodys(token(1)));
        tenures.enter(ClientId(2), nobodys(token(1)));
        assert_eq!(tenures.claim(&token(1), None), Claim::Good(ANN));
        tenures.leave(ClientId(2));
        assert_eq!(tenures.claim(&token(1), None), Claim::Good(ANN));
        assert!(!format!("{tenures:?}").contains("1, 1"), "secrets are not shown");
    }
}
