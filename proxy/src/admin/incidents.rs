//! What guards did: `/v1/incidents`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Admin;
use super::api::blocking;
use super::problem::Problem;

/// All incidents of this node and of its fleet, newest first, without their samples.
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let mut incidents = admin.kept.incidents.of_fleet();
        incidents.reverse();
        incidents.iter_mut().for_each(|incident| incident.samples.clear());
        Ok(json!({ "schema": 1, "incidents": incidents }))
    })
    .await
}

/// One incident with everything.
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let Path(id) = id?;
    blocking(move || {
        let incidents = admin.kept.incidents.of_fleet();
        let last = incidents.iter().map(|incident| incident.id).max().unwrap_or_default();
        let incident = incidents.into_iter().find(|incident| incident.id == id);
        let incident = incident.ok_or_else(|| Problem::no_incident(id, last))?;
        Ok(json!({ "schema": 1, "incident": incident }))
    })
    .await
}
