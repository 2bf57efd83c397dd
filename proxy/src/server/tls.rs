//! The certificate of the HTTPS listener.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::Https;

/// TLS 1.2 and 1.3 with this certificate; HTTP/2 if the client wants it.
pub(super) fn acceptor(https: &Https) -> anyhow::Result<TlsAcceptor> {
    let certificates = certificates(&https.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&https.key)
        .with_context(|| format!("cannot read a private key from `{}`", https.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .with_context(|| {
            let (certificate, key) = (https.certificate.display(), https.key.display());
            format!("certificate `{certificate}` and key `{key}` do not fit together")
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates =
        read().with_context(|| format!("cannot read a certificate from `{}`", path.display()))?;
    if certificates.is_empty() {
        bail!("there is no certificate in `{}`", path.display());
    }
    Ok(certificates)
}
