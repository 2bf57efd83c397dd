//! The settings that hold now, and what another look at ficus.toml may change of them.

use std::collections::BTreeMap;
use std::ops::Deref;

use arc_swap::ArcSwap;

use super::Settings;

/// Keys that take effect while the process runs. Everything else needs a new process: `ficus upgrade`, or a restart.
pub const RELOADABLE: &[&str] = &[
    "admin.certificate",
    "admin.key",
    "limits.body_bytes",
    "limits.header_bytes",
    "limits.uri_bytes",
    "limits.raw_targets",
    "limits.buffer_bodies",
    "listen.https.certificate",
    "listen.https.key",
    "listen.reveal",
    "listen.trusted_proxies",
    "log.level",
    "timeouts.before_drain",
    "timeouts.client_body",
    "timeouts.client_header",
    "timeouts.client_idle",
    "timeouts.drain",
    "timeouts.upgrade",
];

/// The settings that hold now. Requests read them like a plain reference, without counting who does.
///
/// A reload leaves the old ones in memory for ever: it is rare, and they are a few kilobytes.
#[derive(Debug)]
pub struct Current(ArcSwap<&'static Settings>);

/// Every key of ficus.toml as it is written there, to see what an edit changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Written(pub(super) BTreeMap<String, String>);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// What an edit of ficus.toml comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Keys that take effect at once.
    pub applied: Vec<String>,
    /// Keys that need a new process.
    pub waiting: Vec<String>,
}

impl Current {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self(ArcSwap::from_pointee(Box::leak(Box::new(settings))))
    }

    /// Takes from other settings what may change while the process runs.
    pub fn take(&self, new: &Settings) -> Difference {
        let mut difference = self.written.difference(&new.written);
        // Whether there is TLS at all is settled when the listener begins.
        if self.admin.tls.is_empty() != new.admin.tls.is_empty() {
            difference.let_wait(&["admin.certificate", "admin.key"]);
        }
        if !difference.applied.is_empty() {
            let merged = merged(self, new, &difference);
            self.0.store(std::sync::Arc::new(Box::leak(Box::new(merged))));
        }
        difference
    }
}

impl Difference {
    /// These do not take effect at once after all.
    fn let_wait(&mut self, keys: &[&str]) {
        let applied = std::mem::take(&mut self.applied);
        let (waiting, applied) = applied.into_iter().partition(|key| keys.contains(&key.as_str()));
        self.applied = applied;
        self.waiting = [std::mem::take(&mut self.waiting), waiting].concat();
        self.waiting.sort();
    }
}

impl Deref for Current {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        **self.0.load()
    }
}

impl Written {
    fn difference(&self, new: &Self) -> Difference {
        let keys = self.0.keys().chain(new.0.keys()).filter(|key| self.0.get(*key) != new.0.get(*key));
        let keys: std::collections::BTreeSet<String> = keys.cloned().collect();
        let (applied, waiting) = keys.into_iter().partition(|key| RELOADABLE.contains(&key.as_str()));
        Difference { applied, waiting }
    }

    fn with(&self, new: &Self, keys: &[String]) -> Self {
        let mut merged = self.0.clone();
        for key in keys {
            match new.0.get(key) {
                Some(text) => drop(merged.insert(key.clone(), text.clone())),
                None => drop(merged.remove(key)),
            }
        }
        Self(merged)
    }
}

fn merged(old: &Settings, new: &Settings, difference: &Difference) -> Settings {
    let mut merged = old.clone();
    merged.limits.body_bytes = new.limits.body_bytes;
    merged.limits.header_bytes = new.limits.header_bytes;
    merged.limits.uri_bytes = new.limits.uri_bytes;
    merged.limits.raw_targets = new.limits.raw_targets;
    merged.limits.buffer_bodies = new.limits.buffer_bodies;
    if let (Some(old), Some(new)) = (&mut merged.listen.https, &new.listen.https) {
        old.pairs.clone_from(&new.pairs);
    }
    if !old.admin.tls.is_empty() && !new.admin.tls.is_empty() {
        merged.admin.tls.clone_from(&new.admin.tls);
    }
    merged.listen.reveal = new.listen.reveal;
    merged.listen.trusted_proxies.clone_from(&new.listen.trusted_proxies);
    merged.log.level.clone_from(&new.log.level);
    merged.timeouts.before_drain = new.timeouts.before_drain;
    merged.timeouts.client_body = new.timeouts.client_body;
    merged.timeouts.client_header = new.timeouts.client_header;
    merged.timeouts.client_idle = new.timeouts.client_idle;
    merged.timeouts.drain = new.timeouts.drain;
    merged.timeouts.upgrade = new.timeouts.upgrade;
    merged.written = old.written.with(&new.written, &difference.applied);
    merged
}

#[cfg(test)]
mod tests {
    use super::super::KEYS;
    use super::*;

    #[test]
    fn reloadable_keys_are_keys() {
        for key in RELOADABLE {
            assert!(KEYS.iter().any(|known| known.name == *key), "{key}");
        }
    }

    #[test]
    fn a_difference_names_what_is_applied_and_what_waits() {
        let written = |pairs: &[(&str, &str)]| {
            Written(pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect())
        };
        let old = written(&[("listen.http", "a"), ("limits.uri_bytes", "1"), ("log.access", "x")]);
        let new = written(&[("listen.http", "b"), ("timeouts.drain", "1s"), ("log.access", "x")]);
        let difference = old.difference(&new);
        assert_eq!(difference.applied, ["limits.uri_bytes", "timeouts.drain"]);
        assert_eq!(difference.waiting, ["listen.http"]);
        let mut tls = difference.clone();
        tls.let_wait(&["limits.uri_bytes"]);
        assert_eq!(
            (tls.applied, tls.waiting),
            (
                vec!["timeouts.drain".to_owned()],
                vec!["limits.uri_bytes".to_owned(), "listen.http".to_owned()]
            )
        );
        let merged = old.with(&new, &difference.applied);
        let again = merged.difference(&new);
        assert_eq!(
            (again.applied.as_slice(), again.waiting.as_slice()),
            (&[][..], &["listen.http".to_owned()][..])
        );
    }
}
