//! The paths of `/v1`, version 1 of the admin API. Every answer is one JSON document with `"schema": 1`.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::{Applied, Change, Edit, Refused, Reloaded};
use crate::diagnostic::percent;

use super::Admin;
use super::explain::{Question, explain};
use super::listing::{backend_lines, route_lines};
use super::peer::{Author, By};
use super::problem::Problem;

type Answer = Result<Json<Value>, Problem>;

pub(super) fn router(admin: &Arc<Admin>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/routes", get(routes))
        .route("/v1/explain", get(explanation))
        .route("/v1/history", get(history))
        .route("/v1/incidents", get(super::incidents::list))
        .route("/v1/incidents/{id}", get(super::incidents::show))
        .route("/v1/flip", post(flip))
        .route("/v1/rollback", post(rollback))
        .route("/v1/reload", post(reload))
        .with_state(Arc::clone(admin))
}

async fn status(State(admin): State<Arc<Admin>>) -> Answer {
    let status = admin.control.status();
    let routing = admin.control.live().load();
    let mut by_standing = std::collections::BTreeMap::<String, usize>::new();
    for line in route_lines(&routing.table, &[], &[]) {
        *by_standing.entry(line.serve).or_default() += 1;
    }
    let mut answer = json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "started": admin.started,
        "ready": admin.unready().is_none(),
        "unready_because": admin.unready(),
        "default": crate::control::serve_word(routing.table.default_serve()),
        "routes": routing.table.routes().len(),
        "routes_by_serve": by_standing,
        "backends": backend_lines(&admin.backends.health()),
    });
    if let (Value::Object(all), Ok(Value::Object(control))) = (&mut answer, serde_json::to_value(status)) {
        all.extend(control);
    }
    Ok(Json(answer))
}

async fn routes(State(admin): State<Arc<Admin>>) -> Answer {
    let status = admin.control.status();
    let routing = admin.control.live().load();
    let lines = route_lines(&routing.table, &status.drift, &admin.observer.routes());
    Ok(Json(json!({ "schema": 1, "revision": routing.revision, "routes": lines })))
}

async fn explanation(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question.map_err(|error| Problem::bad_request(error.body_text()))?;
    let explanation = explain(&admin.control.live().load(), &question);
    Ok(Json(json!({ "schema": 1, "question": question, "explanation": explanation })))
}

#[derive(Debug, Deserialize)]
struct HistoryQuestion {
    route: Option<String>,
    limit: Option<u32>,
}

async fn history(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<HistoryQuestion>, QueryRejection>,
) -> Answer {
    let Query(question) = question.map_err(|error| Problem::bad_request(error.body_text()))?;
    blocking(move || {
        let limit = question.limit.unwrap_or(20).clamp(1, 1_000);
        let records = admin.control.history(question.route.as_deref(), limit);
        if let (Some(route), true) = (&question.route, records.is_empty()) {
            let near = admin.control.nearest_routes(route);
            if admin.control.live().load().table.route(route).is_none() {
                return Err(Problem::unknown_route(route, near));
            }
        }
        let store = admin.control.status().store;
        Ok(json!({ "schema": 1, "changes": records, "store": store }))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlipRequest {
    route: String,
    to: String,
    /// A percentage as text, such as `5%`.
    canary: Option<String>,
    reason: Option<String>,
    based_on: Option<u64>,
}

async fn flip(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<FlipRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request.map_err(|error| Problem::bad_request(error.body_text()))?;
    let canary = request.canary.as_deref().map(percent).transpose().map_err(Problem::bad_request)?;
    let edit = Edit::Flip { route: request.route, to: request.to, canary };
    apply(
        admin,
        author,
        Change { author: String::new(), reason: request.reason, based_on: request.based_on, edit },
    )
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackRequest {
    /// Absent or null: every route.
    route: Option<String>,
    reason: Option<String>,
}

async fn rollback(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<RollbackRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request.map_err(|error| Problem::bad_request(error.body_text()))?;
    let edit = Edit::Rollback { route: request.route };
    apply(admin, author, Change { author: String::new(), reason: request.reason, based_on: None, edit }).await
}

async fn apply(admin: Arc<Admin>, author: Author, change: Change) -> Answer {
    let change = Change { author: author.0, ..change };
    blocking(move || {
        let applied: Result<Applied, Refused> = admin.control.apply(&change);
        let mut answer =
            serde_json::to_value(applied?).map_err(|error| Problem::internal(error.to_string()))?;
        answer["schema"] = json!(1);
        Ok(answer)
    })
    .await
}

async fn reload(State(admin): State<Arc<Admin>>) -> Answer {
    blocking(move || match admin.control.reload() {
        Reloaded::Unchanged => Ok(json!({ "schema": 1, "changed": false })),
        Reloaded::Taken { revision, changes } => {
            Ok(json!({ "schema": 1, "changed": true, "revision": revision, "changes": changes }))
        }
        Reloaded::Refused { message, errors } => Err(Problem::bad_file(message, errors)),
        Reloaded::NoFile => Err(Refused::NoFile.into()),
    })
    .await
}

/// Files and the store are waited for on a thread where waiting hurts nobody.
async fn blocking(work: impl FnOnce() -> Result<Value, Problem> + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.map(Json),
        Err(error) => Err(Problem::internal(format!("the change ended abnormally: {error}"))),
    }
}
