//! `Outbox`: side effects outside of the database, as rows of the same transaction.
//!
//! A mail, a webhook, a job: the handler names the kind and what it is about, and it is sent after the commit by
//! [`super::Sender`]. Rolled back with the transaction, it is never sent; in a dry run it is one more captured row.

use std::sync::atomic::Ordering;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use serde::Serialize;
use sqlx::{Connection, PgPool, query};

use super::Tx;
use crate::web::Defer;

const SCHEMA: &[&str] = &[
    "CREATE SCHEMA IF NOT EXISTS ficus_outbox",
    "CREATE TABLE IF NOT EXISTS ficus_outbox.message (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        due_at timestamptz NOT NULL DEFAULT now(),
        attempts integer NOT NULL DEFAULT 0,
        error text
    )",
    "CREATE INDEX IF NOT EXISTS message_due ON ficus_outbox.message (due_at)",
];

/// Creates the table `ficus_outbox.message` if it is not there: once, by a role that may create schemas. Run
/// `ficus capture install` afterwards, so that dry runs show what would have been sent.
///
/// # Errors
/// When the database refuses.
pub async fn install(pool: &PgPool) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    for statement in SCHEMA {
        query(*statement).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// What a handler wants sent after its commit.
#[derive(Debug, Clone)]
pub struct Outbox {
    tx: Tx,
}

/// Why something cannot be put into the outbox.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database refused, or somebody in this request has the connection.
    #[error("the outbox cannot be written: {0}")]
    Database(#[from] sqlx::Error),
    /// The payload has no JSON form.
    #[error("the payload has no JSON form: {0}")]
    Payload(#[from] serde_json::Error),
}

impl Outbox {
    /// Puts a message into the outbox, in the transaction of this request.
    ///
    /// # Errors
    /// When it cannot be written; the handler should end with an error then.
    pub async fn send(&self, kind: &str, payload: &impl Serialize) -> Result<(), OutboxError> {
        let payload = serde_json::to_string(payload)?;
        let mut connection = self.tx.connection().await?;
        query("INSERT INTO ficus_outbox.message (kind, payload) VALUES ($1, $2::jsonb)")
            .bind(kind)
            .bind(payload)
            .execute(&mut *connection)
            .await?;
        self.tx.context().0.transaction.outbox.store(true, Ordering::Release);
        Ok(())
    }
}

impl<S: Sync> FromRequestParts<S> for Outbox
where
    PgPool: FromRef<S>,
{
    type Rejection = Defer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Defer> {
        Ok(Self { tx: Tx::from_request_parts(parts, state).await? })
    }
}
