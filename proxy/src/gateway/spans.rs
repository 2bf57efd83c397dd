//! What becomes of a sampled request in its trace: a span for the request, and one for each attempt to have it
//! answered. Requests that are not sampled never come here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Gateway;
use super::context::Context;
use super::fallback::Trouble;
use super::trace::Trace;
use crate::observe::{Kind, Outcome, Span, Value};
use crate::settings::LogPaths;
use crate::upstream::Backend;

/// An attempt to have a request answered.
#[derive(Debug)]
pub(super) struct AttemptSpan {
    id: u64,
    started: Instant,
    ended: Option<Instant>,
    backend: Arc<Backend>,
    /// The address that was asked.
    upstream: String,
    status: Option<u16>,
    trouble: Option<Trouble>,
}

impl Gateway {
    /// The backend that was picked becomes part of the trace, and parent of what it does itself.
    pub(super) fn begin_attempt(&self, ctx: &mut Context) {
        let Some(backend) = ctx.attempt.backend.as_ref().filter(|_| ctx.trace.sampled) else { return };
        let upstream = ctx.attempt.serving.as_ref().map(|serving| serving.upstream().text().to_owned());
        let (id, upstream) = (self.ids.span(), upstream.unwrap_or_default());
        let (started, backend) = (Instant::now(), Arc::clone(backend));
        let attempt =
            AttemptSpan { id, started, ended: None, backend, upstream, status: None, trouble: None };
        ctx.trace.attempts.push(attempt);
        ctx.trace.set_parent_span(id);
    }
}

impl Trace {
    /// The backend has answered; its body is still on its way.
    pub(super) fn attempt_answered(&mut self, status: u16) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
        }
    }

    /// The attempt is over.
    pub(super) fn attempt_failed(&mut self, trouble: Trouble) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended = Some(Instant::now());
            attempt.trouble = Some(trouble);
        }
    }
}

/// The spans of a request that is over.
pub(super) fn of(ctx: &Context, outcome: &Outcome<'_>, paths: LogPaths) -> Vec<Span> {
    let now = Instant::now();
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = |moment: Instant| nanoseconds(end.saturating_sub(now.saturating_duration_since(moment)));
    let trace = u128::from_str_radix(ctx.trace.trace_id(), 16).unwrap_or_default();
    let mut spans = Vec::with_capacity(1 + ctx.trace.attempts.len());
    spans.push(Span {
        trace,
        id: ctx.trace.span,
        parent: ctx.trace.caller,
        name: name(outcome),
        kind: Kind::Server,
        start: at(ctx.started),
        end: nanoseconds(end),
        attributes: of_request(ctx, outcome, paths),
        failed: outcome.status.is_none_or(|status| status >= 500),
    });
    for (number, attempt) in ctx.trace.attempts.iter().enumerate() {
        spans.push(Span {
            trace,
            id: attempt.id,
            parent: ctx.trace.span,
            name: method(outcome.method).to_owned(),
            kind: Kind::Client,
            start: at(attempt.started),
            end: at(attempt.ended.unwrap_or(now)),
            attributes: of_attempt(attempt, number, outcome),
            failed: attempt.trouble.is_some() || attempt.status.is_none_or(|status| status >= 500),
        });
    }
    spans
}

/// Method and rule: the same for all requests of a route, as the conventions want it.
fn name(outcome: &Outcome<'_>) -> String {
    let method = if method(outcome.method) == OTHER { "HTTP" } else { outcome.method };
    outcome.rule.map_or_else(|| method.to_owned(), |rule| format!("{method} {rule}"))
}

const OTHER: &str = "_OTHER";

/// The methods that the conventions know.
fn method(method: &str) -> &str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    if known.contains(&method) { method } else { OTHER }
}

fn of_request(ctx: &Context, outcome: &Outcome<'_>, paths: LogPaths) -> Vec<(&'static str, Value)> {
    let mut attributes = vec![
        ("http.request.method", Value::from(method(outcome.method))),
        ("url.scheme", Value::from(if ctx.client.https { "https" } else { "http" })),
        ("network.protocol.version", Value::from(outcome.protocol.trim_start_matches("HTTP/"))),
        ("ficus.reason", Value::from(outcome.reason)),
        ("ficus.revision", Value::Number(i64::try_from(outcome.revision).unwrap_or(i64::MAX))),
        ("ficus.request_id", Value::from(outcome.request_id)),
    ];
    if paths == LogPaths::Full {
        attributes.push(("url.path", Value::from(outcome.path)));
    }
    if let Some(status) = outcome.status {
        attributes.push(("http.response.status_code", Value::Number(i64::from(status))));
    }
    let failed = match outcome.status {
        Some(status) if status < 500 => None,
        Some(status) => Some(status.to_string()),
        None => Some(outcome.reason.to_owned()),
    };
    let optional = [
        ("http.route", outcome.rule),
        ("ficus.route", outcome.route),
        ("ficus.backend", outcome.backend),
        ("ficus.fallback", outcome.fallback),
        ("ficus.unrepeatable", outcome.unrepeatable),
        ("error.type", failed.as_deref()),
    ];
    attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, Value::from(value?)))));
    attributes
}

fn of_attempt(attempt: &AttemptSpan, number: usize, outcome: &Outcome<'_>) -> Vec<(&'static str, Value)> {
    let mut attributes = vec![
        ("http.request.method", Value::from(method(outcome.method))),
        ("ficus.backend", Value::from(attempt.backend.name())),
    ];
    if !attempt.upstream.is_empty() {
        let (address, port) = address(&attempt.upstream);
        attributes.push(("server.address", Value::from(address)));
        attributes.extend(port.map(|port| ("server.port", Value::Number(port))));
    }
    if number > 0 {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        attributes.push(("http.request.resend_count", Value::Number(number)));
    }
    if let Some(status) = attempt.status {
        attributes.push(("http.response.status_code", Value::Number(i64::from(status))));
    }
    let failed = match (attempt.trouble, attempt.status) {
        (Some(trouble), _) => Some(trouble.word().to_owned()),
        (None, Some(status)) if status >= 500 => Some(status.to_string()),
        _ => None,
    };
    attributes.extend(failed.map(|failed| ("error.type", Value::Text(failed))));
    attributes
}

/// Host and port of `http://host:port`; the path of a Unix socket.
fn address(upstream: &str) -> (&str, Option<i64>) {
    let bare = upstream.split_once("://").map_or(upstream, |(_, rest)| rest);
    if let Some(path) = bare.strip_prefix("unix:") {
        return (path, None);
    }
    match bare.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (bare, None),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(address("http://127.0.0.1:5000"), ("127.0.0.1", Some(5000)));
        assert_eq!(address("http://[::1]:81"), ("[::1]", Some(81)));
        assert_eq!(address("unix:/run/x.sock"), ("/run/x.sock", None));
    }

    #[test]
    fn methods_that_nobody_knows_share_a_name() {
        assert_eq!((method("GET"), method("BREW")), ("GET", OTHER));
    }
}
