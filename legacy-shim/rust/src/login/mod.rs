//! Flask-Login: who is logged in, session protection, the remember cookie.
//!
//! Shape: session keys `_user_id` (text), `_fresh` (bool), `_id` (hex SHA-512 of address and user agent, see
//! [`identifier`]), and for one request `_remember` (`"set"`, `"clear"`) with `_remember_seconds`. The remember cookie is
//! `user id | hex HMAC-SHA512`, without a date in it.
//!
//! Steps of a request: [`protect`], then [`session_user`], then (if the application does not know that user)
//! [`remembered_user`]; after the view [`remember_cookie`], before the session is saved. Loading a user is the
//! application's business. Source: Flask-Login 0.5.0 and 0.6.3.

mod config;
mod identifier;
mod protection;
mod redirect;
mod remember;

pub use config::{LoginConfig, LoginVersion, Protection};
pub(crate) use identifier::hex;
pub use identifier::{client_address, identifier};
pub use protection::{Protected, protect};
pub use redirect::{login_url, next_param};
pub use remember::{RememberKey, SecretNotLatin1, remember_cookie, remembered_user};

use crate::session::{Session, Value};

/// What `login_user` may be told.
#[derive(Debug, Clone, Copy)]
pub struct LoginOptions {
    /// Set the remember cookie with the answer.
    pub remember: bool,
    /// For how many seconds, instead of `REMEMBER_COOKIE_DURATION`.
    pub remember_seconds: Option<f64>,
    /// Whether the login counts as fresh (true unless it comes from a cookie).
    pub fresh: bool,
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self { remember: false, remember_seconds: None, fresh: true }
    }
}

/// `login_user(user)`. The caller has checked the password and that the user is active.
pub fn login_user(session: &mut Session, user_id: &str, identifier: &str, options: LoginOptions) {
    session.insert("_user_id", user_id);
    session.insert("_fresh", options.fresh);
    session.insert("_id", identifier);
    if options.remember {
        session.insert("_remember", "set");
        if let Some(seconds) = options.remember_seconds {
            session.insert("_remember_seconds", seconds);
        }
    }
}

/// `logout_user()`. `has_remember_cookie`: the request brought one, so the answer deletes it.
pub fn logout_user(session: &mut Session, has_remember_cookie: bool) {
    for key in ["_user_id", "_fresh", "_id"] {
        session.remove(key);
    }
    if has_remember_cookie {
        session.insert("_remember", "clear");
        session.remove("_remember_seconds");
    }
}

/// `confirm_login()`: the user gave the password again.
pub fn confirm_login(session: &mut Session, identifier: &str) {
    session.insert("_fresh", true);
    session.insert("_id", identifier);
}

/// The user id in the session, to be given to the application's user loader.
#[must_use]
pub fn session_user(session: &Session) -> Option<String> {
    session.user_id()
}

/// `login_fresh()`.
#[must_use]
pub fn login_fresh(session: &Session) -> bool {
    session.get("_fresh").is_some_and(Value::is_true)
}
