//! `[backends]`: the places that can answer, and how they are treated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::diagnostic::{Place, Report, Section, Value, duration};

use super::keys::{self, LEGACY_DEFAULT};
use super::layers::{Layers, NamedBackend};
use super::values;

/// A place that can answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    /// Its addresses; at least one.
    pub upstreams: Vec<UpstreamAddress>,
    /// DER certificates of who may sign for its `https://` upstreams; absent: the system's.
    pub ca: Option<Arc<Vec<Vec<u8>>>>,
    /// Most requests in progress on it.
    pub max_requests: usize,
    /// Most requests that wait for a place on it, or for its return.
    pub queue: usize,
    /// Longest wait for a place.
    pub queue_wait: Duration,
    /// Most requests in progress on it that another backend could not answer.
    pub fallback_requests: usize,
    /// Most requests in progress on it that are sent to it for the second time.
    pub repeats: usize,
    /// When an upstream that fails is left alone.
    pub ejection: Ejection,
    /// How long an upstream that is back gets less than its share.
    pub slow_start: Duration,
    /// How long a connection may have rested and still carry a request that must not be repeated.
    pub reuse_for_writes: Duration,
    /// What is asked of its upstreams, if anything.
    pub health: Option<HealthCheck>,
}

/// When an upstream that accepts connections but fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ejection {
    /// Failures in a row; 0: never.
    pub after: u32,
    /// For how long, the first time; it doubles from time to time.
    pub time: Duration,
    /// The largest share of the upstreams that is left alone at one time.
    pub share: f64,
}

/// A request that is sent to an upstream to see how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path and query.
    pub path: String,
    /// From one check to the next.
    pub interval: Duration,
    /// For the whole check.
    pub timeout: Duration,
    /// Statuses that are well, as ranges.
    pub status: Vec<(u16, u16)>,
    /// Checks in a row that fail before the upstream is left alone.
    pub unhealthy_after: u32,
    /// Checks in a row that are well before it is used again.
    pub healthy_after: u32,
}

/// One address of a backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UpstreamAddress {
    /// `http://host:port` or `https://host:port`.
    Tcp {
        /// Host name or IP address.
        host: String,
        /// Port.
        port: u16,
        /// Whether it is `https`.
        tls: bool,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// All backends; `None` after an error. `most` is `limits.backend_requests`.
pub(super) fn read(
    layers: &Layers<'_>,
    most: usize,
    report: &mut Report,
) -> Option<BTreeMap<String, Backend>> {
    let mut named = layers.backends(report);
    named.entry("legacy".to_owned()).or_insert_with(|| {
        let value = Value::from_text("backends.legacy", "", LEGACY_DEFAULT);
        NamedBackend { place: value.place().clone(), upstreams: value, section: None }
    });
    let mut backends = BTreeMap::new();
    let mut complete = true;
    for (name, named) in named {
        complete &= check_name(&name, &named.place, report);
        match backend(layers, &name, &named, most, report) {
            Some(backend) => drop(backends.insert(name, backend)),
            None => complete = false,
        }
    }
    complete.then_some(backends)
}

fn check_name(name: &str, place: &Place, report: &mut Report) -> bool {
    let fine = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    if fine && !name.is_empty() && name != "off" {
        return true;
    }
    let label = "a name is made of lower-case letters, digits, `-` and `_`; `off` means nobody";
    report.error(place, format!("bad backend name `{name}`")).label(label);
    false
}

fn backend(
    layers: &Layers<'_>,
    name: &str,
    named: &NamedBackend<'_>,
    most: usize,
    report: &mut Report,
) -> Option<Backend> {
    let upstreams = upstreams(layers, &named.upstreams, report);
    let table = Table { section: named.section.as_ref(), name };
    let max_requests = table.count("max_requests", 1, report).map(|found| found.unwrap_or(most));
    let queue = table.or_default("queue", 0, report);
    let queue_wait = table.duration("queue_wait", report);
    let fallback_requests = table.count("fallback_requests", 0, report);
    let repeats = table.or_default("repeats", 0, report);
    let after = table.or_default("eject_after", 0, report);
    let time = table.duration("eject_for", report);
    let share = table.value("max_ejected").number(0.0, 1.0, report);
    let slow_start = table.value("slow_start").parsed(report, duration);
    let reuse_for_writes = table.value("reuse_for_writes").parsed(report, duration);
    let ca = match table.get("ca") {
        Some(value) => Some(Arc::new(certificates(layers, &value, report)?)),
        None => None,
    };
    let health = match table.get("health") {
        Some(value) => Some(health(&value, report)?),
        None => None,
    };
    let max_requests = max_requests?;
    Some(Backend {
        upstreams: upstreams?,
        ca,
        max_requests,
        queue: queue?,
        queue_wait: queue_wait?,
        fallback_requests: fallback_requests?.unwrap_or(max_requests.div_ceil(2)),
        repeats: repeats?,
        ejection: Ejection { after: u32::try_from(after?).unwrap_or(u32::MAX), time: time?, share: share? },
        slow_start: slow_start?,
        reuse_for_writes: reuse_for_writes?,
        health,
    })
}

/// The table of one backend, or of one health check; a key that is not there has its default.
struct Table<'t, 'd> {
    section: Option<&'t Section<'d>>,
    name: &'t str,
}

impl<'d> Table<'_, 'd> {
    fn get(&self, key: &str) -> Option<Value<'d>> {
        self.section?.get(key)
    }

    fn value(&self, key: &str) -> Value<'d> {
        let path = || format!("backends.{}.{key}", self.name);
        self.get(key).unwrap_or_else(|| Value::from_text(&path(), "", keys::backend_default(key)))
    }

    fn duration(&self, key: &str, report: &mut Report) -> Option<Duration> {
        self.value(key).duration(report)
    }

    /// The outer `Option` is `None` after an error, the inner one when nobody set the key.
    fn count(&self, key: &str, least: u64, report: &mut Report) -> Option<Option<usize>> {
        match self.get(key) {
            Some(value) => usize::try_from(value.integer(least, report)?).ok().map(Some),
            None => Some(None),
        }
    }

    fn or_default(&self, key: &str, least: u64, report: &mut Report) -> Option<usize> {
        usize::try_from(self.value(key).integer(least, report)?).ok()
    }
}

