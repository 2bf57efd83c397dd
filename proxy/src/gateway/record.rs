//! What an answered request leaves for a recording of users' traffic, where somebody wants one: references to bytes that are
//! there anyway. What is written, and in whose session, is decided in `shadow::record`.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::Gateway;
use super::context::Context;
use crate::shadow::{Capture, Dropped, Recordings, Taken};

impl Gateway {
    /// The answer has begun.
    pub(super) fn record_head(response: &ResponseHeader, ctx: &mut Context) {
        if let Some(tape) = ctx.tape.as_mut().filter(|_| !response.status.is_informational()) {
            let content_type = response.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
            Recordings::answer_head(tape, content_type);
        }
    }

    /// The answer is out: what was kept goes to whoever writes it down.
    pub(super) fn offer_tape(&self, session: &Session, ctx: &mut Context) {
        let Some(capture) = ctx.tape.take() else { return };
        let (Some(route), Some(shadow)) = (ctx.route.clone(), &self.shadow) else { return };
        match taken(session, ctx, *capture) {
            Ok(taken) => shadow.recordings().offer(taken),
            Err(reason) => shadow.recordings().skip(&route.name, reason.word()),
        }
    }
}

fn taken(session: &Session, ctx: &Context, capture: Capture) -> Result<Taken, Dropped> {
    if ctx.own_answer {
        return Err(Dropped::OwnAnswer);
    }
    let head = session.response_written().ok_or(Dropped::OwnAnswer)?;
    let request = session.req_header();
    let nothing = head.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    let bodiless =
        nothing || request.method == http::Method::HEAD || matches!(head.status.as_u16(), 204 | 304);
    let bodies = capture.bodies(bodiless)?;
    let (Some(route), Some(served)) = (&ctx.route, &ctx.attempt.backend) else {
        return Err(Dropped::OwnAnswer);
    };
    let target = String::from_utf8(request.raw_path().to_vec()).map_err(|_| Dropped::Unsendable)?;
    let mut headers = request.headers.clone();
    if let Some(authority) = request.uri.authority()
        && !headers.contains_key(http::header::HOST)
        && let Ok(host) = authority.as_str().parse()
    {
        // HTTP/2 has no header for it.
        headers.insert(http::header::HOST, host);
    }
    Ok(Taken {
        route: route.clone(),
        served: served.name().to_owned(),
        method: request.method.clone(),
        target,
        headers,
        address: ctx.client.address,
        began: ctx.started,
        answer: (head.status.as_u16(), head.headers.clone()),
        bodies,
    })
}
