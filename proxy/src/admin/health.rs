//! `/readyz`: whether this node should get traffic, and with `?verbose` why.
//!
//! Ready means: there are routes to serve by, and one backend can be reached. A bad edit of the routing file does not
//! count, because the last good one is served; nor do the handlers and what is behind them, because Flask answers
//! for them.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Admin;

pub(super) async fn readyz(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let unready = admin.unready();
    let verbose =
        query.is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("verbose")));
    let text = match unready {
        _ if verbose => report(&admin, unready),
        None => "ok\n".to_owned(),
        Some(reason) => format!("{reason}\n"),
    };
    let status = if unready.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

fn report(admin: &Admin, unready: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |good: bool, what: &str| {
        let _ = writeln!(text, "[{}] {what}", if good { '+' } else { '-' });
    };
    let routing = admin.control.live().load();
    let (good, _) = admin.control.reload_state();
    let routes = routing.table.routes().len();
    line(true, &format!("routing: revision {}, {routes} routes", routing.revision));
    if !good {
        line(false, "routing file: bad, the last good one is served");
    }
    for backend in admin.backends.health() {
        for upstream in &backend.upstreams {
            let state = if upstream.up { "can be reached" } else { "cannot be reached" };
            line(upstream.up, &format!("backend {}: {} {state}", backend.name, upstream.address));
        }
    }
    match unready {
        None => text.push_str("ready\n"),
        Some(reason) => {
            let _ = writeln!(text, "not ready: {reason}");
        }
    }
    text
}
