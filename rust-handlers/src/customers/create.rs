//! `customers.create`: GET and POST /customers/new

use axum::extract::State;
use axum::response::Response;
use flask_compat::web::{Context, CurrentUser, Form, Templates, Tx};
use minijinja::context;
use serde_json::json;

use super::form::{CustomerForm, new_customer, offer_owners};
use crate::app::App;
use crate::crm::audit::{self, Entry};
use crate::crm::customer::{self, NewCustomer};
use crate::crm::user::{Person, User, people};
use crate::failure::Failure;
use crate::page;

/// The empty form.
///
/// # Errors
/// When the database does not answer or the template fails.
pub async fn empty_form(
    State(app): State<App>,
    CurrentUser(user): CurrentUser<User>,
    templates: Templates<User>,
    mut form: Form<CustomerForm>,
) -> Result<Response, Failure> {
    offer_owners(&mut form, &user, &owners(&app, &user).await?);
    show(&templates, &form)
}

/// Saves the customer and goes to its page, or shows the form again with what is wrong.
///
/// # Errors
/// When the database does not answer or the template fails; then nothing was saved.
pub async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser<User>,
    (request, tx): (Context, Tx),
    templates: Templates<User>,
    mut form: Form<CustomerForm>,
) -> Result<Response, Failure> {
    offer_owners(&mut form, &user, &owners(&app, &user).await?);
    if !form.validate_on_submit() {
        return show(&templates, &form);
    }
    let new = new_customer(&form)?;
    let id = save(&tx, &user, &request, &new).await?;
    request.flash(&format!("{} is saved.", new.name), "success");
    let location = request
        .url_for("customers.detail", &[("customer_id", i64::from(id).into())])
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(request.redirect(&location))
}

/// Whom the customer may belong to.
async fn owners(app: &App, user: &User) -> Result<Vec<Person>, Failure> {
    if user.sees_everything() {
        return Ok(people(&app.pool, true).await?);
    }
    Ok(vec![Person { id: user.id, name: user.name.clone() }])
}

fn show(templates: &Templates<User>, form: &Form<CustomerForm>) -> Result<Response, Failure> {
    Ok(templates.render("customers/create.html", context! { form => form.to_template() })?)
}

/// The framework commits after a good answer; a request that is cancelled half way ends in a rollback.
async fn save(tx: &Tx, user: &User, request: &Context, new: &NewCustomer) -> Result<i32, Failure> {
    let now = page::utc_now();
    let mut connection = tx.connection().await?;
    let id = customer::insert(&mut connection, new, now).await?;
    let detail = flask_compat::answer::restful_json(&json!({ "name": new.name }))
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let entry = Entry {
        user_id: user.id,
        action: "customer.create",
        entity: "customer",
        entity_id: id,
        detail: Some(detail.trim_end().to_owned()),
        ip: request.remote_addr(),
    };
    audit::add(&mut connection, entry, now).await?;
    Ok(id)
}
