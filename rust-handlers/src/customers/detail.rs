//! `customers.detail`: GET /customers/<int:customer_id>

use axum::extract::State;
use axum::response::Response;
use flask_compat::web::{Context, CurrentUser, Templates};
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::app::App;
use crate::crm::attachment::Attachment;
use crate::crm::contact::Contact;
use crate::crm::customer::{self, Customer};
use crate::crm::deal::Deal;
use crate::crm::user::User;
use crate::crm::{activity, attachment, contact, deal};
use crate::failure::Failure;
use crate::page;

/// A customer as its page shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    customer: Customer,
    is_archived: bool,
    contacts: Vec<Contact>,
    deals: Vec<Deal>,
    attachments: Vec<Attachment>,
}

/// A customer with its contacts, deals, files and latest activities.
///
/// # Errors
/// When the database does not answer, a contact cannot be decrypted, or the template fails.
pub async fn detail(
    State(app): State<App>,
    CurrentUser(user): CurrentUser<User>,
    request: Context,
    templates: Templates<User>,
) -> Result<Response, Failure> {
    let customer = find(&app, &request).await?.ok_or_else(Failure::not_found)?;
    if !user.can_see(customer.owner.id) {
        return Err(Failure::forbidden());
    }
    let (id, now) = (customer.id, page::utc_now());
    let contacts = app.decrypted(contact::of_customer(&app.pool, id).await?)?;
    let deals = deal::of_customer(&app.pool, id).await?;
    let attachments = attachment::of_customer(&app.pool, id).await?;
    let activities = activity::latest(&app.pool, id, now).await?;
    let customer =
        Shown { is_archived: customer.archived_at.is_some(), customer, contacts, deals, attachments };
    let context =
        context! { customer => Value::from(Serde(customer)), activities => Value::from(Serde(activities)) };
    Ok(templates.render("customers/detail.html", context)?)
}

/// The customer that the path names; an id beyond the column is nobody's.
async fn find(app: &App, request: &Context) -> Result<Option<Customer>, Failure> {
    match page::id_of(request, "customer_id") {
        Some(id) => Ok(customer::find(&app.pool, id).await?),
        None => Ok(None),
    }
}
