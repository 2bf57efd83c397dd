//! The settings of Flask's session cookie, under their names in Flask's configuration.

use crate::Profile;
use crate::cookie::SameSite;
use crate::signing::{Digest, KeyDerivation};

/// How the session cookie is signed, written and sent. [`SessionConfig::new`] gives Flask's defaults.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Which release's rules to follow.
    pub profile: Profile,
    /// `SESSION_COOKIE_NAME`.
    pub cookie_name: String,
    /// `SESSION_COOKIE_DOMAIN`. Before Flask 2.3 an unset domain follows `SERVER_NAME`: put that here then.
    pub domain: Option<String>,
    /// `SESSION_COOKIE_PATH`, else `APPLICATION_ROOT`.
    pub path: String,
    /// `SESSION_COOKIE_HTTPONLY`.
    pub http_only: bool,
    /// `SESSION_COOKIE_SECURE`.
    pub secure: bool,
    /// `SESSION_COOKIE_SAMESITE`.
    pub same_site: Option<SameSite>,
    /// `SESSION_COOKIE_PARTITIONED` (Flask 3.1).
    pub partitioned: bool,
    /// `SESSION_REFRESH_EACH_REQUEST`.
    pub refresh_each_request: bool,
    /// `PERMANENT_SESSION_LIFETIME` in seconds; the oldest acceptable cookie, permanent or not.
    pub lifetime: i64,
    /// `JSON_SORT_KEYS` (`app.json.sort_keys`).
    pub sort_keys: bool,
    /// `JSON_AS_ASCII` (`app.json.ensure_ascii`).
    pub ascii: bool,
    /// `SecureCookieSessionInterface.salt`.
    pub salt: String,
    /// `SecureCookieSessionInterface.key_derivation`.
    pub derivation: KeyDerivation,
    /// `SecureCookieSessionInterface.digest_method`.
    pub digest: Digest,
}

impl SessionConfig {
    /// Flask's defaults.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            cookie_name: "session".to_owned(),
            domain: None,
            path: "/".to_owned(),
            http_only: true,
            secure: false,
            same_site: None,
            partitioned: false,
            refresh_each_request: true,
            lifetime: 31 * 24 * 3600,
            sort_keys: true,
            ascii: true,
            salt: "cookie-session".to_owned(),
            derivation: KeyDerivation::Hmac,
            digest: Digest::Sha1,
        }
    }
}
