//! `abort(code)`: the handler ends with an error page, the application's own if it has one.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::{Context, Defer};
use crate::csrf::CsrfError;
use crate::{Profile, answer};

/// Ends a handler like `abort(code)` in Flask. [`super::Views`] looks for the application's error handler
/// ([`super::Views::on_error`]); without one the answer is Werkzeug's page for the status.
///
/// As an extractor, in an error handler, it says what went wrong.
///
/// ```
/// use axum::http::StatusCode;
/// use flask_compat::web::{Abort, Context};
///
/// async fn report(request: Context) -> Result<String, Abort> {
///     let month = request.args().get("month").ok_or(Abort::new(StatusCode::NOT_FOUND))?;
///     Ok(format!("the report of {month}"))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abort {
    status: StatusCode,
    description: Option<String>,
    csrf: Option<CsrfError>,
}

impl Abort {
    /// `abort(code)`.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, description: None, csrf: None }
    }

    /// `abort(code, description)`.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// `error.description`.
    #[must_use]
    pub fn description(&self) -> &str {
        self.description.as_deref().unwrap_or_else(|| answer::description(self.status.as_u16()))
    }

    /// Why the CSRF token was refused, if it was: the error is a `CSRFError` then.
    #[must_use]
    pub fn csrf_error(&self) -> Option<CsrfError> {
        self.csrf
    }

    /// Werkzeug's page.
    pub(super) fn page(&self, profile: Profile) -> Response {
        let body = answer::error_page(self.status.as_u16(), self.description.as_deref(), profile);
        super::answer::html_with(self.status, body)
    }
}

impl From<CsrfError> for Abort {
    fn from(error: CsrfError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, description: Some(error.to_string()), csrf: Some(error) }
    }
}

impl IntoResponse for Abort {
    /// Without body: [`super::Views`] replaces the whole answer.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Abort {
    type Rejection = Defer;

    /// Only in an error handler; anywhere else there is none, and the request is handed back.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Defer> {
        Context::from_request_parts(parts, state).await?;
        parts.extensions.get::<Self>().cloned().ok_or(Defer)
    }
}
