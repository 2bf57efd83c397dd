//! The handlers by endpoint: finding and running them takes Flask's own URL map, so that no rule is written twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Router, extract::Request};
use http::header::{ALLOW, HOST};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use tower::ServiceExt;
use tracing::Instrument;

use super::answer::html;
use super::application::Application;
use super::dry_run::{self, Wanted};
use super::{Abort, Context, Defer, about, csrf, open, trace};
use crate::dry_run::Mark;

/// The endpoints that were moved.
#[derive(Debug)]
pub struct Views<S> {
    application: Arc<Application>,
    handlers: HashMap<String, MethodRouter<S>>,
    errors: HashMap<Failed, MethodRouter<S>>,
    dry_runs: HashSet<String>,
    heads: Vec<String>,
}

/// What an error handler is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Failed {
    Csrf,
    Status(StatusCode),
}

impl<S: Clone + Send + Sync + 'static> Views<S> {
    /// No endpoint yet: every request is deferred.
    #[must_use]
    pub fn new(application: Arc<Application>) -> Self {
        let (handlers, errors) = (HashMap::new(), HashMap::new());
        Self { application, handlers, errors, dry_runs: HashSet::new(), heads: Vec::new() }
    }

    /// The schema heads (Alembic's revisions) that the handlers were written for; the proxy shows them beside the one
    /// that the database has.
    #[must_use]
    pub fn schema_heads<H: Into<String>>(mut self, heads: impl IntoIterator<Item = H>) -> Self {
        self.heads.extend(heads.into_iter().map(Into::into));
        self
    }

    /// Registers the handlers of an endpoint, by method: `views.add("customers.detail", get(detail))`.
    #[must_use]
    pub fn add(mut self, endpoint: &str, handlers: MethodRouter<S>) -> Self {
        self.handlers.insert(endpoint.to_owned(), handlers.fallback(async || Defer));
        self
    }

    /// Says that an endpoint may be tried out before Flask does the same for real (`shadow.writes` in routes.toml): whatever
    /// its handlers change goes through `Tx` and `Outbox` (feature `sqlx`), which a dry run rolls back. Without this word
    /// the handlers of an endpoint are never run dry; the proxy counts the request as not covered.
    #[must_use]
    pub fn dry_runs(mut self, endpoint: &str) -> Self {
        self.dry_runs.insert(endpoint.to_owned());
        self
    }

    /// `@app.errorhandler(status)`: answers what handlers and this crate end with [`Abort`] of this status. Register what
    /// the Flask application has; without a handler the answer is Werkzeug's own page.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use axum::http::StatusCode;
    /// use axum::response::IntoResponse;
    /// use axum::routing::{any, get};
    /// use flask_compat::Profile;
    /// use flask_compat::routing::{Map, MapOptions, RuleSpec};
    /// use flask_compat::web::{Abort, Application, Views, html};
    ///
    /// async fn not_found(abort: Abort) -> impl IntoResponse {
    ///     (abort.status(), html("<h1>Nothing here</h1>".to_owned()))
    /// }
    ///
    /// let rules = [RuleSpec::new("/customers/<int:customer_id>", "customers.detail").methods(["GET"])];
    /// let map = Map::new(MapOptions::new(Profile::Werkzeug10), &rules).expect("the rules are good");
    /// let application = Application::new("secret key", map, Profile::Werkzeug10).expect("latin-1");
    /// let router = Views::new(Arc::new(application))
    ///     .add("customers.detail", get(async || Abort::new(StatusCode::NOT_FOUND)))
    ///     .on_error(StatusCode::NOT_FOUND, any(not_found))
    ///     .into_router(());
    /// ```
    #[must_use]
    pub fn on_error(mut self, status: StatusCode, handler: MethodRouter<S>) -> Self {
        self.errors.insert(Failed::Status(status), handler);
        self
    }

    /// `@app.errorhandler(CSRFError)`: answers requests whose CSRF token is refused; without it, what is registered for 400
    /// does, else Flask-WTF's page.
    #[must_use]
    pub fn on_csrf_error(mut self, handler: MethodRouter<S>) -> Self {
        self.errors.insert(Failed::Csrf, handler);
        self
    }

    /// The service.
    pub fn into_router(self, state: S) -> Router {
        let handlers =
            self.handlers.into_iter().map(|(name, handler)| (name, handler.with_state(state.clone())));
        let errors = self.errors.into_iter().map(|(kind, handler)| (kind, handler.with_state(state.clone())));
        let table: Arc<Table> = Arc::new(Table {
            application: self.application,
            handlers: handlers.collect(),
            errors: errors.collect(),
            dry_runs: self.dry_runs,
        });
        let heads: Arc<[String]> = self.heads.into();
        about::begin();
        Router::new().fallback(move |request: Request| {
            let span = trace::span(request.headers());
            let (table, heads) = (Arc::clone(&table), Arc::clone(&heads));
            async move {
                if about::is_asked(&request) { about::answer(&heads) } else { answer(table, request).await }
            }
            .instrument(span)
        })
    }
}

