//! TLS by certificate files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Encrypts connections.
#[derive(Clone)]
pub(crate) struct Tls(pub(super) TlsAcceptor);

impl Tls {
    /// With the certificates of one file and the key of another, both PEM.
    pub(crate) fn read(certificates: &Path, key: &Path) -> anyhow::Result<Tls> {
        let context = || format!("--tls-cert {}", certificates.display());
        let chain = CertificateDer::pem_file_iter(certificates).with_context(context)?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().with_context(context)?;
        if chain.is_empty() {
            return Err(anyhow::anyhow!("no certificate in it")).with_context(context);
        }
        let key_context = || format!("--tls-key {}", key.display());
        let key_of = PrivateKeyDer::from_pem_file(key).with_context(key_context)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key_of);
        let mut config = match config {
            Ok(config) => config,
            Err(err) => bail!(
                "--tls-cert {} --tls-key {}: {err}",
                certificates.display(),
                key.display()
            ),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(config).into()))
    }
}
