//! `api.customer`: GET /api/v1/customers/<int:customer_id>

use axum::extract::State;
use axum::response::Response;
use flask_compat::routing::Value;
use flask_compat::web::{Context, restful};
use http::StatusCode;
use serde_json::json;

use super::fields::CustomerWithContacts;
use super::token::ApiUser;
use crate::app::App;
use crate::crm::{contact, customer};
use crate::failure::Failure;
use crate::page;

/// A customer with its contacts.
///
/// # Errors
/// When the database does not answer or a contact cannot be decrypted.
pub async fn item(
    State(app): State<App>,
    ApiUser(user): ApiUser,
    request: Context,
) -> Result<Response, Failure> {
    let asked = match request.arg("customer_id") {
        Some(Value::Int(number)) => number.to_string(),
        _ => return Err(Failure::Deferred),
    };
    let found = match page::id_of(&request, "customer_id") {
        Some(id) => customer::find(&app.pool, id).await?,
        None => None,
    };
    let Some(customer) = found else {
        let message = json!({ "message": format!("Customer {asked} does not exist.") });
        return Ok(restful(StatusCode::NOT_FOUND, &message));
    };
    if !user.can_see(customer.owner.id) {
        let message = json!({ "message": format!("Customer {asked} is not yours.") });
        return Ok(restful(StatusCode::FORBIDDEN, &message));
    }
    let contacts = app.decrypted(contact::of_customer(&app.pool, customer.id).await?)?;
    Ok(restful(StatusCode::OK, &CustomerWithContacts::new(&customer, &contacts)))
}