fn upstreams(layers: &Layers<'_>, value: &Value<'_>, report: &mut Report) -> Option<Vec<UpstreamAddress>> {
    let items = value.list(report)?;
    if items.is_empty() {
        report.error(value.place(), format!("`{}` needs at least one address", value.path()));
        return None;
    }
    let base = if value.is_from_file() { layers.base().to_owned() } else { PathBuf::new() };
    let read = |text: &str| values::upstream(text, &base);
    let upstreams: Vec<_> = items.iter().map(|item| item.parsed(report, read)).collect();
    upstreams.into_iter().collect()
}

fn health(value: &Value<'_>, report: &mut Report) -> Option<HealthCheck> {
    let section = value.section(&keys::names(keys::HEALTH), report)?;
    let Some(path) = section.get("path") else {
        report.error(value.place(), format!("`{}` needs a `path`", value.path()));
        return None;
    };
    let path = path.parsed(report, |text| {
        let fine = text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic());
        if fine { Ok(text.to_owned()) } else { Err("a path begins with `/` and has no spaces".to_owned()) }
    });
    let of = |key: &str| {
        let default = || Value::from_text(&format!("{}.{key}", value.path()), "", keys::health_default(key));
        section.get(key).unwrap_or_else(default)
    };
    let interval = of("interval").duration(report);
    let timeout = of("timeout").duration(report);
    let status = of("status").parsed(report, values::statuses);
    let unhealthy_after = of("unhealthy_after").integer(1, report);
    let healthy_after = of("healthy_after").integer(1, report);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Some(HealthCheck {
        path: path?,
        interval: interval?,
        timeout: timeout?,
        status: status?,
        unhealthy_after: small(unhealthy_after?),
        healthy_after: small(healthy_after?),
    })
}

/// The certificates of a PEM file.
fn certificates(layers: &Layers<'_>, value: &Value<'_>, report: &mut Report) -> Option<Vec<Vec<u8>>> {
    let text = value.text(report)?;
    let path = layers.path(value, &text);
    let read = || CertificateDer::pem_file_iter(&path)?.collect::<Result<Vec<_>, _>>();
    let message = match read() {
        Ok(found) if found.is_empty() => format!("there is no certificate in `{}`", path.display()),
        Ok(found) if found.iter().all(|der| RootCertStore::empty().add(der.clone()).is_ok()) => {
            return Some(found.iter().map(|der| der.as_ref().to_vec()).collect());
        }
        Ok(_) => format!("`{}` has a certificate that cannot be used", path.display()),
        Err(error) => format!("cannot read a certificate from `{}`: {error}", path.display()),
    };
    report.error(value.place(), message);
    None
}
