//! ficus.toml, environment and flags -> checked [`Settings`], or everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::{Document, Report, Severity, Value, bytes, duration};

use super::keys::default_of;
use super::layers::{Inputs, Layers, read_file};
use super::shadow::stack;
use super::{
    AdminSettings, CanarySettings, ControlSettings, Flask, FleetSettings, Limits, Listen, Log, Settings,
    ShadowSettings, StoreSettings, Timeouts, Written, backends, telemetry, values, webhooks,
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
    let written = Written(document.as_ref().map(Document::written).unwrap_or_default());
    let settings =
        reader.settings(config.map(|(path, _)| path)).map(|settings| Settings { written, ..settings });
    let report = reader.report.sorted();
    (settings.filter(|_| !report.has_errors()), report)
}

pub(super) struct Reader<'d> {
    pub(super) layers: Layers<'d>,
    pub(super) report: Report,
}

impl Reader<'_> {
    fn settings(&mut self, config: Option<PathBuf>) -> Option<Settings> {
        let listen = self.listen();
        let reach = listen.as_ref().map(|listen| listen.admin);
        let admin = super::admin::read(&self.layers, reach, &mut self.report);
        let admin_tls = self.admin_tls();
        let flask = self.flask();
        let canary = self.canary();
        let control = self.control();
        let store = self.store();
        let fleet = self.fleet();
        let limits = self.limits();
        let most = limits.as_ref().map_or(1, |limits| limits.backend_requests);
        let backends = backends::read(&self.layers, most, &mut self.report);
        let timeouts = self.timeouts();
        let shadow = self.shadow();
        let log = self.log();
        let webhooks = webhooks::read(&self.layers, &mut self.report);
        let telemetry = telemetry::read(&self.layers, &mut self.report);
        let routes = self.routes();
        Some(Settings {
            listen: listen?,
            admin: AdminSettings { tls: admin_tls?, ..admin? },
            backends: backends?,
            flask: flask?,
            canary: canary?,
            control: control?,
            store: store?,
            fleet: fleet?,
            limits: limits?,
            timeouts: timeouts?,
            shadow: shadow?,
            log: log?,
            webhooks: webhooks?,
            telemetry: telemetry?,
            routes,
            config,
            written: Written::default(),
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
        let reveal = self.boolean("listen.reveal");
        let trusted_proxies = self.networks("listen.trusted_proxies");
        let proxy_protocol = self.networks("listen.proxy_protocol");
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
            proxy_protocol: proxy_protocol?,
        })
    }

    fn networks(&mut self, name: &str) -> Option<Vec<super::Network>> {
        let Some(value) = self.layers.value(name) else {
            return Some(Vec::new());
        };
        let items = value.list(&mut self.report)?;
        let networks: Vec<_> =
            items.iter().map(|item| item.parsed(&mut self.report, |text| text.parse())).collect();
        networks.into_iter().collect()
    }

    fn flask(&mut self) -> Option<Flask> {
        let before = self.report.count(Severity::Error);
        let secret_key = values::flask_secret(&self.layers, &mut self.report);
        let channel_secret = values::secret("flask.channel_secret", &self.layers, &mut self.report);
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
            channel_secret,
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
        let before = self.report.count(Severity::Error);
        let password = values::secret("store.password", &self.layers, &mut self.report);
        let url = url.filter(|_| self.report.count(Severity::Error) == before)?;
        let directory = match self.layers.value("store.directory") {
            Some(_) => self.path("store.directory")?,
            None => beside(&url),
        };
        Some(StoreSettings { url, password, directory })
    }

    fn fleet(&mut self) -> Option<FleetSettings> {
        let node = match self.layers.value("fleet.node") {
            Some(value) => value.parsed(&mut self.report, values::node_name),
            None => Some(values::host_name()),
        };
        let (poll, wait) = (self.key("fleet.poll", values::poll), self.key("fleet.wait", values::wait));
        Some(FleetSettings { node: node?, poll: poll?, wait: wait? })
    }

    fn limits(&mut self) -> Option<Limits> {
        let body_bytes = self.bytes("limits.body_bytes");
        let header_bytes = self.bytes("limits.header_bytes");
        let uri_bytes = self.bytes("limits.uri_bytes");
        let raw_targets = self.boolean("limits.raw_targets");
        let backend_requests = self.count("limits.backend_requests");
        let body_rate = self.bytes("limits.body_rate");
        let buffer_bodies = self.boolean("limits.buffer_bodies");
        let replay_bytes = self.bytes("limits.replay_bytes");
        let replay_memory = self.bytes("limits.replay_memory");
        let connections = self.count("limits.connections");
        let connections_per_client = self.count("limits.connections_per_client");
        Some(Limits {
            body_bytes: body_bytes?,
            header_bytes: usize::try_from(header_bytes?).ok()?,
            uri_bytes: usize::try_from(uri_bytes?).ok()?,
            raw_targets: raw_targets?,
            backend_requests: backend_requests?,
            body_rate: body_rate?,
            buffer_bodies: buffer_bodies?,
            replay_bytes: usize::try_from(replay_bytes?).ok()?,
            replay_memory: usize::try_from(replay_memory?).ok()?,
            connections: connections?,
            connections_per_client: connections_per_client?,
        })
    }

    /// A whole number of at least one.
    fn count(&mut self, name: &str) -> Option<usize> {
        let value = self.layers.value(name).unwrap_or_else(|| unset(name));
        usize::try_from(value.integer(1, &mut self.report)?).ok()
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.layers.value(name).unwrap_or_else(|| unset(name));
        value.boolean(&mut self.report)
    }

    fn timeouts(&mut self) -> Option<Timeouts> {
        let [connect, upstream, upstream_idle, upgrade] = ["connect", "upstream", "upstream_idle", "upgrade"]
            .map(|name| self.duration(&format!("timeouts.{name}")));
        let [client_header, client_body, client_idle] =
            ["header", "body", "idle"].map(|name| self.duration(&format!("timeouts.client_{name}")));
        let drain = self.key("timeouts.drain", duration);
        let before_drain = self.key("timeouts.before_drain", duration);
        Some(Timeouts {
            connect: connect?,
            upstream: upstream?,
            client_header: client_header?,
            client_body: client_body?,
            client_idle: client_idle?,
            upstream_idle: upstream_idle?,
            drain: drain?,
            before_drain: before_drain?,
            upgrade: upgrade?,
        })
    }

    fn shadow(&mut self) -> Option<ShadowSettings> {
        let before = self.report.count(Severity::Error);
        let [database, fernet_keys] = ["shadow.database", "shadow.fernet_keys"]
            .map(|name| values::secret(name, &self.layers, &mut self.report));
        let good = self.report.count(Severity::Error) == before;
        let (dry_runs, dry_run_timeout) =
            (self.count("shadow.dry_runs"), self.duration("shadow.dry_run_timeout"));
        let body_bytes = self.bytes("shadow.body_bytes");
        let [queue, concurrency, groups, samples] =
            ["queue", "concurrency", "groups", "samples"].map(|name| self.number(&format!("shadow.{name}")));
        let (timeout, keep) = (self.duration("shadow.timeout"), self.duration("shadow.keep"));
        let self_test = self.duration("shadow.self_test");
        let [noise, noise_per_route, confirm] = ["noise", "noise_per_route", "confirm"].map(|name| {
            let name = format!("shadow.{name}");
            self.layers.value(&name).unwrap_or_else(|| unset(&name)).integer(0, &mut self.report)
        });
        let profiles = match self.layers.value("shadow.profiles") {
            None => Some(BTreeMap::new()),
            Some(value) => {
                let items = value.list(&mut self.report)?;
                let read: Vec<_> = items.iter().map(|item| item.parsed(&mut self.report, stack)).collect();
                read.into_iter().collect()
            }
        };
        good.then_some(())?;
        Some(ShadowSettings {
            database,
            fernet_keys,
            dry_runs: dry_runs?,
            dry_run_timeout: dry_run_timeout?,
            body_bytes: body_bytes?,
            queue: usize::try_from(queue?).ok()?,
            concurrency: usize::try_from(concurrency?).ok()?,
            timeout: timeout?,
            confirm: u32::try_from(confirm?).ok()?,
            groups: u32::try_from(groups?).ok()?,
            samples: u32::try_from(samples?).ok()?,
            keep: keep?,
            profiles: profiles?,
            self_test: self_test?,
            noise: u32::try_from(noise?).unwrap_or(u32::MAX),
            noise_per_route: u32::try_from(noise_per_route?).unwrap_or(u32::MAX),
        })
    }

    /// A whole number of at least 1.
    fn number(&mut self, name: &str) -> Option<u64> {
        self.layers.value(name).unwrap_or_else(|| unset(name)).integer(1, &mut self.report)
    }

    fn log(&mut self) -> Option<Log> {
        let value = self.layers.value("log.access").unwrap_or_else(|| unset("log.access"));
        let access = value.text(&mut self.report).map(|text| values::access_log(&value, &self.layers, &text));
        let format = self.key("log.format", values::log_format);
        let paths = self.key("log.paths", values::log_paths);
        let level = self.key("log.level", values::log_level);
        Some(Log { access: access?, format: format?, paths: paths?, level: level? })
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

/// The directory of the database; where the database is elsewhere, the one that it would have by default.
fn beside(url: &str) -> PathBuf {
    let url = if url.starts_with("sqlite:") { url } else { default_of("store.url") };
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
