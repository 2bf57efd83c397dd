//! `/v1/progress`: what is known about every route of how far it is, for `ficus progress`, `ficus retire` and whoever
//! draws it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{Days, Utc};
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::api::{Answer, blocking};
use super::problem::Problem;
use crate::rollout::progress::{Gathered, gather};
use crate::store::{KEPT_DAYS, Wanted};

/// Changes that are looked at for the last one of each route.
const HISTORY: u32 = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    days: Option<u64>,
}

pub(super) async fn progress(
    State(admin): State<Arc<Admin>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer {
    let Query(question) = question?;
    let days = question.days.unwrap_or(30);
    if !(1..=KEPT_DAYS).contains(&days) {
        return Err(Problem::bad_request(format!("`days` is between 1 and {KEPT_DAYS}")));
    }
    blocking(move || {
        let today = Utc::now().date_naive();
        let from = today.checked_sub_days(Days::new(days - 1)).unwrap_or(today);
        let (book, fleet) = admin.kept.tallies.book(from).map_err(Problem::store)?;
        let history = admin.control.history(None, HISTORY);
        let mut mismatches = BTreeMap::new();
        for group in admin.kept.diffs.groups(Wanted::default()).map_err(Problem::store)? {
            *mismatches.entry(group.route).or_default() += 1;
        }
        let routing = admin.control.live().load();
        let gathered = Gathered {
            table: &routing.table,
            revision: routing.revision,
            book: &book,
            fleet,
            history_is_cut: history.len() >= HISTORY as usize,
            history: &history,
            held: admin.control.status().holds.into_iter().map(|hold| hold.route).collect(),
            incidents: &admin.kept.incidents.all(),
            mismatches,
            rust: admin.kept.tallies.rust(),
        };
        Ok(json!({ "schema": 1, "progress": gather(&gathered, days, today) }))
    })
    .await
}
