//! `csrf.protect()`: as the step before every handler, and as the extractor [`Csrf`] for handlers that ask for it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::REFERER;
use http::request::Parts;

use super::{Abort, Context};

/// What `E` extracts, of a request whose CSRF token is good; else Flask-WTF's 400, or what the application makes of it
/// ([`super::Views::on_csrf_error`]).
///
/// Behind `CSRFProtect` every request is checked anyway, before its handler. This is `csrf.protect()` for the others:
/// exempt views, and applications with `WTF_CSRF_CHECK_DEFAULT = False`.
///
/// ```
/// use std::sync::LazyLock;
///
/// use axum::response::Response;
/// use flask_compat::forms::{FormSpec, data_required, string};
/// use flask_compat::web::{Context, Csrf, Flash, Form, FormClass};
///
/// struct NoteForm;
///
/// impl FormClass for NoteForm {
///     fn spec() -> Result<&'static FormSpec, String> {
///         static SPEC: LazyLock<Result<FormSpec, String>> = LazyLock::new(|| {
///             FormSpec::new([string("text").validators([data_required()])]).map_err(|mistakes| mistakes.to_string())
///         });
///         SPEC.as_ref().map_err(Clone::clone)
///     }
/// }
///
/// async fn add_note(request: Context, flash: Flash, Csrf(mut form): Csrf<Form<NoteForm>>) -> Response {
///     if form.validate_on_submit() {
///         flash.add("Noted.", "success");
///     }
///     request.redirect("/notes/")
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Csrf<E>(pub E);

impl<E> Deref for Csrf<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E> DerefMut for Csrf<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.0
    }
}

impl<S: Sync, E: FromRequestParts<S>> FromRequestParts<S> for Csrf<E> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        protected(parts, state).await?;
        E::from_request_parts(parts, state).await.map(Self).map_err(IntoResponse::into_response)
    }
}

impl<S: Send + Sync, E: FromRequest<S>> FromRequest<S> for Csrf<E> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        protected(&mut parts, state).await?;
        let request = Request::from_parts(parts, body);
        E::from_request(request, state).await.map(Self).map_err(IntoResponse::into_response)
    }
}

async fn protected<S: Sync>(parts: &mut Parts, state: &S) -> Result<(), Response> {
    let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
    protect(&context).map_err(IntoResponse::into_response)
}

/// `CSRFProtect`'s `before_request`.
pub(super) fn before_request(context: &Context) -> Result<(), Abort> {
    let application = context.application();
    let checked = application.csrf.as_ref().is_some_and(|csrf| csrf.enabled && csrf.check_default);
    if !checked || application.is_csrf_exempt(context.endpoint()) {
        return Ok(());
    }
    protect(context)
}

/// `csrf.protect()`.
fn protect(context: &Context) -> Result<(), Abort> {
    let Some(csrf) = &context.application().csrf else { return Ok(()) };
    if !csrf.checks(context.method()) || context.0.csrf_valid.load(Ordering::Relaxed) {
        return Ok(());
    }
    if context.0.form.too_large {
        return Err(Abort::new(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let token = csrf.find_token(context.form(), |name| context.header(name));
    csrf.validate(token, &context.session(), context.now())?;
    let url = context.url();
    csrf.check_referrer(url.is_secure(), context.header(REFERER.as_str()), &url.host)?;
    context.0.csrf_valid.store(true, Ordering::Relaxed);
    Ok(())
}
