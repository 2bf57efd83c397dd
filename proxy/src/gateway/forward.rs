//! Step 5: which upstream, and what it is sent.

use std::time::{Duration, Instant};

use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

use super::context::Context;
use super::fallback::Trouble;
use super::headers::{self, Forwarded};
use super::{Gateway, TUNNEL_SILENCE, tunnel};
use crate::upstream::{Claim, Patience};

/// Pause after a connection broke.
const DYING: Duration = Duration::from_millis(50);
/// Pause before another connection is tried when this machine has no descriptor left.
const BREATHER: Duration = Duration::from_millis(200);

impl Gateway {
    /// The next address to try; the fallback's if the backend has none left. Without a fallback a request waits: for a
    /// place, or for the backend's return.
    pub(super) async fn pick_upstream(&self, ctx: &mut Context) -> Result<()> {
        // What is rare is boxed: what it needs while it waits is large, and would be moved with every request.
        if std::mem::take(&mut ctx.attempt.broke) && !Box::pin(self.may_ask_again(ctx)).await {
            ctx.attempt.trouble = Some(Trouble::Broken);
            return Error::e_explain(ErrorType::HTTPStatus(502), Trouble::Broken.word());
        }
        loop {
            let found = match self.try_pick(ctx) {
                Ok(()) => {
                    let now = Instant::now();
                    ctx.attempt.began.get_or_insert(now);
                    ctx.attempt.started = Some(now);
                    ctx.attempt.trouble = None;
                    ctx.received = 0;
                    for capture in [&mut ctx.capture, &mut ctx.tape].into_iter().flatten() {
                        capture.restart();
                    }
                    self.begin_attempt(ctx);
                    self.await_candidate(ctx);
                    return Ok(());
                }
                // What happened at the last attempt says more than that no address is left to be tried.
                Err(trouble) => ctx.attempt.trouble.unwrap_or(trouble),
            };
            if ctx.fallback.is_some() {
                self.note_trouble(found, ctx);
                ctx.fall_back(found);
            } else if !Box::pin(self.wait(found, ctx)).await {
                self.note_trouble(found, ctx);
                ctx.attempt.trouble = Some(found);
                return Error::e_explain(ErrorType::HTTPStatus(found.status()), found.word());
            }
        }
    }

    /// What pingora's proxy shall connect to after an upstream was picked.
    pub(super) fn peer(&self, ctx: &Context) -> Result<Box<HttpPeer>> {
        let peer = match &ctx.attempt.loan {
            Some(loan) => loan.peer(),
            None => self.tunnel_peer(ctx),
        };
        peer.ok_or_else(|| Error::explain(ErrorType::HTTPStatus(502), Trouble::Unreachable.word()))
    }

    /// A tunnel has a connection that is not lent.
    fn tunnel_peer(&self, ctx: &Context) -> Option<Box<HttpPeer>> {
        let serving = ctx.attempt.serving.as_ref()?;
        let mut peer = serving.upstream().peer(true, self.patience(ctx).ok()?)?;
        tunnel::prepare(&mut peer);
        Some(peer)
    }

    /// From now on the guard of the route sees if its candidate hangs.
    fn await_candidate(&self, ctx: &mut Context) {
        let first = ctx.candidate && ctx.safe && ctx.fell_back.is_none() && ctx.attempt.awaited.is_none();
        let Some(route) = ctx.route.as_ref().filter(|route| first && route.guard.is_some()) else { return };
        let revision = ctx.routing.as_ref().map_or(0, |routing| routing.revision);
        ctx.attempt.awaited = Some(self.observer.waiting().begin(route, revision, ctx.trace.trace_id()));
    }

    /// After a connection broke. A server that is being killed dies process by process: whoever asks at once may meet
    /// the next one that dies. After the second break it makes a difference whether somebody is still there.
    async fn may_ask_again(&self, ctx: &Context) -> bool {
        tokio::time::sleep(DYING).await;
        match (&ctx.attempt.backend, &ctx.attempt.serving) {
            (Some(backend), Some(serving)) if ctx.attempt.breaks > 1 => {
                !backend.is_there(serving.upstream()).await
            }
            _ => true,
        }
    }

    fn try_pick(&self, ctx: &mut Context) -> std::result::Result<(), Trouble> {
        let terms = ctx.terms(self.patience(ctx)?, self.settings.timeouts.client_body);
        let special = ctx.upgrade;
        let no_alternative = ctx.fallback.is_none();
        let claim = claim_of(ctx);
        let attempt = &mut ctx.attempt;
        let backend = attempt.backend.as_ref().ok_or(Trouble::Unreachable)?;
        if attempt.place.is_none() {
            attempt.place = Some(backend.enter(claim).ok_or(Trouble::Busy)?);
        }
        // The request is no longer on the upstream that failed.
        attempt.serving = None;
        let serving = backend.pick(attempt.tried, no_alternative).ok_or(Trouble::Unreachable)?;
        attempt.loan = if special { None } else { backend.lend(&serving, terms) };
        let is_resolved = serving.upstream().is_resolved();
        attempt.serving = Some(serving);
        if is_resolved { Ok(()) } else { Err(Trouble::Unreachable) }
    }

