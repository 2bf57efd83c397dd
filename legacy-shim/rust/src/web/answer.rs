//! Responses with Flask's headers, and the one that hands the request back.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::answer::{HTML, JSON, restful_json};

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

/// What a Flask-RESTful resource returns: JSON with blanks, in order of insertion, and a line feed. A value without a JSON
/// form is deferred.
#[must_use]
pub fn restful(status: StatusCode, value: &impl Serialize) -> Response {
    match restful_json(value) {
        Ok(body) => with_type(status, JSON, body),
        Err(_) => Defer.into_response(),
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
