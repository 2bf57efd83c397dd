//! Step 7: hands the outcome to `observe`.

use pingora::proxy::Session;

use super::context::Context;
use super::intake::path_of;
use super::trouble::is_answered;
use super::{Gateway, connection};
use crate::observe::Outcome;

impl Gateway {
    /// Records the request and frees the connection for the next one.
    pub(super) fn record(&self, session: &mut Session, ctx: &mut Context) {
        // The place is free as soon as the answer is out, not when the client's connection has been tidied up.
        ctx.attempt.place = None;
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
        self.observer.record(&Outcome {
            request_id: &ctx.trace.request_id,
            trace_id: ctx.trace.trace_id(),
            method: request.method.as_str(),
            path: &path,
            route: ctx.route.as_ref().map(|route| route.name.as_str()),
            backend: backend.map(|backend| backend.name()),
            reason: ctx.reason,
            revision: ctx.routing.as_ref().map_or(0, |routing| routing.revision),
            fallback: ctx.fell_back.map(super::fallback::Trouble::word),
            unrepeatable: ctx.unrepeatable.map(super::fallback::Trouble::word),
            unkept: ctx.unkept,
            bucket: ctx.bucket,
            status: status.flatten(),
            bytes: session.body_bytes_sent() as u64,
            total: ctx.started.elapsed(),
            upstream: ctx.attempt.waited,
        });
    }
}
