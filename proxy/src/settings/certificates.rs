//! Certificates and their keys, as the settings name them: for HTTPS and for the admin API. They are read here only so far
//! that it is known that they can be; what is in them is for `server::tls`.

use std::path::PathBuf;

use crate::diagnostic::Value;

use super::read::Reader;
use super::{CertificatePair, Https, values};

impl Reader<'_> {
    /// The outer `Option` is `None` after an error, the inner one when HTTPS is not wanted.
    pub(super) fn https(&mut self) -> Option<Option<Https>> {
        let part = |name: &str| self.layers.value(&format!("listen.https.{name}"));
        let (address, certificate, key) = (part("address"), part("certificate"), part("key"));
        let Some(anchor) = address.as_ref().or(certificate.as_ref()).or(key.as_ref()).cloned() else {
            return Some(None);
        };
        let missing: Vec<&str> = [("address", &address), ("certificate", &certificate), ("key", &key)]
            .into_iter()
            .filter_map(|(name, value)| value.is_none().then_some(name))
            .collect();
        for name in &missing {
            self.report.error(anchor.key(), format!("`listen.https` needs `{name}`"));
        }
        let (address, certificate, key) = (address?, certificate?, key?);
        let address = address.parsed(&mut self.report, values::listen_address);
        let pairs = self.pairs(&certificate, &key);
        match address? {
            Some(address) => Some(Some(Https { address, pairs: pairs? })),
            None => Some(None),
        }
    }

    /// The certificates of the admin API; none: there is no TLS.
    pub(super) fn admin_tls(&mut self) -> Option<Vec<CertificatePair>> {
        let (certificate, key) = (self.layers.value("admin.certificate"), self.layers.value("admin.key"));
        let (missing, only) = match (certificate, key) {
            (None, None) => return Some(Vec::new()),
            (Some(certificate), Some(key)) => return self.pairs(&certificate, &key),
            (Some(only), None) => ("admin.key", only),
            (None, Some(only)) => ("admin.certificate", only),
        };
        self.report.error(only.key(), format!("TLS for the admin API needs `{missing}`, too"));
        None
    }

    /// One certificate with its key, or as many keys as certificates.
    fn pairs(&mut self, certificate: &Value<'_>, key: &Value<'_>) -> Option<Vec<CertificatePair>> {
        let items = |value: &Value<'_>, reader: &mut Self| {
            let one = value.is_text() && value.is_from_file();
            let items = if one { vec![value.clone()] } else { value.list(&mut reader.report)? };
            items.iter().map(|item| reader.readable(item)).collect::<Option<Vec<_>>>()
        };
        let certificates = items(certificate, self);
        let (certificates, keys) = (certificates?, items(key, self)?);
        if certificates.is_empty() || certificates.len() != keys.len() {
            let (certificates, keys) = (certificates.len(), keys.len());
            let message =
                format!("{certificates} certificates and {keys} keys: each certificate needs its key");
            self.report.error(key.place(), message);
            return None;
        }
        let pair = |(certificate, key)| CertificatePair { certificate, key };
        Some(certificates.into_iter().zip(keys).map(pair).collect())
    }

    /// A path to a file that must be there at start.
    fn readable(&mut self, value: &Value<'_>) -> Option<PathBuf> {
        let text = value.text(&mut self.report)?;
        let path = self.layers.path(value, &text);
        match std::fs::File::open(&path) {
            Ok(_) => Some(path),
            Err(error) => {
                self.report.error(value.place(), format!("cannot read `{}`: {error}", path.display()));
                None
            }
        }
    }
}
