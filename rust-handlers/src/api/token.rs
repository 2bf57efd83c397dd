//! The bearer token of a request (`token_required`).

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use flask_compat::web::restful;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::crm::user::User;
use crate::failure::Failure;

/// The person whose token the request carries, else 401.
pub struct ApiUser(pub User);

impl FromRequestParts<App> for ApiUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        // Flask reads header bytes as latin-1 text and hashes that as UTF-8.
        let header: String = parts
            .headers
            .get(AUTHORIZATION)
            .map(|value| value.as_bytes().iter().map(|byte| char::from(*byte)).collect())
            .unwrap_or_default();
        let (scheme, token) = header.split_once(' ').unwrap_or((&header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized());
        }
        let hash = hex(&Sha256::digest(flask_compat::python::strip(token).as_bytes()));
        let user = User::by_token_hash(&app.pool, &hash).await;
        user.map_err(|error| Failure::from(error).into_response())?.map(Self).ok_or_else(unauthorized)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unauthorized() -> Response {
    let mut response =
        restful(StatusCode::UNAUTHORIZED, &json!({ "message": "A valid bearer token is required." }));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
