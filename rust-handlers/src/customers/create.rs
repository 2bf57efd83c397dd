//! `customers.create`: GET and POST /customers/new

use axum::extract::State;
use axum::response::Response;
use flask_compat::forms::{Form, FormData, Opening};
use flask_compat::web::{Context, CurrentUser};
use minijinja::context;
use serde_json::json;

use super::form::{CUSTOMER_FORM, new_customer, offer_owners};
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
    request: Context,
) -> Result<Response, Failure> {
    let form = open(&app, &user, &request, false).await?;
    show(&app, &request, &user, &form)
}

/// Saves the customer and goes to its page, or shows the form again with what is wrong.
///
/// # Errors
/// When the database does not answer or the template fails; then nothing was saved.
pub async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser<User>,
    request: Context,
) -> Result<Response, Failure> {
    let mut form = open(&app, &user, &request, true).await?;
    if !form.validate_on_submit() {
        return show(&app, &request, &user, &form);
    }
    let new = new_customer(&form)?;
    // A cancelled request must not stop half way between insert and commit: the transaction then ends in a rollback.
    let id = save(&app, &user, &request, &new).await?;
    request.flash(&format!("{} is saved.", new.name), "success");
    let location = request
        .url_for("customers.detail", &[("customer_id", i64::from(id).into())])
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(request.redirect(&location))
}

async fn open(app: &App, user: &User, request: &Context, submitted: bool) -> Result<Form, Failure> {
    let spec = CUSTOMER_FORM.as_ref().map_err(|mistakes| Failure::Internal(mistakes.clone()))?;
    let opening = Opening::new(request.application().profile).csrf_token(request.csrf_token());
    let opening = if submitted { opening.submitted(sent(request)) } else { opening };
    let mut form = spec.open(opening);
    let owners = if user.sees_everything() {
        people(&app.pool, true).await?
    } else {
        vec![Person { id: user.id, name: user.name.clone() }]
    };
    offer_owners(&mut form, user, &owners);
    Ok(form)
}

/// The form as it was sent.
fn sent(request: &Context) -> FormData {
    request.form().0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn show(app: &App, request: &Context, user: &User, form: &Form) -> Result<Response, Failure> {
    page::render(app, request, user, "customers/create.html", context! { form => form.to_template() })
}

async fn save(app: &App, user: &User, request: &Context, new: &NewCustomer) -> Result<i32, Failure> {
    let now = page::utc_now();
    let mut transaction = app.pool.begin().await?;
    let id = customer::insert(&mut transaction, new, now).await?;
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
    audit::add(&mut transaction, entry, now).await?;
    transaction.commit().await?;
    Ok(id)
}