    /// How long to wait for whom, as far as the route says so.
    fn patience(&self, ctx: &Context) -> std::result::Result<Patience, Trouble> {
        let Some(route) = &ctx.route else {
            return Ok(Patience { connect: None, bytes: ctx.upgrade.then_some(TUNNEL_SILENCE) });
        };
        let bytes = if ctx.upgrade { Some(TUNNEL_SILENCE) } else { route.timeout };
        let Some(total) = route.total_timeout.filter(|_| !ctx.upgrade) else {
            return Ok(Patience { connect: route.connect_timeout, bytes });
        };
        let left = total.saturating_sub(ctx.spent());
        if left.is_zero() {
            return Err(Trouble::Timeout);
        }
        let bytes = bytes.unwrap_or(self.settings.timeouts.upstream).min(left);
        let connect = route.connect_timeout.unwrap_or(self.settings.timeouts.connect).min(left);
        Ok(Patience { connect: Some(connect), bytes: Some(bytes) })
    }

    /// Waits until the backend may be tried (again); false: that makes no sense, or took too long.
    async fn wait(&self, trouble: Trouble, ctx: &mut Context) -> bool {
        let Some(backend) = &ctx.attempt.backend else { return false };
        match trouble {
            Trouble::Busy if ctx.attempt.place.is_none() => {
                self.observer.waits(backend.name(), "place");
                ctx.attempt.place = backend.queue(claim_of(ctx)).await;
                ctx.attempt.place.is_some()
            }
            // A place, but no descriptor: others give theirs back all the time.
            Trouble::Busy if ctx.attempt.place.is_some() && Instant::now() < self.deadline(ctx) => {
                tokio::time::sleep(BREATHER).await;
                ctx.attempt.trouble = None;
                true
            }
            Trouble::Unreachable | Trouble::Broken | Trouble::Timeout => {
                let deadline = self.deadline(ctx);
                if deadline <= Instant::now() {
                    return false;
                }
                self.observer.waits(backend.name(), "return");
                let back = backend.wait_for_return(deadline).await;
                if back {
                    ctx.attempt.trouble = None;
                    ctx.attempt.tried = crate::upstream::Tried::default();
                }
                back
            }
            _ => false,
        }
    }

    /// Until when a request waits for the backend.
    fn deadline(&self, ctx: &Context) -> Instant {
        let connect = ctx.route.as_ref().and_then(|route| route.connect_timeout);
        ctx.attempt.began.unwrap_or_else(Instant::now) + connect.unwrap_or(self.settings.timeouts.connect)
    }

    /// Counts what went wrong with the backend that is being asked.
    pub(super) fn note_trouble(&self, trouble: Trouble, ctx: &Context) {
        if let Some(backend) = &ctx.attempt.backend {
            self.observer.trouble(backend.name(), trouble.word());
        }
    }

    /// A new connection is a sign of life; one from the pool is none.
    pub(super) fn connected(&self, reused: bool, ctx: &Context) {
        if let (false, Some(backend), Some(serving)) = (reused, &ctx.attempt.backend, &ctx.attempt.serving) {
            backend.reached(serving.upstream());
        }
    }

    pub(super) fn dress_request(&self, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
        let forwarded = Forwarded {
            client: &ctx.client,
            trace: &ctx.trace,
            route: ctx.route_for_candidate(),
            single_use: ctx.single_use(),
        };
        let lines = headers::to_backend(request, &forwarded)?;
        if !request.headers.contains_key(http::header::HOST)
            && let Some(serving) = &ctx.attempt.serving
        {
            // HTTP/1.0 may do without, HTTP/1.1 may not. It is what a server would take for its own name.
            request.insert_header(http::header::HOST, serving.upstream().authority())?;
        }
        match &ctx.attempt.loan {
            Some(loan) => loan.say(lines),
            None => headers::insert(request, lines)?,
        }
        self.mark_capture(request, ctx)?;
        if let Some(length) = ctx.replayed {
            // All of it is there: the length is known, and nobody has to be asked to go on.
            request.remove_header(&http::header::TRANSFER_ENCODING);
            request.remove_header(&http::header::EXPECT);
            request.insert_header(http::header::CONTENT_LENGTH, length)?;
        }
        Ok(())
    }

    /// An answer that takes too long as a whole is cut off, in a way that nobody takes for its end.
    fn check_total_time(&self, ctx: &Context) -> Result<()> {
        let total = ctx.route.as_ref().and_then(|route| route.total_timeout);
        match total {
            Some(total) if !ctx.upgrade && ctx.spent() > total => {
                Err(Error::explain(ErrorType::ReadTimedout, "the whole answer took too long").into_up())
            }
            _ => Ok(()),
        }
    }

    /// A part of the answer's body is on its way to the client.
    pub(super) fn answer_passes(&self, end: bool, ctx: &mut Context) -> Result<()> {
        if end && !ctx.upgrade {
            // The backend is done. How long the client takes for the rest is no matter of its places and of its load.
            ctx.attempt.place = None;
            ctx.attempt.serving = None;
        }
        self.check_total_time(ctx)
    }
}

fn claim_of(ctx: &Context) -> Claim {
    Claim { relief: ctx.fell_back.is_some(), upload: ctx.uploading }
}
