//! Activities of a customer (`crm/models/activity.py`): calls, meetings, notes, tasks.

use chrono::NaiveDateTime;
use serde::Serialize;
use sqlx::{PgPool, Row, postgres::PgRow};

use super::user::Person;

/// An activity as the customer's page shows it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields are the columns of the table")]
pub struct Activity {
    pub id: i32,
    pub kind: String,
    pub subject: String,
    pub body: Option<String>,
    pub due_at: Option<NaiveDateTime>,
    pub done_at: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
    /// Who did it.
    pub user: Person,
    /// Whether it is done.
    pub is_done: bool,
    /// Whether it is due and not done.
    pub is_overdue: bool,
}

impl sqlx::FromRow<'_, PgRow> for Activity {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let done_at: Option<NaiveDateTime> = row.try_get("done_at")?;
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            subject: row.try_get("subject")?,
            body: row.try_get("body")?,
            due_at: row.try_get("due_at")?,
            done_at,
            created_at: row.try_get("created_at")?,
            user: Person { id: row.try_get("user_id")?, name: row.try_get("user_name")? },
            is_done: done_at.is_some(),
            is_overdue: row.try_get("is_overdue")?,
        })
    }
}

/// The latest ten activities of a customer; `now` decides what is overdue.
///
/// # Errors
/// When the database does not answer.
pub async fn latest(pool: &PgPool, customer_id: i32, now: NaiveDateTime) -> sqlx::Result<Vec<Activity>> {
    sqlx::query_as(
        "SELECT a.id, a.kind, a.subject, a.body, a.due_at, a.done_at, a.created_at, a.user_id, u.name AS user_name, \
         coalesce(a.done_at IS NULL AND a.due_at < $2, false) AS is_overdue \
         FROM activities a JOIN users u ON u.id = a.user_id WHERE a.customer_id = $1 \
         ORDER BY a.created_at DESC, a.id DESC LIMIT 10",
    )
    .bind(customer_id)
    .bind(now)
    .fetch_all(pool)
    .await
}
