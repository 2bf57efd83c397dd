//! Who may not see a page: `login_manager.unauthorized()` and `needs_refresh()`.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{Abort, Context, Defer};
use crate::login::{LoginConfig, LoginVersion, login_url, next_param};

/// `login_manager.unauthorized()`: the message, and the login page with the way back; 401 without a login page.
pub(super) fn unauthorized(context: &Context) -> Response {
    let config = &context.application().login;
    // Without logins (`LOGIN_DISABLED`) the view runs for nobody, which a handler that wants a user cannot.
    if config.disabled {
        return Defer.into_response();
    }
    let Some(view) = login_view(config, context.blueprint()) else {
        return Abort::new(StatusCode::UNAUTHORIZED).into_response();
    };
    if !config.login_message.is_empty() {
        context.flash(&config.login_message, &config.login_message_category);
    }
    to_page(context, view)
}

/// `login_manager.needs_refresh()`.
pub(super) fn needs_refresh(context: &Context) -> Response {
    let config = &context.application().login;
    let Some(view) = config.refresh_view.as_deref().filter(|view| !view.is_empty()) else {
        return Abort::new(StatusCode::UNAUTHORIZED).into_response();
    };
    if config.version == LoginVersion::V05 || !config.needs_refresh_message.is_empty() {
        context.flash(&config.needs_refresh_message, &config.needs_refresh_message_category);
    }
    to_page(context, view)
}

/// The login view of the blueprint if it has one of its own, else the application's.
fn login_view<'c>(config: &'c LoginConfig, blueprint: Option<&str>) -> Option<&'c str> {
    let own = config.blueprint_login_views.iter().find(|(name, _)| Some(name.as_str()) == blueprint);
    let view = own.map(|(_, view)| view.as_str()).or(config.login_view.as_deref());
    view.filter(|view| !view.is_empty())
}

/// The redirect; the way back goes into the address, or into the session (`USE_SESSION_FOR_NEXT`).
fn to_page(context: &Context, view: &str) -> Response {
    let config = &context.application().login;
    let is_url = ["https://", "http://", "/"].iter().any(|start| view.starts_with(start));
    let page = if is_url { Ok(view.to_owned()) } else { context.url_for(view, &[]) };
    let Ok(page) = page else { return Defer.into_response() };
    let here = context.url().url();
    if config.session_for_next {
        let mut session = context.session();
        session.insert("_id", context.login_identifier());
        session.insert("next", next_param(&page, &here));
        drop(session);
        return context.redirect(&page);
    }
    context.redirect(&login_url(&page, &here, config.version, config.force_host.as_deref()))
}
