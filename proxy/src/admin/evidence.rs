//! What comparisons prove: certificates, how shadowed routes fare, and noise that a person may make a rule of.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Query, State};
use chrono::{NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::api::{Answer, blocking};
use super::changes::apply;
use super::diffs::LIFE_OF_A_RULE;
use super::peer::By;
use super::problem::Problem;
use crate::control::{Change, Edit, NewRule, ShadowEdit};
use crate::shadow::{Certificate, NoiseField};

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    route: String,
}

pub(super) async fn certificate(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    let mut all = admin.kept.shadow.certificates(&question.route).into_iter();
    let Some(certificate) = all.next() else {
        admin.known(&question.route)?;
        let missing = [format!("nothing is compared: `ficus shadow {}` begins to", question.route)];
        return Ok(Json(
            json!({ "schema": 1, "certificate": null, "stands": false, "missing": missing, "history": [] }),
        ));
    };
    let history: Vec<Certificate> = all.collect();
    Ok(Json(json!({
        "schema": 1,
        "stands": certificate.stands(),
        "missing": certificate.missing(),
        "certificate": certificate,
        "history": history,
    })))
}

/// `GET /v1/shadow`: every route whose requests are copied.
pub(super) async fn shadowed(State(admin): State<Arc<Admin>>) -> Answer {
    let routing = admin.control.live().load();
    let mut lines = Vec::new();
    for route in routing.table.routes() {
        let Some(shadow) = route.shadow.as_ref().filter(|shadow| shadow.sample > 0.0) else { continue };
        let certificate = admin.kept.shadow.certificate(&route.name);
        lines.push(json!({
            "route": route.name,
            "sample": shadow.sample,
            "rules": shadow.ignore.len(),
            "self_test": admin.kept.shadow.self_test(&route.name),
            "comparisons": certificate.as_ref().map(|one| one.comparisons),
            "mismatches": certificate.as_ref().map(|one| one.mismatches),
            "overall_bound": certificate.as_ref().map(|one| one.overall_bound),
            "worst_bound": certificate.as_ref().map(|one| one.worst_bound),
        }));
    }
    Ok(Json(json!({ "schema": 1, "routes": lines })))
}

pub(super) async fn noise(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    blocking(move || {
        admin.known(&question.route)?;
        let book = admin.kept.shadow.noise_of(&question.route).map_err(Problem::store)?;
        let (overall, per_route) = admin.kept.shadow.noise_budget();
        let mut answer = json!(book);
        for (field, shown) in book.fields.iter().zip(answer["fields"].as_array_mut().into_iter().flatten()) {
            shown["refused_because"] = json!(because(field));
        }
        answer["schema"] = json!(1);
        answer["route"] = json!(question.route);
        answer["budget"] = json!({ "a_minute": overall, "of_each_route": per_route });
        Ok(answer)
    })
    .await
}

/// Why a field is not proposed, in a sentence.
fn because(field: &NoiseField) -> Option<&'static str> {
    Some(match field.refused.as_deref()? {
        "amount" => "it looks like an amount: a rule would hide that one side calculates it wrongly",
        "permission" => {
            "it looks like a permission: a rule would hide that one side lets somebody do too much"
        }
        "id" => "it looks like an id or an address: a rule would hide that one side shows the wrong thing",
        _ => "it is the outcome of the request itself: a rule would hide almost everything",
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptRequest {
    route: String,
    number: u64,
    reason: String,
    /// Why it is safe although it is refused.
    anyway: Option<String>,
    /// The last day; absent: in ninety days.
    expires: Option<NaiveDate>,
    based_on: Option<u64>,
}

/// Writes a rule for a field into the routing file, because a person says so.
pub(super) async fn accept(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<AcceptRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    admin.known(&request.route)?;
    let (shadow, route) = (Arc::clone(&admin.kept.shadow), request.route.clone());
    let book = tokio::task::spawn_blocking(move || shadow.noise_of(&route)).await;
    let book = book.map_err(|error| Problem::internal(error.to_string()))?.map_err(Problem::store)?;
    let field = book.fields.iter().find(|field| field.number == request.number);
    let field = field.ok_or_else(|| Problem::unknown_noise(&request.route, request.number))?;
    let path = field.rule.clone().ok_or_else(|| Problem::no_rule(&field.signature))?;
    let anyway = request.anyway.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let reason = match (because(field), anyway) {
        (Some(because), None) => return Err(Problem::noise_refused(&field.signature, because)),
        (Some(_), Some(anyway)) => format!("{}; {anyway}", request.reason),
        (None, _) => request.reason.clone(),
    };
    let today = Utc::now().date_naive();
    let expires = request.expires.or_else(|| today.checked_add_days(LIFE_OF_A_RULE)).unwrap_or(today);
    let rule = NewRule {
        path,
        reason: format!("{reason} (differed from itself in {} of {} pairs)", field.differed, book.pairs),
        author: author.0.clone(),
        expires: expires.format("%Y-%m-%d").to_string(),
    };
    let edit = Edit::Shadow { route: request.route.clone(), edit: ShadowEdit::Ignore(rule) };
    let change = Change { author: String::new(), reason: Some(reason), based_on: request.based_on, edit };
    let (shadow, number) = (Arc::clone(&admin.kept.shadow), field.number);
    let answer = apply(admin, author, change).await?;
    let marked = tokio::task::spawn_blocking(move || shadow.noise_accepted(&request.route, number)).await;
    if let Err(error) = marked.unwrap_or(Ok(())) {
        tracing::warn!(error, number, "noise that is a rule now could not be marked as such");
    }
    Ok(answer)
}

/// What `ficus status` says about tests of shadowing.
pub(super) fn alarms(admin: &Admin) -> Value {
    json!(admin.kept.shadow.alarms())
}
