//! `api.customers`: GET /api/v1/customers

use axum::extract::State;
use axum::response::Response;
use flask_compat::url::Pairs;
use flask_compat::web::{Context, restful};
use http::StatusCode;
use serde::Serialize;

use super::arguments::{Refusal, choice, number_in, refused, text, whole_number};
use super::fields::CustomerFields;
use super::token::ApiUser;
use crate::app::App;
use crate::crm::customer::{Order, STATUSES, Selection};
use crate::failure::Failure;

/// The answer.
#[derive(Serialize)]
struct List<'a> {
    items: Vec<CustomerFields<'a>>,
    page: i64,
    per_page: i64,
    pages: i64,
    total: i64,
}

/// What was asked for.
struct Arguments {
    page: i64,
    per_page: i64,
    selection: Selection,
}

/// Customers that the token's owner may see, filtered, by id, in pages. A page behind the last one is empty.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    State(app): State<App>,
    ApiUser(user): ApiUser,
    request: Context,
) -> Result<Response, Failure> {
    let Arguments { page, per_page, selection } = match Arguments::read(request.args()) {
        Ok(arguments) => arguments,
        Err(refusal) => return refused(refusal),
    };
    let offset = (page - 1).checked_mul(per_page).ok_or(Failure::Deferred)?;
    let found = selection.page(&app.pool, &user, per_page, offset).await?;
    let list = List {
        items: found.items.iter().map(CustomerFields::from).collect(),
        page,
        per_page,
        pages: (found.total + per_page - 1) / per_page,
        total: found.total,
    };
    Ok(restful(StatusCode::OK, &list))
}

impl Arguments {
    /// Reads the query string in the order in which the Flask resource names its arguments.
    fn read(args: &Pairs) -> Result<Self, Refusal> {
        let page = number_in(args, "page", 1..=i64::MAX, "must be 1 or more")?.unwrap_or(1);
        let per_page = number_in(args, "per_page", 1..=100, "must be between 1 and 100")?.unwrap_or(25);
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let selection = Selection {
            text: text(args, "q").unwrap_or_default(),
            status: choice(args, "status", &STATUSES)?,
            hide_archived: false,
            industry: given(text(args, "industry")),
            owner_id: whole_number(args, "owner_id")?,
            order: Order::Id,
            descending: false,
        };
        Ok(Self { page, per_page, selection })
    }
}
