//! `Sender`: takes messages out of the outbox and delivers them, at least once, in the order in which they are due.
//!
//! Several processes may send: a message that one of them has is skipped by the others. What fails is tried again, later
//! each time; what succeeds is removed. A process that dies while it delivers leaves the message for the next one.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::{PgPool, Row, query};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How often somebody looks without having been woken.
const LOOK: Duration = Duration::from_secs(2);
/// Longest delivery.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i32 = 3_600;

static NEWS: Notify = Notify::const_new();

/// A commit left something.
pub(super) fn wake() {
    NEWS.notify_one();
}

/// A message to be delivered.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number: the same at every attempt, for a receiver that wants it once only.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub payload: Value,
    /// How often it was tried before.
    pub attempts: i32,
}

type Delivery = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Deliver = Arc<dyn Fn(Message) -> Delivery + Send + Sync>;

/// Delivers messages.
#[derive(Clone)]
pub struct Sender {
    pool: PgPool,
    deliver: HashMap<String, Deliver>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("kinds", &self.deliver.keys()).finish_non_exhaustive()
    }
}

impl Sender {
    /// Knows no kind yet; messages of other kinds stay for others.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, deliver: HashMap::new() }
    }

    /// Says how messages of a kind are delivered. An error is kept with the message: it must hold nobody's data.
    #[must_use]
    pub fn on<F>(mut self, kind: &str, deliver: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.deliver.insert(kind.to_owned(), Arc::new(move |message| Box::pin(deliver(message))));
        self
    }

    /// Delivers until the process ends: `tokio::spawn(sender.run())`.
    pub async fn run(self) {
        loop {
            match self.deliver_next().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the outbox cannot be read"),
            }
            let _ = timeout(LOOK, NEWS.notified()).await;
        }
    }

    /// Delivers one message; false: none is due.
    async fn deliver_next(&self) -> sqlx::Result<bool> {
        let kinds: Vec<String> = self.deliver.keys().cloned().collect();
        let mut transaction = self.pool.begin().await?;
        let row = query(
            "SELECT id, kind, payload::text AS payload, attempts FROM ficus_outbox.message \
             WHERE due_at <= now() AND kind = ANY($1) ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .bind(kinds)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let payload: String = row.try_get("payload")?;
        let message = Message {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            payload: serde_json::from_str(&payload).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            attempts: row.try_get("attempts")?,
        };
        let Some(deliver) = self.deliver.get(&message.kind) else { return Ok(false) };
        let (id, attempts) = (message.id, message.attempts);
        // A task of its own: a delivery that panics has failed, and no more.
        let delivery = tokio::spawn(deliver(message));
        let abort = delivery.abort_handle();
        let result = match timeout(PATIENCE, delivery).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("the delivery panicked".to_owned()),
            Err(_) => {
                abort.abort();
                Err("the delivery took too long".to_owned())
            }
        };
        match result {
            Ok(()) => {
                query("DELETE FROM ficus_outbox.message WHERE id = $1")
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?
            }
            Err(error) => {
                tracing::warn!(id, attempts, "a message of the outbox was not delivered");
                query(
                    "UPDATE ficus_outbox.message SET attempts = attempts + 1, error = left($2, 500), \
                     due_at = now() + make_interval(secs => $3) WHERE id = $1",
                )
                .bind(id)
                .bind(error)
                .bind(f64::from(pause(attempts)))
                .execute(&mut *transaction)
                .await?
            }
        };
        transaction.commit().await?;
        Ok(true)
    }
}

/// Seconds until the next attempt.
fn pause(attempts: i32) -> i32 {
    2_i32.checked_pow(attempts.clamp(0, 20).cast_unsigned()).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!([0, 1, 5, 12, 400].map(pause), [1, 2, 32, 3_600, 3_600]);
    }
}
