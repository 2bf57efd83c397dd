//! Settings of Flask-Login under their names in Flask's configuration.

use crate::Profile;
use crate::cookie::SameSite;

/// Releases that behave differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginVersion {
    /// 0.5: `_fresh` is rewritten while the identifier differs; the remember cookie is readable by scripts.
    V05,
    /// 0.6: written once; the remember cookie is `HttpOnly` and knows `SameSite`.
    V06,
}

/// `SESSION_PROTECTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// No check.
    Off,
    /// A login from elsewhere is not fresh any more.
    Basic,
    /// A login from elsewhere is ended (unless the session is permanent, then as basic).
    Strong,
}

/// How logins are checked and remembered. [`LoginConfig::new`] gives Flask-Login's defaults.
#[derive(Debug, Clone)]
pub struct LoginConfig {
    /// Which release.
    pub version: LoginVersion,
    /// Cookie format.
    pub profile: Profile,
    /// `SESSION_PROTECTION` or `login_manager.session_protection`.
    pub protection: Protection,
    /// `REMEMBER_COOKIE_NAME`.
    pub cookie_name: String,
    /// `REMEMBER_COOKIE_DURATION` in seconds.
    pub duration: i64,
    /// `REMEMBER_COOKIE_DOMAIN`.
    pub domain: Option<String>,
    /// `REMEMBER_COOKIE_PATH`.
    pub path: String,
    /// `REMEMBER_COOKIE_SECURE`.
    pub secure: bool,
    /// `REMEMBER_COOKIE_HTTPONLY`.
    pub http_only: bool,
    /// `REMEMBER_COOKIE_SAMESITE` (0.6).
    pub same_site: Option<SameSite>,
    /// `REMEMBER_COOKIE_REFRESH_EACH_REQUEST`.
    pub refresh_each_request: bool,
    /// `login_manager.login_view` as an endpoint or URL; `None`: 401 instead of a redirect.
    pub login_view: Option<String>,
    /// `login_manager.blueprint_login_views`: (blueprint, login view).
    pub blueprint_login_views: Vec<(String, String)>,
    /// `login_manager.login_message`; empty: no message.
    pub login_message: String,
    /// `login_manager.login_message_category`.
    pub login_message_category: String,
    /// `login_manager.refresh_view`.
    pub refresh_view: Option<String>,
    /// `login_manager.needs_refresh_message`.
    pub needs_refresh_message: String,
    /// `login_manager.needs_refresh_message_category`.
    pub needs_refresh_message_category: String,
    /// `USE_SESSION_FOR_NEXT`.
    pub session_for_next: bool,
    /// `FORCE_HOST_FOR_REDIRECTS`.
    pub force_host: Option<String>,
    /// `LOGIN_DISABLED`.
    pub disabled: bool,
}

impl LoginConfig {
    /// Defaults of the Flask-Login that usually goes with the profile: 0.5 with Werkzeug 1.0, else 0.6.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let version = if profile == Profile::Werkzeug10 { LoginVersion::V05 } else { LoginVersion::V06 };
        Self {
            version,
            profile,
            protection: Protection::Basic,
            cookie_name: "remember_token".to_owned(),
            duration: 365 * 24 * 3600,
            domain: None,
            path: "/".to_owned(),
            secure: false,
            http_only: version == LoginVersion::V06,
            same_site: None,
            refresh_each_request: false,
            login_view: None,
            blueprint_login_views: Vec::new(),
            login_message: "Please log in to access this page.".to_owned(),
            login_message_category: "message".to_owned(),
            refresh_view: None,
            needs_refresh_message: "Please reauthenticate to access this page.".to_owned(),
            needs_refresh_message_category: "message".to_owned(),
            session_for_next: false,
            force_host: None,
            disabled: false,
        }
    }
}
