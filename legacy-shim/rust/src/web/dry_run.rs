//! Dry runs: a request that the proxy wants to see answered without anything being left of it.
//!
//! First and last step of a marked request. Only a mark that is signed is believed (`crate::dry_run`); one that is not is
//! never taken for an ordinary request either, because the proxy that sent it is about to have the real one done elsewhere.
//! What is rolled back, and what was captured before, is in `database`.

use std::future::Future;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode};

use super::Context;
use super::application::Application;
use crate::dry_run::{DRY_RUN, METHOD, Mark, OUTCOME, Outcome, Purpose};

/// Whether this build can roll anything back.
pub(super) const POSSIBLE: bool = cfg!(feature = "sqlx");

/// What a request wants.
pub(super) enum Wanted {
    /// To be answered.
    No,
    /// A dry run, but nobody knows who asks for it.
    Unbelieved,
    /// A dry run.
    Yes(Mark),
}

/// Reads the mark, and gives the request its own method back.
pub(super) fn wanted(application: &Application, request: &mut Request) -> Wanted {
    let header = request.headers_mut().remove(DRY_RUN);
    let marked = request.method().as_str() == METHOD;
    let Some(header) = header else { return if marked { Wanted::Unbelieved } else { Wanted::No } };
    let key = &application.mark_key.0;
    let mark = header.to_str().ok().and_then(|header| Mark::verify(header, Purpose::DryRun, key));
    match mark
        .filter(|_| marked)
        .and_then(|mark| Some((Method::from_bytes(mark.method.as_bytes()).ok()?, mark)))
    {
        Some((method, mark)) => {
            *request.method_mut() = method;
            Wanted::Yes(mark)
        }
        None => Wanted::Unbelieved,
    }
}

/// The answer of who cannot rehearse this request. Nothing was run.
pub(super) fn not_covered() -> Response {
    with_outcome(StatusCode::NOT_IMPLEMENTED.into_response(), Outcome::NotCovered)
}

fn with_outcome(mut response: Response, outcome: Outcome) -> Response {
    response.headers_mut().insert(OUTCOME, HeaderValue::from_static(outcome.word()));
    response
}

/// Runs a request for as long as its mark allows. What it had begun when that is over is dropped, and so rolled back.
#[cfg(feature = "sqlx")]
pub(super) async fn run<F: Future<Output = Response>>(mark: Mark, serve: impl FnOnce(Mark) -> F) -> Response {
    let budget = mark.budget;
    match tokio::time::timeout(budget, super::database::read_only(serve(mark))).await {
        Ok(response) => response,
        Err(_) => with_outcome(StatusCode::GATEWAY_TIMEOUT.into_response(), Outcome::TimedOut),
    }
}

/// Without a database nothing can be rolled back: `serve` refuses.
#[cfg(not(feature = "sqlx"))]
pub(super) async fn run<F: Future<Output = Response>>(mark: Mark, serve: impl FnOnce(Mark) -> F) -> Response {
    serve(mark).await
}

/// After the handler: its transaction ends.
#[cfg(feature = "sqlx")]
pub(super) async fn settle(context: &Context, response: Response) -> Response {
    let good = !response.status().is_client_error()
        && !response.status().is_server_error()
        && !response.headers().contains_key("x-ficus-defer");
    match context.0.transaction.finish(good).await {
        Ok(()) => response,
        Err(error) => {
            tracing::error!(%error, endpoint = context.endpoint(), "the transaction of a handler did not end well");
            let page = crate::answer::error_page(500, None, context.application().profile);
            super::answer::html_with(StatusCode::INTERNAL_SERVER_ERROR, page)
        }
    }
}

/// Nothing to end.
#[cfg(not(feature = "sqlx"))]
pub(super) async fn settle(_: &Context, response: Response) -> Response {
    response
}

/// Tells the proxy what became of a dry run, and which rows it changed.
#[cfg(feature = "sqlx")]
pub(super) async fn report(context: &Context, response: Response) -> Response {
    use axum::body::{Body, to_bytes};
    use http::header::CONTENT_LENGTH;

    /// Larger answers are not compared.
    const LARGEST_BODY: usize = 8 * 1024 * 1024;

    if !context.is_dry_run() {
        return response;
    }
    let (outcome, rows) = context.0.transaction.outcome();
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return not_covered() };
    let mut whole = Vec::with_capacity(body.len() + rows.len());
    whole.extend_from_slice(&body);
    whole.extend_from_slice(rows.as_bytes());
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(crate::dry_run::ROWS, HeaderValue::from(rows.len()));
    with_outcome(Response::from_parts(head, Body::from(whole)), outcome)
}

/// No dry run comes this far.
#[cfg(not(feature = "sqlx"))]
pub(super) async fn report(_: &Context, response: Response) -> Response {
    response
}
