//! `session`, `flash()` and `get_flashed_messages()` as extractors.

use std::sync::MutexGuard;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{Context, Defer};
use crate::flash::FlashMessage;
use crate::session::{Session as Data, Value};

/// `flask.session` of this request. It is saved with the answer if Flask would save it.
///
/// ```
/// use flask_compat::web::Session;
///
/// async fn visits(session: Session) -> String {
///     let count = session.get("visits").and_then(|value| value.as_i64()).unwrap_or(0) + 1;
///     session.insert("visits", count);
///     format!("visit number {count}")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Session(Context);

impl Session {
    /// `session.get(key)`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.lock().get(key).cloned()
    }

    /// `session.get(key)`, if it is text.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<String> {
        self.lock().get_str(key).map(str::to_owned)
    }

    /// `key in session`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.lock().contains(key)
    }

    /// `session[key] = value`.
    pub fn insert(&self, key: impl Into<String>, value: impl Into<Value>) {
        self.lock().insert(key, value);
    }

    /// `session.pop(key, None)`.
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.lock().remove(key)
    }

    /// `session.clear()`.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// `session.permanent`.
    #[must_use]
    pub fn permanent(&self) -> bool {
        self.lock().permanent()
    }

    /// `session.permanent = flag`.
    pub fn set_permanent(&self, flag: bool) {
        self.lock().set_permanent(flag);
    }

    /// The dictionary itself. Do not keep the guard while awaiting.
    pub fn lock(&self) -> MutexGuard<'_, Data> {
        self.0.session()
    }
}

/// `flash()`: messages for the next page.
///
/// ```
/// use axum::response::Response;
/// use flask_compat::web::{Context, Flash};
///
/// async fn saved(request: Context, flash: Flash) -> Response {
///     flash.add("Customer saved.", "success");
///     request.redirect("/customers/")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Flash(Context);

impl Flash {
    /// `flash(message)`: category `message`.
    pub fn message(&self, message: &str) {
        self.add(message, "message");
    }

    /// `flash(message, category)`.
    pub fn add(&self, message: &str, category: &str) {
        self.0.flash(message, category);
    }

    /// `get_flashed_messages(with_categories=True, category_filter=filter)`: all for an empty filter, the same ones at
    /// every call of a request.
    #[must_use]
    pub fn take(&self, filter: &[&str]) -> Vec<FlashMessage> {
        self.0.flashed_messages(filter)
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Defer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Defer> {
        Context::from_request_parts(parts, state).await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Flash {
    type Rejection = Defer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Defer> {
        Context::from_request_parts(parts, state).await.map(Self)
    }
}
