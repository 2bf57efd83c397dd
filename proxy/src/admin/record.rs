//! Recordings of users' traffic: begin, look, end. Both ends go into the history; what is recorded, and how it is masked, is in
//! `shadow::record`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::api::{Answer, blocking};
use super::peer::By;
use super::problem::Problem;
use crate::control::{Change, Edit};
use crate::diagnostic::{duration, percent};
use crate::route::covers;
use crate::shadow::{RecordStatus, RecordWish};

/// Longest recording.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Most requests of one.
const MOST_REQUESTS: u64 = 100_000;
/// Most bytes of one.
const MOST_BYTES: u64 = 1 << 30;
/// Most words of an application.
const MOST_WORDS: usize = 200_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordRequest {
    /// Names, beginnings of names as `customers.*`, or `*`.
    routes: Vec<String>,
    /// Such as `10m`.
    #[serde(default = "ten_minutes")]
    lasts: String,
    #[serde(default = "thousand")]
    limit: u64,
    /// Most bytes, such as `64MiB`.
    #[serde(default = "bytes_of_one")]
    bytes: String,
    /// The share of visitors, such as `25%`.
    #[serde(default = "everybody")]
    sample: String,
    /// Words of the application, which stay readable.
    #[serde(default)]
    words: BTreeSet<String>,
    reason: Option<String>,
}

fn ten_minutes() -> String {
    "10m".to_owned()
}

fn thousand() -> u64 {
    1_000
}

fn bytes_of_one() -> String {
    "64MiB".to_owned()
}

fn everybody() -> String {
    "100%".to_owned()
}

impl RecordRequest {
    fn wish(&self) -> Result<RecordWish, Problem> {
        let wrong = |detail: String| Problem::bad_request(detail);
        let lasts = duration(&self.lasts).map_err(wrong)?;
        let bytes = crate::diagnostic::bytes(&self.bytes).map_err(wrong)?;
        let sample = f64::from(percent(&self.sample).map_err(wrong)?) / 100_000.0;
        if self.routes.is_empty() {
            return Err(wrong("no route is named; `*` means all of them".to_owned()));
        }
        if lasts.is_zero() || lasts > LONGEST {
            return Err(wrong(format!("a recording lasts from a moment to 24h, not `{}`", self.lasts)));
        }
        if self.limit == 0 || self.limit > MOST_REQUESTS {
            return Err(wrong(format!(
                "a recording has from 1 to {MOST_REQUESTS} requests, not {}",
                self.limit
            )));
        }
        if bytes == 0 || bytes > MOST_BYTES {
            return Err(wrong(format!("a recording has at most 1GiB, and something, not `{}`", self.bytes)));
        }
        if sample <= 0.0 || self.words.len() > MOST_WORDS {
            return Err(wrong(format!("nobody, or more than {MOST_WORDS} words, are too few and too many")));
        }
        let (routes, limit, words) = (self.routes.clone(), self.limit, self.words.clone());
        Ok(RecordWish { routes, lasts, limit, bytes, sample, words })
    }
}

pub(super) async fn start(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<RecordRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    let wish = request.wish()?;
    // Later it must be known of which programs the answers are.
    admin.kept.shadow.ask_all_programs().await;
    blocking(move || {
        let recordings = Arc::clone(admin.kept.shadow.recordings());
        let routing = admin.control.live().load();
        let refused = Problem::cannot_record;
        let routes = recordings.check(&wish, &routing.table).map_err(refused)?;
        // First the audit: what is not on record does not begin.
        let edit = Edit::Record { routes, until: Some(Utc::now() + wish.lasts) };
        let change = Change { author: author.0, reason: request.reason, based_on: author.1, edit };
        let applied = admin.control.apply(&change)?;
        let programs = admin.kept.shadow.programs();
        let status = recordings.start(wish, &routing.table, programs).map_err(refused)?;
        let mut answer = shown(Some(&status));
        answer["revision"] = json!(applied.revision);
        answer["undo"] = json!("ficus record stop");
        answer["warnings"] = json!(applied.warnings);
        Ok(answer)
    })
    .await
}

pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Answer {
    blocking(move || Ok(shown(admin.kept.shadow.recordings().status().as_ref()))).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StopRequest {
    reason: Option<String>,
}

pub(super) async fn stop(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Result<Json<StopRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    blocking(move || {
        let recordings = admin.kept.shadow.recordings();
        let why = format!("{} ended it", author.0);
        let status = recordings.stop(&why).ok_or_else(Problem::nothing_recorded)?;
        let routing = admin.control.live().load();
        let meant = status.manifest.routes.clone();
        let names = routing.table.routes().iter().map(|route| route.name.clone());
        let routes = names.filter(|name| meant.iter().any(|pattern| covers(pattern, name))).collect();
        let edit = Edit::Record { routes, until: None };
        let change = Change { author: author.0, reason: request.reason, based_on: None, edit };
        let mut answer = shown(Some(&status));
        // It has ended, whatever becomes of the record.
        answer["warnings"] = match admin.control.apply(&change) {
            Ok(applied) => json!(applied.warnings),
            Err(refused) => json!([format!("the end is not on record: {refused}")]),
        };
        Ok(answer)
    })
    .await
}

/// What is known about the recording that goes on, or the last one.
fn shown(status: Option<&RecordStatus>) -> Value {
    json!({ "schema": 1, "recording": status })
}
