//! Where the certificate comes from.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, refuse, spans, units};

/// TLS on the public port. Off unless a certificate is named or asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// PEM file with the certificate chain, the server's own first.
    pub cert: Option<PathBuf>,
    /// PEM file with its private key.
    pub key: Option<PathBuf>,
    /// Makes a certificate that no client knows, for development; gone when the process ends.
    pub self_signed: bool,
    /// How often the two files are looked at for a change. SIGHUP looks at once.
    #[serde(with = "units::duration")]
    pub reload_every: Duration,
    /// From accept to the end of the TLS handshake.
    #[serde(with = "units::duration")]
    pub handshake_deadline: Duration,
}

impl Default for TlsSection {
    fn default() -> Self {
        Self {
            cert: None,
            key: None,
            self_signed: false,
            reload_every: Duration::from_secs(10),
            handshake_deadline: Duration::from_secs(5),
        }
    }
}

impl TlsSection {
    /// Whether the public port speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.self_signed || self.cert.is_some()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let named = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        match (named(&self.cert), named(&self.key)) {
            (Some(cert), None) => {
                return Err(refuse(
                    "tls.cert",
                    cert,
                    "a certificate needs its key: set --tls-key (tls.key) too",
                ));
            }
            (None, Some(key)) => {
                return Err(refuse(
                    "tls.key",
                    key,
                    "a key needs its certificate: set --tls-cert (tls.cert) too",
                ));
            }
            (Some(cert), Some(_)) if self.self_signed => {
                let allowed = "there is one certificate: leave out --tls-self-signed (tls.self_signed)";
                return Err(refuse("tls.cert", cert, allowed));
            }
            _ => {}
        }
        spans("tls.reload_every", self.reload_every, Duration::from_millis(100))?;
        spans("tls.handshake_deadline", self.handshake_deadline, Duration::from_millis(10))
    }
}
