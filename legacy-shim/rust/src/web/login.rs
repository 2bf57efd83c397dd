//! Flask-Login's `current_user`, `login_required` and `fresh_login_required` as extractors.

use std::future::Future;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use minijinja::Value;

use super::refused::{needs_refresh, unauthorized};
use super::{Context, Defer};
use crate::login::{Protected, protect, remembered_user, session_user};
use crate::templates::authenticated_user;

/// The application's `user_loader`.
pub trait LoadUser<S>: Sized + Clone + Send + Sync + 'static {
    /// What can go wrong on the way to the database.
    type Error: std::fmt::Display;

    /// The user with this id, or nobody: unknown, or not allowed to be logged in any more.
    fn load(state: &S, id: &str) -> impl Future<Output = Result<Option<Self>, Self::Error>> + Send;

    /// Whether an error of the loader hands the request back to Flask; if not, the answer is a 500.
    const DEFER_ON_ERROR: bool = false;

    /// Whether the application has users at all; if not, nothing is read from the session for them.
    const EXISTS: bool = true;

    /// The user of a request: `id` is what the session or the remember cookie say, `None` if they say nothing. Only users
    /// that are found by something else, as by Flask-Login's `request_loader`, have their own.
    fn load_for(
        _context: &Context,
        state: &S,
        id: Option<&str>,
    ) -> impl Future<Output = Result<Option<Self>, Self::Error>> + Send
    where
        S: Sync,
    {
        async move {
            match id {
                Some(id) => Self::load(state, id).await,
                None => Ok(None),
            }
        }
    }

    /// What templates see as `current_user`: see [`authenticated_user`]. Without one of its own, a user has no attributes
    /// but `is_authenticated` and its like.
    fn to_template(&self) -> Value {
        authenticated_user("", Value::UNDEFINED)
    }
}

/// `current_user` where nobody is a fine answer.
#[derive(Debug, Clone)]
pub struct MaybeUser<U>(pub Option<U>);

/// `@login_required`: who is not logged in is sent to the login page, or gets a 401 where there is none.
#[derive(Debug, Clone)]
pub struct CurrentUser<U>(pub U);

/// `@fresh_login_required`: who came by a remember cookie, or from another address, is asked for the password again.
#[derive(Debug, Clone)]
pub struct FreshUser<U>(pub U);

impl Context {
    /// `current_user`, looked for once per request: session protection, then the session, then the remember cookie.
    ///
    /// # Errors
    /// The answer to give when the user cannot be loaded: 500, or the request is handed back.
    pub async fn current_user<U: LoadUser<S>, S: Sync>(&self, state: &S) -> Result<Option<U>, Response> {
        if let Some(known) = self.known_user::<U>() {
            return Ok(known);
        }
        let user = self.find_user::<U, S>(state).await?;
        self.set_known_user(user.as_ref().map(|user| (user.clone(), user.to_template())));
        Ok(user)
    }

    async fn find_user<U: LoadUser<S>, S: Sync>(&self, state: &S) -> Result<Option<U>, Response> {
        let application = self.application();
        let protected = protect(&mut self.session(), &self.0.identifier, &application.login);
        if protected == Protected::Ended {
            return Ok(None);
        }
        let known = session_user(&self.session());
        if let Some(id) = known
            && let Some(user) = load(self, state, Some(&id)).await?
        {
            return Ok(Some(user));
        }
        let remembered =
            remembered_user(&mut self.session(), &self.0.cookies, &application.remember, &application.login);
        load(self, state, remembered.as_deref()).await
    }
}

async fn load<S: Sync, U: LoadUser<S>>(
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

impl<S: Sync, U: LoadUser<S>> FromRequestParts<S> for MaybeUser<U> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        context.current_user(state).await.map(Self)
    }
}

impl<S: Sync, U: LoadUser<S>> FromRequestParts<S> for CurrentUser<U> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        match context.current_user(state).await? {
            Some(user) => Ok(Self(user)),
            None => Err(unauthorized(&context)),
        }
    }
}

impl<S: Sync, U: LoadUser<S>> FromRequestParts<S> for FreshUser<U> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let CurrentUser(user) = CurrentUser::from_request_parts(parts, state).await?;
        let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        if context.application().login.disabled || context.login_fresh() {
            return Ok(Self(user));
        }
        Err(needs_refresh(&context))
    }
}
