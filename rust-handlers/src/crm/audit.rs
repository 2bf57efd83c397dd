//! Entries of the audit log (`crm/audit.py`), written in the transaction of the change they describe.

use chrono::NaiveDateTime;
use sqlx::{PgConnection, query};

/// Who did what to which row.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Who: id of a user.
    pub user_id: i32,
    /// What, such as `customer.create`.
    pub action: &'a str,
    /// The kind of row.
    pub entity: &'a str,
    /// The row.
    pub entity_id: i32,
    /// Details as JSON text; no passwords, tokens or personal data of contacts.
    pub detail: Option<String>,
    /// The client's address.
    pub ip: Option<&'a str>,
}

/// Adds an entry; the caller commits.
///
/// # Errors
/// When the database refuses it.
pub async fn add(connection: &mut PgConnection, entry: Entry<'_>, now: NaiveDateTime) -> sqlx::Result<()> {
    query(
        "INSERT INTO audit_log (user_id, action, entity, entity_id, detail, ip, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(entry.user_id)
    .bind(entry.action)
    .bind(entry.entity)
    .bind(entry.entity_id)
    .bind(entry.detail)
    .bind(entry.ip)
    .bind(now)
    .execute(connection)
    .await
    .map(drop)
}
