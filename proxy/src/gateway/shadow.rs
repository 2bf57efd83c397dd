//! What a served request leaves for shadow traffic: one branch on routes without it, and references to bytes that are
//! there anyway on routes with it. The copy is made after the answer is out.

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use super::Gateway;
use super::context::Context;
use super::headers::{self, Forwarded};
use crate::route::Found;
use crate::shadow::{Asked, Capture, Copied, Dropped, Job, Served, Told};

impl Gateway {
    /// The request has found its route: whether it may be copied.
    pub(super) fn begin_capture(&self, session: &Session, ctx: &mut Context, found: &Found) {
        if let (Found::Route(route), Some(shadow)) = (found, &self.shadow) {
            let method = &session.req_header().method;
            if route.shadow.is_some() {
                ctx.capture = shadow.begin(route, method, ctx.upgrade);
            }
            ctx.tape = shadow.recordings().begin(route, method, ctx.upgrade);
        }
    }

    /// The answer has begun: whether the request will be copied.
    pub(super) fn sample(&self, response: &ResponseHeader, ctx: &mut Context) {
        Self::record_head(response, ctx);
        let (Some(capture), Some(route), Some(shadow)) = (&mut ctx.capture, &ctx.route, &self.shadow) else {
            return;
        };
        if response.status.is_informational() {
            return;
        }
        let content_type = response.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let told = Told { trace_id: ctx.trace.trace_id(), content_type };
        if !shadow.wants(capture, route, response.status.as_u16(), told) {
            ctx.capture = None;
        }
    }

    /// A part of the answer goes to the client.
    pub(super) fn capture_answer(body: Option<&Bytes>, end: bool, ctx: &mut Context) {
        for capture in [&mut ctx.capture, &mut ctx.tape].into_iter().flatten() {
            capture.answer_body(body, end);
        }
    }

    /// The answer is out: the copy goes into the queue.
    pub(super) fn offer_copy(&self, session: &Session, ctx: &mut Context) {
        let Some(capture) = ctx.capture.take() else { return };
        let (Some(route), Some(shadow)) = (ctx.route.clone(), &self.shadow) else { return };
        let rare = capture.is_rare();
        match self.job(session, ctx, *capture).and_then(|job| Self::with_rehearsal(ctx, job)) {
            Ok(job) => shadow.offer(job, rare),
            Err(reason) => shadow.skip(&route, reason),
        }
    }

    fn job(&self, session: &Session, ctx: &Context, capture: Capture) -> Result<Job, Dropped> {
        if ctx.own_answer {
            return Err(Dropped::OwnAnswer);
        }
        if ctx.fell_back.is_some() {
            return Err(Dropped::FellBack);
        }
        let head = session.response_written().ok_or(Dropped::OwnAnswer)?;
        let request = session.req_header();
        let nothing = head.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        let bodiless =
            nothing || request.method == http::Method::HEAD || matches!(head.status.as_u16(), 204 | 304);
        let (request_body, answer_body) = capture.bodies(bodiless)?;
        let (Some(route), Some(routing), Some(served)) = (&ctx.route, &ctx.routing, &ctx.attempt.backend)
        else {
            return Err(Dropped::OwnAnswer);
        };
        let by_fallback = served.name() == route.fallback;
        let other = if by_fallback { &route.candidate } else { &route.fallback };
        let target = self.backends.get(other).ok_or(Dropped::NoBackend)?;
        let name = by_fallback.then_some(route.name.as_str());
        let mut copied = self.copied(session, ctx, name)?;
        copied.body = request_body;
        Ok(Job::new(
            Served {
                route: route.clone(),
                revision: routing.revision,
                by: served.name().to_owned(),
                backend: served.clone(),
                waited: ctx.attempt.waited,
                trace_id: ctx.trace.trace_id().to_owned(),
            },
            target.clone(),
            copied,
            (head.status.as_u16(), head.headers.clone(), answer_body),
        ))
    }

    /// The request as the other side would have got it.
    pub(super) fn copied(
        &self,
        session: &Session,
        ctx: &Context,
        route: Option<&str>,
    ) -> Result<Copied, Dropped> {
        let mut request: RequestHeader = session.req_header().clone();
        if !request.headers.contains_key(HOST)
            && let Some(authority) = request.uri.authority().map(ToString::to_string)
        {
            request.insert_header(HOST, authority).map_err(|_| Dropped::Unsendable)?;
        }
        let forwarded = Forwarded { client: &ctx.client, trace: &ctx.trace, route, single_use: true };
        let lines = headers::to_backend(&mut request, &forwarded);
        lines.and_then(|lines| headers::insert(&mut request, lines)).map_err(|_| Dropped::Unsendable)?;
        let target = PathAndQuery::try_from(request.raw_path()).map_err(|_| Dropped::Unsendable)?;
        if target.as_str().as_bytes() != request.raw_path() {
            return Err(Dropped::Unsendable);
        }
        let method = request.method.clone();
        let headers = end_to_end(request.headers.clone());
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scheme = text("x-forwarded-proto").split(',').next().unwrap_or_default().trim().to_owned();
        let url = format!("{scheme}://{}{target}", text(HOST.as_str()));
        let cookies = headers.get(COOKIE).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        Ok(Copied { method, target, headers, body: Bytes::new(), asked: Asked { url, cookies } })
    }
}

/// Without what belongs to the client's connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [http::header::CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, EXPECT, CONTENT_LENGTH] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"] {
        headers.remove(name);
    }
    headers
}
