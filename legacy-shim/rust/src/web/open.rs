//! Before and after the handler: open the session, check the CSRF token; save what changed.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, USER_AGENT, VARY};
use http::{HeaderMap, HeaderValue, Request as HttpRequest};

use super::Defer;
use super::application::Application;
use super::context::{Context, Request, Sent};
use super::source::{self, Asked};
use crate::cookie::Cookies;
use crate::dry_run::Mark;
use crate::form_body::{self, ContentType, FormError};
use crate::login::{client_address, identifier, remember_cookie};
use crate::routing::{Match, Value};
use crate::url::{RequestUrl, decode_pairs};

/// Makes the context of a request, or hands it back.
pub(super) async fn open(
    application: &Arc<Application>,
    request: &mut HttpRequest<Body>,
    now: i64,
    dry_run: Option<Mark>,
) -> Result<Context, Defer> {
    let Endpoint { name: endpoint, view_args, automatic_options } =
        endpoint_of(application, request).ok_or(Defer)?;
    let headers = request.headers().clone();
    let cookies = Cookies::parse(&joined_cookies(&headers), application.profile);
    let method = request.method().as_str().to_owned();
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    let asked = Asked { method: &method, target: &target, headers: &headers, cookies: &cookies, now };
    let (session, origin) = source::open(application, asked).await?;
    let form = read_form(application, request).await?;
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
        automatic_options,
        now,
        session: Mutex::new(session),
        origin,
        flashes: Mutex::default(),
        csrf_token: Mutex::default(),
        csrf_valid: AtomicBool::default(),
        user: Mutex::default(),
        #[cfg(feature = "sqlx")]
        transaction: super::database::Slot::new(dry_run.clone()),
        dry_run,
        headers,
    }));
    Ok(context)
}

/// Sends what changed: the remember cookie, then the session, and `Vary: Cookie`.
pub(super) async fn close(context: &Context, response: &mut Response) {
    let application = context.application();
    if application.has_login_manager {
        let remember =
            remember_cookie(&mut context.session(), &application.remember, &application.login, context.now());
        source::append(response, remember.and_then(|cookie| source::header(&cookie)));
    }
    source::save(context, response).await;
    if application.sessions.vary(&context.session()) {
        response.headers_mut().append(VARY, HeaderValue::from_static("Cookie"));
    }
}

/// The endpoint that Flask would have chosen, with its arguments.
struct Endpoint {
    name: String,
    view_args: Vec<(String, Value)>,
    automatic_options: bool,
}

/// Asks the map. Its 404, 405 and redirects are Flask's to answer.
fn endpoint_of(application: &Application, request: &HttpRequest<Body>) -> Option<Endpoint> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match application.map.find(host, request.method().as_str(), request.uri().path()) {
        Match::Rule(matched) => {
            let view_args = matched.args().map(|(name, arg)| (name.to_owned(), arg.value())).collect();
            Some(Endpoint {
                name: matched.endpoint().to_owned(),
                view_args,
                automatic_options: matched.automatic_options(),
            })
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

/// Reads the form. One that is larger than what is read here is deferred, and so is one that only Python reads.
async fn read_form(application: &Application, request: &mut HttpRequest<Body>) -> Result<Sent, Defer> {
    let Some(content_type) = request.headers().get(CONTENT_TYPE) else { return Ok(Sent::default()) };
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    if application.form_limits.refuse(length) {
        return Ok(Sent { too_large: true, ..Sent::default() });
    }
    let content_type = ContentType::parse(content_type.as_bytes(), application.profile).ok_or(Defer)?;
    if !content_type.is_form() {
        return Ok(Sent::default());
    }
    let body = std::mem::take(request.body_mut());
    let bytes = to_bytes(body, application.max_form_bytes).await.map_err(|_| Defer)?;
    let read = form_body::read(&content_type, length, &bytes, &application.form_limits);
    *request.body_mut() = Body::from(bytes);
    match read {
        Ok(form) => Ok(Sent { pairs: form.form, files: form.files, too_large: false }),
        Err(FormError::TooLarge) => Ok(Sent { too_large: true, ..Sent::default() }),
        Err(FormError::Unsupported) => Err(Defer),
    }
}
