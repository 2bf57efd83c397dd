//! Between steps 4 and 5, for requests that may change something on routes that want it: the candidate tries the request
//! out, and nothing of that stays. Then the request goes its ordinary way.
//!
//! The body is read ahead for that, as far as the client says how long it is; it is sent to the fallback from memory.
//! Nothing that happens to the dry run changes the request; only what the client itself does wrong ends it, as ever.

use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use super::Gateway;
use super::body::{Kept, PINGORA_KEEPS, length};
use super::context::Context;
use crate::shadow::{Dropped, Job, Purpose};

/// The shim's word that the rows of this request were captured.
const CAPTURED: &str = "x-ficus-captured";

impl Gateway {
    /// Tries a request out, if its route wants that.
    pub(super) async fn dry_run(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        let (Some(route), Some(shadow)) = (ctx.route.clone(), self.shadow.clone()) else { return Ok(()) };
        if ctx.safe || ctx.upgrade || route.shadow.as_ref().is_none_or(|shadow| !shadow.writes) {
            return Ok(());
        }
        let by_fallback =
            ctx.attempt.backend.as_ref().is_some_and(|backend| backend.name() == route.fallback);
        let place = match shadow.admit(&route, &session.req_header().method, ctx.trace.trace_id()) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) if !by_fallback => Err(Dropped::CandidateServes),
            Ok(Some(place)) => Ok(place),
            Err(reason) => Err(reason),
        };
        let began = std::time::Instant::now();
        let asked = match place {
            Ok(place) => match self.read_ahead(session, ctx, shadow.largest_body()).await? {
                Ok(body) => self.copied(session, ctx, Some(&route.name)).map(|copied| (place, copied, body)),
                Err(reason) => Err(reason),
            },
            Err(reason) => Err(reason),
        };
        match (asked, self.backends.get(&route.candidate)) {
            (Ok((place, mut copied, body)), Some(target)) => {
                copied.body = body;
                let number = self.ids.number();
                if let Some((rehearsal, capture)) =
                    shadow.rehearse((&route, place), target.clone(), copied, number).await
                {
                    (ctx.rehearsal, ctx.capture) = (Some(rehearsal), Some(capture));
                }
            }
            (Ok(_), None) => shadow.skip(&route, Dropped::NoBackend),
            (Err(reason), _) => shadow.skip(&route, reason),
        }
        ctx.held += began.elapsed();
        Ok(())
    }

    /// Reads the whole body, if it is not too large; it is sent from memory then.
    async fn read_ahead(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        most: usize,
    ) -> Result<std::result::Result<Bytes, Dropped>> {
        if session.as_downstream_mut().is_body_empty() {
            return Ok(Ok(Bytes::new()));
        }
        if session.req_header().headers.contains_key(EXPECT) {
            return Ok(Err(Dropped::UnknownLength));
        }
        let Some(length) = length(session).and_then(|length| usize::try_from(length).ok()) else {
            return Ok(Err(Dropped::UnknownLength));
        };
        let kept = if length <= PINGORA_KEEPS { None } else { Kept::reserved(&self.memory, length) };
        if length > most || (length > PINGORA_KEEPS && kept.is_none()) {
            return Ok(Err(Dropped::BodyTooLarge));
        }
        session.as_downstream_mut().enable_retry_buffering();
        let mut parts = Vec::new();
        while let Some(part) = session.as_downstream_mut().read_request_body().await? {
            ctx.received += part.len() as u64;
            parts.push(part);
            self.check_pace(session, ctx)?;
        }
        let whole = parts.iter().fold(BytesMut::with_capacity(length), |mut whole, part| {
            whole.extend_from_slice(part);
            whole
        });
        if let Some(mut kept) = kept {
            kept.fill(parts);
            ctx.kept = Some(kept);
        }
        Ok(Ok(whole.freeze()))
    }

    /// Has the fallback capture the rows of a request that was tried out.
    pub(super) fn mark_capture(&self, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
        let (Some(rehearsal), Some(shadow), Some(route)) = (&ctx.rehearsal, &self.shadow, &ctx.route) else {
            return Ok(());
        };
        let by_fallback =
            ctx.attempt.backend.as_ref().is_some_and(|backend| backend.name() == route.fallback);
        if let Some(mark) = shadow.capture_mark(rehearsal).filter(|_| by_fallback) {
            request.insert_header(flask_compat::dry_run::CAPTURE, mark)?;
        }
        Ok(())
    }

    /// Notes whether the shim has done so.
    pub(super) fn note_capture(response: &ResponseHeader, ctx: &mut Context) {
        ctx.captured = response.headers.contains_key(CAPTURED);
    }

    /// A copy of a request that was tried out is not sent to anybody any more: both answers are there.
    pub(super) fn with_rehearsal(ctx: &mut Context, mut job: Job) -> std::result::Result<Job, Dropped> {
        if let Some(rehearsal) = ctx.rehearsal.take() {
            if !ctx.captured {
                return Err(Dropped::NotCaptured);
            }
            job.purpose = Purpose::Write(rehearsal);
        }
        Ok(job)
    }
}
