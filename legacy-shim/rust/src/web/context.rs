//! One request as its handler sees it: Flask's `request`, `session` and `g` in one place.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Defer;
use super::answer::html_with;
use super::application::Application;
use super::log_in::Known;
use super::source::Origin;
use crate::answer;
use crate::cookie::Cookies;
use crate::dry_run::Mark;
use crate::flash::{FlashMessage, Flashes, flash};
use crate::form_body::Upload;
use crate::routing::{BuildError, UrlFor, Value};
use crate::session::Session;
use crate::url::{Pairs, RequestUrl};

/// The request, cheap to clone. As an extractor it is there in every handler that runs under [`super::Views`].
#[derive(Debug, Clone)]
pub struct Context(pub(super) Arc<Request>);

/// What a request is made of, and what the handler changes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) application: Arc<Application>,
    pub(super) method: String,
    /// Path and query as they came.
    #[cfg_attr(not(feature = "channel"), allow(dead_code))]
    pub(super) target: String,
    pub(super) url: RequestUrl,
    pub(super) headers: HeaderMap,
    pub(super) cookies: Cookies,
    pub(super) args: Pairs,
    pub(super) form: Sent,
    pub(super) endpoint: String,
    pub(super) view_args: Vec<(String, Value)>,
    /// Whether Flask answers OPTIONS here by itself.
    pub(super) automatic_options: bool,
    pub(super) identifier: String,
    pub(super) now: i64,
    pub(super) session: Mutex<Session>,
    #[cfg_attr(not(feature = "channel"), allow(dead_code))]
    pub(super) origin: Origin,
    pub(super) flashes: Mutex<Flashes>,
    pub(super) csrf_token: Mutex<Option<String>>,
    /// `g.csrf_valid`.
    pub(super) csrf_valid: AtomicBool,
    pub(super) user: Mutex<Known>,
    /// The mark of a dry run, if it is one.
    pub(super) dry_run: Option<Mark>,
    /// The transaction of the handler, once it wants one.
    #[cfg(feature = "sqlx")]
    pub(super) transaction: super::database::Slot,
}

/// The form of a request.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) pairs: Pairs,
    pub(super) files: Vec<(String, Upload)>,
    /// Looking at it is a 413 in Flask.
    pub(super) too_large: bool,
}

impl Context {
    /// The application.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.0.application
    }

    /// This request, for questions to Flask.
    #[cfg(feature = "channel")]
    #[must_use]
    pub fn caller(&self) -> crate::channel::Caller {
        crate::channel::Caller::new(&self.0.method, &self.0.target, &self.0.headers)
    }

    /// `request.method`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// Scheme, host, path and query of the request.
    #[must_use]
    pub fn url(&self) -> &RequestUrl {
        &self.0.url
    }

    /// `request.args`.
    #[must_use]
    pub fn args(&self) -> &Pairs {
        &self.0.args
    }

    /// `request.form`; empty unless the body was a form, URL-encoded or multipart.
    #[must_use]
    pub fn form(&self) -> &Pairs {
        &self.0.form.pairs
    }

    /// `request.files.getlist(name)`: what was uploaded under this name. A file field left empty is an upload without name
    /// and content, as in Werkzeug.
    pub fn files(&self, name: &str) -> impl Iterator<Item = &Upload> {
        self.0.form.files.iter().filter(move |(key, _)| key == name).map(|(_, file)| file)
    }

    /// A request header as text, if it is there and ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `request.endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// `request.blueprint`.
    #[must_use]
    pub fn blueprint(&self) -> Option<&str> {
        self.0.endpoint.rsplit_once('.').map(|(blueprint, _)| blueprint)
    }

    /// A variable of the rule: `customer_id` of `/customers/<int:customer_id>`.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.0.view_args.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// `request.remote_addr` behind the proxy: the last address of X-Forwarded-For.
    #[must_use]
    pub fn remote_addr(&self) -> Option<&str> {
        self.header("x-forwarded-for").and_then(|list| list.rsplit(',').next()).map(str::trim)
    }

    /// Whether this is a dry run: nothing of it stays, and its answer goes to nobody. A handler that does something that is
    /// neither in [`super::Views::dry_runs`]' transaction nor in its outbox must not do it then.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.0.dry_run.is_some()
    }

    /// Seconds since 1970 at the start of the request.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.now
    }

    /// The session. Do not keep the guard while awaiting.
    pub fn session(&self) -> MutexGuard<'_, Session> {
        lock(&self.0.session)
    }

    /// `flash(message, category)`.
    pub fn flash(&self, message: &str, category: &str) {
        flash(&mut self.session(), message, category);
    }

    /// `get_flashed_messages(category_filter=filter)`; all for an empty filter.
    #[must_use]
    pub fn flashed_messages(&self, filter: &[&str]) -> Vec<FlashMessage> {
        lock(&self.0.flashes).get(&mut self.session(), filter)
    }

    /// `csrf_token()`: the same text for the whole request. Empty if the application has no CSRF protection, or the system
    /// no randomness (a form with it is refused then, as it must be).
    #[must_use]
    pub fn csrf_token(&self) -> String {
        let Some(csrf) = &self.0.application.csrf else { return String::new() };
        let mut known = lock(&self.0.csrf_token);
        if let Some(token) = known.as_ref() {
            return token.clone();
        }
        let Ok(random) = crate::random::bytes::<64>() else { return String::new() };
        known.insert(csrf.generate(&mut self.session(), &random, self.0.now)).clone()
    }

    /// `url_for(endpoint, **values)`.
    ///
    /// # Errors
    /// When no rule of the application fits.
    pub fn url_for(&self, endpoint: &str, values: &[(&str, Value)]) -> Result<String, BuildError> {
        self.0.application.map.build(endpoint, values, &self.url_options())
    }

    /// What `url_for` takes from this request; for `_external`, `_anchor` and the like change the result.
    #[must_use]
    pub fn url_options(&self) -> UrlFor<'_> {
        UrlFor {
            host: &self.0.url.host,
            scheme: &self.0.url.scheme,
            request_method: &self.0.method,
            ..UrlFor::default()
        }
    }

    /// `redirect(location)`: 302 with Werkzeug's page.
    #[must_use]
    pub fn redirect(&self, location: &str) -> Response {
        let redirect = answer::redirect(location, &self.0.url);
        let Ok(location) = HeaderValue::from_str(&redirect.location) else { return Defer.into_response() };
        let mut response = html_with(StatusCode::FOUND, redirect.body);
        response.headers_mut().insert(LOCATION, location);
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Defer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Defer> {
        parts.extensions.get::<Self>().cloned().ok_or(Defer)
    }
}

/// A panic in another handler must not make this lock unusable; the values behind it are whole at every step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
