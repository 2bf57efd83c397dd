//! Values of ficus.toml: addresses, networks, upstreams, secrets.

use std::net::SocketAddr;
use std::path::Path;

use flask_compat::Profile;
use flask_compat::profile::UnknownProfile;

use crate::diagnostic::{Report, Severity, Value};

use super::keys;
use super::layers::Layers;
use super::{AccessLog, LogFormat, LogPaths, Secret, UpstreamAddress};

/// An address to listen on; `off`: none.
pub(super) fn listen_address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        format!("`{text}` is not an address: write `IP:PORT` such as `127.0.0.1:8080` or `[::]:80`, or `off`")
    })
}

/// `http://host:port`, `https://host:port` or `unix:/path`; a relative path is relative to `base`.
pub(super) fn upstream(text: &str, base: &Path) -> Result<UpstreamAddress, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return if path.is_empty() {
            Err("a Unix socket needs a path: `unix:/run/app.sock`".to_owned())
        } else {
            Ok(UpstreamAddress::Unix(base.join(path)))
        };
    }
    let wrong = || {
        format!("`{text}` is not an upstream: write `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`")
    };
    let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err(wrong()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(
            "an upstream is an address without a path: requests are forwarded as they come".to_owned()
        );
    }
    if rest.contains('@') {
        return Err("an upstream has no user name or password".to_owned());
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (rest, if tls { 443 } else { 80 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || port == 0 || host.contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok(UpstreamAddress::Tcp { host: host.to_owned(), port, tls })
}

/// `200`, `200-399`, `200-299, 401`.
pub(super) fn statuses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let wrong = || format!("`{text}` is not a list of statuses: write `200`, `200-399` or `200-299, 401`");
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..600).contains(status));
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
    };
    text.split(',').map(|item| range(item).ok_or_else(wrong)).collect()
}

/// The name of a profile.
pub(super) fn profile(text: &str) -> Result<Profile, String> {
    text.parse().map_err(|error: UnknownProfile| error.to_string())
}

/// Where the access log goes.
pub(super) fn access_log(value: &Value<'_>, layers: &Layers<'_>, text: &str) -> AccessLog {
    match text {
        "off" => AccessLog::Off,
        "stdout" => AccessLog::Stdout,
        path => AccessLog::File(layers.path(value, path)),
    }
}

/// What a line of the access log looks like.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "json" => Ok(LogFormat::Json),
        "common" => Ok(LogFormat::Common),
        _ => Err(format!("`{text}` is not a format: write `json` or `common`")),
    }
}

/// What the access log says of paths.
pub(super) fn log_paths(text: &str) -> Result<LogPaths, String> {
    match text {
        "full" => Ok(LogPaths::Full),
        "rule" => Ok(LogPaths::Rule),
        _ => Err(format!("`{text}` is neither `full` nor `rule`")),
    }
}

/// A filter such as `info` or `ficus=debug,warn`.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    match text.parse::<tracing_subscriber::EnvFilter>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "`{text}` is not a log filter: write `error`, `warn`, `info`, `debug` or `ficus=debug`"
        )),
    }
}

/// `sqlite:PATH`, where a relative path is relative to the file that says so, or `postgres://USER@HOST/DATABASE`.
pub(super) fn store_url(value: &Value<'_>, layers: &Layers<'_>, text: &str) -> Result<String, String> {
    if let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
        return shared_store(rest).map(|()| text.to_owned());
    }
    let forms = "a store is written as `sqlite:PATH`, or `postgres://USER@HOST/DATABASE` for a fleet";
    let path = text.strip_prefix("sqlite:").ok_or(forms)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('?') {
        return Err("a store is written as `sqlite:PATH`, without anything behind the path".to_owned());
    }
    Ok(format!("sqlite:{}", layers.path(value, path).display()))
}

/// What may stand behind the `?` of a shared store. A word that is misspelt must not leave TLS away.
const PARAMETERS: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "options"];
const MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/// What stands behind `postgres://`; the driver reads it in full when it connects.
fn shared_store(rest: &str) -> Result<(), String> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || query.split('&').any(|pair| pair.starts_with("password=")) {
        return Err("a password must not stand here: write `password = { env = \"PGPASSWORD\" }` or `{ file = \"PATH\" }`, \
                    or set `FICUS_STORE_PASSWORD`"
            .to_owned());
    }
    let unknown = query.split('&').filter(|pair| !pair.is_empty()).find_map(|pair| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        (!PARAMETERS.contains(&key)).then_some(key)
    });
    if let Some(key) = unknown {
        return Err(format!("`{key}` is not known behind the `?`: {}", PARAMETERS.join(", ")));
    }
    let mode = query.split('&').find_map(|pair| pair.strip_prefix("sslmode="));
    if let Some(mode) = mode.filter(|mode| !MODES.contains(mode)) {
        return Err(format!("`{mode}` is no `sslmode`: {}", MODES.join(", ")));
    }
    if user.is_empty() || database.is_empty() || database.contains('/') {
        return Err("a shared store is written as `postgres://USER@HOST:PORT/DATABASE`".to_owned());
    }
    Ok(())
}

/// The name of a node.
pub(super) fn node_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(good) {
        return Err(format!(
            "`{text}` cannot be the name of a node: letters, digits, `-`, `_` and `.`, at most 64 of them"
        ));
    }
    Ok(text.to_owned())
}

/// The name of this machine, as far as it can be the name of a node.
pub(super) fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    node_name(told.trim()).unwrap_or_else(|_| "node".to_owned())
}

