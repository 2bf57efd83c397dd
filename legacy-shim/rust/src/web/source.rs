//! Where the session of a request comes from, and where it goes: the cookie, or Flask through the channel.

use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use super::Defer;
use super::application::Application;
use super::context::Context;
#[cfg(feature = "channel")]
use crate::channel::{Caller, Loaded, ShimChannel};
use crate::cookie::{Cookies, SetCookie};
use crate::session::Session;

/// Where an application keeps its sessions.
#[derive(Debug, Clone, Default)]
pub enum SessionSource {
    /// In Flask's own signed cookie: read and written here.
    #[default]
    Cookie,
    /// Somewhere that only Flask can read (Flask-Session and the like): Flask is asked before the handler, and again after
    /// it if the session was changed or lives longer with every request.
    ///
    /// When Flask cannot be asked before the handler, the request is deferred. When a changed session cannot be saved
    /// after it, the answer is a 500, as it would be in Flask: what the handler did to the database stays done, and the
    /// loss of the session's change must not look like success.
    #[cfg(feature = "channel")]
    Shim(ShimChannel),
}

/// What must be known of an opened session to save it.
#[derive(Debug, Default)]
pub(super) struct Origin {
    #[cfg(feature = "channel")]
    loaded: Option<Loaded>,
}

/// A request as far as a source of sessions needs it.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "channel"), allow(dead_code))]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) cookies: &'a Cookies,
    pub(super) now: i64,
}

/// Opens the session.
pub(super) async fn open(application: &Application, asked: Asked<'_>) -> Result<(Session, Origin), Defer> {
    match &application.session_source {
        SessionSource::Cookie => {
            let cookie = asked.cookies.get(&application.sessions.config().cookie_name);
            let session = application.sessions.load(cookie, asked.now).map_err(|_| Defer)?;
            Ok((session, Origin::default()))
        }
        #[cfg(feature = "channel")]
        SessionSource::Shim(channel) => {
            let caller = Caller::new(asked.method, asked.target, asked.headers);
            let loaded = channel.load(&caller).await.map_err(|error| {
                tracing::warn!(%error, "no session from Flask, the request is deferred");
                Defer
            })?;
            let session = Session::new(loaded.data.clone(), application.profile);
            Ok((session, Origin { loaded: Some(loaded) }))
        }
    }
}

/// Saves the session after the handler, if Flask would; puts its cookies on the answer.
pub(super) async fn save(context: &Context, response: &mut Response) {
    match &context.application().session_source {
        SessionSource::Cookie => {
            let cookie = context.application().sessions.save(&context.session(), context.now());
            append(response, cookie.and_then(|cookie| header(&cookie)));
        }
        // A dry run leaves nothing, not even a session.
        #[cfg(feature = "channel")]
        SessionSource::Shim(_) if context.is_dry_run() => {}
        #[cfg(feature = "channel")]
        SessionSource::Shim(channel) => save_in_flask(channel, context, response).await,
    }
}

pub(super) fn append(response: &mut Response, cookies: impl IntoIterator<Item = HeaderValue>) {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

pub(super) fn header(cookie: &SetCookie) -> Option<HeaderValue> {
    HeaderValue::from_str(&cookie.header_value()).ok()
}

#[cfg(feature = "channel")]
async fn save_in_flask(channel: &ShimChannel, context: &Context, response: &mut Response) {
    let Some(loaded) = &context.0.origin.loaded else { return };
    let (modified, data) = {
        let session = context.session();
        (session.modified(), session.peek().clone())
    };
    if !modified && !loaded.refresh {
        return;
    }
    let caller = context.caller();
    if !modified {
        match channel.refresh(&caller).await {
            Ok(cookies) => append(response, cookies),
            // Nothing of this request is lost.
            Err(error) => tracing::warn!(%error, "the session keeps its old lifetime"),
        }
        return;
    }
    match channel.save(&caller, loaded, &data).await {
        Ok(cookies) => append(response, cookies),
        Err(error) => {
            tracing::error!(%error, endpoint = context.endpoint(), "the changed session is lost");
            let page = crate::answer::error_page(500, None, context.application().profile);
            *response = super::answer::html_with(http::StatusCode::INTERNAL_SERVER_ERROR, page);
        }
    }
}
