//! Before and after the handler: open the session, check the CSRF token; save what changed.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, REFERER, USER_AGENT, VARY};
use http::{HeaderMap, HeaderValue, Request as HttpRequest};

use super::Defer;
use super::application::Application;
use super::context::{Context, Request};
use super::source::{self, Asked};
use crate::cookie::Cookies;
use crate::login::{client_address, identifier, remember_cookie};
use crate::routing::{Match, Value};
use crate::url::{Pairs, RequestUrl, decode_pairs};

/// Makes the context of a request, or hands it back.
pub(super) async fn open(
    application: &Arc<Application>,
    request: &mut HttpRequest<Body>,
    now: i64,
) -> Result<Context, Defer> {
    let (endpoint, view_args) = endpoint_of(application, request).ok_or(Defer)?;
    let headers = request.headers().clone();
    let cookies = Cookies::parse(&joined_cookies(&headers), application.profile);
    let method = request.method().as_str().to_owned();
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    let asked = Asked { method: &method, target: &target, headers: &headers, cookies: &cookies, now };
    let (session, origin) = source::open(application, asked).await?;
    let form = if is_form(&headers) { read_form(application, request).await? } else { Pairs::default() };
    let bytes = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let address = client_address(bytes(HeaderName::from_static("x-forwarded-for")), None);
    let context = Context(Arc::new(Request {
        application: Arc::clone(application),
        method,
        target,
        url: request_url(request, application),
        args: decode_pairs(request.uri().query().unwrap_or_default().as_bytes(), application.profile),
        identifier: identifier(address.as_deref(), bytes(USER_AGENT)),
        cookies,
        form,
        endpoint,
        view_args,
        now,
        session: Mutex::new(session),
        origin,
        flashes: Mutex::default(),
        csrf_token: Mutex::default(),
        headers,
    }));
    check_csrf(&context)?;
    Ok(context)
}

/// Sends what changed: the remember cookie, then the session, and `Vary: Cookie`.
pub(super) async fn close(context: &Context, response: &mut Response) {
    let application = context.application();
    let remember =
        remember_cookie(&mut context.session(), &application.remember, &application.login, context.now());
    source::append(response, remember.and_then(|cookie| source::header(&cookie)));
    source::save(context, response).await;
    if application.sessions.vary(&context.session()) {
        response.headers_mut().append(VARY, HeaderValue::from_static("Cookie"));
    }
}

/// The endpoint that Flask would have chosen, with its arguments. 404, 405 and redirects of the map are Flask's to answer.
fn endpoint_of(
    application: &Application,
    request: &HttpRequest<Body>,
) -> Option<(String, Vec<(String, Value)>)> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match application.map.find(host, request.method().as_str(), request.uri().path()) {
        Match::Rule(matched) => {
            let args = matched.args().map(|(name, arg)| (name.to_owned(), arg.value())).collect();
            Some((matched.endpoint().to_owned(), args))
        }
        _ => None,
    }
}

fn request_url(request: &HttpRequest<Body>, application: &Application) -> RequestUrl {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let scheme = header("x-forwarded-proto").unwrap_or("http");
    RequestUrl::new(scheme, header("host").unwrap_or_default(), target, application.profile)
}

/// HTTP/2 clients may send several Cookie lines; they are one.
fn joined_cookies(headers: &HeaderMap) -> Vec<u8> {
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    lines.join(b"; ".as_slice())
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads the form. One that is larger than the application's limit is deferred: Flask words the refusal.
async fn read_form(application: &Application, request: &mut HttpRequest<Body>) -> Result<Pairs, Defer> {
    let body = std::mem::take(request.body_mut());
    let bytes = to_bytes(body, application.max_form_bytes).await.map_err(|_| Defer)?;
    let form = decode_pairs(&bytes, application.profile);
    *request.body_mut() = Body::from(bytes);
    Ok(form)
}

/// `CSRFProtect`'s `before_request`. A refusal is deferred: Flask checks again and answers with the application's own page.
fn check_csrf(context: &Context) -> Result<(), Defer> {
    let application = context.application();
    let Some(csrf) = &application.csrf else { return Ok(()) };
    if !csrf.checks(context.method()) || application.is_csrf_exempt(context.endpoint()) {
        return Ok(());
    }
    let token = csrf.find_token(context.form(), |name| context.header(name));
    csrf.validate(token, &context.session(), context.now()).map_err(|_| Defer)?;
    let url = context.url();
    csrf.check_referrer(url.is_secure(), context.header(REFERER.as_str()), &url.host).map_err(|_| Defer)
}
