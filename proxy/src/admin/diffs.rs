//! What shadow traffic found, and the two changes that belong to it: how much is copied, and what may differ.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use chrono::{Days, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::api::{Answer, blocking};
use super::changes::apply;
use super::peer::By;
use super::problem::Problem;
use crate::control::{Change, Edit, NewRule, ShadowEdit};
use crate::diagnostic::percent;
use crate::store::{GroupRow, Wanted};

/// How long a rule counts if nobody says otherwise.
pub(super) const LIFE_OF_A_RULE: Days = Days::new(90);

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    route: Option<String>,
    #[serde(default)]
    samples: bool,
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    blocking(move || {
        if let Some(route) = &question.route
            && admin.control.live().load().table.route(route).is_none()
        {
            return Err(Problem::unknown_route(route, admin.control.nearest_routes(route)));
        }
        let mut tally = admin.kept.shadow.tally();
        if let Some(route) = &question.route {
            tally.retain(|name, _| name == route);
        }
        let wanted = Wanted { id: None, route: question.route, samples: question.samples };
        let groups = admin.kept.diffs.groups(wanted).map_err(Problem::store)?;
        Ok(json!({ "schema": 1, "since": admin.started, "routes": tally, "lost": admin.kept.diffs.lost(), "groups": groups }))
    })
    .await
}

pub(super) async fn one(State(admin): State<Arc<Admin>>, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id?;
    blocking(move || Ok(json!({ "schema": 1, "group": group(&admin, id)? }))).await
}

/// What is needed to ask again on what both sides differed.
pub(super) async fn case(State(admin): State<Arc<Admin>>, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id?;
    blocking(move || {
        let group = group(&admin, id)?;
        let case = group.case.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let case = case.ok_or_else(|| Problem::no_case(id))?;
        let excerpt = admin.control.excerpt(&group.route);
        let routing = admin.control.live().load();
        let words = crate::shadow::words_of(&routing.table);
        Ok(json!({ "schema": 1, "group": group, "case": case, "routes": excerpt, "words": words }))
    })
    .await
}

pub(super) async fn forget(State(admin): State<Arc<Admin>>, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id?;
    blocking(move || {
        group(&admin, id)?;
        admin.kept.diffs.forget(id).map_err(Problem::store)?;
        Ok(json!({ "schema": 1, "forgotten": id }))
    })
    .await
}

fn group(admin: &Admin, id: i64) -> Result<GroupRow, Problem> {
    let wanted = Wanted { id: Some(id), route: None, samples: true };
    let groups = admin.kept.diffs.groups(wanted).map_err(Problem::store)?;
    groups.into_iter().next().ok_or_else(|| Problem::unknown_group(id))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IgnoreRequest {
    reason: String,
    /// The last day; absent: in ninety days.
    expires: Option<NaiveDate>,
    based_on: Option<u64>,
}

/// Writes a rule for a group into the routing file, and forgets the group.
pub(super) async fn ignore(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    id: Result<Path<i64>, PathRejection>,
    request: Result<Json<IgnoreRequest>, JsonRejection>,
) -> Answer {
    let Path(id) = id?;
    let Json(request) = request?;
    let asked = Arc::clone(&admin);
    let found = tokio::task::spawn_blocking(move || group(&asked, id)).await;
    let found = found.map_err(|error| Problem::internal(error.to_string()))??;
    let path = found.rule.ok_or_else(|| Problem::no_rule(&found.signature))?;
    let today = Utc::now().date_naive();
    let expires = request.expires.or_else(|| today.checked_add_days(LIFE_OF_A_RULE)).unwrap_or(today);
    let rule = NewRule {
        path,
        reason: request.reason.clone(),
        author: author.0.clone(),
        expires: expires.format("%Y-%m-%d").to_string(),
    };
    let edit = Edit::Shadow { route: found.route, edit: ShadowEdit::Ignore(rule) };
    let change =
        Change { author: String::new(), reason: Some(request.reason), based_on: request.based_on, edit };
    let diffs = Arc::clone(&admin.kept.diffs);
    let answer = apply(admin, author, change).await?;
    // What comes from now on is counted as ignored; the group would only look as if it were still there.
    if let Err(error) = tokio::task::spawn_blocking(move || diffs.forget(id)).await.unwrap_or(Ok(())) {
        tracing::warn!(error, id, "a group of differences that is ignored now could not be removed");
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShadowRequest {
    route: String,
    /// A percentage as text, or `off`.
    sample: String,
    reason: Option<String>,
    based_on: Option<u64>,
}

pub(super) async fn shadow(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<ShadowRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    let buckets = match request.sample.as_str() {
        "off" => 0,
        text => percent(text).map_err(Problem::bad_request)?,
    };
    let sample = f64::from(buckets) / 100_000.0;
    let edit = Edit::Shadow { route: request.route, edit: ShadowEdit::Sample(sample) };
    let change = Change { author: String::new(), reason: request.reason, based_on: request.based_on, edit };
    apply(admin, author, change).await
}
