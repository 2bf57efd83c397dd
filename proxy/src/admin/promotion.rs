//! The way up: `/v1/gate`, `/v1/promote`, `/v1/approve`, `/v1/drill`. What a gate needs is judged in `rollout`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Query, State};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::api::{Answer, blocking};
use super::peer::By;
use super::problem::Problem;
use crate::identity::{Choice, Side};
use crate::rollout::{Rig, Wish, parse_journey};
use crate::route::{Found, Route, Table};

/// How long the tokens of a rehearsal are good for, in seconds.
const LIFE_OF_A_TOKEN: i64 = 600;

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    route: String,
}

pub(super) async fn gate(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    blocking(move || {
        let outlook = admin.kept.gates.look(&question.route, &author.0)?;
        Ok(json!({ "schema": 1, "gate": outlook }))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PromoteRequest {
    route: String,
    reason: Option<String>,
    based_on: Option<u64>,
    #[serde(default)]
    dry_run: bool,
    /// The name of the route once more: it is promoted whatever its gate says.
    skip_gates: Option<String>,
}

pub(super) async fn promote(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<PromoteRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    if request.skip_gates.as_ref().is_some_and(|name| *name != request.route) {
        return Err(Problem::bad_request("`skip_gates` must be the name of the route, once more"));
    }
    blocking(move || {
        let gates = &admin.kept.gates;
        let outlook = gates.look(&request.route, &author.0)?;
        let mut answer = if request.dry_run {
            let preview = gates.preview(&outlook)?;
            serde_json::to_value(preview)
        } else {
            let wish = Wish {
                route: request.route,
                author: author.0,
                reason: request.reason,
                based_on: request.based_on.or(author.1),
                skip_gates: request.skip_gates.is_some(),
            };
            serde_json::to_value(gates.promote(&wish)?)
        }
        .map_err(|error| Problem::internal(error.to_string()))?;
        if answer.is_null() {
            answer = json!({ "revision": outlook.revision, "changes": [], "ask": false, "diff": "" });
        }
        answer["schema"] = json!(1);
        answer["dry_run"] = json!(request.dry_run);
        answer["gate"] = json!(outlook);
        Ok(answer)
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveRequest {
    route: String,
    /// The step, in words; absent: the next one.
    step: Option<String>,
    reason: Option<String>,
    based_on: Option<u64>,
}

pub(super) async fn approve(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<ApproveRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    blocking(move || {
        let gates = &admin.kept.gates;
        let wish = Wish {
            route: request.route,
            author: author.0,
            reason: request.reason,
            based_on: request.based_on.or(author.1),
            skip_gates: false,
        };
        let (step, applied) = gates.approve(&wish, request.step.as_deref())?;
        // As it is for somebody who has approved nothing.
        let outlook = gates.look(&wish.route, "")?;
        let mut answer =
            serde_json::to_value(applied).map_err(|error| Problem::internal(error.to_string()))?;
        answer["schema"] = json!(1);
        answer["step"] = json!(step);
        answer["gate"] = json!(outlook);
        Ok(answer)
    })
    .await
}

pub(super) async fn drills(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    blocking(move || {
        admin.known(&question.route)?;
        let mut drills = admin.kept.gates.drills().of(&question.route).map_err(Problem::store)?;
        drills.reverse();
        Ok(json!({ "schema": 1, "route": question.route, "drills": drills }))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DrillRequest {
    route: String,
    /// A path of the route; absent: its rule, if that has no variables.
    path: Option<String>,
    /// The `Host` of all requests.
    #[serde(default = "localhost")]
    host: String,
    /// The text of a journey.
    journey: Option<String>,
}

fn localhost() -> String {
    "localhost".to_owned()
}

pub(super) async fn drill(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<DrillRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    let route = admin.known(&request.route)?;
    let rig = rig(&admin, route, request, author.0)?;
    // Goes on to its end, also when whoever asked for it hangs up: the route must be left as it was.
    let run = tokio::spawn(async move { rig.run().await });
    let report = run.await.map_err(|error| Problem::internal(error.to_string()))?;
    let mut report = report?;
    let gates = Arc::clone(&admin.kept.gates);
    blocking(move || {
        let unstored = gates.drills().add(&mut report).err();
        if let Some(error) = &unstored {
            tracing::warn!(error, route = report.route, "the result of a rehearsal cannot be stored");
        }
        let passed = report.failures.is_empty();
        tracing::info!(route = report.route, passed, "a rollback was rehearsed");
        Ok(json!({ "schema": 1, "passed": passed, "drill": report, "unstored": unstored }))
    })
    .await
}

fn rig(admin: &Arc<Admin>, route: Arc<Route>, request: DrillRequest, author: String) -> Result<Rig, Problem> {
    let address = admin.kept.http.map(reachable).ok_or_else(|| {
        Problem::bad_request(
            "a rehearsal asks over plain HTTP, and there is no such listener: set `listen.http`",
        )
    })?;
    let tokens = admin.kept.tokens.as_ref().ok_or_else(|| {
        Problem::bad_request(
            "there is nothing to sign with: set `canary.secret_key` or `flask.secret_key` in ficus.toml",
        )
    })?;
    let expires = Utc::now().timestamp() + LIFE_OF_A_TOKEN;
    let token = |side| tokens.tester(&Choice { side, scope: "*".to_owned(), expires });
    let journey = request.journey.as_deref().map(parse_journey).transpose().map_err(Problem::bad_request)?;
    let table = &admin.control.live().load().table;
    let (method, path) = probe(table, &route, &request)?;
    Ok(Rig {
        control: Arc::clone(&admin.control),
        shadow: Arc::clone(&admin.kept.shadow),
        address,
        tokens: (token(Side::Candidate), token(Side::Fallback)),
        route,
        host: request.host,
        probe: (method, path),
        journey: journey.unwrap_or_default(),
        author,
    })
}

/// Where Ficus reaches itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// A request that changes nothing and belongs to the route.
fn probe(table: &Table, route: &Route, request: &DrillRequest) -> Result<(http::Method, String), Problem> {
    let plain = |rule: &&String| !rule.contains('<');
    let path = request.path.clone().or_else(|| route.rules.iter().find(plain).cloned()).ok_or_else(|| {
        Problem::bad_request(format!(
            "the rule `{}` has variables: name a path of `{}` that may be asked again and again with `--path`",
            route.rules.first().map_or("", String::as_str),
            route.name
        ))
    })?;
    let bare = path.split('?').next().unwrap_or_default();
    let belongs = |method: &http::Method| matches!(table.find(&request.host, method.as_str(), bare), Found::Route(found) if found.name == route.name);
    let method = [http::Method::GET, http::Method::OPTIONS].into_iter().find(belongs);
    let method = method.ok_or_else(|| {
        let host = &request.host;
        Problem::bad_request(format!(
            "`{path}` at the host `{host}` does not belong to `{}`: `ficus explain GET {path}` says to whom",
            route.name
        ))
    })?;
    Ok((method, path))
}

/// What the ordinary changes ask of the webhook: whether this one may be made.
pub(super) fn agreed(admin: &Admin, change: &crate::control::Change) -> Result<(), Problem> {
    admin.kept.gates.agreed(change).map_err(Problem::vetoed)
}
