//! A mismatch on its way to the store: masked before anything leaves this file.

use serde_json::{Value, json};

use super::Shadow;
use super::compare::{Answer, Comparison, Difference, Path};
use super::confirm::Again;
use super::job::{Job, Purpose};
use super::mask;
use super::self_test::STORED_AS;
use crate::route::Pattern;
use crate::store::{DiffGroup, Mismatch};

/// Most differences that a sample shows.
const MOST_SHOWN: usize = 20;

impl Shadow {
    /// Stores a mismatch: its groups, and one sample for each.
    pub(super) fn report(&self, job: &Job, (answer, again): (&Answer, Again), comparison: &Comparison) {
        let mut groups: Vec<DiffGroup> = Vec::new();
        for difference in &comparison.differences {
            let signature = difference.group();
            if groups.iter().all(|group| group.signature != signature) {
                let masked = difference.path.masked_signature();
                let rule = (masked == difference.path.signature()).then_some(masked);
                groups.push(DiffGroup { signature, kind: difference.kind.word().to_owned(), rule });
            }
        }
        let signatures: Vec<&str> = groups.iter().map(|group| group.signature.as_str()).collect();
        let case = match job.purpose {
            Purpose::Probe(_) => None,
            _ => self.case_of(job, answer, &signatures),
        };
        self.diffs.add(Mismatch {
            case,
            route: match job.purpose {
                Purpose::Probe(_) => format!("{STORED_AS}{}", job.route()),
                Purpose::Traffic | Purpose::Recording | Purpose::Write(_) => job.route().to_owned(),
            },
            revision: job.served.revision,
            at: job.at,
            groups,
            document: document(job, (answer, again), comparison).to_string(),
        });
    }
}

/// The sample: who answered what, without anybody's data.
fn document(job: &Job, (answer, again): (&Answer, Again), comparison: &Comparison) -> Value {
    let show = job.served.route.shadow.as_ref().map(|shadow| shadow.show.as_slice()).unwrap_or_default();
    let served = side(&job.served.by, &job.answer);
    let other = side(job.target.name(), answer);
    let (reference, candidate) = if job.asks_candidate() { (served, other) } else { (other, served) };
    let shown = comparison.differences.iter().take(MOST_SHOWN);
    json!({
        "request": request_line(job),
        "served_by": job.served.by,
        "served_in_ms": job.served.waited.map(|waited| waited.as_millis()),
        "reference": reference,
        "candidate": candidate,
        "differences": shown.map(|difference| masked(difference, show)).collect::<Vec<_>>(),
        "more": comparison.differences.len().saturating_sub(MOST_SHOWN) + comparison.more,
        "asked_again": again.word(),
        "trace_id": job.served.trace_id,
        "revision": job.served.revision,
        "at": job.at,
    })
}

/// The rule in place of the path, which may hold anybody's name or number.
fn request_line(job: &Job) -> String {
    let rule = job.served.route.rules.first().map(String::as_str).unwrap_or_default();
    let method = &job.request.method;
    match job.query() {
        "" => format!("{method} {rule}"),
        query => format!("{method} {rule}?{}", mask::query(query)),
    }
}

fn side(backend: &str, answer: &Answer) -> Value {
    json!({ "backend": backend, "status": answer.status, "bytes": answer.body.len() })
}

/// A difference as it may be stored: `show` names paths whose values stay readable.
pub(super) fn masked(difference: &Difference, show: &[Pattern]) -> Value {
    let path = &difference.path;
    let (text, signature) = (path.text(), path.signature());
    let shown = show.iter().any(|pattern| pattern.matches(&text) || pattern.matches(&signature));
    let value = |value: &Option<String>| {
        let value = value.as_deref()?;
        Some(match path {
            _ if difference.own_words => value.to_owned(),
            _ if shown => mask::scrub(value),
            Path::Json(_) => mask::json_scalar(value),
            _ => mask::shape(value),
        })
    };
    let (reference, candidate) = (value(&difference.reference), value(&difference.candidate));
    json!({
        "path": path.masked_text(),
        "kind": difference.kind.word(),
        "same_shape": reference == candidate && !difference.own_words,
        "reference": reference,
        "candidate": candidate,
    })
}
