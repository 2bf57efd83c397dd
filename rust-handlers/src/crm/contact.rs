//! Contacts: the people who work at a customer; e-mail and phone are Fernet tokens in the table.

use chrono::NaiveDateTime;
use serde::Serialize;
use sqlx::PgPool;

/// A contact, decrypted.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
#[allow(missing_docs, reason = "the fields are the columns of the table")]
pub struct Contact {
    pub id: i32,
    pub customer_id: i32,
    pub name: String,
    pub title: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
}

/// The contacts of a customer in the order of its page, still encrypted.
///
/// # Errors
/// When the database does not answer.
pub async fn of_customer(pool: &PgPool, customer_id: i32) -> sqlx::Result<Vec<Contact>> {
    sqlx::query_as("SELECT * FROM contacts WHERE customer_id = $1 ORDER BY name, id")
        .bind(customer_id)
        .fetch_all(pool)
        .await
}
