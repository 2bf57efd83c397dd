//! Whom the command line believes when it speaks TLS with an admin API, and why it does not believe somebody.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, InvalidMessage, RootCertStore};

/// The variable that names a file with certificate authorities.
const VARIABLE: &str = "FICUS_ADMIN_CA";

/// Nobody is asked anything over this connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Distrust(pub(super) String);

/// TLS 1.2 and 1.3 with whoever has a certificate of one of the authorities in the file of `FICUS_ADMIN_CA`; without it, of
/// one that this system trusts.
pub(super) fn client() -> Result<ClientConfig, String> {
    let roots = match named() {
        Some(path) => from_file(Path::new(&path))?,
        None => of_the_system(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot speak TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn named() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|path| !path.is_empty())
}

fn from_file(path: &Path) -> Result<RootCertStore, String> {
    let path_shown = path.display();
    let cannot = |why: String| format!("cannot read certificates from `{path_shown}` ({VARIABLE}): {why}");
    let text = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        // Without the library's own words: they quote the file.
        let certificate = certificate.map_err(|_| cannot("it is no PEM file".to_owned()))?;
        roots.add(certificate).map_err(|error| cannot(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(cannot("there is none in it".to_owned()));
    }
    Ok(roots)
}

/// What the system trusts; where it says nothing, the authorities of the public Internet.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().unwrap_or_default());
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Why there is no TLS with `authority` (`HOST:PORT`), and what helps.
pub(super) fn why(error: &std::io::Error, authority: &str) -> Distrust {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    Distrust(inner.map_or_else(
        || format!("the connection ended before TLS was agreed on: {error}"),
        |error| sentence(error, authority, named().as_deref()),
    ))
}

fn sentence(error: &Error, authority: &str, file: Option<&str>) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error, authority, file),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!(
                "no TLS is spoken there: ask `http://{authority}`, or set `admin.certificate` and `admin.key`"
            )
        }
        error => format!("no TLS with it: {error}"),
    }
}

fn certificate(error: &CertificateError, authority: &str, file: Option<&str>) -> String {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match file {
            Some(file) => format!("its certificate is of none of the authorities in `{file}` ({VARIABLE})"),
            None => format!(
                "its certificate is of no authority that this system trusts: let {VARIABLE} name a PEM file with the one that \
                 counts"
            ),
        },
        CertificateError::NotValidForName => format!("its certificate is not for `{}`", host(authority)),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| format!("`{}`", bare(name))).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("its certificate is for {names}, not for `{}`", host(authority))
        }
        CertificateError::Expired => "its certificate is out of date".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate ended at {}", moment(*not_after))
        }
        CertificateError::NotValidYet => "its certificate does not hold yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate does not hold before {}", moment(*not_before))
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is one for an authority (`CA:TRUE`), not for a server: make it with `CA:FALSE`"
                .to_owned()
        }
        error => format!("its certificate is bad: {error}"),
    }
}

/// `DnsName("node-1")` -> `node-1`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner.trim_end_matches(')'));
    inner.trim_matches('"')
}

fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    chrono::DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "?".to_owned(), |time| time.format("%F %T UTC").to_string())
}

/// The host of `HOST:PORT`, without brackets.
pub(super) fn host(authority: &str) -> &str {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_says_what_helps() {
        let at = |error: CertificateError, file| sentence(&error.into(), "node-1:9900", file);
        let own = |error| at(error, None);
        assert!(own(CertificateError::UnknownIssuer).contains("let FICUS_ADMIN_CA name"));
        assert!(
            at(CertificateError::BadSignature, Some("ca.pem"))
                .contains("none of the authorities in `ca.pem`")
        );
        let expected = tokio_rustls::rustls::pki_types::ServerName::try_from("node-1").unwrap();
        let presented = vec!["DnsName(\"node-2\")".to_owned(), "IpAddress(10.0.0.1)".to_owned()];
        assert_eq!(
            own(CertificateError::NotValidForNameContext { expected, presented }),
            "its certificate is for `node-2`, `10.0.0.1`, not for `node-1`"
        );
        let second = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
        assert_eq!(
            own(CertificateError::ExpiredContext { time: second, not_after: second }),
            "its certificate ended at 1970-01-01 00:00:01 UTC"
        );
        let plain = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(sentence(&plain, "node-1:9900", None).contains("ask `http://node-1:9900`"));
    }

    #[test]
    fn files_without_certificates_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        assert!(from_file(&path).unwrap_err().contains("(FICUS_ADMIN_CA)"));
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(from_file(&path).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn hosts() {
        for (authority, expected) in [("[::1]:9900", "::1"), ("node-1:9900", "node-1")] {
            assert_eq!(host(authority), expected);
        }
    }
}
