//! After the fallback has answered for real: its rows are taken, and both sides compared.

use super::{Rehearsal, ids};
use crate::shadow::Shadow;
use crate::shadow::compare::{Comparison, Difference, Incomparable, Path, Verdict};
use crate::shadow::confirm::Again;
use crate::shadow::evidence::Came;
use crate::shadow::job::Job;
use crate::shadow::rows::{self, Clock, RowChange, RowRules};

/// Two clocks of one machine, and a handler that looks at it when it wants.
const LEEWAY: f64 = 2.0;
/// The table of the handlers' outbox. Flask sends at once, and has none.
const OUTBOX: &str = "ficus_outbox.message";

impl Shadow {
    /// Compares a dry run with what happened.
    pub(in crate::shadow) async fn treat_write(&self, job: &Job, rehearsal: &Rehearsal) {
        let route = job.route();
        let comparison = match self.compare_write(job, rehearsal).await {
            Ok(comparison) => comparison,
            Err(error) => {
                tracing::debug!(route, error, "the rows of a request cannot be compared");
                self.count_incomparable(route, "no_rows");
                self.count_compared(route, Verdict::Incomparable.word());
                let came = Came::Compared(Verdict::Incomparable);
                self.add_evidence(job, came, Some(&job.answer), None);
                return;
            }
        };
        let verdict = comparison.verdict;
        if verdict != Verdict::Incomparable {
            let different =
                comparison.differences.iter().any(|found| matches!(found.path, Path::Rows { .. }));
            self.count_rows(&job.served.route, 1, u64::from(different));
        }
        self.add_evidence(job, Came::Compared(verdict), Some(&job.answer), Some(rehearsal.waited));
        self.count_compared(route, verdict.word());
        self.tell_guards(job, verdict);
        if let Some(why) = comparison.incomparable {
            self.count_incomparable(route, why.word());
        }
        for (rule, times) in &comparison.ignored {
            self.count_ignored(route, rule, *times);
        }
        if verdict == Verdict::Mismatch {
            // A write is never asked again.
            self.report(job, (&rehearsal.answer, Again::NotAsked), &comparison);
        }
    }

    async fn compare_write(&self, job: &Job, rehearsal: &Rehearsal) -> Result<Comparison, String> {
        let writes = self.writes.as_ref().ok_or("write parity is not set up")?;
        let taken = writes.captured.take(&rehearsal.mark.id).await?;
        let reference: Result<Vec<RowChange>, _> =
            taken.changes.into_iter().map(serde_json::from_value).collect();
        let reference = reference.map_err(|error| format!("a captured row cannot be read: {error}"))?;
        let (candidate, sent) = without_outbox(&rehearsal.changes, &reference);
        let mut comparison = self.compare(job, (&job.answer, &rehearsal.answer));
        if comparison.differences.iter().all(|found| found.path != Path::Status) {
            let schema = writes.schema_of(reference.iter().chain(&candidate)).await;
            let ignore = job.served.route.shadow.as_ref().map(|shadow| shadow.ignore.as_slice());
            let rules = RowRules {
                ignore: ignore.unwrap_or_default(),
                today: job.at.date_naive(),
                clock: clock(job, rehearsal),
                keys: writes.keys.as_ref(),
                schema: &schema,
            };
            add_rows(&mut comparison, rows::compare(&reference, &candidate, &rules));
        }
        let pairs = ids::pairs(&reference, &candidate);
        let before = comparison.differences.len();
        let of_answer = |found: &Difference| !matches!(found.path, Path::Rows { .. });
        comparison.differences.retain(|found| !(of_answer(found) && ids::explain(found, &pairs)));
        let explained = before - comparison.differences.len();
        count(&mut comparison, "built-in generated-id", explained as u64);
        count(&mut comparison, "built-in outbox", sent);
        if !(taken.complete && rehearsal.complete) {
            comparison.incomparable = Some(Incomparable::Truncated);
        }
        comparison.verdict = verdict(&comparison);
        Ok(comparison)
    }
}

/// Without messages of the outbox, unless the other side has some too; and how many these were.
fn without_outbox(candidate: &[RowChange], reference: &[RowChange]) -> (Vec<RowChange>, u64) {
    let is_message = |change: &RowChange| change.table == OUTBOX;
    let both = reference.iter().any(is_message);
    let kept: Vec<RowChange> =
        candidate.iter().filter(|change| both || !is_message(change)).cloned().collect();
    let sent = (candidate.len() - kept.len()) as u64;
    (kept, sent)
}

/// The candidate ran before the fallback: its times are earlier.
fn clock(job: &Job, rehearsal: &Rehearsal) -> Clock {
    let since = (job.at - rehearsal.at).num_milliseconds() as f64 / 1_000.0;
    let waited = job.served.waited.unwrap_or_default().as_secs_f64();
    Clock { apart: -(since - waited).max(0.0), within: LEEWAY + since }
}

fn add_rows(comparison: &mut Comparison, found: rows::RowComparison) {
    comparison.differences.extend(found.differences);
    comparison.more += found.more;
    for (rule, times) in found.ignored {
        *comparison.ignored.entry(rule).or_default() += times;
    }
}

fn count(comparison: &mut Comparison, rule: &str, times: u64) {
    if times > 0 {
        *comparison.ignored.entry(rule.to_owned()).or_default() += times;
    }
}

/// Rows that are not all there make nothing a match; a difference among those that are is one all the same, unless it is
/// only that something is missing.
fn verdict(comparison: &Comparison) -> Verdict {
    match comparison {
        Comparison { incomparable: Some(_), .. } => Verdict::Incomparable,
        Comparison { differences, more, .. } if !differences.is_empty() || *more > 0 => Verdict::Mismatch,
        Comparison { ignored, .. } if !ignored.is_empty() => Verdict::Ignored,
        Comparison { verdict: Verdict::Empty, .. } => Verdict::Empty,
        _ => Verdict::Match,
    }
}
