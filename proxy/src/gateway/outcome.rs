//! Step 7: hands the outcome to `observe`.

use pingora::http::Version;
use pingora::proxy::Session;

use super::context::Context;
use super::fallback::Trouble;
use super::intake::path_of;
use super::trouble::is_answered;
use super::{Gateway, connection, spans};
use crate::observe::{Guarded, Outcome};

impl Gateway {
    /// Records the request and frees the connection for the next one.
    pub(super) fn record(&self, session: &mut Session, ctx: &mut Context) {
        // The place is free as soon as the answer is out, not when the client's connection has been tidied up.
        if let (Some(place), Some(loan)) = (ctx.attempt.place.take(), &ctx.attempt.loan) {
            loan.keep_place(place);
        }
        ctx.no_longer_awaited();
        ctx.attempt.serving = None;
        ctx.kept = None;
        let unread = !session.as_downstream_mut().is_body_done();
        if let Some(marks) = connection::marks(session.as_downstream().stream()) {
            marks.request_done(unread);
        }
        let status =
            is_answered(session).then(|| session.response_written().map(|head| head.status.as_u16()));
        let by_backend = !ctx.own_answer && is_answered(session);
        let request = session.req_header();
        let path = String::from_utf8_lossy(path_of(request.raw_path()));
        let backend = ctx.attempt.backend.as_ref().filter(|_| by_backend);
        let status = status.flatten();
        let outcome = Outcome {
            guarded: guarded(ctx, status),
            request_id: &ctx.trace.request_id,
            trace_id: ctx.trace.trace_id(),
            sampled: ctx.trace.sampled,
            method: request.method.as_str(),
            path: &path,
            protocol: protocol(request.version),
            rule: ctx.route.as_ref().and_then(|route| route.rules.first()).map(String::as_str),
            route: ctx.route.as_ref().map(|route| route.name.as_str()),
            backend: backend.map(|backend| backend.name()),
            reason: ctx.reason,
            revision: ctx.routing.as_ref().map_or(0, |routing| routing.revision),
            fallback: ctx.fell_back.map(Trouble::word),
            unrepeatable: ctx.unrepeatable.map(Trouble::word),
            unkept: ctx.unkept,
            session: has_cookie(&request.headers, &self.settings.flask.session_cookie),
            bucket: ctx.bucket,
            status,
            bytes: session.body_bytes_sent() as u64,
            total: ctx.started.elapsed(),
            upstream: ctx.attempt.waited,
        };
        self.observer.record(&outcome);
        if let Some(traces) = self.observer.traces().filter(|_| outcome.sampled) {
            traces.send(spans::of(ctx, &outcome, self.settings.log.paths));
        }
        self.offer_copy(session, ctx);
        self.offer_tape(session, ctx);
    }
}

/// Whether a cookie of this name came along.
fn has_cookie(headers: &http::HeaderMap, name: &str) -> bool {
    let named = |pair: &[u8]| {
        pair.trim_ascii_start().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
    };
    headers.get_all(http::header::COOKIE).iter().any(|value| {
        let bytes = value.as_bytes();
        let after = memchr::memchr_iter(b';', bytes).map(|at| at + 1);
        std::iter::once(0).chain(after).any(|at| named(&bytes[at..]))
    })
}

/// The protocol, as an access log names it.
fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// What the guard of the route, if it has one, must know. Nothing, if no backend was asked, and if both failed: then it
/// is nobody's fault; nor if the guard knows already that the candidate hung.
fn guarded(ctx: &Context, status: Option<u16>) -> Option<Guarded<'_>> {
    let route = ctx.route.as_ref().filter(|route| route.guard.is_some() && !ctx.hung)?;
    let good = !ctx.own_answer && status.is_some_and(|status| status < 500);
    let failure = match (ctx.fell_back, ctx.attempt.trouble) {
        (Some(Trouble::Deferred), _) => return None,
        (Some(trouble), _) if good => Some(trouble.word()),
        (Some(_), _) => return None,
        (None, Some(trouble)) => Some(ctx.unrepeatable.unwrap_or(trouble).word()),
        (None, None) if ctx.own_answer || ctx.attempt.started.is_none() => return None,
        (None, None) => (status.is_some() && !good).then_some(Trouble::Status.word()),
    };
    Some(Guarded { route, candidate: ctx.candidate, failure })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let headers = |lines: &[&'static str]| {
            let mut headers = http::HeaderMap::new();
            for line in lines {
                headers.append(http::header::COOKIE, http::HeaderValue::from_static(line));
            }
            headers
        };
        for (lines, expected) in [
            (&["session=x"][..], true),
            (&["a=1;session=x"], true),
            (&["a=1; session="], true),
            (&["a=1", "b=2; session=x"], true),
            (&["xsession=1; sessions=2; a=session=3"], false),
            (&["session"], false),
            (&[], false),
        ] {
            assert_eq!(has_cookie(&headers(lines), "session"), expected, "{lines:?}");
        }
    }
}
