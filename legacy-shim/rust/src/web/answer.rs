//! Responses with Flask's headers, and the one that hands the request back.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::answer::{self, HTML, JSON, restful_error, restful_json};

/// Hands the request back: the proxy asks Flask instead, whatever the method. Answer with it only before anything was
/// changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defer;

impl IntoResponse for Defer {
    fn into_response(self) -> Response {
        let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
        response.headers_mut().insert("x-ficus-defer", HeaderValue::from_static("1"));
        response
    }
}

/// A page: 200, `text/html; charset=utf-8`.
#[must_use]
pub fn html(body: String) -> Response {
    html_with(StatusCode::OK, body)
}

pub(super) fn html_with(status: StatusCode, body: String) -> Response {
    with_type(status, HTML, body)
}

/// `jsonify(value), status`: sorted keys, no blanks, a line feed. A value without a JSON form is deferred.
#[must_use]
pub fn jsonify(status: StatusCode, value: &impl Serialize) -> Response {
    match answer::jsonify(value) {
        Ok(body) => with_type(status, JSON, body),
        Err(_) => Defer.into_response(),
    }
}

/// What a Flask-RESTful resource returns: JSON with blanks, in order of insertion, and a line feed. A value without a JSON
/// form is deferred.
#[must_use]
pub fn restful(status: StatusCode, value: &impl Serialize) -> Response {
    match restful_json(value) {
        Ok(body) => with_type(status, JSON, body),
        Err(_) => Defer.into_response(),
    }
}

/// `flask_restful.abort(status, **data)`: the status's own text as `message` if there is no data.
///
/// ```
/// use axum::http::StatusCode;
/// use flask_compat::web::restful_abort;
/// use serde_json::json;
///
/// let response = restful_abort(StatusCode::NOT_FOUND, &json!({ "message": "Customer 7 doesn't exist" }));
/// assert_eq!(response.status(), 404);
/// ```
#[must_use]
pub fn restful_abort(status: StatusCode, data: &serde_json::Value) -> Response {
    match data {
        serde_json::Value::Object(data) => with_type(status, JSON, restful_error(status.as_u16(), data)),
        serde_json::Value::Null => {
            with_type(status, JSON, restful_error(status.as_u16(), &serde_json::Map::new()))
        }
        _ => Defer.into_response(),
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
