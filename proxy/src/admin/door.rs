//! The door before every endpoint: who asks, whether they may, and on which revision.
//!
//! On the Unix socket the kernel says who asks (`peer`); over TCP a token does (`tokens`), and nothing that a browser
//! would send by itself. A change by somebody who may change some routes only has to name one of them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;

use super::Admin;
use super::peer::{Author, Peer};
use super::problem::Problem;
use super::role::Caller;
use super::table::Endpoint;
use super::tokens::Denied;

/// Largest request body: a routing file of thousands of routes.
pub(super) const BODY: usize = 4 * 1024 * 1024;

/// One endpoint's door.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) admin: Arc<Admin>,
    pub(super) endpoint: Endpoint,
}

/// Lets a request in, or says why not.
pub(super) async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    let request = match door.check(request).await {
        Ok(request) => request,
        Err((reason, problem)) => {
            door.admin.refused(reason, &door.endpoint, &problem);
            return problem.into_response();
        }
    };
    let mut response = next.run(request).await;
    let revision = door.admin.control.live().load().revision;
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

type Refusal = (&'static str, Problem);

impl Door {
    async fn check(&self, mut request: Request) -> Result<Request, Refusal> {
        let caller = match request.extensions().get::<ConnectInfo<Peer>>() {
            Some(ConnectInfo(peer)) => {
                peer.caller(&self.admin.settings).map_err(|problem| ("peer", problem))?
            }
            None => {
                not_from_a_browser(request.headers(), &self.admin.settings.hosts)?;
                self.bearer(request.headers()).await?
            }
        };
        if caller.role < self.endpoint.role {
            return Err(("role", Problem::needs_role(self.endpoint.role, &caller)));
        }
        let based_on = self.based_on(request.headers())?;
        if self.endpoint.method != "GET" && !caller.routes.is_empty() {
            request = within_scope(request, &caller).await?;
        }
        let extensions = request.extensions_mut();
        extensions.insert(Author(caller.name.clone(), based_on));
        extensions.insert(caller);
        Ok(request)
    }

    async fn bearer(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let Some(text) = bearer(headers) else {
            return Err(("no_token", Problem::no_token()));
        };
        let (admin, text) = (Arc::clone(&self.admin), text.to_owned());
        let found = tokio::task::spawn_blocking(move || admin.tokens.verify(&text, Utc::now())).await;
        let found = found.map_err(|error| ("internal", Problem::internal(error.to_string())))?;
        found.map(|token| token.caller()).map_err(|denied| match denied {
            Denied::Unknown if self.admin.access.is_too_much() => ("limited", Problem::too_many_attempts()),
            denied => (denied.word(), Problem::bad_token(&denied)),
        })
    }

    /// The revision in `If-Match`, when it is the one that holds.
    fn based_on(&self, headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
        let Some(tags) = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()) else {
            return Ok(None);
        };
        let current = self.admin.control.live().load().revision;
        if tags.trim() == "*" {
            return Ok(None);
        }
        let named = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').parse() == Ok(current);
        // A rollback is right on any picture.
        if tags.split(',').any(named) || self.endpoint.path == "/v1/rollback" {
            return Ok(Some(current));
        }
        let last = self.admin.control.status().last;
        Err(("stale", Problem::stale(tags, current, last.map(|last| last.author))))
    }
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A page in a browser can be made to ask here, under a name of its own that leads to this machine. No page is
/// served from here, so whatever comes from one is refused.
fn not_from_a_browser(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_known_host(host, allowed) {
        return Err(("host", Problem::wrong_host(host)));
    }
    let fetched = headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    if fetched || headers.contains_key(header::ORIGIN) {
        return Err(("origin", Problem::from_a_page()));
    }
    Ok(())
}

fn is_known_host(host: &str, allowed: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    let local = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    local || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name))
}

/// Reads the body to see which route it is about.
async fn within_scope(request: Request, caller: &Caller) -> Result<Request, Refusal> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY).await.map_err(|_| ("too_large", Problem::too_large()))?;
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match document["route"].as_str() {
        Some(route) if caller.covers(route) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Some(route) => Err(("scope", Problem::out_of_scope(route, &caller.routes))),
        None => Err(("scope", Problem::needs_all_routes(&caller.routes))),
    }
}

/// No mistake of ours ends the connection without an answer, and nothing is kept by anybody on the way.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let head = request.method() == Method::HEAD;
    let mut response = match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a question to the admin API ended abnormally");
            Problem::internal("this is a mistake in ficus; its log says more").into_response()
        }
    };
    if response.status() == axum::http::StatusCode::METHOD_NOT_ALLOWED && !head {
        let allowed = response.headers().get(header::ALLOW).cloned();
        response = Problem::wrong_method(allowed.as_ref()).into_response();
        response.headers_mut().extend(allowed.map(|allowed| (header::ALLOW, allowed)));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_to_this_machine_and_nothing_else() {
        let allowed = ["ficus.internal".to_owned()];
        for host in
            ["localhost", "LOCALHOST:9900", "127.0.0.1:9900", "[::1]:9900", "[::1]", "ficus.internal:1"]
        {
            assert!(is_known_host(host, &allowed), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:9900", "10.0.0.1", "127.0.0.1.evil.example"]
        {
            assert!(!is_known_host(host, &allowed), "{host}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_a_problem() {
        use tower::ServiceExt;
        let broken = async || -> Response { panic!("oops") };
        let router = axum::Router::new()
            .route("/", axum::routing::get(broken))
            .layer(axum::middleware::from_fn(answer));
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
}
