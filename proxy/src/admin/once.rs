//! A request with an `Idempotency-Key`, from the door to its endpoint and back: it is made once and both are told the same,
//! also when the process that made it is no more.
//!
//! Answers of this process are in memory (`idempotency`), with everything in them. On disk (`store`) are those of the last
//! day, without secrets, and that a request came, before it is made. A disk that does not answer holds up nobody: the key
//! counts for this process then. A rollback hardly waits for it, and is made again if nobody knows what became of it.

use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;

use super::door::Door;
use super::idempotency::{self, Begin, Kept, Key};
use super::problem::Problem;
use super::role::Caller;
use super::{Admin, table};
use crate::store::{Answered, Earlier, Keyed};

/// It does no harm twice.
const ROLLBACK: &str = "/v1/rollback";
/// Revisions that are looked at for what became of an earlier request.
const PAST: u32 = 1_000;

impl Door {
    /// Lets a request in that has not come before, and answers one that has.
    pub(super) async fn once(
        &self,
        (key, asked): (Key, [u8; 32]),
        request: Request,
        caller: Caller,
        next: Next,
    ) -> Response {
        let mut first = match self.admin.answers.begin(&key, asked, Instant::now()) {
            Begin::New => First { admin: &self.admin, key: &key, kept: None },
            Begin::Again(kept) => return kept.response(),
            Begin::Busy => return Problem::in_progress().into_response(),
            Begin::Other => return Problem::key_reused().into_response(),
        };
        let revision = self.admin.control.live().load().revision;
        let urgent = self.endpoint.path == ROLLBACK;
        let keyed = Keyed { key: idempotency::digest(&key), asked, at: Utc::now(), revision, urgent };
        if let Some(answer) = self.earlier(&keyed, &caller.name).await {
            first.kept = answer.as_ref().ok().cloned();
            return answer.map_or_else(Problem::into_response, Kept::response);
        }
        let (parts, body) = self.pass(request, caller, next).await.into_parts();
        let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
            return Problem::internal("the answer broke off").into_response();
        };
        if !parts.status.is_server_error() {
            first.kept = Some(Kept::new(parts.status, &parts.headers, bytes.clone()));
        }
        let answered = first.kept.as_ref().map(|kept| kept.answered(table::is_secret(&self.endpoint)));
        self.admin.keep(move |answers| answers.end(keyed, answered)).await;
        Response::from_parts(parts, Body::from(bytes))
    }

    /// The answer of an earlier process, or why there is none; absent: this is the first request with its key, or the
    /// earlier one came to nothing.
    async fn earlier(&self, keyed: &Keyed, author: &str) -> Option<Result<Kept, Problem>> {
        let request = keyed.clone();
        let Earlier { request: earlier, answer } =
            self.admin.keep(move |answers| answers.begin(request)).await??;
        if earlier.asked != keyed.asked {
            return Some(Err(Problem::key_reused()));
        }
        let made = match answer {
            Some(Answered { body: None, .. }) => return Some(Err(Problem::answer_not_kept())),
            Some(answered) => return Some(Ok(Kept::again(answered))),
            None if keyed.urgent => None,
            None => self.made_since(earlier.revision, author.to_owned()).await,
        };
        if let Some(revision) = made {
            return Some(Err(Problem::in_doubt(revision)));
        }
        let request = keyed.clone();
        self.admin.keep(move |answers| answers.anew(request)).await;
        None
    }

    /// The first revision by this author after another one: what became of a request whose answer nobody saw, perhaps.
    async fn made_since(&self, revision: u64, author: String) -> Option<u64> {
        if self.admin.control.live().load().revision == revision {
            return None;
        }
        let control = std::sync::Arc::clone(&self.admin.control);
        let past = tokio::task::spawn_blocking(move || control.history(None, PAST)).await.unwrap_or_default();
        let own = past.into_iter().filter(|record| record.revision > revision && record.author == author);
        own.map(|record| record.revision).min()
    }
}

impl Admin {
    /// Asks the disk about answers. What it cannot take counts for this process alone, which is said once in a while.
    async fn keep<T: Send + 'static>(
        &self,
        question: impl FnOnce(&crate::store::Answers) -> Result<T, String> + Send + 'static,
    ) -> Option<T> {
        let kept = self.kept_answers.clone()?;
        let answer = tokio::task::spawn_blocking(move || question(&kept)).await.ok()?;
        answer
            .inspect_err(|error| {
                tracing::warn!(error, "an `Idempotency-Key` is not written down; a restart forgets it");
            })
            .ok()
    }
}

/// A request that is being answered; when it ends, in whatever way, the next one with its key need not wait any more.
struct First<'a> {
    admin: &'a Admin,
    key: &'a Key,
    kept: Option<Kept>,
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        self.admin.answers.end(self.key, self.kept.take());
    }
}
