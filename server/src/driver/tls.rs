//! The certificate of the public port: loaded and checked before the port opens, and again whenever its files
//! change. Connections keep what they began with; a certificate that cannot be used changes nothing, and neither does
//! one out of its time while the one before is in it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::clock;
use super::refresh::Watch;
use super::validity::{Fitness, Validity};
use crate::config::{ConfigError, TlsSection};

/// The only protocol inside.
const ALPN: &[u8] = b"http/1.1";
/// How often the certificate's dates are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// TLS as the public port speaks it now.
pub(super) struct Tls {
    section: TlsSection,
    current: RwLock<Loaded>,
}

/// A certificate that can be used.
#[derive(Clone)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// Where that can be told.
    validity: Option<Validity>,
}

impl Loaded {
    fn fitness(&self) -> Fitness {
        self.validity.map_or(Fitness::Good, |validity| validity.at(clock::unix_s()))
    }
}

impl Tls {
    /// Loads what the configuration names; nothing when TLS is off.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file and what is wrong with it.
    pub(super) fn load(section: &TlsSection, listen: SocketAddr) -> Result<Option<Arc<Self>>, ConfigError> {
        let loaded = match (&section.cert, &section.key) {
            (Some(cert), Some(key)) => from_files(cert, key)?,
            _ if section.self_signed => self_signed(listen)?,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Self { section: section.clone(), current: RwLock::new(loaded) })))
    }

    /// What the operator has to know of the certificate in use.
    pub(super) fn warning(&self) -> Option<String> {
        self.current().fitness().warning()
    }

    /// For one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current().config)
    }

    fn current(&self) -> Loaded {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes new certificates over as they come, until dropped.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let (Some(cert), Some(key)) = (self.section.cert.clone(), self.section.key.clone()) else { return };
        let files = vec![cert.clone(), key.clone()];
        let reload = || {
            let error = match from_files(&cert, &key) {
                Ok(loaded) => match self.replace(loaded) {
                    Ok(()) => return tracing::info!(cert = %cert.display(), "certificate reloaded"),
                    Err(warning) => warning,
                },
                Err(error) => error.to_string(),
            };
            tracing::error!(error, "the certificate stays as it was");
        };
        let watch = Watch { files, every: self.section.reload_every, reload };
        tokio::join!(watch.run(), self.look_at_dates());
    }

    /// Takes a certificate over.
    ///
    /// # Errors
    /// What is wrong with its dates, where the one in use is better.
    fn replace(&self, loaded: Loaded) -> Result<(), String> {
        let fitness = loaded.fitness();
        if let (Some(warning), false) = (fitness.warning(), fitness.is_in_time()) {
            if self.current().fitness().is_in_time() {
                return Err(warning);
            }
            tracing::error!("{warning}");
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// Says so when the certificate in use comes to its end. What it is at the begin is said elsewhere.
    async fn look_at_dates(&self) {
        let kind = |fitness| std::mem::discriminant::<Fitness>(&fitness);
        let mut said = kind(self.current().fitness());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let fitness = self.current().fitness();
            if let (Some(warning), true) = (fitness.warning(), kind(fitness) != said) {
                tracing::error!("{warning}");
            }
            said = kind(fitness);
        }
    }
}

fn from_files(cert: &Path, key: &Path) -> Result<Loaded, ConfigError> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(cert).and_then(|certificates| certificates.collect());
    let chain = match chain {
        Ok(chain) if chain.is_empty() => return Err(unusable("tls.cert", cert, &"no certificate in it")),
        Ok(chain) => chain,
        Err(error) => return Err(unusable("tls.cert", cert, &error)),
    };
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("tls.key", key, &error))?;
    // Says when the key is not the certificate's.
    assemble(chain, secret).map_err(|error| unusable("tls.key", key, &error))
}

/// A certificate for this machine's names, which nobody has signed.
fn self_signed(listen: SocketAddr) -> Result<Loaded, ConfigError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.ip().is_unspecified() && !listen.ip().is_loopback() {
        names.push(listen.ip().to_string());
    }
    let refused = |why: &dyn std::fmt::Display| ConfigError::Unusable {
        key: "tls.self_signed",
        value: "true".to_owned(),
        why: why.to_string(),
    };
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| refused(&error))?;
    let secret =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|error| refused(&error))?;
    tracing::warn!("TLS with a certificate made for development: no client knows whom it speaks to");
    assemble(vec![made.cert.der().clone()], secret).map_err(|error| refused(&error))
}

fn assemble(
    chain: Vec<CertificateDer<'static>>,
    secret: PrivateKeyDer<'static>,
) -> Result<Loaded, tokio_rustls::rustls::Error> {
    let validity = chain.first().and_then(Validity::of);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Loaded { config: Arc::new(config), validity })
}

fn unusable(key: &'static str, file: &Path, why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Unusable { key, value: file.display().to_string(), why: why.to_string() }
}
