//! `customers.list`: GET /customers/

use axum::extract::State;
use axum::response::Response;
use flask_compat::python;
use flask_compat::templates::Pagination;
use flask_compat::web::{Context, CurrentUser, Templates};
use minijinja::context;
use minijinja::value::{Serde, Value};

use super::filter::ListFilter;
use crate::app::App;
use crate::crm::customer::{INDUSTRIES, STATUSES};
use crate::crm::user::{User, people};
use crate::failure::Failure;
use crate::page;

const PER_PAGE: i64 = 25;

/// Customers that the user may see, filtered, ordered, in pages.
///
/// # Errors
/// When the database does not answer or the template fails.
pub async fn list(
    State(app): State<App>,
    CurrentUser(user): CurrentUser<User>,
    request: Context,
    templates: Templates<User>,
) -> Result<Response, Failure> {
    let shown = ListFilter::read(request.args()).ok_or(Failure::Deferred)?;
    let number = page_number(&request)?.ok_or_else(Failure::not_found)?;
    let offset = (number - 1).checked_mul(PER_PAGE).ok_or(Failure::Deferred)?;
    let page = shown.selection().page(&app.pool, &user, PER_PAGE, offset).await?;
    if page.items.is_empty() && number != 1 {
        return Err(Failure::not_found());
    }
    let owners = if user.sees_everything() { people(&app.pool, false).await? } else { Vec::new() };
    let items = Value::from(Serde(&page.items));
    let unsigned = i64::unsigned_abs;
    let pagination = Pagination::new(items, unsigned(number), unsigned(PER_PAGE), unsigned(page.total));
    let context = context! {
        pagination => Value::from_object(pagination),
        filters => page::parameters(shown.filters()),
        args => page::parameters(shown.args()),
        shown => Value::from(Serde(&shown)),
        owners => Value::from(Serde(&owners)),
        statuses => Value::from(STATUSES.to_vec()),
        industries => Value::from(INDUSTRIES.to_vec()),
    };
    Ok(templates.render("customers/list.html", context)?)
}

/// The page asked for: 1 if it is no number, `None` if there can be no such page.
fn page_number(request: &Context) -> Result<Option<i64>, Failure> {
    let Some(number) = request.args().get("page").and_then(python::int) else { return Ok(Some(1)) };
    let number = number.to_i64().ok_or(Failure::Deferred)?;
    Ok((number >= 1).then_some(number))
}
