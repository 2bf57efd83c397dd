//! Step 7: hands the outcome to `observe`.

use pingora::proxy::Session;

use super::context::Context;
use super::fallback::Trouble;
use super::intake::path_of;
use super::trouble::is_answered;
use super::{Gateway, connection};
use crate::observe::{Guarded, Outcome};

impl Gateway {
    /// Records the request and frees the connection for the next one.
    pub(super) fn record(&self, session: &mut Session, ctx: &mut Context) {
        // The place is free as soon as the answer is out, not when the client's connection has been tidied up.
        ctx.attempt.place = None;
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
        self.observer.record(&Outcome {
            guarded: guarded(ctx, status),
            request_id: &ctx.trace.request_id,
            trace_id: ctx.trace.trace_id(),
            method: request.method.as_str(),
            path: &path,
            route: ctx.route.as_ref().map(|route| route.name.as_str()),
            backend: backend.map(|backend| backend.name()),
            reason: ctx.reason,
            revision: ctx.routing.as_ref().map_or(0, |routing| routing.revision),
            fallback: ctx.fell_back.map(Trouble::word),
            unrepeatable: ctx.unrepeatable.map(Trouble::word),
            bucket: ctx.bucket,
            status,
            bytes: session.body_bytes_sent() as u64,
            total: ctx.started.elapsed(),
            upstream: ctx.attempt.waited,
        });
    }
}

/// What the guard of the route, if it has one, must know. Nothing, if no backend was asked, and if both failed: then it
/// is nobody's fault.
fn guarded(ctx: &Context, status: Option<u16>) -> Option<Guarded<'_>> {
    let route = ctx.route.as_ref().filter(|route| route.guard.is_some())?;
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
