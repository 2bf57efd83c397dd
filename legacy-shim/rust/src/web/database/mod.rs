//! The transaction of a handler: opened when the handler wants it, ended by the framework (feature `sqlx`).
//!
//! [`Tx`] is the extractor. After the handler `dry_run::settle` ends the transaction: an answer below 400 commits it,
//! everything else rolls it back, and so does a request that is cancelled. In a dry run it is always rolled back; before
//! that the triggers' rows are read in it (`captured`). [`Outbox`] is for what cannot be rolled back: it becomes a row, and
//! [`Sender`] sends it after the commit. [`guarded`] keeps everything else from writing in a dry run.

mod captured;
mod guard;
mod outbox;
mod sender;
mod tx;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::Mutex as AsyncMutex;

use super::context::lock;
use crate::dry_run::{Mark, Outcome};
use captured::Captured;

pub use guard::guarded;
pub(super) use guard::read_only;
pub use outbox::{Outbox, OutboxError, install as install_outbox};
pub use sender::{Message, Sender};
pub use tx::{Connection, Tx};

/// The place of a request's transaction.
#[derive(Debug)]
pub(super) struct Slot {
    dry_run: Option<Mark>,
    state: Arc<AsyncMutex<State>>,
    /// What a dry run would have left.
    captured: Mutex<Captured>,
    /// Whether the sender has something to do after the commit.
    outbox: AtomicBool,
}

/// How far a transaction is.
enum State {
    /// Nobody wanted one.
    Unused,
    /// It is open.
    Open(Transaction<'static, Postgres>),
    /// The request is over.
    Over,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unused => "Unused",
            Self::Open(_) => "Open",
            Self::Over => "Over",
        })
    }
}

impl Slot {
    pub(super) fn new(dry_run: Option<Mark>) -> Self {
        Self {
            dry_run,
            state: Arc::new(AsyncMutex::new(State::Unused)),
            captured: Mutex::default(),
            outbox: AtomicBool::new(false),
        }
    }

    /// The connection of the transaction, which begins if it has not yet.
    async fn connection(&self, pool: &PgPool) -> sqlx::Result<Connection> {
        let state = Arc::clone(&self.state);
        let mut state = state.try_lock_owned().map_err(|_| {
            protocol(
                "the connection of this request's transaction is in use: drop it before asking for it again",
            )
        })?;
        if let State::Unused = *state {
            *state = State::Open(self.begin(pool).await?);
        }
        Connection::of(state).ok_or_else(|| protocol("the request is over, and so is its transaction"))
    }

    async fn begin(&self, pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
        let Some(mark) = &self.dry_run else { return pool.begin().await };
        lock(&self.captured).opened = true;
        let mut transaction = pool.begin_with("BEGIN READ WRITE").await?;
        captured::prepare(&mut transaction, mark).await?;
        Ok(transaction)
    }

    /// Commits what was done so far, whatever the answer will be.
    async fn commit(&self) -> sqlx::Result<()> {
        let state = Arc::clone(&self.state);
        let mut state =
            state.try_lock_owned().map_err(|_| protocol("the connection is in use: drop it first"))?;
        match std::mem::replace(&mut *state, State::Unused) {
            State::Open(mut transaction) if self.dry_run.is_some() => {
                let read = self.read_rows(&mut transaction).await;
                *state = State::Open(transaction);
                read
            }
            State::Open(transaction) => {
                transaction.commit().await?;
                self.wake_sender();
                Ok(())
            }
            other => {
                *state = other;
                Ok(())
            }
        }
    }

    /// Ends the transaction; `good`: the handler's answer says that it did what it was asked for.
    pub(super) async fn finish(&self, good: bool) -> sqlx::Result<()> {
        let state = Arc::clone(&self.state);
        let mut state = state
            .try_lock_owned()
            .map_err(|_| protocol("a handler keeps the connection of its transaction beyond its answer"))?;
        let State::Open(mut transaction) = std::mem::replace(&mut *state, State::Over) else { return Ok(()) };
        match (self.dry_run.is_some(), good) {
            (false, true) => {
                transaction.commit().await?;
                self.wake_sender();
                Ok(())
            }
            (true, true) => {
                let read = self.read_rows(&mut transaction).await;
                transaction.rollback().await?;
                read
            }
            (_, false) => transaction.rollback().await,
        }
    }

    async fn read_rows(&self, transaction: &mut Transaction<'static, Postgres>) -> sqlx::Result<()> {
        let last = lock(&self.captured).last;
        let read = captured::read(transaction, last).await?;
        lock(&self.captured).add(read);
        Ok(())
    }

    /// What became of a dry run, and the rows it would have left: a JSON document.
    pub(super) fn outcome(&self) -> (Outcome, String) {
        let captured = lock(&self.captured);
        let outcome = match *captured {
            Captured { opened: false, .. } => Outcome::Untouched,
            Captured { triggers: false, .. } => Outcome::NotCaptured,
            _ => Outcome::RolledBack,
        };
        (outcome, captured.document())
    }

    fn wake_sender(&self) {
        if self.outbox.swap(false, Ordering::AcqRel) {
            sender::wake();
        }
    }
}

fn protocol(message: &str) -> sqlx::Error {
    sqlx::Error::Protocol(message.to_owned())
}
