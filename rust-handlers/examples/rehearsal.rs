//! The CRM's writing endpoint with faults to choose from, for the tests of write parity (`tests/shadow/test_writes.py`).
//!
//! The header `X-Fault` of a request says what goes wrong. Started like the handlers, from the same environment;
//! `MAIL_FILE` is where "mails" of the outbox go.

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flask_compat::web::{
    Context, CurrentUser, Form, Outbox, Sender, Templates, Tx, Views, guarded, install_outbox,
};
use http::StatusCode;
use rust_handlers::app::{App, application};
use rust_handlers::config::Config;
use rust_handlers::crm::user::User;
use rust_handlers::customers::create;
use rust_handlers::customers::form::CustomerForm;
use rust_handlers::failure::Failure;
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, query};
use tokio::net::UnixListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config =
        Config::read(|name| std::env::var(name).ok()).map_err(|errors| anyhow::anyhow!(errors.join("\n")))?;
    let options = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(3));
    let pool = guarded(options).connect(&config.database_url).await?;
    install_outbox(&pool).await?;
    let mails = std::env::var("MAIL_FILE").context("MAIL_FILE is not set")?;
    let deliver = move |message: flask_compat::web::Message| {
        let mails = mails.clone();
        async move { append(&mails, &message.payload.to_string()).map_err(|error| error.to_string()) }
    };
    tokio::spawn(Sender::new(pool.clone()).on("mail", deliver).run());
    let routes = std::fs::read_to_string(&config.routes_file)?;
    let application = application(&config, &routes)?;
    let router = Views::new(application.into())
        .add("customers.create", get(create::empty_form).post(faulty))
        .dry_runs("customers.create")
        // Writes, and does not say that it may be run dry.
        .add("customers.archive", post(past_the_transaction))
        .into_router(App::new(&config, pool)?);
    std::fs::remove_file(&config.socket).ok();
    let listener = UnixListener::bind(&config.socket)?;
    axum::serve(listener, router).await?;
    Ok(())
}

fn append(path: &str, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{line}")
}

/// What the right handler does, and then what the fault says.
async fn faulty(
    state: State<App>,
    user: CurrentUser<User>,
    (request, tx, outbox): (Context, Tx, Outbox),
    templates: Templates<User>,
    form: Form<CustomerForm>,
) -> Result<Response, Failure> {
    let fault = request.header("x-fault").unwrap_or_default().to_owned();
    let pool = state.pool.clone();
    if fault == "past_the_transaction" {
        query(EXTRA).execute(&pool).await?;
    }
    let response = create::create(state, user, (request.clone(), tx.clone()), templates, form).await?;
    let wrong = WRONG.iter().find(|(name, _)| *name == fault);
    if let Some((_, sql)) = wrong {
        run(&mut *tx.connection().await?, sql).await?;
    }
    match fault.as_str() {
        "mail" => {
            let sent = outbox.send("mail", &json!({ "to": "somebody@example.com" })).await;
            sent.map_err(|error| Failure::Internal(error.to_string()))?;
        }
        "late_error" => return Err(Failure::Internal("after everything was written".to_owned())),
        "hang" => tokio::time::sleep(Duration::from_secs(3_600)).await,
        "crash" => std::process::abort(),
        "stand_still" => std::thread::sleep(Duration::from_secs(4)),
        _ => {}
    }
    Ok(response)
}

/// What each fault changes after the right handler, in the same transaction. The new customer and its entry in the audit log
/// are the last ones of their tables.
const WRONG: &[(&str, &str)] = &[
    ("wrong_value", "UPDATE customers SET notes = upper(name) WHERE id = (SELECT max(id) FROM customers)"),
    (
        "swapped_columns",
        "UPDATE customers SET city = country, country = city WHERE id = (SELECT max(id) FROM customers)",
    ),
    ("forgotten_row", "DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)"),
    ("extra_row", EXTRA),
    ("other_row", "UPDATE customers SET notes = 'x' WHERE id = (SELECT min(id) FROM customers)"),
    (
        "rounded_amount",
        "UPDATE customers SET annual_revenue = round(annual_revenue) WHERE id = (SELECT max(id) FROM customers)",
    ),
    (
        "a_cent_less",
        "UPDATE customers SET annual_revenue = annual_revenue - 0.01 WHERE id = (SELECT max(id) FROM customers)",
    ),
    ("empty_for_null", "UPDATE customers SET website = '' WHERE id = (SELECT max(id) FROM customers)"),
    ("null_for_a_value", "UPDATE customers SET city = NULL WHERE id = (SELECT max(id) FROM customers)"),
    (
        "cut_text",
        "UPDATE customers SET country = left(country, 3) WHERE id = (SELECT max(id) FROM customers)",
    ),
    ("blank_kept", "UPDATE customers SET name = name || ' ' WHERE id = (SELECT max(id) FROM customers)"),
    ("other_letters", "UPDATE customers SET city = lower(city) WHERE id = (SELECT max(id) FROM customers)"),
    ("wrong_owner", "UPDATE customers SET owner_id = 2 WHERE id = (SELECT max(id) FROM customers)"),
    ("wrong_status", "UPDATE customers SET status = 'active' WHERE id = (SELECT max(id) FROM customers)"),
    (
        "local_time",
        "UPDATE customers SET created_at = created_at + interval '1 hour' WHERE id = (SELECT max(id) FROM customers)",
    ),
    (
        "time_set_too_early",
        "UPDATE customers SET archived_at = created_at WHERE id = (SELECT max(id) FROM customers)",
    ),
    (
        "old_time_kept",
        "UPDATE customers SET updated_at = '2020-01-01' WHERE id = (SELECT max(id) FROM customers)",
    ),
    ("foreign_id", "UPDATE audit_log SET entity_id = 1 WHERE id = (SELECT max(id) FROM audit_log)"),
    ("nobody_did_it", "UPDATE audit_log SET user_id = NULL WHERE id = (SELECT max(id) FROM audit_log)"),
    (
        "other_word",
        "UPDATE audit_log SET action = 'customer.created' WHERE id = (SELECT max(id) FROM audit_log)",
    ),
    ("detail_left_out", "UPDATE audit_log SET detail = '{}' WHERE id = (SELECT max(id) FROM audit_log)"),
    (
        "row_twice",
        "INSERT INTO audit_log (user_id, action, entity, entity_id, detail, ip, created_at) \
                   SELECT user_id, action, entity, entity_id, detail, ip, created_at FROM audit_log ORDER BY id DESC LIMIT 1",
    ),
    ("row_deleted", "DELETE FROM activities WHERE id = (SELECT min(id) FROM activities)"),
    ("all_rows", "UPDATE users SET active = NOT active"),
];

const EXTRA: &str = "INSERT INTO audit_log (user_id, action, entity, entity_id, created_at) \
                     SELECT id, 'extra', 'customer', 1, now() FROM users LIMIT 1";

async fn run(connection: &mut PgConnection, sql: &'static str) -> Result<(), Failure> {
    query(sql).execute(connection).await?;
    Ok(())
}

async fn past_the_transaction(State(app): State<App>) -> Response {
    match query(EXTRA).execute(&app.pool).await {
        Ok(_) => StatusCode::FOUND.into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}
