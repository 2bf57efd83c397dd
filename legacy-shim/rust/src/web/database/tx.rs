//! `Tx`: the transaction of this request, as an extractor.

use std::ops::{Deref, DerefMut};

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use sqlx::{PgConnection, PgPool};
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};

use super::State;
use crate::web::{Context, Defer};

/// The transaction of a request. It begins with the first [`Tx::connection`]. An answer below 400 commits it, before the
/// client gets that answer; any other answer, a panic or a client that leaves rolls it back. A commit that fails makes the
/// answer a 500.
///
/// ```
/// use flask_compat::web::{Context, Tx, html};
///
/// async fn rename(request: Context, tx: Tx) -> Result<axum::response::Response, axum::http::StatusCode> {
///     let name = request.form().get("name").unwrap_or_default().to_owned();
///     let failed = |_| axum::http::StatusCode::INTERNAL_SERVER_ERROR;
///     let mut connection = tx.connection().await.map_err(failed)?;
///     sqlx::query("UPDATE customers SET name = $1").bind(name).execute(&mut *connection).await.map_err(failed)?;
///     Ok(html("renamed".to_owned()))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Tx {
    pool: PgPool,
    context: Context,
}

impl Tx {
    /// The connection of the transaction; nobody else can have it until it is dropped.
    ///
    /// # Errors
    /// When the database cannot be reached, or somebody in this request has the connection.
    pub async fn connection(&self) -> sqlx::Result<Connection> {
        self.context.0.transaction.connection(&self.pool).await
    }

    /// Commits what was done so far, whatever the answer will be: as a Flask view that commits and then answers with an
    /// error page. In a dry run it is only remembered. What follows begins another transaction.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn commit(&self) -> sqlx::Result<()> {
        self.context.0.transaction.commit().await
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }
}

impl<S: Sync> FromRequestParts<S> for Tx
where
    PgPool: FromRef<S>,
{
    type Rejection = Defer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Defer> {
        let context = Context::from_request_parts(parts, state).await?;
        Ok(Self { pool: PgPool::from_ref(state), context })
    }
}

/// The connection of a transaction.
#[derive(Debug)]
pub struct Connection(OwnedMappedMutexGuard<State, PgConnection>);

impl Connection {
    /// `None` when no transaction is open.
    pub(super) fn of(state: OwnedMutexGuard<State>) -> Option<Self> {
        OwnedMutexGuard::try_map(state, |state| match state {
            State::Open(transaction) => Some(&mut **transaction),
            State::Unused | State::Over => None,
        })
        .ok()
        .map(Self)
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
