//! Asks the candidate for a dry run. The user waits meanwhile: for `budget`, and not longer.

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use flask_compat::dry_run::{DRY_RUN, METHOD, Mark, OUTCOME, Outcome, Purpose, ROWS};
use http::{HeaderValue, Method};
use serde::Deserialize;

use super::{Place, Rehearsal};
use crate::route::Route;
use crate::shadow::capture::Dropped;
use crate::shadow::compare::Answer;
use crate::shadow::job::Copied;
use crate::shadow::replay::{To, ask};
use crate::shadow::rows::RowChange;
use crate::shadow::worker::is_deferred;
use crate::shadow::{Capture, Shadow};
use crate::upstream::Backend;

/// Room for rows beside the body of an answer.
const ROWS_BYTES: usize = 4 * 1024 * 1024;

/// The end of a body that tells of rows.
#[derive(Debug, Deserialize)]
struct Document {
    complete: bool,
    rows: Vec<RowChange>,
}

impl Shadow {
    /// Tries a request out, and says what came of it; `None`: nothing that could be compared, which is counted. With it
    /// comes what keeps the real answer.
    pub async fn rehearse(
        self: &Arc<Self>,
        (route, place): (&Route, Place),
        target: Arc<Backend>,
        request: Copied,
        number: u128,
    ) -> Option<(Box<Rehearsal>, Box<Capture>)> {
        let budget = self.writes.as_ref()?.budget;
        let (shadow, name) = (Arc::clone(self), target.name().to_owned());
        // A task of its own: a mistake in here is not the user's.
        let task = tokio::spawn(async move { shadow.ask_candidate(&target, request, number).await });
        let abort = task.abort_handle();
        let came = match tokio::time::timeout(budget, task).await {
            Ok(Ok(came)) => came,
            Ok(Err(_)) => Err(Came::Unanswered),
            Err(_) => {
                abort.abort();
                Err(Came::Unanswered)
            }
        };
        drop(place);
        let answered = !matches!(came, Err(Came::Unanswered));
        self.writes.as_ref()?.gate.ended(&name, answered, Instant::now());
        match came {
            Ok(rehearsal) => Some((Box::new(rehearsal), Capture::new(self.options.body_bytes))),
            Err(Came::Unanswered) => {
                self.count_compared(&route.name, "unanswered");
                None
            }
            Err(Came::Deferred) => {
                self.count_compared(&route.name, "deferred");
                None
            }
            Err(Came::Dropped(reason)) => {
                self.skip(route, reason);
                None
            }
        }
    }

    /// The largest body of a request that is tried out.
    pub fn largest_body(&self) -> usize {
        self.options.body_bytes
    }

    async fn ask_candidate(
        &self,
        target: &Backend,
        mut request: Copied,
        number: u128,
    ) -> Result<Rehearsal, Came> {
        let writes = self.writes.as_ref().ok_or(Came::Dropped(Dropped::NotSetUp))?;
        let unsendable = || Came::Dropped(Dropped::Unsendable);
        // The handlers stop a little earlier than we stop waiting.
        let mark = Mark::new(number, writes.budget.mul_f64(0.9), request.method.as_str());
        let signed = mark.sign(Purpose::DryRun, &writes.secret_key);
        request.method = Method::from_bytes(METHOD.as_bytes()).map_err(|_| unsendable())?;
        request.headers.insert(DRY_RUN, HeaderValue::from_str(&signed).map_err(|_| unsendable())?);
        let bounds = (self.options.body_bytes.saturating_add(ROWS_BYTES), writes.budget);
        let at = Utc::now();
        let answer = ask(To::Backend(target), &request, bounds).await;
        let (answer, waited) = answer.ok_or(Came::Unanswered)?;
        let (answer, document) = read(answer)?;
        Ok(Rehearsal { mark, answer, changes: document.rows, complete: document.complete, waited, at })
    }
}

/// Why there is nothing to compare.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Unanswered,
    Deferred,
    Dropped(Dropped),
}

/// Takes an answer apart: what the user would have got, and the rows.
fn read(mut answer: Answer) -> Result<(Answer, Document), Came> {
    if is_deferred(&answer) {
        return Err(Came::Deferred);
    }
    let text = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    // Whoever does not speak of an outcome knows nothing of dry runs; the method has kept him from doing anything.
    match text(OUTCOME).and_then(Outcome::from_word) {
        None | Some(Outcome::NotCovered) => return Err(Came::Dropped(Dropped::NotCovered)),
        Some(Outcome::NotCaptured) => return Err(Came::Dropped(Dropped::NotCaptured)),
        Some(Outcome::TimedOut) => return Err(Came::Unanswered),
        Some(Outcome::RolledBack | Outcome::Untouched) => {}
    }
    if !answer.complete {
        return Err(Came::Dropped(Dropped::BodyTooLarge));
    }
    let length: usize = text(ROWS).and_then(|text| text.parse().ok()).unwrap_or_default();
    let start = answer.body.len().checked_sub(length).ok_or(Came::Unanswered)?;
    let document = serde_json::from_slice(&answer.body.split_off(start)).map_err(|_| Came::Unanswered)?;
    answer.headers.remove(OUTCOME);
    answer.headers.remove(ROWS);
    Ok((answer, document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderMap;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        Answer { status, headers, body: Bytes::from(body.to_owned()), complete: true }
    }

    #[test]
    fn rows_stand_at_the_end_of_the_body() {
        let rows = r#"{"complete":true,"rows":[{"table":"t","op":"insert","key":{"id":1},"before":null,"after":{"id":1}}]}"#;
        let length = rows.len().to_string();
        let whole = answer(302, &[(OUTCOME, "rolled-back"), (ROWS, &length)], &format!("<p>page</p>{rows}"));
        let (answer, document) = read(whole).unwrap();
        assert_eq!((answer.body, answer.headers.len()), (Bytes::from("<p>page</p>"), 0));
        assert!(document.complete);
        assert_eq!((document.rows[0].table.as_str(), document.rows[0].op.word()), ("t", "insert"));
    }

    #[test]
    fn what_cannot_be_compared_has_a_reason() {
        let dropped = |reason| Some(Came::Dropped(reason));
        for (answer, expected) in [
            (answer(404, &[], ""), dropped(Dropped::NotCovered)),
            (answer(501, &[(OUTCOME, "not-covered")], ""), dropped(Dropped::NotCovered)),
            (answer(302, &[(OUTCOME, "not-captured")], ""), dropped(Dropped::NotCaptured)),
            (answer(504, &[(OUTCOME, "timed-out")], ""), Some(Came::Unanswered)),
            (answer(503, &[("x-ficus-defer", "1")], ""), Some(Came::Deferred)),
            (answer(200, &[(OUTCOME, "untouched"), (ROWS, "99")], ""), Some(Came::Unanswered)),
        ] {
            assert_eq!(read(answer).err(), expected);
        }
    }
}
