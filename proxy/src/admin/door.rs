//! The door before every endpoint: who asks, whether they may, whether it was asked before, and on which revision.
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
use super::idempotency::{self, Key};
use super::peer::{Author, Peer};
use super::problem::{Problem, Reason};
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

/// Who was let in, and what they ask for.
struct Admitted {
    caller: Caller,
    request: Request,
    /// The route that it is about, if there is one of that name.
    route: Option<String>,
    /// Key and content of a request that may come twice.
    key: Option<(Key, [u8; 32])>,
}

/// Lets a request in, or says why not.
pub(super) async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    let Admitted { caller, request, route, key } = match door.check(request).await {
        Ok(admitted) => admitted,
        Err((problem, caller)) => {
            door.admin.refused(&door.endpoint, &problem, caller.map(|caller| caller.name));
            return problem.into_response();
        }
    };
    let author = caller.name.clone();
    let mut response = match key {
        None => door.pass(request, caller, next).await,
        Some(keyed) => door.once(keyed, request, caller, next).await,
    };
    let reason = response.extensions().get::<Reason>().filter(|_| door.endpoint.method != "GET");
    if let Some(Reason(code)) = reason {
        door.admin.refused_by_endpoint(&door.endpoint, code, (author, route));
    }
    let revision = door.admin.control.live().load().revision;
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

impl Door {
    /// Who is refused is named as far as it is known.
    async fn check(&self, request: Request) -> Result<Admitted, (Problem, Option<Caller>)> {
        let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
        let caller = self.caller(peer, request.headers()).await.map_err(|problem| (problem, None))?;
        match self.check_request(request, &caller).await {
            Ok((request, route, key)) => Ok(Admitted { caller, request, route, key }),
            Err(problem) => Err((problem, Some(caller))),
        }
    }

    async fn caller(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<Caller, Problem> {
        match peer {
            Some(peer) => peer.caller(&self.admin.settings),
            None => {
                not_from_a_browser(headers, &self.admin.settings.hosts)?;
                self.bearer(headers).await
            }
        }
    }

    async fn check_request(&self, request: Request, caller: &Caller) -> Result<Checked, Problem> {
        if caller.role < self.endpoint.role {
            return Err(Problem::needs_role(self.endpoint.role, caller));
        }
        if self.endpoint.method == "GET" {
            return Ok((request, None, None));
        }
        let key = idempotency::key(request.headers())?;
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, BODY).await.map_err(|_| Problem::too_large())?;
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let route = document["route"].as_str();
        if !caller.routes.is_empty() {
            within_scope(route, caller)?;
        }
        let table = &self.admin.control.live().load().table;
        let route = route.filter(|route| table.route(route).is_some()).map(str::to_owned);
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let asked = idempotency::asked(self.endpoint.method, path, &bytes);
        let key = key.map(|key| ((caller.name.clone(), key), asked));
        Ok((Request::from_parts(parts, Body::from(bytes)), route, key))
    }

    /// On to the endpoint, unless it is asked for on an old picture.
    pub(super) async fn pass(&self, mut request: Request, caller: Caller, next: Next) -> Response {
        let based_on = match self.based_on(request.headers()) {
            Ok(based_on) => based_on,
            Err(problem) => {
                self.admin.observer.admin_refused("stale");
                return problem.into_response();
            }
        };
        let extensions = request.extensions_mut();
        extensions.insert(Author(caller.name.clone(), based_on));
        extensions.insert(caller);
        next.run(request).await
    }

    async fn bearer(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let Some(text) = bearer(headers) else {
            return Err(Problem::no_token());
        };
        let (admin, text) = (Arc::clone(&self.admin), text.to_owned());
        let found = tokio::task::spawn_blocking(move || admin.tokens.verify(&text, Utc::now())).await;
        let found = found.map_err(|error| Problem::internal(error.to_string()))?;
        found.map(|token| token.caller()).map_err(|denied| match denied {
            Denied::Unknown if self.admin.access.is_too_much() => Problem::too_many_attempts(),
            denied => Problem::bad_token(&denied),
        })
    }

    /// The revision in `If-Match`, when it is the one that holds.
    fn based_on(&self, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
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
        Err(Problem::stale(tags, current, last.map(|last| last.author)))
    }
}

/// The request, the route that it is about, and its key.
type Checked = (Request, Option<String>, Option<(Key, [u8; 32])>);

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A page in a browser can be made to ask here, under a name of its own that leads to this machine. No page is
/// served from here, so whatever comes from one is refused.
fn not_from_a_browser(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_known_host(host, allowed) {
        return Err(Problem::wrong_host(host));
    }
    let fetched = headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    if fetched || headers.contains_key(header::ORIGIN) {
        return Err(Problem::from_a_page());
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

/// Whether somebody may change the route that a body is about.
fn within_scope(route: Option<&str>, caller: &Caller) -> Result<(), Problem> {
    match route {
        Some(route) if caller.covers(route) => Ok(()),
        Some(route) => Err(Problem::out_of_scope(route, &caller.routes)),
        None => Err(Problem::needs_all_routes(&caller.routes)),
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
