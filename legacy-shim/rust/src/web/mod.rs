//! Handlers with axum that read like their Flask views (feature `axum`).
//!
//! A request goes through these steps, in Flask's order: [`Views`] finds the endpoint with the application's own URL map,
//! opens the session, checks the CSRF token (`before_request`), runs the handler registered under the endpoint's name, then
//! sends the remember cookie and the session. Whatever this crate cannot do as Flask would is answered with [`Defer`]: the
//! proxy asks Flask instead, and nothing was changed.
//!
//! | in Flask | here |
//! |---|---|
//! | `@app.route(..., endpoint="customers.detail")` | `views.add("customers.detail", get(detail))` |
//! | `def detail(customer_id)` | [`Context::arg`] |
//! | `@login_required`, `current_user` | [`CurrentUser`], [`MaybeUser`] |
//! | `request`, `session`, `flash()`, `csrf_token()` | [`Context`] |
//! | `redirect(url_for(...))` | [`Context::redirect`], [`Context::url_for`] |
//! | `request.form` | [`Context::form`] |
//! | `app.session_interface` | [`SessionSource`] |

mod answer;
mod application;
mod context;
mod login;
mod open;
mod page;
#[cfg(feature = "channel")]
mod shim_user;
mod source;
mod trace;
mod views;

pub use answer::{Defer, html, restful};
pub use application::Application;
pub use context::Context;
pub use login::{CurrentUser, LoadUser, MaybeUser};
pub use source::SessionSource;
pub use views::Views;
