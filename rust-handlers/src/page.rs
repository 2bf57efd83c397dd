//! Rendering the Flask application's templates, its error pages, and small things that pages need.

use axum::response::{IntoResponse, Response};
use chrono::{NaiveDateTime, Utc};
use flask_compat::routing;
use flask_compat::templates::{authenticated_user, render as render_template};
use flask_compat::web::{Context, html};
use http::StatusCode;
use minijinja::context;
use minijinja::value::{Serde, Value};

use crate::app::App;
use crate::crm::user::User;
use crate::failure::Failure;

/// `render_template(name, **context)` for a logged-in user.
pub(crate) fn render(
    app: &App,
    request: &Context,
    user: &User,
    name: &str,
    context: Value,
) -> Result<Response, Failure> {
    let mut page = request.page();
    let fields = context! {
        sees_everything => user.sees_everything(),
        is_admin => user.role == "admin",
        ..Value::from(Serde(user)),
    };
    page.current_user = authenticated_user(&user.id.to_string(), fields);
    Ok(html(render_template(&app.templates, name, &page, context)?))
}

/// The application's page for 404.
pub(crate) fn not_found(app: &App, request: &Context, user: &User) -> Result<Response, Failure> {
    let page = render(app, request, user, "errors/404.html", context! {})?;
    Ok((StatusCode::NOT_FOUND, page).into_response())
}

/// The application's page for 403.
pub(crate) fn forbidden(app: &App, request: &Context, user: &User) -> Result<Response, Failure> {
    let page = render(app, request, user, "errors/403.html", context! {})?;
    Ok((StatusCode::FORBIDDEN, page).into_response())
}

/// The id in a variable of the rule, if a row can have it.
pub(crate) fn id_of(request: &Context, name: &str) -> Option<i32> {
    match request.arg(name)? {
        routing::Value::Int(number) => number.to_i64().and_then(|id| i32::try_from(id).ok()),
        _ => None,
    }
}

/// Query parameters as a dictionary that keeps their order.
pub(crate) fn parameters(pairs: Vec<(&'static str, String)>) -> Value {
    Value::from_pairs(pairs.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Vec<_>>())
}

/// Time as the database keeps it: naive, in UTC, in microseconds.
pub(crate) fn utc_now() -> NaiveDateTime {
    use chrono::SubsecRound;
    Utc::now().naive_utc().trunc_subsecs(6)
}
