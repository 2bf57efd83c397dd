//! What looks, in version 1 of the admin API; what changes is in `changes`. Every answer is one JSON
//! document with `"schema": 1`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::Reloaded;

use super::Admin;
use super::explain::{Question, explain};
use super::listing::{backend_lines, route_lines};
use super::problem::Problem;

pub(super) type Answer = Result<Json<Value>, Problem>;

pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Answer {
    let status = admin.control.status();
    let routing = admin.control.live().load();
    let mut by_standing = std::collections::BTreeMap::<String, usize>::new();
    for line in route_lines(&routing.table, &status, &[]) {
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
        "self_tests_failed": super::evidence::alarms(&admin),
        "recording": admin.kept.shadow.recordings().running(),
    });
    if let (Value::Object(all), Ok(Value::Object(control))) = (&mut answer, serde_json::to_value(status)) {
        all.extend(control);
    }
    Ok(Json(answer))
}

pub(super) async fn routes(State(admin): State<Arc<Admin>>) -> Answer {
    let status = admin.control.status();
    let routing = admin.control.live().load();
    let lines = route_lines(&routing.table, &status, &admin.observer.routes());
    Ok(Json(json!({ "schema": 1, "revision": routing.revision, "routes": lines })))
}

pub(super) async fn explanation(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    let mut explanation = explain(&admin.control.live().load(), &question);
    explanation.add_pins(&admin.control.status());
    Ok(Json(json!({ "schema": 1, "question": question, "explanation": explanation })))
}

#[derive(Debug, Deserialize)]
pub(super) struct HistoryQuestion {
    route: Option<String>,
    limit: Option<u32>,
    /// Whether each change comes with its difference in the routing file.
    #[serde(default)]
    diff: bool,
}

pub(super) async fn history(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<HistoryQuestion>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
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
        let mut changes = json!(records);
        if question.diff {
            for change in changes.as_array_mut().into_iter().flatten() {
                let revision = change["revision"].as_u64().unwrap_or_default();
                change["diff"] = json!(admin.control.diff_of(revision));
            }
        }
        Ok(json!({ "schema": 1, "changes": changes, "store": store }))
    })
    .await
}

pub(super) async fn audit(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<AuditQuestion>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    blocking(move || {
        let limit = question.limit.unwrap_or(20).min(100_000);
        let audit =
            admin.control.audit(limit).ok_or_else(|| Problem::internal("the audit does not answer"))?;
        let store = admin.control.status().store;
        Ok(json!({ "schema": 1, "audit": audit, "store": store }))
    })
    .await
}

#[derive(Debug, Deserialize)]
pub(super) struct AuditQuestion {
    limit: Option<u32>,
}

pub(super) async fn difference(State(admin): State<Arc<Admin>>) -> Answer {
    blocking(move || {
        let difference = admin.control.difference().map_err(Problem::bad_request)?;
        let mut answer =
            serde_json::to_value(difference).map_err(|error| Problem::internal(error.to_string()))?;
        answer["schema"] = json!(1);
        answer["drift"] = json!(admin.control.status().drift);
        Ok(answer)
    })
    .await
}

/// The nodes that share the store with this one.
pub(super) async fn fleet(State(admin): State<Arc<Admin>>) -> Answer {
    blocking(move || {
        let fleet = admin.control.fleet_now();
        let revision = admin.control.live().load().revision;
        Ok(json!({ "schema": 1, "revision": revision, "fleet": fleet }))
    })
    .await
}

/// The routing file, ficus.toml and the certificates; what is good is taken, what is bad is told.
pub(super) async fn reload(State(admin): State<Arc<Admin>>) -> Answer {
    let reread = admin.asks.reload().await.ok_or_else(Problem::stopping)?;
    if let Some((message, errors)) = reread.bad {
        return Err(Problem::bad_file(message, errors));
    }
    blocking(move || {
        let mut answer = match admin.control.reload() {
            Reloaded::Unchanged | Reloaded::NoFile => json!({ "schema": 1, "changed": false }),
            Reloaded::Taken { revision, changes } => {
                json!({ "schema": 1, "changed": true, "revision": revision, "changes": changes })
            }
            Reloaded::Refused { message, errors } => return Err(Problem::bad_file(message, errors)),
        };
        answer["settings"] = json!({ "applied": reread.applied, "need_upgrade": reread.waiting });
        Ok(answer)
    })
    .await
}

pub(super) async fn upgrade(State(admin): State<Arc<Admin>>) -> Answer {
    match admin.asks.upgrade().await {
        Some(Ok(process)) => Ok(Json(json!({ "schema": 1, "process": process }))),
        Some(Err(cause)) => Err(Problem::upgrade_failed(cause)),
        None => Err(Problem::stopping()),
    }
}

/// Files and the store are waited for on a thread where waiting hurts nobody.
pub(super) async fn blocking(work: impl FnOnce() -> Result<Value, Problem> + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.map(Json),
        Err(error) => Err(Problem::internal(format!("the change ended abnormally: {error}"))),
    }
}
