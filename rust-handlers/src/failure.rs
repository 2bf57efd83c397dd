//! What ends a handler early: an error page, a request handed back to Flask, or a failure of ours.

use axum::response::{IntoResponse, Response};
use flask_compat::web::{Abort, Defer};
use http::StatusCode;

/// Why a handler did not answer as it meant to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Flask answers instead; nothing was changed.
    #[error("handed back to Flask")]
    Deferred,
    /// `abort(code)`: the application's page for the status.
    #[error("aborted with {}", .0.status())]
    Aborted(Abort),
    /// The database refused or did not answer.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A template could not be rendered.
    #[error("template: {0:#}")]
    Template(#[from] minijinja::Error),
    /// Anything else that must not happen.
    #[error("{0}")]
    Internal(String),
}

impl IntoResponse for Failure {
    /// 500 without a word about the cause, which goes to the log. Before anything was sent the proxy asks Flask instead
    /// where the request may be repeated.
    fn into_response(self) -> Response {
        match self {
            Self::Deferred => return Defer.into_response(),
            Self::Aborted(abort) => return abort.into_response(),
            _ => {}
        }
        tracing::error!(error = %self, "a handler failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl Failure {
    /// `abort(404)`.
    pub(crate) fn not_found() -> Self {
        Self::Aborted(Abort::new(StatusCode::NOT_FOUND))
    }

    /// `abort(403)`.
    pub(crate) fn forbidden() -> Self {
        Self::Aborted(Abort::new(StatusCode::FORBIDDEN))
    }
}

impl From<Defer> for Failure {
    fn from(_: Defer) -> Self {
        Self::Deferred
    }
}
