//! People who log in (`crm/models/user.py`).

use serde::Serialize;
use sqlx::PgPool;

/// A row of `users`, without the password.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct User {
    /// Primary key.
    pub id: i32,
    /// E-mail address, the login name.
    pub email: String,
    /// Shown name.
    pub name: String,
    /// `admin`, `manager` or `rep`.
    pub role: String,
    /// Whether the user may log in.
    pub active: bool,
}

impl User {
    /// The active user with this id, as the Flask application's user loader finds it; a text that is no number is nobody.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load(pool: &PgPool, id: &str) -> sqlx::Result<Option<Self>> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let Ok(id) = id.parse::<i32>() else { return Ok(None) };
        sqlx::query_as("SELECT id, email, name, role, active FROM users WHERE id = $1 AND active")
            .bind(id)
            .fetch_optional(pool)
            .await
    }

    /// The active user whose unrevoked API token this is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn by_token_hash(pool: &PgPool, token_hash: &str) -> sqlx::Result<Option<Self>> {
        sqlx::query_as(
            "SELECT u.id, u.email, u.name, u.role, u.active FROM api_tokens t JOIN users u ON u.id = t.user_id \
             WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND u.active",
        )
        .bind(token_hash)
        .fetch_optional(pool)
        .await
    }

    /// Whether the user sees everybody's customers.
    #[must_use]
    pub fn sees_everything(&self) -> bool {
        matches!(self.role.as_str(), "admin" | "manager")
    }

    /// Whether the user sees a customer of this owner.
    #[must_use]
    pub fn can_see(&self, owner_id: i32) -> bool {
        self.sees_everything() || self.id == owner_id
    }
}

/// A person as the owner of something.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Person {
    /// Primary key of `users`.
    pub id: i32,
    /// Shown name.
    pub name: String,
}

/// Everybody, by name; only the active ones if asked.
///
/// # Errors
/// When the database does not answer.
pub async fn people(pool: &PgPool, only_active: bool) -> sqlx::Result<Vec<Person>> {
    sqlx::query_as("SELECT id, name FROM users WHERE active OR NOT $1 ORDER BY name, id")
        .bind(only_active)
        .fetch_all(pool)
        .await
}
