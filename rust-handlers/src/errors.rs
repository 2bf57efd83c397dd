//! Error pages (`crm/errors.py`), for the errors that the Flask application has handlers for. Under /api/ they are JSON.

use axum::response::{IntoResponse, Response};
use flask_compat::web::{Abort, Context, Templates, jsonify};
use http::StatusCode;
use minijinja::context;
use serde_json::json;

use crate::crm::user::User;
use crate::failure::Failure;

/// `csrf_failed`: a page with the reason.
///
/// # Errors
/// When the template fails.
pub async fn csrf_failed(abort: Abort, templates: Templates<User>) -> Result<Response, Failure> {
    let page = templates.render("errors/csrf.html", context! { reason => abort.description() })?;
    Ok((StatusCode::BAD_REQUEST, page).into_response())
}

/// `_answer`: the page of this status.
///
/// # Errors
/// When the template fails.
pub async fn page(abort: Abort, request: Context, templates: Templates<User>) -> Result<Response, Failure> {
    let status = abort.status();
    if request.url().path.starts_with("/api/") {
        return Ok(jsonify(status, &json!({ "message": api_message(status) })));
    }
    let page = templates.render(&format!("errors/{}.html", status.as_u16()), context! {})?;
    Ok((status, page).into_response())
}

fn api_message(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "You don't have the permission to access the requested resource.",
        StatusCode::NOT_FOUND => "The requested URL was not found on the server.",
        StatusCode::PAYLOAD_TOO_LARGE => "The data value transmitted exceeds the capacity limit.",
        _ => "Internal Server Error",
    }
}
