//! The keys of ficus.toml: what a table may hold, what a key is without being set, and its environment variable.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Full name, such as `listen.http`.
    pub name: &'static str,
    /// What holds when nobody sets it, as it would be written; empty: nothing.
    pub default: &'static str,
}

const fn key(name: &'static str, default: &'static str) -> Key {
    Key { name, default }
}

/// Every key with a fixed name. Backends are the one table whose keys are names of the writer's choice.
pub const KEYS: &[Key] = &[
    key("routes", "routes.toml"),
    key("listen.http", "127.0.0.1:8080"),
    key("listen.https.address", ""),
    key("listen.https.certificate", ""),
    key("listen.https.key", ""),
    key("listen.admin", "127.0.0.1:9900"),
    key("listen.admin_socket", "state/admin.sock"),
    key("listen.reveal", "false"),
    key("listen.trusted_proxies", ""),
    key("listen.proxy_protocol", ""),
    key("admin.api", "false"),
    key("admin.public", "false"),
    key("admin.certificate", ""),
    key("admin.key", ""),
    key("admin.hosts", ""),
    key("admin.admins", ""),
    key("admin.operators", ""),
    key("admin.viewers", ""),
    key("flask.secret_key", ""),
    key("flask.session_cookie", "session"),
    key("flask.remember_cookie", "remember_token"),
    key("flask.role_key", ""),
    key("flask.profile", "werkzeug-1.0"),
    key("flask.channel_secret", ""),
    key("canary.secret_key", ""),
    key("canary.visitor_cookie", "ficus_visitor"),
    key("control.override_expires", "24h"),
    key("store.url", "sqlite:state/ficus.db"),
    key("store.password", ""),
    key("store.directory", ""),
    key("fleet.node", ""),
    key("fleet.poll", "2s"),
    key("fleet.wait", "5s"),
    key("limits.body_bytes", "1GiB"),
    key("limits.header_bytes", "64KiB"),
    key("limits.uri_bytes", "8KiB"),
    key("limits.raw_targets", "false"),
    key("limits.backend_requests", "1024"),
    key("limits.body_rate", "500"),
    key("limits.buffer_bodies", "true"),
    key("limits.replay_bytes", "1MiB"),
    key("limits.replay_memory", "64MiB"),
    key("limits.connections", "16000"),
    key("limits.connections_per_client", "14000"),
    key("timeouts.connect", "2s"),
    key("timeouts.upstream", "60s"),
    key("timeouts.client_header", "10s"),
    key("timeouts.client_body", "30s"),
    key("timeouts.client_idle", "60s"),
    key("timeouts.upstream_idle", "1s"),
    key("timeouts.drain", "30s"),
    key("timeouts.before_drain", "0s"),
    key("timeouts.upgrade", "30s"),
    key("shadow.body_bytes", "256KiB"),
    key("shadow.queue", "256"),
    key("shadow.concurrency", "8"),
    key("shadow.timeout", "5s"),
    key("shadow.confirm", "30"),
    key("shadow.groups", "200"),
    key("shadow.samples", "5"),
    key("shadow.keep", "720h"),
    key("shadow.profiles", ""),
    key("shadow.database", ""),
    key("shadow.fernet_keys", ""),
    key("shadow.dry_runs", "4"),
    key("shadow.dry_run_timeout", "500ms"),
    key("shadow.self_test", "60s"),
    key("shadow.noise", "0"),
    key("shadow.noise_per_route", "6"),
    key("log.access", "stdout"),
    key("log.format", "json"),
    key("log.paths", "full"),
    key("log.level", "info"),
    key("webhooks.before", ""),
    key("webhooks.after", ""),
    key("webhooks.secret", ""),
    key("webhooks.timeout", "2s"),
    key("webhooks.veto", "true"),
    key("telemetry.otlp_endpoint", ""),
    key("telemetry.service_name", "ficus"),
    key("telemetry.sample", "1.0"),
];

/// The keys of one backend.
pub const BACKEND: &[Key] = &[
    key("upstreams", ""),
    key("ca", ""),
    key("max_requests", ""),
    key("queue", "256"),
    key("queue_wait", "5s"),
    key("fallback_requests", ""),
    key("repeats", "64"),
    key("eject_after", "5"),
    key("eject_for", "10s"),
    key("max_ejected", "0.5"),
    key("slow_start", "10s"),
    key("reuse_for_writes", "0s"),
    key("health", ""),
];

/// The keys of the health check of a backend.
pub const HEALTH: &[Key] = &[
    key("path", ""),
    key("interval", "5s"),
    key("timeout", "2s"),
    key("status", "200-399"),
    key("unhealthy_after", "2"),
    key("healthy_after", "2"),
];

/// The backend that is always there, when nobody says where.
pub(super) const LEGACY_DEFAULT: &str = "http://127.0.0.1:5000";

/// Variables of the environment that are read but are no key of the file.
pub(super) const OTHER_VARIABLES: &[&str] = &[
    "FICUS_CONFIG",
    "FICUS_FLASK_SECRET_KEY_FILE",
    "FICUS_CANARY_SECRET_KEY_FILE",
    "FICUS_FLASK_CHANNEL_SECRET_FILE",
    "FICUS_SHADOW_DATABASE_FILE",
    "FICUS_SHADOW_FERNET_KEYS_FILE",
    "FICUS_STORE_PASSWORD_FILE",
    "FICUS_WEBHOOKS_SECRET_FILE",
    "FICUS_UPGRADE_FROM",
    "FICUS_YES",
    "FICUS_ADMIN",
    "FICUS_ADMIN_CA",
    "FICUS_TOKEN",
    "FICUS_TOKEN_FILE",
    "FICUS_KILL_AT",
];

/// The environment variable of a key: `listen.http` is `FICUS_LISTEN_HTTP`.
pub fn variable(name: &str) -> String {
    let upper = name.replace(['.', '-'], "_").to_ascii_uppercase();
    format!("FICUS_{upper}")
}

/// What holds when nobody sets a key.
pub(super) fn default_of(name: &str) -> &'static str {
    KEYS.iter().find(|key| key.name == name).map_or("", |key| key.default)
}

/// What holds when nobody sets a key of a backend.
pub(super) fn backend_default(name: &str) -> &'static str {
    BACKEND.iter().find(|key| key.name == name).map_or("", |key| key.default)
}

/// What holds when nobody sets a key of a health check.
pub(super) fn health_default(name: &str) -> &'static str {
    HEALTH.iter().find(|key| key.name == name).map_or("", |key| key.default)
}

/// The names of these keys.
pub(super) fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// The names that may stand in the table `path` (the top level: empty path).
pub(super) fn names_in(path: &str) -> Vec<&'static str> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let mut names: Vec<&'static str> = KEYS
        .iter()
        .filter_map(|key| key.name.strip_prefix(&prefix))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    if path.is_empty() {
        names.push("backends");
    }
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_know_their_keys() {
        assert_eq!(
            names_in(""),
            [
                "admin",
                "backends",
                "canary",
                "control",
                "flask",
                "fleet",
                "limits",
                "listen",
                "log",
                "routes",
                "shadow",
                "store",
                "telemetry",
                "timeouts",
                "webhooks"
            ]
        );
        assert_eq!(names_in("listen.https"), ["address", "certificate", "key"]);
        assert_eq!(variable("listen.admin_socket"), "FICUS_LISTEN_ADMIN_SOCKET");
    }
}
