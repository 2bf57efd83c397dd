//! Step 5: which upstream, and what it is sent.

use std::time::Instant;

use bytes::Bytes;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

use super::context::Context;
use super::fallback::Trouble;
use super::headers::{self, Forwarded};
use super::{Gateway, TUNNEL_SILENCE};

impl Gateway {
    /// The next address to try; the fallback's if the backend has none left.
    pub(super) fn pick_upstream(&self, _session: &Session, ctx: &mut Context) -> Result<Box<HttpPeer>> {
        loop {
            match self.try_pick(ctx) {
                Ok(peer) => {
                    ctx.attempt.started = Some(Instant::now());
                    ctx.attempt.trouble = None;
                    ctx.received = 0;
                    self.begin_attempt(ctx);
                    return Ok(peer);
                }
                Err(trouble) => {
                    // What happened at the last attempt says more than that no address is left to be tried.
                    let trouble = ctx.attempt.trouble.unwrap_or(trouble);
                    if ctx.fallback.is_none() {
                        ctx.attempt.trouble = Some(trouble);
                        return Error::e_explain(ErrorType::HTTPStatus(trouble.status()), trouble.word());
                    }
                    ctx.fall_back(trouble);
                }
            }
        }
    }

    fn try_pick(&self, ctx: &mut Context) -> std::result::Result<Box<HttpPeer>, Trouble> {
        let (single_use, upgrade) = (ctx.single_use(), ctx.upgrade);
        let wait = ctx.route.as_ref().and_then(|route| route.timeout);
        let wait = if upgrade { Some(TUNNEL_SILENCE) } else { wait };
        let no_alternative = ctx.fallback.is_none();
        let attempt = &mut ctx.attempt;
        let backend = attempt.backend.as_ref().ok_or(Trouble::Unreachable)?;
        if attempt.place.is_none() {
            attempt.place = Some(backend.enter().ok_or(Trouble::Busy)?);
        }
        let upstream = backend.pick(attempt.tried, no_alternative).ok_or(Trouble::Unreachable)?;
        attempt.upstream = upstream;
        backend.peer(upstream, single_use, wait).ok_or(Trouble::Unreachable)
    }

    /// A new connection is a sign of life; one from the pool is none.
    pub(super) fn connected(&self, reused: bool, ctx: &Context) {
        if let (false, Some(backend)) = (reused, &ctx.attempt.backend) {
            backend.reached(ctx.attempt.upstream);
        }
    }

    pub(super) fn dress_request(&self, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
        let forwarded = Forwarded {
            client: &ctx.client,
            trace: &ctx.trace,
            route: ctx.route_for_candidate(),
            single_use: ctx.single_use(),
        };
        headers::to_backend(request, &forwarded)
    }

    /// A body that does not say how long it is may still turn out to be too long.
    pub(super) fn count_body(&self, body: Option<&Bytes>, ctx: &mut Context) -> Result<()> {
        ctx.received += body.map_or(0, |body| body.len() as u64);
        if !ctx.upgrade && ctx.received > self.settings.limits.body_bytes {
            self.observer.rejected("body_too_large");
            ctx.reason = "body_too_large";
            return Error::e_explain(ErrorType::HTTPStatus(413), "body_too_large");
        }
        Ok(())
    }
}
