//! The schema belongs to Alembic; the handlers start only on a revision that they were written for.
//!
//! Start-up step 2. To accept a new revision: read its migration, change the queries if they are touched, add it here.

use anyhow::{Context, bail};
use sqlx::PgPool;

/// Alembic revisions that the queries of this crate were written for.
pub const KNOWN_REVISIONS: [&str; 1] = ["5f3c9a1d2b70"];

/// Checks the database's Alembic head.
///
/// # Errors
/// When the database cannot be read, was never migrated, or is at a revision that is not known here.
pub async fn check(pool: &PgPool) -> anyhow::Result<()> {
    let heads: Vec<String> = sqlx::query_scalar("SELECT version_num FROM alembic_version")
        .fetch_all(pool)
        .await
        .context("cannot read the table `alembic_version`; run `flask db upgrade` first")?;
    let known = KNOWN_REVISIONS.join("`, `");
    match heads.as_slice() {
        [] => bail!("the database has no Alembic revision; run `flask db upgrade` first"),
        [head] if KNOWN_REVISIONS.contains(&head.as_str()) => Ok(()),
        [head] => bail!(
            "the database is at Alembic revision `{head}`, these handlers know `{known}`; \
             keep their routes on legacy, check the queries against the migration, add it to schema.rs"
        ),
        many => bail!("the database has {} Alembic heads, these handlers know `{known}`", many.len()),
    }
}
