//! What the handlers must know of the Flask application: its settings, keys and URL map.

use std::time::{SystemTime, UNIX_EPOCH};

use super::source::SessionSource;
use crate::Profile;
use crate::csrf::Csrf;
use crate::form_body::FormLimits;
use crate::login::{LoginConfig, RememberKey, SecretNotLatin1};
use crate::routing::Map;
use crate::session::{SessionCodec, SessionConfig};

/// One Flask application. Build it with [`Application::new`], then change what the application configures.
#[derive(Debug)]
pub struct Application {
    /// Whose formats to write.
    pub profile: Profile,
    /// The session cookie.
    pub sessions: SessionCodec,
    /// Where sessions are kept, if not in the cookie.
    pub session_source: SessionSource,
    /// `CSRFProtect`; `None`: the application has none.
    pub csrf: Option<Csrf>,
    /// Blueprints and endpoints given to `csrf.exempt`.
    pub csrf_exempt: Vec<String>,
    /// Whether the application has a `LoginManager`: it looks into the session after every request, which Flask 3.1 tells in
    /// `Vary`.
    pub has_login_manager: bool,
    /// Flask-Login.
    pub login: LoginConfig,
    /// The key of the remember cookie.
    pub remember: RememberKey,
    /// Every rule of the application, moved or not: `url_for` and matching.
    pub map: Map,
    /// `MAX_CONTENT_LENGTH`, `MAX_FORM_MEMORY_SIZE` and `MAX_FORM_PARTS`.
    pub form_limits: FormLimits,
    /// The largest form, in bytes, that is read here; a larger one is handed back to Flask unread.
    pub max_form_bytes: usize,
    /// Seconds since 1970: the system's clock.
    pub clock: fn() -> i64,
    /// What templates see as `config`.
    pub template_config: minijinja::Value,
    /// What marks of dry runs are signed with.
    pub(super) mark_key: MarkKey,
}

/// Flask's secret key, once more; it stays out of dumps.
pub(super) struct MarkKey(pub(super) String);

impl std::fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MarkKey(…)")
    }
}

fn system_clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

impl Application {
    /// An application with Flask's, Flask-Login's and Flask-WTF's default settings.
    ///
    /// # Errors
    /// When Flask-Login could not sign with this secret key either.
    pub fn new(secret_key: &str, map: Map, profile: Profile) -> Result<Self, SecretNotLatin1> {
        Ok(Self {
            profile,
            sessions: SessionCodec::new(&[secret_key], SessionConfig::new(profile)),
            session_source: SessionSource::Cookie,
            csrf: Some(Csrf::new(&[secret_key], profile)),
            csrf_exempt: Vec::new(),
            has_login_manager: true,
            login: LoginConfig::new(profile),
            remember: RememberKey::new(secret_key)?,
            map,
            form_limits: FormLimits::new(profile),
            max_form_bytes: 512 * 1024,
            clock: system_clock,
            template_config: minijinja::Value::from_pairs(Vec::<(&str, minijinja::Value)>::new()),
            mark_key: MarkKey(secret_key.to_owned()),
        })
    }

    /// Whether requests to this endpoint are not checked for a CSRF token.
    pub(super) fn is_csrf_exempt(&self, endpoint: &str) -> bool {
        let blueprint = endpoint.rsplit_once('.').map(|(blueprint, _)| blueprint);
        self.csrf_exempt.iter().any(|exempt| exempt == endpoint || Some(exempt.as_str()) == blueprint)
    }
}
