//! Flask-Login's `current_user` and `login_required` as extractors.

use std::future::Future;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::{Context, Defer};
use crate::login::{Protected, login_url, protect, remembered_user, session_user};

/// The application's `user_loader`.
pub trait LoadUser<S>: Sized {
    /// What can go wrong on the way to the database.
    type Error: std::fmt::Display;

    /// The user with this id, or nobody: unknown, or not allowed to be logged in any more.
    fn load(state: &S, id: &str) -> impl Future<Output = Result<Option<Self>, Self::Error>> + Send;

    /// Whether an error of the loader hands the request back to Flask; if not, the answer is a 500.
    const DEFER_ON_ERROR: bool = false;

    /// The user of a request: `id` is what the session or the remember cookie say, `None` if they say nothing. Only users
    /// that are found by something else, as by Flask-Login's `request_loader`, have their own.
    fn load_for(
        _context: &Context,
        state: &S,
        id: Option<&str>,
    ) -> impl Future<Output = Result<Option<Self>, Self::Error>> + Send
    where
        S: Sync,
        Self: Send,
    {
        async move {
            match id {
                Some(id) => Self::load(state, id).await,
                None => Ok(None),
            }
        }
    }
}

/// `current_user` where nobody is a fine answer.
#[derive(Debug, Clone)]
pub struct MaybeUser<U>(pub Option<U>);

/// `@login_required`: who is not logged in is sent to the login page.
#[derive(Debug, Clone)]
pub struct CurrentUser<U>(pub U);

impl<S: Sync, U: LoadUser<S> + Send> FromRequestParts<S> for MaybeUser<U> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let application = context.application();
        let protected = protect(&mut context.session(), &context.0.identifier, &application.login);
        let known = session_user(&context.session());
        if let Some(id) = known
            && let Some(user) = load(&context, state, Some(&id)).await?
        {
            return Ok(Self(Some(user)));
        }
        if protected == Protected::Ended {
            return Ok(Self(None));
        }
        let remembered = remembered_user(
            &mut context.session(),
            &context.0.cookies,
            &application.remember,
            &application.login,
        );
        load(&context, state, remembered.as_deref()).await.map(Self)
    }
}

async fn load<S: Sync, U: LoadUser<S> + Send>(
    context: &Context,
    state: &S,
    id: Option<&str>,
) -> Result<Option<U>, Response> {
    U::load_for(context, state, id).await.map_err(|_| {
        if U::DEFER_ON_ERROR {
            Defer.into_response()
        } else {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    })
}

impl<S: Sync, U: LoadUser<S> + Send> FromRequestParts<S> for CurrentUser<U> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let MaybeUser(user) = MaybeUser::from_request_parts(parts, state).await?;
        if let Some(user) = user {
            return Ok(Self(user));
        }
        let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        Err(unauthorized(&context))
    }
}

/// `login_manager.unauthorized()`: the message, and the login page with the way back.
fn unauthorized(context: &Context) -> Response {
    let config = &context.application().login;
    // A login view in the session (`USE_SESSION_FOR_NEXT`), of one blueprint only, or none at all: Flask knows what to do.
    let Some(view) = config.login_view.as_deref().filter(|_| {
        !config.session_for_next
            && !config
                .blueprint_login_views
                .iter()
                .any(|(name, _)| Some(name.as_str()) == context.blueprint())
    }) else {
        return Defer.into_response();
    };
    let page = if view.starts_with('/') || view.starts_with("http") {
        view.to_owned()
    } else {
        match context.url_for(view, &[]) {
            Ok(page) => page,
            Err(_) => return Defer.into_response(),
        }
    };
    if !config.login_message.is_empty() {
        context.flash(&config.login_message, &config.login_message_category);
    }
    context.redirect(&login_url(&page, &context.url().url(), config.version, config.force_host.as_deref()))
}