/// How long a change waits for the other nodes: less than the command waits for its answer.
pub(super) fn wait(text: &str) -> Result<std::time::Duration, String> {
    let wait = crate::diagnostic::duration(text)?;
    if wait <= std::time::Duration::from_secs(8) {
        Ok(wait)
    } else {
        Err("must be at most 8s: `--wait` waits longer".to_owned())
    }
}

/// How often a node looks at the shared store.
pub(super) fn poll(text: &str) -> Result<std::time::Duration, String> {
    let poll = crate::diagnostic::duration(text)?;
    let bounds = std::time::Duration::from_millis(100)..=std::time::Duration::from_secs(60);
    if bounds.contains(&poll) { Ok(poll) } else { Err("must be from 100ms to 1m".to_owned()) }
}

/// The name of a cookie.
pub(super) fn cookie_name(text: &str) -> Result<String, String> {
    let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
    if !text.is_empty() && text.chars().all(token) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` cannot be the name of a cookie"))
    }
}

/// Flask's secret key; when nobody says anything, the variable that Flask itself reads, if it is set.
pub(super) fn flask_secret(layers: &Layers<'_>, report: &mut Report) -> Option<Secret> {
    let before = report.count(Severity::Error);
    let said = secret("flask.secret_key", layers, report);
    let file = layers.variable("flask.secret_key", "FICUS_FLASK_SECRET_KEY_FILE");
    let silent = layers.value("flask.secret_key").is_none()
        && file.is_none()
        && report.count(Severity::Error) == before;
    said.or_else(|| {
        layers.environment("FLASK_SECRET_KEY").filter(|_| silent).map(|text| Secret(text.to_owned()))
    })
}

/// A secret: by variable, by file, or in the key's own variable.
pub(super) fn secret(name: &str, layers: &Layers<'_>, report: &mut Report) -> Option<Secret> {
    let variable = keys::variable(name);
    if let Some(value) = layers.variable(name, &variable) {
        return value.text(report).map(Secret);
    }
    if let Some(value) = layers.variable(name, &format!("{variable}_FILE")) {
        let path = value.text(report)?;
        return secret_file(&value, Path::new(&path), layers, report);
    }
    let value = layers.value(name)?;
    if value.is_text() {
        let key = name.rsplit('.').next().unwrap_or(name);
        let example = match name {
            "flask.secret_key" => "FLASK_SECRET_KEY",
            "webhooks.secret" => "WEBHOOK_SECRET",
            "flask.channel_secret" => "LEGACY_SHIM_CHANNEL_SECRET",
            "shadow.database" => "DATABASE_URL",
            "shadow.fernet_keys" => "FERNET_KEYS",
            "store.password" => "PGPASSWORD",
            _ => "CANARY_SECRET_KEY",
        };
        report
            .error(value.key(), "a secret must not stand in the file")
            .label("name where it is kept")
            .help(format!("write `{key} = {{ env = \"{example}\" }}` or `{key} = {{ file = \"PATH\" }}`"));
        return None;
    }
    let section = value.section(&["env", "file"], report)?;
    match (section.get("env"), section.get("file")) {
        (Some(variable), None) => {
            let name = variable.text(report)?;
            let found = layers.environment(&name).map(|text| Secret(text.to_owned()));
            if found.is_none() {
                let message = format!("environment variable `{name}` is not set");
                layers.no_secret(variable.place(), message, report);
            }
            found
        }
        (None, Some(file)) => {
            let path = file.text(report)?;
            secret_file(&file, &layers.path(&file, &path), layers, report)
        }
        _ => {
            report.error(value.place(), format!("`{name}` needs either `env` or `file`"));
            None
        }
    }
}

fn secret_file(value: &Value<'_>, path: &Path, layers: &Layers<'_>, report: &mut Report) -> Option<Secret> {
    let message = match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => {
            return Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        Ok(_) => format!("`{}` is empty", path.display()),
        Err(error) => format!("cannot read `{}`: {error}", path.display()),
    };
    layers.no_secret(value.place(), message, report);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        let read = |text| upstream(text, Path::new("/etc/ficus"));
        let tcp = |host: &str, port| UpstreamAddress::Tcp { host: host.to_owned(), port, tls: false };
        assert_eq!(read("http://127.0.0.1:5000"), Ok(tcp("127.0.0.1", 5000)));
        assert_eq!(read("http://app/"), Ok(tcp("app", 80)));
        assert_eq!(read("http://[::1]:81"), Ok(tcp("::1", 81)));
        assert_eq!(read("http://[::1]"), Ok(tcp("::1", 80)));
        let tls = |port| UpstreamAddress::Tcp { host: "app".to_owned(), port, tls: true };
        assert_eq!(read("https://app"), Ok(tls(443)));
        assert_eq!(read("https://app:8443/"), Ok(tls(8443)));
        assert_eq!(read("unix:/run/x.sock"), Ok(UpstreamAddress::Unix("/run/x.sock".into())));
        assert_eq!(read("unix:x.sock"), Ok(UpstreamAddress::Unix("/etc/ficus/x.sock".into())));
        for wrong in [
            "",
            "127.0.0.1:5000",
            "https://",
            "ftp://x",
            "http://",
            "http://x/path",
            "http://u:p@x",
            "unix:",
            "http://x:y",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn status_lists() {
        assert_eq!(statuses("200-299, 401"), Ok(vec![(200, 299), (401, 401)]));
        for wrong in ["", "ok", "299-200", "99", "200-"] {
            assert!(statuses(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
