//! Who asks, where a canary depends on it (step 3), and the cookies that keep a user on a side.
//!
//! Only requests to routes with a canary come here; what cookies say is read and written in `identity`.

use std::borrow::Cow;

use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use super::Gateway;
use super::context::Context;
use crate::decide::pin_of;
use crate::identity::{Asked, Asker, Scope, Side, TESTER_HEADER};
use crate::route::{Canary, Route};

static TESTER: HeaderName = HeaderName::from_static(TESTER_HEADER);

impl Gateway {
    /// Step 3: who asks.
    pub(super) fn ask(&self, session: &Session, ctx: &mut Context, of: (&Route, &Canary)) -> Asker {
        let (route, canary) = of;
        let request = session.req_header();
        let cookies = joined_cookies(request);
        let asked = Asked {
            cookies: &cookies,
            tester: request.headers.get(&TESTER).and_then(|value| value.to_str().ok()),
            address: ctx.client.address,
            browser: keeps_cookies(request),
            now: chrono::Utc::now().timestamp(),
        };
        let scope = Scope { route: &route.name, group: &canary.group };
        let (asker, new) = self.identities.ask(&asked, scope, || flask_compat::random::bytes().ok());
        ctx.new_visitor = new;
        asker
    }

    /// Cookies on the way back: a new visitor's id, and a pin after a write. An answer that shared caches may keep
    /// carries neither: it would make one visitor of many.
    pub(super) fn keep_side(
        &self,
        session: &Session,
        response: &mut ResponseHeader,
        ctx: &Context,
    ) -> Result<()> {
        let pin = self.pin(response, ctx);
        if (ctx.new_visitor.is_none() && pin.is_none()) || is_shared(response) {
            return Ok(());
        }
        let secure = is_https(session.req_header(), ctx);
        let visitor = ctx.new_visitor.as_ref().and_then(|id| self.identities.visitor_header(id, secure));
        let pin = pin.and_then(|(side, group, seconds)| {
            let now = chrono::Utc::now().timestamp();
            self.identities.pin_header(side, group, (now, seconds), secure)
        });
        for cookie in visitor.into_iter().chain(pin) {
            response.append_header(SET_COOKIE, cookie)?;
        }
        Ok(())
    }

    /// After a write: the side that really answered it, also when that was the fallback in place of the candidate.
    fn pin<'c>(&self, response: &ResponseHeader, ctx: &'c Context) -> Option<(Side, &'c str, i64)> {
        if ctx.safe || response.status.is_server_error() {
            return None;
        }
        let (routing, route) = (ctx.routing.as_ref()?, ctx.route.as_ref()?);
        let (group, seconds) = pin_of(&routing.table, route)?;
        let answered = ctx.attempt.backend.as_ref()?.name();
        let side = match answered {
            name if name == route.fallback => Side::Fallback,
            name if name == route.candidate => Side::Candidate,
            _ => return None,
        };
        Some((side, group, seconds))
    }
}

pub(super) fn joined_cookies(request: &RequestHeader) -> Cow<'_, [u8]> {
    let mut values = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let (first, second) = (values.next().unwrap_or_default(), values.next());
    let Some(second) = second else { return Cow::Borrowed(first) };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(values).collect();
    Cow::Owned(all.join(&b"; "[..]))
}

/// Whether the client is a browser, as far as can be seen. Scripts and API clients seldom keep cookies: each of their
/// requests would be another visitor.
fn keeps_cookies(request: &RequestHeader) -> bool {
    let headers = &request.headers;
    if headers.contains_key(AUTHORIZATION) {
        return false;
    }
    if headers.contains_key(COOKIE) {
        return true;
    }
    let wants_pages = headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.as_bytes().windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html")));
    wants_pages || headers.contains_key("sec-fetch-site")
}

/// Whether caches that serve more than one user may keep an answer.
fn is_shared(response: &ResponseHeader) -> bool {
    let mut shared = false;
    for value in response.headers.get_all(CACHE_CONTROL) {
        for directive in value.as_bytes().split(|byte| *byte == b',') {
            let mut parts = directive.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
            let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match name.to_ascii_lowercase().as_slice() {
                b"private" | b"no-store" => return false,
                b"public" | b"s-maxage" => shared = true,
                b"max-age" if value != b"0" => shared = true,
                _ => {}
            }
        }
    }
    shared || (response.headers.contains_key("expires") && !response.headers.contains_key(CACHE_CONTROL))
}

/// Whether the user's browser speaks HTTPS, to us or to the proxy before us.
fn is_https(request: &RequestHeader, ctx: &Context) -> bool {
    let forwarded =
        || request.headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes() == b"https");
    ctx.client.https || (ctx.client.trusted && forwarded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_for_everybody_are_told_from_answers_for_one() {
        let cases = [
            (&[][..], false),
            (&[("Cache-Control", "public, max-age=43200")], true),
            (&[("Cache-Control", "max-age=60")], true),
            (&[("Cache-Control", "private, max-age=60")], false),
            (&[("Cache-Control", "no-cache")], false),
            (&[("Cache-Control", "must-revalidate, max-age=0")], false),
            (&[("Cache-Control", "max-age=0"), ("Cache-Control", "no-store")], false),
            (&[("Cache-Control", "S-MaxAge = 60")], true),
            (&[("Expires", "Thu, 01 Jan 2099 00:00:00 GMT")], true),
        ];
        for (headers, expected) in cases {
            let mut response = ResponseHeader::build(200, None).unwrap();
            for (name, value) in headers {
                response.append_header(*name, *value).unwrap();
            }
            assert_eq!(is_shared(&response), expected, "{headers:?}");
        }
    }

    #[test]
    fn browsers_keep_cookies_and_scripts_do_not() {
        let cases = [
            (&[][..], false),
            (&[("Accept", "*/*")], false),
            (&[("Accept", "text/html,application/xhtml+xml")], true),
            (&[("Accept", "application/json"), ("Sec-Fetch-Site", "same-origin")], true),
            (&[("Cookie", "session=x")], true),
            (&[("Cookie", "session=x"), ("Authorization", "Bearer y")], false),
        ];
        for (headers, expected) in cases {
            let mut request = RequestHeader::build("GET", b"/", None).unwrap();
            for (name, value) in headers {
                request.append_header(*name, *value).unwrap();
            }
            assert_eq!(keeps_cookies(&request), expected, "{headers:?}");
        }
    }
}
