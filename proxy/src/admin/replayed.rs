//! What came of replays, on its way into certificates. What counts is judged in `shadow::replayed`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::api::{Answer, blocking};
use crate::shadow::ReplayedRoute;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayedRequest {
    routes: Vec<ReplayedRoute>,
}

pub(super) async fn count(
    State(admin): State<Arc<Admin>>,
    request: Result<Json<ReplayedRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request?;
    // What runs now, not what ran at the last look.
    admin.kept.shadow.ask_all_programs().await;
    blocking(move || {
        let (mut counted, mut refused) = (Vec::new(), Vec::new());
        for replayed in &request.routes {
            match admin.kept.shadow.count_replayed(replayed) {
                Ok(comparisons) => {
                    counted.push(json!({ "route": replayed.route, "comparisons": comparisons }))
                }
                Err(why) => refused.push(json!({ "route": replayed.route, "why": why })),
            }
        }
        Ok(json!({ "schema": 1, "counted": counted, "refused": refused }))
    })
    .await
}