struct Table {
    application: Arc<Application>,
    handlers: HashMap<String, MethodRouter>,
    errors: HashMap<Failed, MethodRouter>,
    dry_runs: HashSet<String>,
}

async fn answer(table: Arc<Table>, mut request: Request) -> Response {
    match dry_run::wanted(&table.application, &mut request) {
        Wanted::No => serve(&table, request, None).await,
        Wanted::Unbelieved => dry_run::not_covered(),
        Wanted::Yes(mark) => dry_run::run(mark, |mark| serve(&table, request, Some(mark))).await,
    }
}

async fn serve(table: &Table, mut request: Request, mark: Option<Mark>) -> Response {
    let now = (table.application.clock)();
    let context = match open::open(&table.application, &mut request, now, mark).await {
        Ok(context) => context,
        Err(defer) => return defer.into_response(),
    };
    let Some(handler) = table.handlers.get(context.endpoint()) else { return Defer.into_response() };
    if context.is_dry_run() && !(dry_run::POSSIBLE && table.dry_runs.contains(context.endpoint())) {
        return dry_run::not_covered();
    }
    let (parts, body) = request.into_parts();
    let response = match csrf::before_request(&context) {
        Err(abort) => abort.into_response(),
        // A form that nobody may look at: only Flask knows whether its view does.
        Ok(()) if context.0.form.too_large => return Defer.into_response(),
        Ok(()) if context.0.automatic_options && parts.method == Method::OPTIONS => {
            options(&table.application, &parts)
        }
        Ok(()) => {
            let response = run(handler.clone(), &context, Request::from_parts(parts.clone(), body)).await;
            dry_run::settle(&context, response).await
        }
    };
    let abort = response.extensions().get::<Abort>().cloned();
    let mut response = match abort {
        Some(abort) => table.handle(abort, &context, parts).await,
        None => response,
    };
    if !response.headers().contains_key("x-ficus-defer") {
        open::close(&context, &mut response).await;
    }
    dry_run::report(&context, response).await
}

impl Table {
    /// The application's answer to an error: of its own handler, else Werkzeug's page.
    async fn handle(&self, abort: Abort, context: &Context, mut parts: Parts) -> Response {
        let status = Failed::Status(abort.status());
        let own = abort.csrf_error().and_then(|_| self.errors.get(&Failed::Csrf));
        let Some(handler) = own.or_else(|| self.errors.get(&status)) else {
            return abort.page(self.application.profile);
        };
        parts.extensions.insert(abort);
        run(handler.clone(), context, Request::from_parts(parts, Body::empty())).await
    }
}

async fn run(handler: MethodRouter, context: &Context, mut request: Request<Body>) -> Response {
    request.extensions_mut().insert(context.clone());
    match handler.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Flask's automatic OPTIONS: an empty page with `Allow`.
fn options(application: &Application, parts: &Parts) -> Response {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let allowed = application.map.allowed_methods(host, parts.uri.path()).join(", ");
    let mut response = html(String::new());
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
