//! Refusals, as `application/problem+json` with a stable `code`.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::control::Refused;
use crate::rollout::NotPromoted;

/// The code of a refusal by a process that another one has just taken the place of: asking again helps.
pub const MOVED: &str = "moved";

/// A refusal. The CLI reads the same type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A word that stays the same.
    pub code: String,
    /// What is wrong, in one sentence.
    pub detail: String,
    /// Names that may have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// All errors of a file, as text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let (code, detail) = (code.to_owned(), detail.into());
        Self { status: status.as_u16(), code, detail, near: Vec::new(), errors: None }
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(super) fn bad_file(detail: impl Into<String>, errors: String) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_file", detail);
        problem.errors = (!errors.is_empty()).then_some(errors);
        problem
    }

    pub(super) fn no_incident(id: u64, last: u64) -> Self {
        let last = if last == 0 { "there is none yet".to_owned() } else { format!("the last one is {last}") };
        Self::new(StatusCode::NOT_FOUND, "no_incident", format!("there is no incident {id}: {last}"))
    }

    pub(super) fn upgrade_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "upgrade_failed", detail)
    }

    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "this process is about to stop")
    }

    /// Whoever is asked before a change said no.
    pub(super) fn vetoed(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, "vetoed", detail)
    }

    /// The store cannot be asked.
    pub(super) fn store(detail: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", detail)
    }

    pub(super) fn unknown_group(id: i64) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_group", format!("there is no group of differences {id}"))
    }

    pub(super) fn no_rule(signature: &str) -> Self {
        let detail = format!(
            "names in `{signature}` are masked, so no rule can be made of it: write one into `shadow.ignore` by hand"
        );
        Self::new(StatusCode::CONFLICT, "no_rule", detail)
    }

    pub(super) fn unknown_noise(route: &str, number: u64) -> Self {
        let detail = format!("no field {number} of `{route}` was seen to differ from itself");
        Self::new(StatusCode::NOT_FOUND, "unknown_noise", detail)
    }

    pub(super) fn noise_refused(signature: &str, because: &str) -> Self {
        let detail = format!("`{signature}` is refused: {because}; `--anyway WHY` says why it is safe here");
        Self::new(StatusCode::CONFLICT, "noise_refused", detail)
    }

    pub(super) fn unknown_route(route: &str, near: Vec<String>) -> Self {
        Refused::UnknownRoute { route: route.to_owned(), near }.into()
    }
}

impl From<NotPromoted> for Problem {
    fn from(not: NotPromoted) -> Self {
        match not {
            NotPromoted::Refused(refused) => refused.into(),
            NotPromoted::NoStep(detail) => Self::new(StatusCode::CONFLICT, "no_step", detail),
            NotPromoted::Vetoed(detail) => Self::vetoed(detail),
            NotPromoted::Gate(sentences) => {
                let detail = "the gate of the next step does not hold, so nothing was changed";
                let mut problem = Self::new(StatusCode::CONFLICT, "gate", detail);
                problem.errors = Some(sentences);
                problem
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, code) = match &refused {
            Refused::NoFile => (StatusCode::CONFLICT, "no_file"),
            Refused::UnknownRoute { .. } => (StatusCode::NOT_FOUND, "unknown_route"),
            Refused::UnknownBackend { .. } => (StatusCode::NOT_FOUND, "unknown_backend"),
            Refused::CanaryToFallback(_) => (StatusCode::BAD_REQUEST, "canary_to_fallback"),
            Refused::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "stale"),
            Refused::Held(_) => (StatusCode::CONFLICT, "held"),
            Refused::CannotUndo(_) => (StatusCode::CONFLICT, "cannot_undo"),
            Refused::ChangedSince(_) => (StatusCode::CONFLICT, "changed_since"),
            Refused::CannotRecord(_) => (StatusCode::CONFLICT, "cannot_record"),
            Refused::FileBroken { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "bad_file"),
            Refused::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Refused::Moved => (StatusCode::SERVICE_UNAVAILABLE, MOVED),
            Refused::CannotWrite(_) => (StatusCode::CONFLICT, "cannot_write"),
        };
        let mut problem = Self::new(status, code, refused.to_string());
        match refused {
            Refused::UnknownRoute { near, .. } => problem.near = near,
            Refused::UnknownBackend { known, .. } => problem.near = known,
            Refused::FileBroken { errors } | Refused::Invalid { errors } => problem.errors = Some(errors),
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, Json(self)).into_response()
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}
