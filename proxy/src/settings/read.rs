//! ficus.toml, environment and flags -> checked [`Settings`], or everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::{Document, Report, Severity, Value, bytes, duration};

use super::keys::{LEGACY_DEFAULT, default_of};
use super::layers::{Inputs, Layers, read_file};
use super::{
    Backend, CanarySettings, ControlSettings, Flask, Https, Limits, Listen, Log, Settings, StoreSettings,
    Timeouts, UpstreamAddress, values,
};

/// Reads everything; without settings the report has at least one error.
pub fn load(inputs: &Inputs) -> (Option<Settings>, Report) {
    let mut report = Report::default();
    let config = inputs.config_file();
    let source = config.as_ref().and_then(|(path, _)| read_file(path, &mut report));
    let document = source.as_ref().map(|source| Document::parse(source, &mut report));
    let layers = Layers::new(inputs, document.as_ref(), &mut report);
    layers.warn_of_unknown_variables(&mut report);
    let mut reader = Reader { layers, report };
    let settings = reader.settings(config.map(|(path, _)| path));
    let report = reader.report.sorted();
    (settings.filter(|_| !report.has_errors()), report)
}

struct Reader<'d> {
    layers: Layers<'d>,
    report: Report,
}

impl Reader<'_> {
    fn settings(&mut self, config: Option<PathBuf>) -> Option<Settings> {
        let listen = self.listen();
        let backends = self.backends();
        let flask = self.flask();
        let canary = self.canary();
        let control = self.control();
        let store = self.store();
        let limits = self.limits();
        let timeouts = self.timeouts();
        let log = self.log();
        let routes = self.routes();
        Some(Settings {
            listen: listen?,
            backends: backends?,
            flask: flask?,
            canary: canary?,
            control: control?,
            store: store?,
            limits: limits?,
            timeouts: timeouts?,
            log: log?,
            routes,
            config,
        })
    }

    /// A key's value read by `read`, or its default read by the same.
    fn key<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = self.layers.value(name).unwrap_or_else(|| unset(name));
        value.parsed(&mut self.report, read)
    }

    fn path(&mut self, name: &str) -> Option<PathBuf> {
        let value = self.layers.value(name).unwrap_or_else(|| unset(name));
        let text = value.text(&mut self.report)?;
        Some(self.layers.path(&value, &text))
    }

    fn duration(&mut self, name: &str) -> Option<Duration> {
        let value = self.layers.value(name).unwrap_or_else(|| unset(name));
        value.duration(&mut self.report)
    }

    /// A number of bytes: an integer, or a text with a unit.
    fn bytes(&mut self, name: &str) -> Option<u64> {
        let value = self.layers.value(name).unwrap_or_else(|| unset(name));
        if value.is_text() {
            value.parsed(&mut self.report, bytes)
        } else {
            value.integer(1, &mut self.report)
        }
    }

    fn listen(&mut self) -> Option<Listen> {
        let http = self.key("listen.http", values::listen_address);
        let https = self.https();
        let admin = self.key("listen.admin", values::listen_address);
        let admin_socket = self.path("listen.admin_socket");
        let reveal = self.layers.value("listen.reveal").unwrap_or_else(|| unset("listen.reveal"));
        let reveal = reveal.boolean(&mut self.report);
        let trusted_proxies = self.trusted_proxies();
        if let (Some(None), Some(None)) = (http, &https)
            && let Some(value) = self.layers.value("listen.http")
        {
            self.report.error(value.place(), "neither HTTP nor HTTPS: nobody could reach anything");
        }
        Some(Listen {
            http: http?,
            https: https?,
            admin: admin?,
            admin_socket: admin_socket?,
            reveal: reveal?,
            trusted_proxies: trusted_proxies?,
        })
    }

    /// The outer `Option` is `None` after an error, the inner one when HTTPS is not wanted.
    fn https(&mut self) -> Option<Option<Https>> {
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
        let certificate = self.readable(&certificate);
        let key = self.readable(&key);
        match address? {
            Some(address) => Some(Some(Https { address, certificate: certificate?, key: key? })),
            None => Some(None),
        }
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

    fn trusted_proxies(&mut self) -> Option<Vec<super::Network>> {
        let Some(value) = self.layers.value("listen.trusted_proxies") else {
            return Some(Vec::new());
        };
        let items = value.list(&mut self.report)?;
        let networks: Vec<_> =
            items.iter().map(|item| item.parsed(&mut self.report, |text| text.parse())).collect();
        networks.into_iter().collect()
    }

    fn backends(&mut self) -> Option<BTreeMap<String, Backend>> {
        let mut named = self.layers.backends(&mut self.report);
        named.entry("legacy".to_owned()).or_insert_with(|| {
            let value = Value::from_text("backends.legacy", "", LEGACY_DEFAULT);
            (value.place().clone(), value)
        });
        let mut backends = BTreeMap::new();
        let mut complete = true;
        for (name, (place, value)) in named {
            let fine = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
            if !fine || name.is_empty() || name == "off" {
                let label = "a name is made of lower-case letters, digits, `-` and `_`; `off` means nobody";
                self.report.error(&place, format!("bad backend name `{name}`")).label(label);
                complete = false;
            }
            match self.upstreams(&value) {
                Some(upstreams) => drop(backends.insert(name, Backend { upstreams })),
                None => complete = false,
            }
        }
        complete.then_some(backends)
    }

    fn upstreams(&mut self, value: &Value<'_>) -> Option<Vec<UpstreamAddress>> {
        let items = value.list(&mut self.report)?;
        if items.is_empty() {
            self.report.error(value.place(), format!("`{}` needs at least one address", value.path()));
            return None;
        }
        let base = if value.is_from_file() { self.layers.base().to_owned() } else { PathBuf::new() };
        let read = |text: &str| values::upstream(text, &base);
        let upstreams: Vec<_> = items.iter().map(|item| item.parsed(&mut self.report, read)).collect();
        upstreams.into_iter().collect()
    }

    fn flask(&mut self) -> Option<Flask> {
        let before = self.report.count(Severity::Error);
        let secret_key = values::flask_secret(&self.layers, &mut self.report);
        let good = self.report.count(Severity::Error) == before;
        let session_cookie = self.key("flask.session_cookie", values::cookie_name);
        let remember_cookie = self.key("flask.remember_cookie", values::cookie_name);
        let role_key = self.layers.value("flask.role_key").and_then(|value| value.text(&mut self.report));
        let profile = self.key("flask.profile", values::profile);
        good.then_some(())?;
        Some(Flask {
            secret_key,
            session_cookie: session_cookie?,
            remember_cookie: remember_cookie?,
            role_key: role_key.filter(|key| !key.is_empty()),
            profile: profile?,
        })
    }

    fn canary(&mut self) -> Option<CanarySettings> {
        let before = self.report.count(Severity::Error);
        let secret_key = values::secret("canary.secret_key", &self.layers, &mut self.report);
        let good = self.report.count(Severity::Error) == before;
        let off = |text: &str| (text != "off").then(|| values::cookie_name(text)).transpose();
        let visitor_cookie = self.key("canary.visitor_cookie", off);
        good.then_some(())?;
        Some(CanarySettings { secret_key, visitor_cookie: visitor_cookie? })
    }

    fn control(&mut self) -> Option<ControlSettings> {
        let value = self
            .layers
            .value("control.override_expires")
            .unwrap_or_else(|| unset("control.override_expires"));
        let never = value.is_text() && value.text(&mut self.report)? == "never";
        let override_expires = if never { None } else { Some(value.duration(&mut self.report)?) };
        Some(ControlSettings { override_expires })
    }

    fn store(&mut self) -> Option<StoreSettings> {
        let value = self.layers.value("store.url").unwrap_or_else(|| unset("store.url"));
        let url = value.parsed(&mut self.report, |text| values::store_url(&value, &self.layers, text));
        let url = url?;
        let directory = match self.layers.value("store.directory") {
            Some(_) => self.path("store.directory")?,
            None => beside(&url),
        };
        Some(StoreSettings { url, directory })
    }

    fn limits(&mut self) -> Option<Limits> {
        let body_bytes = self.bytes("limits.body_bytes");
        let header_bytes = self.bytes("limits.header_bytes");
        let uri_bytes = self.bytes("limits.uri_bytes");
        let value =
            self.layers.value("limits.backend_requests").unwrap_or_else(|| unset("limits.backend_requests"));
        let backend_requests = value.integer(1, &mut self.report);
        Some(Limits {
            body_bytes: body_bytes?,
            header_bytes: usize::try_from(header_bytes?).ok()?,
            uri_bytes: usize::try_from(uri_bytes?).ok()?,
            backend_requests: usize::try_from(backend_requests?).ok()?,
        })
    }

    fn timeouts(&mut self) -> Option<Timeouts> {
        let connect = self.duration("timeouts.connect");
        let upstream = self.duration("timeouts.upstream");
        let client_header = self.duration("timeouts.client_header");
        let client_body = self.duration("timeouts.client_body");
        let client_idle = self.duration("timeouts.client_idle");
        let upstream_idle = self.duration("timeouts.upstream_idle");
        let drain = self.key("timeouts.drain", duration);
        Some(Timeouts {
            connect: connect?,
            upstream: upstream?,
            client_header: client_header?,
            client_body: client_body?,
            client_idle: client_idle?,
            upstream_idle: upstream_idle?,
            drain: drain?,
        })
    }

    fn log(&mut self) -> Option<Log> {
        let value = self.layers.value("log.access").unwrap_or_else(|| unset("log.access"));
        let access = value.text(&mut self.report).map(|text| values::access_log(&value, &self.layers, &text));
        let level = self.key("log.level", values::log_level);
        Some(Log { access: access?, level: level? })
    }

    /// routes.toml: as said; when nobody says, the one beside ficus.toml if it is there.
    fn routes(&mut self) -> Option<PathBuf> {
        if self.layers.value("routes").is_some() {
            return self.path("routes");
        }
        let beside = self.layers.base().join(Path::new(default_of("routes")));
        beside.exists().then_some(beside)
    }
}

/// The directory of the database.
fn beside(url: &str) -> PathBuf {
    let file = Path::new(url.trim_start_matches("sqlite:"));
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where the admin socket is: all that most commands need to know, and no reason to complain about anything else.
pub fn admin_socket(inputs: &Inputs) -> PathBuf {
    let mut ignored = Report::default();
    let source = inputs.config_file().and_then(|(path, _)| read_file(&path, &mut ignored));
    let document = source.as_ref().map(|source| Document::parse(source, &mut ignored));
    let layers = Layers::new(inputs, document.as_ref(), &mut ignored);
    let value = layers.value("listen.admin_socket").unwrap_or_else(|| unset("listen.admin_socket"));
    let text = value.text(&mut ignored).unwrap_or_else(|| default_of("listen.admin_socket").to_owned());
    layers.path(&value, &text)
}

/// A key that nobody set, as a value that holds its default.
fn unset(name: &str) -> Value<'static> {
    Value::from_text(name, "", default_of(name))
}
