//! `@roles_required(...)`: a logged-in user of some kind, else 403.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::{Abort, CurrentUser, LoadUser};

/// Which users a handler is for. A type of its own for each decorator of the Flask application.
pub trait Role<U> {
    /// Whether this user may.
    fn allows(user: &U) -> bool;
}

/// The user, who is logged in (else: the login page, as with [`CurrentUser`]) and whom `R` allows (else: 403, as `abort(403)`).
///
/// ```
/// use axum::response::Response;
/// use flask_compat::web::{LoadUser, RequireRole, Role, html};
///
/// #[derive(Clone)]
/// struct User {
///     role: String,
/// }
///
/// impl<S: Sync> LoadUser<S> for User {
///     type Error = std::convert::Infallible;
///
///     async fn load(_: &S, id: &str) -> Result<Option<Self>, Self::Error> {
///         Ok((id == "7").then(|| User { role: "admin".to_owned() }))
///     }
/// }
///
/// /// `@roles_required("admin", "manager")`
/// struct Managers;
///
/// impl Role<User> for Managers {
///     fn allows(user: &User) -> bool {
///         ["admin", "manager"].contains(&user.role.as_str())
///     }
/// }
///
/// async fn users(user: RequireRole<Managers, User>) -> Response {
///     html(format!("what a {} sees", user.role))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct RequireRole<R, U> {
    /// The user.
    pub user: U,
    role: PhantomData<fn() -> R>,
}

impl<R, U> Deref for RequireRole<R, U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.user
    }
}

impl<S: Sync, R: Role<U>, U: LoadUser<S>> FromRequestParts<S> for RequireRole<R, U> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let CurrentUser(user) = CurrentUser::<U>::from_request_parts(parts, state).await?;
        if R::allows(&user) {
            return Ok(Self { user, role: PhantomData });
        }
        Err(Abort::new(StatusCode::FORBIDDEN).into_response())
    }
}
