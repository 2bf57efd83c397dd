//! Refusals, as `application/problem+json` (RFC 9457) with a stable `code`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::access::WINDOW;
use super::role::{Caller, Role};
use super::tokens::Denied;
use crate::control::Refused;
use crate::rollout::NotPromoted;

/// The code of a refusal by a process that another one has just taken the place of: asking again helps.
pub const MOVED: &str = "moved";

/// The code of a refusal because the same request is being answered: asking again gets that answer.
pub const IN_PROGRESS: &str = "in_progress";

/// Refusals by an endpoint that are put on record: somebody wanted something that must not be.
const ON_RECORD: &[&str] = &["stale", "gate", "held", "vetoed"];

/// Why an endpoint refused, beside its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason(pub(super) &'static str);

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
    /// The revision that holds, when another one was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

impl Problem {
    /// The first request with the same key is not answered yet.
    pub(super) fn in_progress() -> Self {
        let detail = "a request with this `Idempotency-Key` is being answered: ask again in a moment";
        Self::new(StatusCode::CONFLICT, IN_PROGRESS, detail)
    }

    pub(super) fn key_reused() -> Self {
        let detail = "this `Idempotency-Key` was used for something else: another request needs another key";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail)
    }

    /// It was done, and nobody can say again what was said.
    pub(super) fn answer_not_kept() -> Self {
        let detail = "this was done by an earlier process, and its answer held a secret, which is kept nowhere: revoke what \
                      was made, and ask with another `Idempotency-Key`";
        Self::new(StatusCode::CONFLICT, "answer_not_kept", detail)
    }

    /// Nobody knows what became of it.
    pub(super) fn in_doubt(revision: u64) -> Self {
        let detail = format!(
            "an earlier process ended before it answered this, and revision {revision} may be what became of it: \
             `ficus history` shows it; with another `Idempotency-Key` it is made once more"
        );
        Self { revision: Some(revision), ..Self::new(StatusCode::CONFLICT, "in_doubt", detail) }
    }

    /// Nothing but TLS is understood at this address.
    pub(super) fn needs_tls() -> Self {
        let detail = "TLS is spoken at this address: ask `https://` in place of `http://`";
        Self::new(StatusCode::BAD_REQUEST, "needs_tls", detail)
    }

    fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let (status, code, detail) = (status.as_u16(), code.to_owned(), detail.into());
        Self { status, code, detail, near: Vec::new(), errors: None, revision: None }
    }

    /// The code as a label of a metric, of those by which the door refuses.
    pub(super) fn reason(&self) -> &'static str {
        const REASONS: &[&str] = &[
            "expired",
            "forbidden",
            "from_a_page",
            "needs_role",
            "no_role",
            "no_token",
            "revoked",
            "stale",
            "too_large",
            "too_many_attempts",
            "unknown_token",
            "unreadable",
            "wrong_host",
            "wrong_scope",
        ];
        REASONS.iter().find(|reason| **reason == self.code).copied().unwrap_or("internal")
    }

    pub(super) fn needs_role(needed: Role, caller: &Caller) -> Self {
        let detail = format!(
            "this needs the role {}, and {} has the role {}",
            needed.word(),
            caller.name,
            caller.role.word()
        );
        Self::new(StatusCode::FORBIDDEN, "needs_role", detail)
    }

    pub(super) fn no_role(name: &str) -> Self {
        let detail = format!(
            "{name} has no role here: root and the user of ficus are admins, the members of its group operators; \
             `admin.admins`, `admin.operators` and `admin.viewers` in ficus.toml name others"
        );
        Self::new(StatusCode::FORBIDDEN, "no_role", detail)
    }

    pub(super) fn no_token() -> Self {
        let detail = "over TCP this needs a token: `ficus token create` on that machine makes one, \
                      and `Authorization: Bearer …` (`FICUS_TOKEN` for the command line) carries it";
        Self::new(StatusCode::UNAUTHORIZED, "no_token", detail)
    }

    pub(super) fn bad_token(denied: &Denied) -> Self {
        let (status, detail) = match denied {
            Denied::Unknown => (StatusCode::UNAUTHORIZED, "nobody knows this token".to_owned()),
            Denied::Revoked => (StatusCode::UNAUTHORIZED, "this token was revoked".to_owned()),
            Denied::Expired(at) => {
                (StatusCode::UNAUTHORIZED, format!("this token ended at {}", at.format("%F %T UTC")))
            }
            Denied::Unreadable(why) => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("tokens cannot be checked: {why}"))
            }
        };
        Self::new(status, denied.word(), detail)
    }

    pub(super) fn too_many_attempts() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "too many unknown tokens came lately")
    }

    pub(super) fn too_many_readers(most: usize) -> Self {
        let detail = format!("{most} readers follow the events already");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_readers", detail)
    }

    pub(super) fn out_of_scope(route: &str, routes: &[String]) -> Self {
        let detail = format!("this token may change {}, and `{route}` is not one of them", routes.join(", "));
        Self::new(StatusCode::FORBIDDEN, "wrong_scope", detail)
    }

    pub(super) fn needs_all_routes(routes: &[String]) -> Self {
        let detail = format!(
            "this token may change {} only, and what was asked for is not about one route",
            routes.join(", ")
        );
        Self::new(StatusCode::FORBIDDEN, "wrong_scope", detail)
    }

    pub(super) fn wrong_host(host: &str) -> Self {
        let host: String = host.chars().filter(|c| !c.is_control()).take(100).collect();
        let detail = format!(
            "`{host}` is not a name of this machine's own: ask `127.0.0.1` or `localhost`, or add the name to `admin.hosts`"
        );
        Self::new(StatusCode::FORBIDDEN, "wrong_host", detail)
    }

    pub(super) fn from_a_page() -> Self {
        Self::new(StatusCode::FORBIDDEN, "from_a_page", "pages in browsers may not ask here")
    }

    pub(super) fn stale(asked: &str, current: u64, author: Option<String>) -> Self {
        let by = author.map(|author| format!(", made by `{author}`")).unwrap_or_default();
        let asked: String = asked.chars().take(100).collect();
        let detail = format!("{asked} is not the current revision: {current} holds now{by}");
        Self { revision: Some(current), ..Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail) }
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the request body is too large")
    }

    pub(super) fn wrong_method(allowed: Option<&HeaderValue>) -> Self {
        let allowed = allowed.and_then(|allowed| allowed.to_str().ok()).unwrap_or("another method");
        let detail = format!("this path takes {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
    }

    pub(super) fn tokens(why: String) -> Self {
        Self::new(StatusCode::CONFLICT, "tokens", why)
    }

    pub(super) fn unknown_token(which: &str) -> Self {
        let which: String = which.chars().take(100).collect();
        let detail = format!("there is no token `{which}` that is good: `ficus token list` shows them");
        Self::new(StatusCode::NOT_FOUND, "no_such_token", detail)
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

    /// Users' traffic cannot be recorded, or not as it was asked for.
    pub(super) fn cannot_record(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, "cannot_record_traffic", detail)
    }

    pub(super) fn nothing_recorded() -> Self {
        let detail = "nothing is recorded: `ficus record status` shows the last recording";
        Self::new(StatusCode::CONFLICT, "nothing_recorded", detail)
    }

    pub(super) fn no_case(id: i64) -> Self {
        let detail = format!(
            "nothing was kept of group {id} that could be sent again: its answers are too large, there is no              `flask.secret_key` to mask them with, or it was found before this was kept; the next difference brings it"
        );
        Self::new(StatusCode::CONFLICT, "no_case", detail)
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
            Refused::CutOff(_) => (StatusCode::SERVICE_UNAVAILABLE, "cut_off"),
            Refused::Unsure { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unsure"),
            Refused::Overtaken => (StatusCode::CONFLICT, "overtaken"),
            Refused::Moved => (StatusCode::SERVICE_UNAVAILABLE, MOVED),
            Refused::CannotWrite(_) => (StatusCode::CONFLICT, "cannot_write"),
        };
        let mut problem = Self::new(status, code, refused.to_string());
        match refused {
            Refused::UnknownRoute { near, .. } => problem.near = near,
            Refused::UnknownBackend { known, .. } => problem.near = known,
            Refused::FileBroken { errors } | Refused::Invalid { errors } => problem.errors = Some(errors),
            // It begins with its number.
            Refused::Stale { current, .. } => {
                problem.revision = current.split(' ').next().and_then(|number| number.parse().ok());
            }
            _ => {}
        }
        problem
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => return Self::too_large(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "not_json",
            _ => "bad_request",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

/// A problem as it is sent.
#[derive(Serialize)]
struct Sent {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(flatten)]
    problem: Problem,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let title = status.canonical_reason().unwrap_or_default();
        let reason = ON_RECORD.iter().find(|reason| **reason == self.code).copied().map(Reason);
        let sent = Sent { kind: format!("urn:ficus:problem:{}", self.code), title, problem: self };
        let mut response = (status, kind, Json(sent)).into_response();
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        let header = match status {
            StatusCode::UNAUTHORIZED => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            StatusCode::TOO_MANY_REQUESTS => (header::RETRY_AFTER, HeaderValue::from(WINDOW.as_secs())),
            _ => return response,
        };
        response.headers_mut().insert(header.0, header.1);
        response
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}
