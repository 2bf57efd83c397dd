//! The census as the shim writes it: one JSON document. Facts only; what they mean for Ficus is decided elsewhere.

use serde::Deserialize;

/// What an application is made of.
#[derive(Debug, Clone, Deserialize)]
pub struct Census {
    /// What it is called.
    pub app: App,
    /// What it runs on.
    pub versions: Versions,
    /// The nearest profile, by its name in ficus.toml.
    pub profile: String,
    /// Whether this very series of Werkzeug was compared with that profile.
    pub profile_is_exact: bool,
    /// The extensions that could be named.
    pub extensions: Vec<Extension>,
    /// Where sessions are kept.
    pub session: Session,
    /// What is known about the secret key; never the key.
    pub secret_key: SecretKey,
    /// Every route of routes.toml.
    pub routes: Vec<RouteFacts>,
    /// Every rule of the url_map.
    pub rules: Vec<RuleFacts>,
    /// Sentences about what may surprise.
    pub warnings: Vec<String>,
    /// Whether the application has the shim already.
    pub has_shim: bool,
    /// The text of routes.toml.
    pub routes_toml: String,
}

/// Names of an application.
#[derive(Debug, Clone, Deserialize)]
pub struct App {
    /// As it was asked for: `wsgi:app`.
    pub target: String,
    /// Flask's `import_name`.
    pub name: String,
    /// Names of its blueprints.
    pub blueprints: Vec<String>,
}

/// Versions of what the application runs on.
#[derive(Debug, Clone, Deserialize)]
pub struct Versions {
    /// Flask's.
    pub flask: String,
    /// Werkzeug's.
    pub werkzeug: String,
    /// Python's.
    pub python: String,
}

/// A Flask extension.
#[derive(Debug, Clone, Deserialize)]
pub struct Extension {
    /// The name of its distribution.
    pub name: String,
    /// Its version, or `unknown`.
    pub version: String,
}

/// Where sessions are kept.
#[derive(Debug, Clone, Deserialize)]
pub struct Session {
    /// `cookie`, `server` or `unknown`.
    pub kind: String,
    /// The kind of store, of sessions on the server.
    pub store: Option<String>,
    /// The class of the session interface.
    pub interface: String,
    /// The name of the cookie.
    pub cookie: String,
    /// What is not as Flask does it.
    pub warnings: Vec<String>,
}

/// What is known about the secret key.
#[derive(Debug, Clone, Deserialize)]
pub struct SecretKey {
    /// Whether there is one.
    pub set: bool,
    /// Names of the environment variables that hold the same text.
    pub variables: Vec<String>,
    /// How many older keys are still accepted.
    pub fallbacks: usize,
}

/// A route, and what could be seen of its view.
#[derive(Debug, Clone, Deserialize)]
pub struct RouteFacts {
    /// Its name in routes.toml.
    pub name: String,
    /// `view`, or why it stays on legacy.
    pub kind: String,
    /// Whether a CSRF token is asked for, in a sentence.
    pub csrf: Option<String>,
    /// Whether the view streams, in a sentence.
    pub streaming: Option<String>,
}

/// A rule of the url_map.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleFacts {
    /// As written.
    pub rule: String,
    /// Its endpoint.
    pub endpoint: String,
    /// Its methods, without those that Flask adds.
    pub methods: Vec<String>,
    /// Its host, in a map that matches hosts.
    pub host: Option<String>,
    /// Its subdomain.
    pub subdomain: Option<String>,
    /// `view`, or why it is none that Ficus could serve.
    pub kind: String,
}
