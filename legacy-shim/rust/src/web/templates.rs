//! `render_template`: the application's templates with Flask's globals of this request.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use minijinja::{Environment, Error, Value};

use super::{Context, LoadUser, html};
use crate::templates;

/// `render_template`: pages with `request`, `session`, `url_for`, `get_flashed_messages`, `csrf_token`, `config`, `g` and
/// `current_user`. `U` is the application's user; like Flask-Login's context processor, this extractor loads who is logged
/// in. [`Nobody`] is for applications without Flask-Login.
///
/// The state of the handlers must have an `Arc<Environment>` to give away: [`crate::templates::environment`].
///
/// ```
/// use std::sync::Arc;
///
/// use axum::extract::FromRef;
/// use axum::response::Response;
/// use flask_compat::web::{Context, Nobody, Templates};
/// use minijinja::{Environment, context};
///
/// #[derive(Clone)]
/// struct App {
///     templates: Arc<Environment<'static>>,
/// }
/// # impl FromRef<App> for Arc<Environment<'static>> {
/// #     fn from_ref(app: &App) -> Self { Arc::clone(&app.templates) }
/// # }
///
/// async fn about(templates: Templates<Nobody>) -> Result<Response, String> {
///     templates.render("about.html", context! { version => 3 }).map_err(|error| error.to_string())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Templates<U = Nobody> {
    environment: Arc<Environment<'static>>,
    context: Context,
    g: Option<Value>,
    user: PhantomData<fn() -> U>,
}

impl<U> Templates<U> {
    /// Sets `g` for the templates rendered after this.
    #[must_use]
    pub fn with_g(mut self, g: Value) -> Self {
        self.g = Some(g);
        self
    }

    /// `render_template(name, **context)` as a page.
    ///
    /// # Errors
    /// The template is missing or cannot be rendered.
    pub fn render(&self, name: &str, context: Value) -> Result<Response, Error> {
        self.text(name, context).map(html)
    }

    /// `render_template(name, **context)`.
    ///
    /// # Errors
    /// The template is missing or cannot be rendered.
    pub fn text(&self, name: &str, context: Value) -> Result<String, Error> {
        let mut page = self.context.page();
        if let Some(g) = &self.g {
            page.g = g.clone();
        }
        templates::render(&self.environment, name, &page, context)
    }
}

impl<S, U> FromRequestParts<S> for Templates<U>
where
    Arc<Environment<'static>>: FromRef<S>,
    U: LoadUser<S>,
    S: Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let context = Context::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        if U::EXISTS {
            context.current_user::<U, S>(state).await?;
        }
        Ok(Self { environment: FromRef::from_ref(state), context, g: None, user: PhantomData })
    }
}

/// The user of an application without logins.
#[derive(Debug, Clone, Copy)]
pub enum Nobody {}

impl<S: Sync> LoadUser<S> for Nobody {
    type Error = std::convert::Infallible;

    const EXISTS: bool = false;

    async fn load(_: &S, _: &str) -> Result<Option<Self>, Self::Error> {
        Ok(None)
    }
}
