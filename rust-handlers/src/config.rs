//! What the environment says, checked; every missing or wrong variable is reported at once.
//!
//! Start-up step 1. The same names as the Flask application uses, so that one environment file serves both.

use std::path::PathBuf;

use flask_compat::Profile;

/// Everything the handlers need to know before they start. Holds secrets: it has no `Debug` on purpose.
pub struct Config {
    /// PostgreSQL, as `postgresql://…`.
    pub database_url: String,
    /// Flask's secret key.
    pub secret_key: String,
    /// Fernet keys; the first one encrypts.
    pub fernet_keys: Vec<String>,
    /// The Unix socket to listen on.
    pub socket: PathBuf,
    /// routes.toml, for `url_for`.
    pub routes_file: PathBuf,
    /// The Flask application's templates.
    pub templates: PathBuf,
    /// Whose answers to write.
    pub profile: Profile,
    /// Whether the session cookie is `Secure` (`CRM_COOKIE_SECURE`, as in the Flask application).
    pub cookie_secure: bool,
}

impl Config {
    /// Reads the variables through `lookup`.
    ///
    /// # Errors
    /// One line per missing or unusable variable. Values are never part of it.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let mut required = |name: &str| {
            let value = lookup(name).filter(|value| !value.is_empty());
            if value.is_none() {
                errors.push(format!("environment variable `{name}` is not set"));
            }
            value.unwrap_or_default()
        };
        let database_url = with_host(required("DATABASE_URL"));
        let secret_key = required("FLASK_SECRET_KEY");
        let fernet_keys = required("CRM_FERNET_KEYS");
        let socket = PathBuf::from(required("HANDLERS_SOCKET"));
        let routes_file = PathBuf::from(required("ROUTES_FILE"));
        let templates = PathBuf::from(required("CRM_TEMPLATES"));
        let profile = match lookup("FLASK_PROFILE").as_deref().unwrap_or("werkzeug-1.0").parse() {
            Ok(profile) => profile,
            Err(error) => {
                errors.push(format!("environment variable `FLASK_PROFILE`: {error}"));
                Profile::Werkzeug10
            }
        };
        let cookie_secure = lookup("CRM_COOKIE_SECURE").is_some_and(|value| {
            matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let fernet_keys =
            fernet_keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect();
        Ok(Self {
            database_url,
            secret_key,
            fernet_keys,
            socket,
            routes_file,
            templates,
            profile,
            cookie_secure,
        })
    }
}

/// libpq, and so psycopg2, takes `postgresql://user@/name?host=/socket/dir`; URLs as sqlx reads them need a host in that
/// place. The `host` behind the question mark wins over it.
fn with_host(url: String) -> String {
    if url.contains("host=") && url.contains("@/") { url.replacen("@/", "@localhost/", 1) } else { url }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named() {
        let errors = Config::read(|_| None).err().unwrap();
        assert_eq!(errors.len(), 6);
        assert!(errors.contains(&"environment variable `DATABASE_URL` is not set".to_owned()));
    }

    #[test]
    fn a_socket_directory_needs_no_host() {
        let url = |text: &str| with_host(text.to_owned());
        assert_eq!(url("postgresql://me@/crm?host=/run/pg"), "postgresql://me@localhost/crm?host=/run/pg");
        assert_eq!(url("postgresql://me@db:5432/crm"), "postgresql://me@db:5432/crm");
    }

    #[test]
    fn a_bad_profile_is_named_with_the_variable() {
        let lookup = |name: &str| Some(if name == "FLASK_PROFILE" { "flask-9" } else { "x" }.to_owned());
        let errors = Config::read(lookup).err().unwrap();
        assert!(errors[0].starts_with("environment variable `FLASK_PROFILE`: "), "{errors:?}");
    }
}
