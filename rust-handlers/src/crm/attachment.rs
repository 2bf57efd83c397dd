//! Files of a customer (`Attachment` in `crm/models/activity.py`); their bytes stay Flask's business.

use chrono::NaiveDateTime;
use serde::Serialize;
use sqlx::{PgPool, Row, postgres::PgRow};

use super::user::Person;

/// A file as the customer's page lists it.
#[derive(Debug, Clone, Serialize)]
pub struct Attachment {
    /// Primary key.
    pub id: i32,
    /// The name that the browser sent.
    pub filename: String,
    /// In bytes.
    pub size: i32,
    /// When it was uploaded.
    pub created_at: NaiveDateTime,
    /// Who uploaded it.
    pub uploaded_by: Person,
}

impl sqlx::FromRow<'_, PgRow> for Attachment {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            filename: row.try_get("filename")?,
            size: row.try_get("size")?,
            created_at: row.try_get("created_at")?,
            uploaded_by: Person {
                id: row.try_get("uploaded_by_id")?,
                name: row.try_get("uploaded_by_name")?,
            },
        })
    }
}

/// The files of a customer in the order of its page.
///
/// # Errors
/// When the database does not answer.
pub async fn of_customer(pool: &PgPool, customer_id: i32) -> sqlx::Result<Vec<Attachment>> {
    sqlx::query_as(
        "SELECT a.id, a.filename, a.size, a.created_at, a.uploaded_by_id, u.name AS uploaded_by_name \
         FROM attachments a JOIN users u ON u.id = a.uploaded_by_id WHERE a.customer_id = $1 ORDER BY a.id",
    )
    .bind(customer_id)
    .fetch_all(pool)
    .await
}
