//! Opening and saving: `SecureCookieSessionInterface.open_session` and `save_session`.

use thiserror::Error;

use super::{Map, Session, SessionConfig, read_tagged_json, write_tagged_json};
use crate::Profile;
use crate::cookie::SetCookie;
use crate::signing::{LoadError, Signer, TimedSerializer};

/// The cookie's signature is right but its content is nothing this crate can carry without loss. Flask either reads it
/// (NaN, lone surrogates) or answers 500: hand the request back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("session cookie with a right signature cannot be read")]
pub struct UnreadableSession;

/// Reads and writes the session cookie of one application.
#[derive(Debug, Clone)]
pub struct SessionCodec {
    serializer: TimedSerializer,
    config: SessionConfig,
}

impl SessionCodec {
    /// A codec that signs with the first secret and accepts all (`SECRET_KEY`, then `SECRET_KEY_FALLBACKS` newest first).
    pub fn new<S: AsRef<[u8]>>(secret_keys: &[S], config: SessionConfig) -> Self {
        let signer = Signer::new(secret_keys, &config.salt, config.derivation, config.digest);
        let mut serializer = TimedSerializer::new(signer);
        // Flask 1.1 comes with itsdangerous 1.1, which does not mind a clock that is ahead.
        serializer.accept_future = config.profile == Profile::Werkzeug10;
        Self { serializer, config }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// Opens the session of a request. No cookie, a forged or an expired one give an empty session.
    ///
    /// # Errors
    /// [`UnreadableSession`] if the signature is right and the content is beyond this crate.
    pub fn load(&self, cookie_value: Option<&str>, now: i64) -> Result<Session, UnreadableSession> {
        let empty = || Session::new(Map::new(), self.config.profile);
        let Some(value) = cookie_value.filter(|value| !value.is_empty()) else { return Ok(empty()) };
        match self.serializer.loads(value, Some(self.config.lifetime), now) {
            Ok(payload) => {
                let text = std::str::from_utf8(&payload).map_err(|_| UnreadableSession)?;
                let data = read_tagged_json(text).ok_or(UnreadableSession)?;
                Ok(Session::new(data, self.config.profile))
            }
            Err(LoadError::Payload) => Err(UnreadableSession),
            Err(_) => Ok(empty()),
        }
    }

    /// The cookie to send, if any: the session when it was changed (or is permanent and refreshed), a deletion when it
    /// was emptied.
    #[must_use]
    pub fn save(&self, session: &Session, now: i64) -> Option<SetCookie> {
        if session.peek().is_empty() {
            return session.modified().then(|| self.deletion());
        }
        let permanent = session.peek().get("_permanent").is_some_and(super::Value::is_true);
        let refreshed = permanent && self.config.refresh_each_request;
        if !(session.modified() || refreshed) {
            return None;
        }
        let expires = permanent.then(|| now.saturating_add(self.config.lifetime));
        Some(SetCookie {
            http_only: self.config.http_only,
            secure: self.config.secure,
            same_site: self.config.same_site,
            partitioned: self.config.partitioned,
            expires,
            ..self.cookie(&self.encode(session.peek(), now))
        })
    }

    /// Whether the answer gets `Vary: Cookie`. Flask 1.1: if the session was read and is not empty. Flask 2.3: if it was
    /// read or its cookie is sent or deleted. Flask 3.1: the same, and more counts as reading.
    #[must_use]
    pub fn vary(&self, session: &Session) -> bool {
        let data = session.peek();
        let permanent = data.get("_permanent").is_some_and(super::Value::is_true);
        match self.config.profile {
            // Looking for `_permanent` counts as reading, but comes after the decision.
            Profile::Werkzeug10 => session.accessed() && !data.is_empty(),
            _ => session.accessed() || session.modified() || (permanent && self.config.refresh_each_request),
        }
    }

    /// The cookie's text for these data: for tests and for tools that mint sessions.
    #[must_use]
    pub fn encode(&self, data: &Map, now: i64) -> String {
        self.serializer
            .dumps(write_tagged_json(data, self.config.sort_keys, self.config.ascii).as_bytes(), now)
    }

    fn deletion(&self) -> SetCookie {
        let mut cookie = SetCookie { expires: Some(0), max_age: Some(0), ..self.cookie("") };
        if self.config.profile != Profile::Werkzeug10 {
            cookie.http_only = self.config.http_only;
            cookie.secure = self.config.secure;
            cookie.same_site = self.config.same_site;
            cookie.partitioned = self.config.partitioned;
        }
        cookie
    }

    fn cookie(&self, value: &str) -> SetCookie {
        SetCookie {
            domain: self.config.domain.clone(),
            path: Some(self.config.path.clone()),
            ..SetCookie::new(&self.config.cookie_name, value, self.config.profile)
        }
    }
}
