//! Tokens for this API: made, listed, revoked; who asks; who was refused.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::access::Entry;
use super::api::{Answer, blocking};
use super::peer::By;
use super::problem::Problem;
use super::role::{Caller, Role};
use super::tokens::{NewToken, Token};
use crate::control::person;
use crate::diagnostic::duration;
use crate::route::covers;

/// Longest life of a token.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(super) async fn me(State(admin): State<Arc<Admin>>, Extension(caller): Extension<Caller>) -> Answer {
    let revision = admin.control.live().load().revision;
    Ok(Json(json!({
        "schema": 1,
        "name": caller.name,
        "person": person(&caller.name),
        "role": caller.role,
        "routes": caller.routes,
        "revision": revision,
    })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRequest {
    name: String,
    /// The user of the system that it is for.
    user: Option<String>,
    role: Role,
    /// How long, such as `720h`.
    lasts: String,
    /// The routes that it may change; absent or empty: all.
    #[serde(default)]
    routes: Vec<String>,
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<TokenRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    let lasts = duration(&request.lasts).map_err(Problem::bad_request)?;
    if lasts.is_zero() || lasts > LONGEST {
        return Err(Problem::bad_request("a token lasts longer than nothing and at most 366d"));
    }
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
    if request.name.is_empty() || request.name.len() > 64 || !request.name.chars().all(sound) {
        return Err(Problem::bad_request(
            "a token's name has at most 64 letters, digits, spaces and any of `-_.`",
        ));
    }
    if let Some(user) = request.user.as_ref().filter(|user| !is_user(user)) {
        return Err(Problem::bad_request(format!("`{}` is not the name of a user", user.escape_default())));
    }
    let routing = admin.control.live().load();
    for pattern in &request.routes {
        if !routing.table.routes().iter().any(|route| covers(pattern, &route.name)) {
            return Err(Problem::unknown_route(pattern, admin.control.nearest_routes(pattern)));
        }
    }
    let now = Utc::now();
    let TokenRequest { name, user, role, routes, .. } = request;
    let new = NewToken { name, user, role, routes, author: author.0.clone(), expires: now + lasts };
    blocking(move || {
        let (token, secret) = admin.tokens.create(new, now).map_err(Problem::tokens)?;
        note(&admin, "created", &author.0, &token);
        Ok(json!({ "schema": 1, "token": token, "secret": secret }))
    })
    .await
}

/// A name as user databases have them, without what would make it look like something else in the history.
fn is_user(name: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || "-_.$@\\+".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(sound)
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Answer {
    blocking(move || {
        let tokens = admin.tokens.list().map_err(Problem::tokens)?;
        Ok(json!({ "schema": 1, "tokens": tokens }))
    })
    .await
}

pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    Path(which): Path<String>,
) -> Answer {
    blocking(move || {
        let revoked = admin.tokens.revoke(&which, Utc::now()).map_err(Problem::tokens)?;
        let token = revoked.ok_or_else(|| Problem::unknown_token(&which))?;
        note(&admin, "revoked", &author.0, &token);
        Ok(json!({ "schema": 1, "revoked": token }))
    })
    .await
}

fn note(admin: &Admin, event: &str, who: &str, token: &Token) {
    tracing::info!(
        author = who,
        token = token.name,
        id = token.id,
        role = token.role.word(),
        "token {event}"
    );
    admin.access.write(&Entry {
        at: Utc::now(),
        event: event.to_owned(),
        who: Some(who.to_owned()),
        what: format!("token {} ({}), {}", token.name, token.id, token.role.word()),
        reason: None,
    });
}

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    limit: Option<usize>,
}

pub(super) async fn access(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    blocking(move || {
        let limit = question.limit.unwrap_or(50).min(10_000);
        Ok(json!({ "schema": 1, "entries": admin.access.last(limit) }))
    })
    .await
}
