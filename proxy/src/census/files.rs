//! What `ficus init` writes: the text of ficus.toml, and files that are never lost by being written.

use std::io;
use std::path::Path;

use super::document::Census;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Written,
    /// It was there, said something else, and may be replaced.
    Replaced,
    /// It says the same already.
    Same,
    /// It says something else, and stays.
    Kept,
}

/// The text of ficus.toml for an application; `routes` is the routing file, as seen from there.
#[must_use]
pub fn settings_text(census: &Census, routes: &str) -> String {
    let versions = &census.versions;
    let routes = toml::Value::from(routes);
    let cookie = toml::Value::from(census.session.cookie.as_str());
    let key = if census.secret_key.set { "" } else { "# the application has none: " };
    let (app, profile) = (&census.app.target, &census.profile);
    format!(
        "\
# ficus.toml: this node. Written by `ficus init` for `{app}` (Flask {flask}, Werkzeug {werkzeug}).
# Every key has a default and an environment variable: see docs/reference/ficus-toml.md. `ficus check` checks this file.

routes = {routes}

[listen]
http = \"127.0.0.1:8080\"
admin = \"127.0.0.1:9900\"              # /metrics, /livez, /readyz: read-only
admin_socket = \"state/admin.sock\"     # what the commands use

[backends]
legacy = {{ upstreams = [\"http://127.0.0.1:5000\"] }}        # the Flask application
rust = {{ upstreams = [\"unix:state/handlers.sock\"] }}       # the Rust handlers, when there are some

[flask]
{key}secret_key = {{ env = \"FLASK_SECRET_KEY\" }}           # the same text as the application's SECRET_KEY
session_cookie = {cookie}
profile = \"{profile}\"

[store]
url = \"sqlite:state/ficus.db\"
",
        flask = versions.flask,
        werkzeug = versions.werkzeug,
    )
}

/// Where a ficus.toml contradicts the application; what it says beside that is its own business.
pub fn settings_differences(file: &str, census: &Census) -> Result<Vec<String>, toml::de::Error> {
    let file: toml::Table = toml::from_str(file)?;
    let flask = file.get("flask").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    // Keys that are not there have these values.
    let expected = [
        ("profile", census.profile.as_str(), "werkzeug-1.0"),
        ("session_cookie", census.session.cookie.as_str(), "session"),
    ];
    let mut differences = Vec::new();
    for (key, now, default) in expected {
        let said = flask.get(key).and_then(toml::Value::as_str).unwrap_or(default);
        if said != now {
            differences.push(format!("~ flask.{key}: {said} -> {now}"));
        }
    }
    Ok(differences)
}

/// Writes a file unless it is there and says something else; with `force` also then. In one step: a reader sees the old
/// text or the new one.
pub fn write(path: &Path, text: &str, force: bool) -> io::Result<Outcome> {
    let outcome = match std::fs::read(path) {
        Ok(present) if present == text.as_bytes() => return Ok(Outcome::Same),
        Ok(_) if !force => return Ok(Outcome::Kept),
        Ok(_) => Outcome::Replaced,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Written,
        Err(error) => return Err(error),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let next = path.with_file_name(name);
    std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&next);
    })?;
    Ok(outcome)
}
