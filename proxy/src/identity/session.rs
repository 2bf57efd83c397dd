//! What Flask's cookies say: the user of the session, else of Flask-Login's remember cookie, and the user's roles.
//!
//! Reads only; nothing that is wrong with a cookie is an error here: it makes the visitor unknown.

use std::sync::Arc;

use flask_compat::Profile;
use flask_compat::cookie::Cookies;
use flask_compat::login::RememberKey;
use flask_compat::session::{Session, SessionCodec, SessionConfig, Value};

use super::recent::Recent;
use crate::settings::Flask;

/// Somebody who is logged in.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) roles: Vec<String>,
}

/// Reads the cookies of one Flask application.
#[derive(Clone)]
pub(super) struct FlaskCookies {
    session_cookie: String,
    remember_cookie: String,
    role_key: Option<String>,
    pub(super) profile: Profile,
    /// Without the secret nobody's cookie can be believed.
    keys: Option<(SessionCodec, Option<RememberKey>)>,
    recent: Arc<Recent<User>>,
}

impl FlaskCookies {
    pub(super) fn new(flask: &Flask) -> Self {
        let keys = flask.secret_key.as_ref().map(|secret| {
            let codec = SessionCodec::new(&[secret.0.as_bytes()], SessionConfig::new(flask.profile));
            // A secret that Flask-Login cannot sign with never signed a remember cookie.
            (codec, RememberKey::new(&secret.0).ok())
        });
        Self {
            session_cookie: flask.session_cookie.clone(),
            remember_cookie: flask.remember_cookie.clone(),
            role_key: flask.role_key.clone(),
            profile: flask.profile,
            keys,
            recent: Arc::default(),
        }
    }

    /// The user of the cookies in `header`, as found a moment ago or now; only then are they parsed.
    pub(super) fn recent_user<'c>(
        &self,
        header: &[u8],
        cookies: impl FnOnce() -> &'c Cookies,
        now: i64,
    ) -> Option<User> {
        self.keys.as_ref()?;
        self.recent.user(header, now, || self.user(cookies(), now))
    }

    /// The user of these cookies; `now` is in unix seconds. A session that just logged out does not count as remembered.
    pub(super) fn user(&self, cookies: &Cookies, now: i64) -> Option<User> {
        let (codec, remember) = self.keys.as_ref()?;
        let session = cookies.get(&self.session_cookie).and_then(|text| codec.load(Some(text), now).ok());
        if let Some(session) = &session {
            if let Some(id) = session.user_id() {
                return Some(User { id, roles: self.roles(session) });
            }
            if session.get_str("_remember") == Some("clear") {
                return None;
            }
        }
        let id = remember.as_ref()?.decode(cookies.get(&self.remember_cookie)?)?.to_owned();
        let roles = session.as_ref().map(|session| self.roles(session)).unwrap_or_default();
        Some(User { id, roles })
    }

    /// The texts at `flask.role_key`: one, or a list.
    fn roles(&self, session: &Session) -> Vec<String> {
        let value = self.role_key.as_ref().and_then(|key| session.get(key));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match value {
            Some(value) if value.as_str().is_some() => text(value).into_iter().collect(),
            Some(value) => value.as_slice().unwrap_or_default().iter().filter_map(text).collect(),
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;
    use flask_compat::session::Map;

    const NOW: i64 = 1_700_000_000;

    fn flask(secret: Option<&str>) -> FlaskCookies {
        FlaskCookies::new(&Flask {
            secret_key: secret.map(|text| Secret(text.to_owned())),
            session_cookie: "session".to_owned(),
            remember_cookie: "remember_token".to_owned(),
            role_key: Some("role".to_owned()),
            profile: Profile::Werkzeug10,
            channel_secret: None,
        })
    }

    fn session(secret: &str, values: &[(&str, Value)]) -> String {
        let codec = SessionCodec::new(&[secret], SessionConfig::new(Profile::Werkzeug10));
        let session = Map::from_iter(values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        format!("session={}", codec.encode(&session, NOW))
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn logged_in(secret: &str) -> String {
        session(secret, &[("_user_id", text("7"))])
    }

    fn remembered(secret: &str) -> String {
        format!("remember_token={}", RememberKey::new(secret).unwrap().encode("8"))
    }

    #[track_caller]
    fn check(secret: Option<&str>, header: &str, expected: Option<&str>) {
        let cookies = Cookies::parse(header.as_bytes(), Profile::Werkzeug10);
        let user = flask(secret).user(&cookies, NOW + 60);
        assert_eq!(user.as_ref().map(|user| user.id.as_str()), expected, "{header}");
    }

    #[test]
    fn a_logged_in_user_is_known_by_the_session() {
        check(Some("key"), &logged_in("key"), Some("7"));
        check(Some("key"), &format!("theme=dark; {}", logged_in("key")), Some("7"));
        check(Some("key"), &format!("{}; {}", remembered("key"), logged_in("key")), Some("7"));
    }

    #[test]
    fn else_by_the_remember_cookie_unless_the_session_just_ended() {
        check(Some("key"), &remembered("key"), Some("8"));
        check(Some("key"), &format!("session=stale; {}", remembered("key")), Some("8"));
        check(Some("key"), &format!("{}; {}", session("key", &[]), remembered("key")), Some("8"));
        let ended = session("key", &[("_remember", text("clear"))]);
        check(Some("key"), &format!("{ended}; {}", remembered("key")), None);
    }

    #[test]
    fn nobody_believes_a_cookie_with_another_signature() {
        check(Some("key"), "", None);
        check(Some("key"), &logged_in("another key"), None);
        check(Some("key"), &remembered("another key"), None);
        check(Some("key"), "session=nonsense", None);
        check(None, &logged_in("key"), None);
    }

    #[test]
    fn roles_are_a_text_or_a_list_of_texts() {
        let roles = |value: Value| {
            let header = session("key", &[("_user_id", text("7")), ("role", value)]);
            flask(Some("key"))
                .user(&Cookies::parse(header.as_bytes(), Profile::Werkzeug10), NOW)
                .unwrap()
                .roles
        };
        assert_eq!(roles(text("admin")), ["admin"]);
        assert_eq!(roles(Value::List(vec![text("rep"), Value::Int(1), text("lead")])), ["rep", "lead"]);
        assert!(roles(Value::Int(1)).is_empty());
    }
}
