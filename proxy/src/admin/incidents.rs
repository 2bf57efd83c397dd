//! What guards did: `/v1/incidents`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Admin;
use super::problem::Problem;

/// All incidents of this node, newest first, without their samples.
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let mut incidents = admin.kept.incidents.all();
    incidents.reverse();
    incidents.iter_mut().for_each(|incident| incident.samples.clear());
    Ok(Json(json!({ "schema": 1, "incidents": incidents })))
}

/// One incident with everything.
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let Path(id) = id?;
    let incident = admin.kept.incidents.get(id);
    let incident = incident.ok_or_else(|| Problem::no_incident(id, admin.kept.incidents.next_id() - 1))?;
    Ok(Json(json!({ "schema": 1, "incident": incident })))
}
