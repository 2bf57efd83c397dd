//! A mismatch as a case that can be asked again: the request and both answers, masked as users' traffic is. One for each group
//! of differences, made anew now and then; whoever wants a capsule of it asks the store.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::HOST;
use serde_json::json;

use super::Shadow;
use super::coding::{codings, decoded};
use super::compare::Answer;
use super::corpus::{Exchange, Recorded, Session, write};
use super::job::Job;
use super::journey::plain;
use super::record::person;

/// A group gets another case after so long.
const AGAIN: Duration = Duration::from_secs(5);
/// Most groups of which that is remembered.
const MOST_GROUPS: usize = 4_000;
/// Largest body after decompression.
const LARGEST: usize = 8 << 20;
/// Longest text of a case.
const LONGEST: usize = 128 * 1024;

/// When a case was made of each group.
#[derive(Debug, Default)]
pub(super) struct Cases(Mutex<BTreeMap<String, Instant>>);

impl Cases {
    /// Whether one of the groups of a route is to get a case.
    fn is_due(&self, route: &str, signatures: &[&str]) -> bool {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() > MOST_GROUPS {
            made.retain(|_, at| at.elapsed() < AGAIN);
        }
        let mut due = false;
        for signature in signatures {
            let name = format!("{route} {signature}");
            if made.get(&name).is_none_or(|at| at.elapsed() >= AGAIN) {
                made.insert(name, Instant::now());
                due = true;
            }
        }
        due
    }
}

impl Shadow {
    /// The case of a mismatch, as a document; `None`: not now, or there is no key for masks, or it is too large.
    pub(super) fn case_of(&self, job: &Job, answer: &Answer, signatures: &[&str]) -> Option<String> {
        if !self.cases.is_due(job.route(), signatures) {
            return None;
        }
        let (reference, candidate) =
            if job.asks_candidate() { (&job.answer, answer) } else { (answer, &job.answer) };
        let unreadable =
            |answer: &&Answer| decoded(&codings(&answer.headers), &answer.body, LARGEST).is_err();
        if [reference, candidate].iter().any(unreadable) {
            return None;
        }
        let routing = self.live.load();
        let mut masker = self.recordings.masker(&routing.table)?;
        let host = job.request.headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        host.iter().for_each(|host| masker.learn_host(host));
        let route = &job.served.route;
        let headers = job.request.headers.iter();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let exchange = Exchange {
            route: Some(route.name.clone()),
            method: job.request.method.to_string(),
            target: job.request.target.to_string(),
            headers: headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body: job.request.body.to_vec(),
            // Its status tells what the client had kept.
            answer: Some(Recorded { status: reference.status, ..Recorded::default() }),
            ..Exchange::default()
        };
        // What the pages offer for choice may stay in the request.
        let (reference, candidate) = (masker.answer(&plain(reference)), masker.answer(&plain(candidate)));
        let masked = masker.request(&exchange);
        let user = self.recordings.user_of(&job.request.asked.cookies, job.at);
        let user = user.map(|id| person(&masker, &id));
        let written = |answer, served: &str| {
            let served = Some(served.to_owned());
            let title = format!("1 {} {}", exchange.method, route.name);
            let exchange = Exchange { answer: Some(answer), served, title, ..masked.clone() };
            write(&Session { user: user.clone(), exchanges: vec![exchange], ..Session::default() })
        };
        let (reference, candidate) =
            (written(reference, &route.fallback), written(candidate, &route.candidate));
        if reference.len() > LONGEST || candidate.len() > LONGEST {
            return None;
        }
        let document = json!({
            "at": job.at,
            "revision": job.served.revision,
            "host": host,
            "profile": self.options.side.profile().name(),
            "key": masker.key_id(),
            "programs": self.programs(),
            "reference": { "backend": route.fallback, "is": self.options.side(&route.fallback).word(), "text": reference },
            "candidate": { "backend": route.candidate, "is": self.options.side(&route.candidate).word(), "text": candidate },
        });
        Some(document.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_gets_a_case_now_and_then() {
        let cases = Cases::default();
        assert!(cases.is_due("a", &["x", "y"]));
        assert!(!cases.is_due("a", &["x"]));
        assert!(cases.is_due("a", &["x", "z"]) && cases.is_due("b", &["x"]));
    }
}
