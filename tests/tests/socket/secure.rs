//! Certificates and TLS clients to test with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tickwire_server::config::Config;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::folder::Folder;
use crate::raw::Raw;
use crate::server;

/// A certificate for `localhost` and 127.0.0.1.
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
    pub(crate) key_pem: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        Self::until_year(4000)
    }

    /// Good until the begin of a year.
    pub(crate) fn until_year(year: i32) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).expect("names");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        Self { der: made.der().clone(), pem: made.pem(), key_pem: key.serialize_pem() }
    }

    /// As the two files that a server reads.
    pub(crate) fn write(&self, folder: &Folder) -> (PathBuf, PathBuf) {
        (folder.write("cert.pem", &self.pem), folder.write("key.pem", &self.key_pem))
    }

    /// A configuration with this certificate.
    pub(crate) fn config(&self, folder: &Folder) -> Config {
        let (cert, key) = self.write(folder);
        let mut config = server::config();
        (config.tls.cert, config.tls.key) = (Some(cert), Some(key));
        config
    }

    /// A connection that believes this certificate only.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.secure(stream, versions).await
    }

    /// The same over an open connection.
    pub(crate) async fn over(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.secure(stream, tokio_rustls::rustls::ALL_VERSIONS).await
    }

    async fn secure(
        &self,
        stream: TcpStream,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// An upgraded connection inside TLS.
    pub(crate) async fn open(&self, address: SocketAddr, subprotocol: &str) -> Raw<TlsStream<TcpStream>> {
        let stream = self.connect(address, tokio_rustls::rustls::ALL_VERSIONS).await.expect("TLS");
        Raw::over_any(stream).upgraded(address, subprotocol).await
    }
}
