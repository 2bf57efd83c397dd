//! Deals of a customer (`crm/models/deal.py`), with the stage they are in.

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::{PgPool, Row, postgres::PgRow};

/// A deal as the customer's page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Deal {
    /// Primary key.
    pub id: i32,
    /// What it is about.
    pub title: String,
    /// What it is worth.
    pub amount: Decimal,
    /// When it may close.
    pub expected_close: Option<NaiveDate>,
    /// When it was entered.
    pub created_at: NaiveDateTime,
    /// `open`, `won` or `lost`: the status of its stage.
    pub status: String,
    /// The stage.
    pub stage: Stage,
}

/// A stage of the pipeline.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Shown name.
    pub name: String,
}

impl sqlx::FromRow<'_, PgRow> for Deal {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            title: row.try_get("title")?,
            amount: row.try_get("amount")?,
            expected_close: row.try_get("expected_close")?,
            created_at: row.try_get("created_at")?,
            status: row.try_get("status")?,
            stage: Stage { name: row.try_get("stage_name")? },
        })
    }
}

/// The deals of a customer, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_customer(pool: &PgPool, customer_id: i32) -> sqlx::Result<Vec<Deal>> {
    sqlx::query_as(
        "SELECT d.id, d.title, d.amount, d.expected_close, d.created_at, s.status, s.name AS stage_name \
         FROM deals d JOIN deal_stages s ON s.id = d.stage_id WHERE d.customer_id = $1 \
         ORDER BY d.created_at DESC, d.id DESC",
    )
    .bind(customer_id)
    .fetch_all(pool)
    .await
}
