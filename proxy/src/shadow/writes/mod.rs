//! Write parity: a request that may change something is tried out by the candidate first, and rolled back; then the
//! fallback answers it for real. Both sides' changes of rows are compared.
//!
//! `gate` says whether a request is tried out now, `rehearse` asks the candidate, `treat` compares afterwards, on the way of
//! all copies. This is the one place of the room where a user waits: for the dry run, `Options::budget` at most. The dry
//! run is marked (`flask_compat::dry_run`) and sent under a method that no endpoint has, so that handlers that know nothing
//! of dry runs do nothing. Who never gets into trouble by all this is the user: whatever becomes of the dry run is counted,
//! and the request goes on.

mod gate;
mod ids;
mod rehearse;
mod treat;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use flask_compat::dry_run::{Mark, Purpose};
use flask_compat::fernet::MultiFernet;
use tokio::time::sleep;

use super::Shadow;
use super::compare::Answer;
use super::rows::{RowChange, Schema};
use crate::store::{Captured, Catalogue};

use gate::Gate;
pub use gate::Place;

/// Captured rows that nobody took are removed after this time.
const KEEP: Duration = Duration::from_secs(600);
/// How often that is looked after, and the catalogue read again.
const ROUND: Duration = Duration::from_secs(60);

/// What trying out needs.
pub struct Writes {
    /// Signs marks: Flask's secret key.
    pub secret_key: String,
    /// Flask's captured rows.
    pub captured: Captured,
    /// Longest dry run.
    pub budget: Duration,
    /// Reads encrypted columns.
    pub keys: Option<MultiFernet>,
    gate: Gate,
    known: Mutex<Known>,
}

/// What is known about the database.
#[derive(Debug, Clone, Default)]
struct Known {
    schema: Arc<Schema>,
    tables: Arc<BTreeSet<String>>,
    /// Tables that the catalogue did not have when it was read for them.
    sought: BTreeSet<String>,
}

/// Keys stay out of dumps.
impl std::fmt::Debug for Writes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writes").field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// A dry run that was answered.
#[derive(Debug)]
pub struct Rehearsal {
    /// Its mark.
    pub mark: Mark,
    /// What the candidate would have answered.
    pub(super) answer: Answer,
    /// What it would have changed.
    pub(super) changes: Vec<RowChange>,
    /// Whether these are all changes.
    pub(super) complete: bool,
    /// How long the candidate took to begin its answer.
    pub(super) waited: Duration,
    /// When it was asked.
    pub(super) at: DateTime<Utc>,
}

impl Writes {
    /// With at most so many dry runs at a time.
    pub fn new(secret_key: String, captured: Captured, (budget, places): (Duration, usize)) -> Self {
        Self { secret_key, captured, budget, keys: None, gate: Gate::new(places), known: Mutex::default() }
    }

    /// With the keys of encrypted columns.
    #[must_use]
    pub fn with_keys(self, keys: Option<MultiFernet>) -> Self {
        Self { keys, ..self }
    }

    /// What is known about these tables. A migration may have made one a moment ago: then the catalogue is read again, once for
    /// each name until its next round.
    async fn schema_of(&self, changes: impl Iterator<Item = &RowChange>) -> Arc<Schema> {
        let known = lock(&self.known).clone();
        let is_new = |table: &&str| !known.tables.contains(*table) && !known.sought.contains(*table);
        let new: Vec<&str> = changes.map(|change| change.table.as_str()).filter(is_new).collect();
        if new.is_empty() || self.read_catalogue().await.is_err() {
            return known.schema;
        }
        let mut now = lock(&self.known);
        now.sought = known.sought.iter().cloned().chain(new.into_iter().map(str::to_owned)).collect();
        Arc::clone(&now.schema)
    }

    async fn read_catalogue(&self) -> Result<(), String> {
        let Catalogue { references, generated, tables } = self.captured.catalogue().await?;
        let schema = Arc::new(Schema { references, generated: Some(generated) });
        *lock(&self.known) = Known { schema, tables: Arc::new(tables), sought: BTreeSet::new() };
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shadow {
    /// What has the fallback capture the rows of a request that was tried out.
    pub fn capture_mark(&self, rehearsal: &Rehearsal) -> Option<String> {
        let writes = self.writes.as_ref()?;
        Some(rehearsal.mark.sign(Purpose::Capture, &writes.secret_key))
    }

    /// Removes captured rows that nobody took, and reads the catalogue, until the process ends.
    pub(super) async fn keep_rows(self: Arc<Self>) {
        let Some(writes) = &self.writes else { return };
        let mut troubled = false;
        loop {
            let swept = writes.captured.sweep(KEEP).await;
            match swept.and(writes.read_catalogue().await) {
                Ok(()) => troubled = false,
                Err(error) => {
                    if !std::mem::replace(&mut troubled, true) {
                        tracing::warn!(
                            error,
                            "write parity cannot read the database; `ficus capture install`?"
                        );
                    }
                }
            }
            sleep(ROUND).await;
        }
    }
}
