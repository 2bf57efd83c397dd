//! The certificates of the HTTPS listener and of the admin API: chosen by the name that a client wants, read again while
//! the process runs.
//!
//! A new certificate is used for new connections as soon as it lies there with its key; a bad one changes nothing
//! but the log and a metric.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{InconsistentKeys, ServerConfig};

use crate::observe::{Observer, Rereading};
use crate::settings::{CertificatePair, Current, Settings};

/// How often to look whether the files have changed.
const LOOK: Duration = Duration::from_secs(2);

/// The certificates that are in use.
#[derive(Debug)]
pub(super) struct Certificates {
    keys: ArcSwap<Vec<Arc<CertifiedKey>>>,
    /// The files that they were read from, good or bad, as they were then.
    read: Mutex<Stamps>,
}

/// What tells one state of the files from another.
type Stamps = Vec<Option<(u64, u64, i64, i64)>>;

impl Certificates {
    /// Reads them.
    fn read(pairs: &[CertificatePair]) -> anyhow::Result<Arc<Self>> {
        let read = Mutex::new(stamps(pairs));
        Ok(Arc::new(Self { keys: ArcSwap::from_pointee(keys(pairs)?), read }))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.keys.load().len()
    }

    /// TLS 1.2 and 1.3, and what may be spoken over it.
    pub(super) fn acceptor(self: &Arc<Self>, protocols: &[&str]) -> anyhow::Result<TlsAcceptor> {
        let resolver: Arc<Self> = Arc::clone(self);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads them again, whether they have changed or not; what is bad changes nothing.
    pub(super) fn reread(&self, pairs: &[CertificatePair], observer: &Observer) -> anyhow::Result<()> {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = stamps(pairs);
        let keys = keys(pairs);
        observer.reread(Rereading::Certificates, keys.is_ok());
        match keys {
            Ok(keys) => {
                tracing::info!(certificates = keys.len(), "certificates were read");
                self.keys.store(Arc::new(keys));
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the old certificates stay in use");
                Err(error)
            }
        }
    }

    fn has_read(&self, stamps: &Stamps) -> bool {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) == *stamps
    }
}

/// Reads what is named for HTTPS and for the admin API, if anything is.
pub(super) fn read(settings: &Settings) -> anyhow::Result<[Option<Arc<Certificates>>; 2]> {
    let read = |pairs: &[CertificatePair]| {
        if pairs.is_empty() { Ok(None) } else { Certificates::read(pairs).map(Some) }
    };
    Ok([read(of_https(settings))?, read(of_admin(settings))?])
}

/// The files of the HTTPS listener.
pub(super) fn of_https(settings: &Settings) -> &[CertificatePair] {
    settings.listen.https.as_ref().map_or(&[], |https| &https.pairs)
}

/// The files of the admin API.
pub(super) fn of_admin(settings: &Settings) -> &[CertificatePair] {
    &settings.admin.tls
}

/// Looks at the files until the end of the process; `files` says which they are now.
pub(super) async fn watch(
    certificates: Arc<Certificates>,
    files: fn(&Settings) -> &[CertificatePair],
    settings: Arc<Current>,
    observer: Arc<Observer>,
) {
    let mut before = Stamps::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let pairs = files(&settings).to_vec();
        let (certificates, observer) = (Arc::clone(&certificates), Arc::clone(&observer));
        let seen = before.clone();
        // A certificate and its key are two files: whoever replaces them must be done first.
        let look = tokio::task::spawn_blocking(move || {
            let now = stamps(&pairs);
            if now == seen && !certificates.has_read(&now) {
                let _ = certificates.reread(&pairs, &observer);
            }
            now
        });
        before = look.await.unwrap_or_default();
    }
}

fn stamps(pairs: &[CertificatePair]) -> Stamps {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
    };
    pairs.iter().flat_map(|pair| [stamp(&pair.certificate), stamp(&pair.key)]).collect()
}

fn keys(pairs: &[CertificatePair]) -> anyhow::Result<Vec<Arc<CertifiedKey>>> {
    pairs.iter().map(|pair| Ok(Arc::new(key(pair)?))).collect()
}

fn key(pair: &CertificatePair) -> anyhow::Result<CertifiedKey> {
    let chain = chain(&pair.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&pair.key)
        .map_err(|error| unreadable(&error, "a private key", &pair.key))?;
    let provider = ring::default_provider();
    let key = CertifiedKey::from_der(chain, key, &provider).with_context(|| {
        let (certificate, key) = (pair.certificate.display(), pair.key.display());
        format!("certificate `{certificate}` and key `{key}` do not fit together")
    })?;
    // What cannot be compared may be wrong as well.
    match key.keys_match() {
        Err(error) if error != InconsistentKeys::Unknown.into() => bail!("{error}"),
        _ => Ok(key),
    }
}

fn chain(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates = read().map_err(|error| unreadable(&error, "a certificate", path))?;
    if certificates.is_empty() {
        bail!("there is no certificate in `{}`", path.display());
    }
    Ok(certificates)
}

/// Without the library's own words: they quote the file, which may hold a key.
fn unreadable(error: &pem::Error, what: &str, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error {
        pem::Error::Io(error) => anyhow!("cannot read {what} from `{path}`: {error}"),
        pem::Error::NoItemsFound => anyhow!("there is no {} in `{path}`", what.trim_start_matches("a ")),
        _ => anyhow!("cannot read {what}: `{path}` is no PEM file"),
    }
}

impl ResolvesServerCert for Certificates {
    /// The first one that is valid for the name the client wants; else the first one.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let keys = self.keys.load();
        let name = hello.server_name().filter(|_| keys.len() > 1);
        let wanted = name.and_then(|name| ServerName::try_from(name).ok());
        let fits = |key: &&Arc<CertifiedKey>| {
            let certificate = key.cert.first().and_then(|first| ParsedCertificate::try_from(first).ok());
            let name = wanted.as_ref();
            name.zip(certificate).is_some_and(|(name, found)| verify_server_name(&found, name).is_ok())
        };
        keys.iter().find(fits).or_else(|| keys.first()).map(Arc::clone)
    }
}
