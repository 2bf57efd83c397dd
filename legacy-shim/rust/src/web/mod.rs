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
//! | `@fresh_login_required`, `@roles_required(...)` | [`FreshUser`], [`RequireRole`] |
//! | `login_user()`, `logout_user()`, `login_fresh()` | [`Context::log_in`], [`Context::log_out`], [`Context::login_fresh`] |
//! | `request`, `csrf_token()` | [`Context`] |
//! | `session`, `flash()` | [`Session`], [`Flash`] |
//! | `render_template(name, ...)` | [`Templates::render`] |
//! | `form = CustomerForm()` | [`Form`] |
//! | `csrf.protect()` in a view | [`Csrf`] |
//! | `abort(404)`, `@app.errorhandler(404)` | [`Abort`], [`Views::on_error`] |
//! | `redirect(url_for(...))` | [`Context::redirect`], [`Context::url_for`] |
//! | `request.form`, `request.files` | [`Context::form`], [`Context::files`] |
//! | `jsonify(...)` | [`jsonify`] |
//! | a Flask-RESTful resource | [`restful`], [`restful_abort`] |
//! | `app.session_interface` | [`SessionSource`] |
//! | `db.session`, `db.session.commit()` | `Tx` (feature `sqlx`): commits after a good answer |
//! | `send_mail(...)`, a webhook | `Outbox` (feature `sqlx`): sent after the commit |
//!
//! Beside the endpoints stands `GET /_ficus/about`, for the proxy alone: which build this is, and the schema heads that
//! [`Views::schema_heads`] names.

mod abort;
mod about;
mod answer;
mod application;
mod context;
mod csrf;
#[cfg(feature = "sqlx")]
mod database;
mod dry_run;
mod form;
mod log_in;
mod login;
mod open;
mod page;
mod refused;
mod role;
mod session;
#[cfg(feature = "channel")]
mod shim_user;
mod source;
mod templates;
mod trace;
mod views;

pub use abort::Abort;
pub use answer::{Defer, html, jsonify, restful, restful_abort};
pub use application::Application;
pub use context::Context;
pub use csrf::Csrf;
#[cfg(feature = "sqlx")]
pub use database::{Connection, Message, Outbox, OutboxError, Sender, Tx, guarded, install_outbox};
pub use form::{Form, FormClass};
pub use login::{CurrentUser, FreshUser, LoadUser, MaybeUser};
pub use role::{RequireRole, Role};
pub use session::{Flash, Session};
pub use source::SessionSource;
pub use templates::{Nobody, Templates};
pub use views::Views;
