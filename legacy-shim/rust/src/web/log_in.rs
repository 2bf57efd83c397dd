//! `login_user`, `logout_user` and their like, for handlers of login pages.

use std::any::Any;
use std::sync::Arc;

use minijinja::Value;

use super::Context;
use super::context::lock;
use crate::login::{LoginOptions, confirm_login, login_fresh, login_user, logout_user, protect};

/// `current_user`, as far as this request knows.
#[derive(Debug, Default)]
pub(super) enum Known {
    /// Nobody has asked.
    #[default]
    Unasked,
    /// Nobody is logged in.
    Nobody,
    /// The application's user, and what templates see of it.
    User(Arc<dyn Any + Send + Sync>, Value),
}

impl Context {
    /// `login_user(user, remember, duration, fresh)`: from the next request on this is the user, with a remember cookie if
    /// asked. The caller has checked the password and that the user is active, and has read the CSRF token.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use flask_compat::Profile;
    /// use flask_compat::login::LoginOptions;
    /// use flask_compat::password::check_password_hash;
    /// use flask_compat::web::{Context, Flash, html};
    ///
    /// async fn log_in(request: Context, flash: Flash) -> Response {
    ///     let (id, stored) = ("7", "pbkdf2:sha256:1000$salt$5e7f"); // the row of this e-mail address
    ///     let password = request.form().get("password").unwrap_or_default();
    ///     if check_password_hash(stored, password, Profile::Werkzeug10) != Ok(true) {
    ///         flash.add("E-mail or password is wrong.", "error");
    ///         return html("the form again".to_owned());
    ///     }
    ///     let remember = request.form().contains("remember");
    ///     request.log_in(id, LoginOptions { remember, ..LoginOptions::default() });
    ///     request.redirect("/")
    /// }
    /// ```
    pub fn log_in(&self, user_id: &str, options: LoginOptions) {
        login_user(&mut self.session(), user_id, &self.0.identifier, options);
        *lock(&self.0.user) = Known::Unasked;
    }

    /// `logout_user()`: the login leaves the session, and the answer deletes the remember cookie.
    pub fn log_out(&self) {
        // Flask-Login looks who it is first, for its signal.
        if matches!(*lock(&self.0.user), Known::Unasked) {
            let mut session = self.session();
            protect(&mut session, &self.0.identifier, &self.application().login);
            session.touch();
        }
        let remembered = self.0.cookies.get(&self.application().login.cookie_name).is_some();
        logout_user(&mut self.session(), remembered);
        *lock(&self.0.user) = Known::Nobody;
    }

    /// `confirm_login()`: the user gave the password again.
    pub fn confirm_login(&self) {
        confirm_login(&mut self.session(), &self.0.identifier);
    }

    /// `login_fresh()`.
    #[must_use]
    pub fn login_fresh(&self) -> bool {
        login_fresh(&self.session())
    }

    /// `login_remembered()`: whether the request brought a good remember cookie.
    #[must_use]
    pub fn login_remembered(&self) -> bool {
        let application = self.application();
        let cookie = self.0.cookies.get(&application.login.cookie_name);
        cookie.is_some_and(|cookie| {
            self.session().get_str("_remember") != Some("clear")
                && application.remember.decode(cookie).is_some()
        })
    }

    /// The session's `_id` for this client: hex SHA-512 of address and user agent.
    #[must_use]
    pub fn login_identifier(&self) -> &str {
        &self.0.identifier
    }

    /// What templates see as `current_user`, once somebody has asked who it is.
    pub(super) fn shown_user(&self) -> Option<Value> {
        match &*lock(&self.0.user) {
            Known::User(_, shown) => Some(shown.clone()),
            _ => None,
        }
    }

    pub(super) fn known_user<U: Clone + 'static>(&self) -> Option<Option<U>> {
        match &*lock(&self.0.user) {
            Known::Unasked => None,
            Known::Nobody => Some(None),
            Known::User(user, _) => user.downcast_ref::<U>().cloned().map(Some),
        }
    }

    pub(super) fn set_known_user<U: Send + Sync + 'static>(&self, user: Option<(U, Value)>) {
        *lock(&self.0.user) = match user {
            Some((user, shown)) => Known::User(Arc::new(user), shown),
            None => Known::Nobody,
        };
    }
}
