//! The handlers by endpoint: finding and running them takes Flask's own URL map, so that no rule is written twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Router, extract::Request};
use http::header::{ALLOW, HOST};
use http::{HeaderValue, Method};
use tower::ServiceExt;
use tracing::Instrument;

use super::answer::html;
use super::application::Application;
use super::{Context, Defer, open, trace};

/// The endpoints that were moved.
#[derive(Debug)]
pub struct Views<S> {
    application: Arc<Application>,
    handlers: HashMap<String, MethodRouter<S>>,
}

impl<S: Clone + Send + Sync + 'static> Views<S> {
    /// No endpoint yet: every request is deferred.
    #[must_use]
    pub fn new(application: Arc<Application>) -> Self {
        Self { application, handlers: HashMap::new() }
    }

    /// Registers the handlers of an endpoint, by method: `views.add("customers.detail", get(detail))`.
    #[must_use]
    pub fn add(mut self, endpoint: &str, handlers: MethodRouter<S>) -> Self {
        self.handlers.insert(endpoint.to_owned(), handlers.fallback(async || Defer));
        self
    }

    /// The service.
    pub fn into_router(self, state: S) -> Router {
        let handlers =
            self.handlers.into_iter().map(|(name, handler)| (name, handler.with_state(state.clone())));
        let table: Arc<Table> =
            Arc::new(Table { application: self.application, handlers: handlers.collect() });
        Router::new().fallback(move |request: Request| {
            let span = trace::span(request.headers());
            answer(Arc::clone(&table), request).instrument(span)
        })
    }
}

struct Table {
    application: Arc<Application>,
    handlers: HashMap<String, MethodRouter>,
}

async fn answer(table: Arc<Table>, mut request: Request) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
    let context = match open::open(&table.application, &mut request, now).await {
        Ok(context) => context,
        Err(defer) => return defer.into_response(),
    };
    let Some(handler) = table.handlers.get(context.endpoint()) else { return Defer.into_response() };
    let mut response = if request.method() == Method::OPTIONS {
        options(&table.application, &request)
    } else {
        run(handler.clone(), &context, request).await
    };
    if !response.headers().contains_key("x-ficus-defer") {
        open::close(&context, &mut response).await;
    }
    response
}

async fn run(handler: MethodRouter, context: &Context, mut request: Request<Body>) -> Response {
    request.extensions_mut().insert(context.clone());
    match handler.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Flask's automatic OPTIONS: an empty page with `Allow`.
fn options(application: &Application, request: &Request<Body>) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let allowed = application.map.allowed_methods(host, request.uri().path()).join(", ");
    let mut response = html(String::new());
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
