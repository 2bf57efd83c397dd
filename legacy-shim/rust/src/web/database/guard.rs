//! The second line of defence: in a dry run every connection of the pool is read-only, but for the transaction's own.
//!
//! A handler that writes past its `Tx` is refused by the database then (SQLSTATE 25006), instead of leaving something that
//! nobody would roll back. The first line is that only endpoints that say so are run dry at all.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, query, query_scalar};

tokio::task_local! {
    static DRY_RUN: ();
}

/// Connections that are read-only and were not given back yet. While there are none, nobody has to look.
static READ_ONLY: AtomicUsize = AtomicUsize::new(0);

/// Runs something that must not write but through its `Tx`.
pub(in crate::web) async fn read_only<T>(work: impl Future<Output = T>) -> T {
    DRY_RUN.scope((), work).await
}

/// Makes connections that are taken from the pool in a dry run read-only, and undoes that when they are given back. It
/// takes the three hooks of the pool.
///
/// ```
/// use flask_compat::web::guarded;
/// use sqlx::postgres::PgPoolOptions;
///
/// let options = guarded(PgPoolOptions::new().max_connections(10));
/// ```
#[must_use]
pub fn guarded(options: PgPoolOptions) -> PgPoolOptions {
    options
        .after_connect(|connection, _| Box::pin(protect(connection)))
        .before_acquire(|connection, _| Box::pin(async move { protect(connection).await.map(|()| true) }))
        .after_release(|connection, _| Box::pin(async move { release(connection).await.map(|()| true) }))
}

async fn protect(connection: &mut PgConnection) -> sqlx::Result<()> {
    if DRY_RUN.try_with(|()| ()).is_err() {
        return Ok(());
    }
    // First the number: a connection must not come back before it is known that there is one.
    READ_ONLY.fetch_add(1, Ordering::AcqRel);
    query("SET default_transaction_read_only = on").execute(connection).await.map(drop)
}

async fn release(connection: &mut PgConnection) -> sqlx::Result<()> {
    if READ_ONLY.load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    let setting: String = query_scalar("SELECT current_setting('default_transaction_read_only')")
        .fetch_one(&mut *connection)
        .await?;
    if setting == "on" {
        query("RESET default_transaction_read_only").execute(connection).await?;
        let less = |number: usize| Some(number.saturating_sub(1));
        let _ = READ_ONLY.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
    Ok(())
}
