//! Objects that templates meet: the request and its arguments, the session, users, dates, pages of a list.

mod cycler;
mod datetime;
mod lists;
mod macros;
mod pagination;
mod pairs;
mod request;
mod session;
mod url_for;
mod user;

pub use datetime::DateTime;
pub use pagination::Pagination;
pub use session::{from_session as session_value, to_session as to_session_value};
pub use user::{anonymous_user, authenticated_user, user_with};

pub(super) use cycler::Cycler;
pub(super) use lists::{Dictionary, List};
pub(super) use macros::{Macro, is_missing};
pub(super) use request::{GView, RequestView};
pub(super) use session::{SessionView, from_session};
pub(super) use url_for::url_for;

use minijinja::Value;

/// Objects that have items but do not look like a dictionary when printed.
pub(super) fn has_own_text(value: &Value) -> bool {
    value.downcast_object_ref::<pairs::PairsView>().is_some()
        || value.downcast_object_ref::<DateTime>().is_some()
        || value.downcast_object_ref::<RequestView>().is_some()
        || value.downcast_object_ref::<Pagination>().is_some()
}
