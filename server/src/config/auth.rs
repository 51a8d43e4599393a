//! Who may play, and how it is proved.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, refuse, spans, units};

/// Longest audience, in bytes.
const AUDIENCE_BYTES_MAX: usize = 256;

/// Who may play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSection {
    /// How it is proved.
    pub mode: AuthMode,
    /// Secret for tokens signed by HS256; at least 32 bytes.
    pub secret_file: Option<PathBuf>,
    /// Public key in PEM for tokens signed by EdDSA (Ed25519) or RS256.
    pub key_file: Option<PathBuf>,
    /// Several public keys, as a JWK set.
    pub jwks_file: Option<PathBuf>,
    /// What `aud` of every token must name: this service and no other that trusts the same keys.
    pub audience: String,
    /// How long an authenticator may think.
    #[serde(with = "units::duration")]
    pub deadline: Duration,
    /// How often the key's file is looked at for a change. SIGHUP looks at once.
    #[serde(with = "units::duration")]
    pub reload_every: Duration,
}

/// How a client proves that it may play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// `jwt` when a key is named, `anonymous` when nobody but this machine can come in, else nothing begins.
    Auto,
    /// Everybody may play.
    Anonymous,
    /// By a token that one of the keys has signed.
    Jwt,
    /// As the program says that runs the server.
    Hook,
}

impl AuthMode {
    /// As the configuration has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Anonymous => "anonymous",
            Self::Jwt => "jwt",
            Self::Hook => "hook",
        }
    }
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            mode: AuthMode::Auto,
            secret_file: None,
            key_file: None,
            jwks_file: None,
            audience: "tickwire".to_owned(),
            deadline: Duration::from_secs(5),
            reload_every: Duration::from_secs(10),
        }
    }
}

impl AuthSection {
    /// The mode that `auto` stands for, if it stands for one.
    #[must_use]
    pub fn resolved(&self, is_public: bool) -> Option<AuthMode> {
        match self.mode {
            AuthMode::Auto if self.file().is_some() => Some(AuthMode::Jwt),
            AuthMode::Auto => (!is_public).then_some(AuthMode::Anonymous),
            mode => Some(mode),
        }
    }

    /// The file with the keys.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        self.secret_file.as_ref().or(self.key_file.as_ref()).or(self.jwks_file.as_ref())
    }

    pub(super) fn validate(&self, is_public: bool) -> Result<(), ConfigError> {
        let files = [&self.secret_file, &self.key_file, &self.jwks_file];
        let named = files.iter().filter(|file| file.is_some()).count();
        match self.resolved(is_public) {
            None => {
                let allowed = "a server that others can reach must know who may play: name a key (--auth-secret, \
                               --auth-key or --auth-jwks), or say --auth anonymous if everybody may";
                return Err(refuse("auth.mode", "auto", allowed));
            }
            Some(AuthMode::Jwt) if named == 0 => {
                let allowed = "name a key: --auth-secret, --auth-key or --auth-jwks";
                return Err(refuse("auth.mode", "jwt", allowed));
            }
            Some(AuthMode::Jwt) if named > 1 => {
                let allowed = "name one of auth.secret_file, auth.key_file and auth.jwks_file";
                return Err(refuse("auth.mode", "jwt", allowed));
            }
            Some(mode @ (AuthMode::Anonymous | AuthMode::Hook)) if named > 0 => {
                let allowed = "it looks at no key: leave out the file, or set jwt";
                return Err(refuse("auth.mode", mode.word(), allowed));
            }
            Some(_) => {}
        }
        if self.audience.is_empty() || self.audience.len() > AUDIENCE_BYTES_MAX {
            let allowed = format!("write 1 to {AUDIENCE_BYTES_MAX} bytes");
            return Err(refuse("auth.audience", format!("{:?}", self.audience), &allowed));
        }
        spans("auth.reload_every", self.reload_every, Duration::from_millis(100))?;
        spans("auth.deadline", self.deadline, Duration::from_millis(10))
    }
}
