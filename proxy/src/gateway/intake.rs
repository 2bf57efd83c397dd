//! Steps 1 to 4: take a request in, match it, find out who asks, decide who answers.

use std::sync::Arc;

use http::header::{CONNECTION, HOST, HeaderName, UPGRADE};
use pingora::http::{RequestHeader, Version};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};

use super::client::Client;
use super::context::Context;
use super::fallback::is_safe;
use super::request_checks::{self, HeadLimits, Rejection};
use super::{Gateway, TUNNEL_SILENCE, connection, contain};
use crate::decide::{canary_of, decide};
use crate::route::Found;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

impl Gateway {
    /// Step 1: everything that does not depend on routes.
    pub(super) fn take_in(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        let in_order = match connection::marks(session.as_downstream().stream()) {
            Some(marks) => marks.head_complete(),
            None => self.check_http2(session),
        };
        contain::rehearse(path_of(session.req_header().raw_path()));
        ctx.client = Client::of(session, &self.settings.listen.trusted_proxies);
        let header = |name| session.req_header().headers.get(name).map(http::HeaderValue::as_bytes);
        let request_id = if ctx.client.trusted { header(&X_REQUEST_ID) } else { None };
        ctx.trace = self.ids.trace(request_id, header(&TRACEPARENT), self.observer.traces());
        ctx.safe = is_safe(&session.req_header().method);
        ctx.http2 = session.req_header().version == Version::HTTP_2;
        if session.req_header().headers.contains_key(UPGRADE) {
            ctx.upgrade = wants_tunnel(session.req_header());
            if !ctx.upgrade {
                // Other protocols are not offered to backends; the request is answered as if it had not asked.
                session.req_header_mut().remove_header(&UPGRADE);
            }
        }
        self.set_manners(session, ctx);
        if let Err(Rejection { status, reason }) = in_order {
            ctx.reason = reason;
            self.observer.rejected(reason);
            return Error::e_explain(ErrorType::HTTPStatus(status), reason);
        }
        use_origin_form(session)
    }

    fn check_http2(&self, session: &Session) -> std::result::Result<(), Rejection> {
        let request = session.req_header();
        let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
        let host = authority.or_else(|| request.headers.get(HOST).map(http::HeaderValue::as_bytes));
        let headers = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        let size = request.raw_path().len() + headers.sum::<usize>();
        let limits = HeadLimits::of(&self.settings.limits);
        request.headers.values().try_for_each(|value| request_checks::http2_value(value.as_bytes()))?;
        let lengths = request.headers.get_all(http::header::CONTENT_LENGTH).iter().count();
        request_checks::http2_counts(request.headers.len(), lengths)?;
        let method = request.method.as_str().as_bytes();
        request_checks::http2(host.unwrap_or_default(), (method, request.raw_path()), size, limits)
    }

    /// How pingora treats the connection during this request.
    fn set_manners(&self, session: &mut Session, ctx: &Context) {
        let timeouts = &self.settings.timeouts;
        let silence = if ctx.upgrade { TUNNEL_SILENCE } else { timeouts.client_body };
        session.set_read_timeout(Some(silence));
        session.set_write_timeout(Some(silence));
        session.set_pipelining_enabled(true);
        // What was begun on behalf of a client that left in the middle must be finished, as Flask does.
        session.set_abort_on_close(ctx.safe);
        if session.req_header().version == Version::HTTP_10 {
            session.set_ignore_info_resp(true);
        }
        let is_last =
            connection::marks(session.as_downstream().stream()).is_some_and(connection::Marks::is_last);
        if is_last || self.is_draining() || wants_close(session.req_header()) {
            session.set_keepalive(None);
        } else if session.get_keepalive().is_some() {
            session.set_keepalive(Some(timeouts.client_idle.as_secs().max(1)));
        }
    }

    /// Steps 2 to 4.
    pub(super) fn choose(&self, session: &Session, ctx: &mut Context) {
        let routing = self.live.load();
        let request = session.req_header();
        let host = request.uri.authority().map(|authority| authority.as_str()).or_else(|| {
            let host = request.headers.get(HOST)?;
            host.to_str().ok()
        });
        let found = match std::str::from_utf8(path_of(request.raw_path())) {
            Ok(path) => routing.table.find(host.unwrap_or_default(), request.method.as_str(), path),
            // Flask decides what to make of such a path.
            Err(_) => Found::Unmatched,
        };
        let asker = canary_of(&found).map(|canary| self.ask(session, ctx, canary));
        let decision = decide(&routing.table, &found, asker.as_ref());
        let backend = |name| self.backends.get(name).map(Arc::clone);
        ctx.attempt.backend = decision.backend.and_then(backend);
        ctx.fallback = decision.fallback.and_then(backend);
        ctx.reason = decision.reason.word();
        ctx.bucket = decision.bucket;
        self.begin_capture(session, ctx, &found);
        ctx.route = match found {
            Found::Route(route) => Some(route),
            Found::Unmatched => None,
        };
        ctx.candidate = ctx.route_for_candidate().is_some();
        ctx.routing = Some(routing);
    }
}

/// Whether the client wants a WebSocket: it names the protocol, and says that this is meant for the next hop.
fn wants_tunnel(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_11
        && request.headers.get(UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && connection_says(request, b"upgrade")
}

/// Whether the client says that this is its last request on the connection. pingora reads the first Connection line only.
fn wants_close(request: &RequestHeader) -> bool {
    request.headers.get_all(CONNECTION).iter().nth(1).is_some() && connection_says(request, b"close")
}

fn connection_says(request: &RequestHeader, word: &[u8]) -> bool {
    let values = request.headers.get_all(CONNECTION).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(word))
}

/// The path without the query.
pub(super) fn path_of(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// `GET http://host/path` means `GET /path` on this host; from here on there is one way to say it.
fn use_origin_form(session: &mut Session) -> Result<()> {
    let Some((host, path)) = request_checks::absolute(session.req_header().raw_path()) else {
        return Ok(());
    };
    let (host, path) = (host.to_vec(), path.to_vec());
    let request = session.req_header_mut();
    // HTTP/1.0 may do without.
    if !request.headers.contains_key(HOST) {
        request.insert_header(HOST, host)?;
    }
    request.set_raw_path(&path)
}
