//! Noise: what differs from itself. On a budget, the fallback is asked a safe request twice; what differs is remembered
//! with its evidence and proposed as a rule, never applied without a person.
//!
//! Off unless `shadow.noise` says otherwise: each of these is one more request to the application.

mod book;
mod budget;
mod refusal;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::Method;

use super::Shadow;
use super::compare::{Answer, Case, Design};
use super::job::{Job, Purpose};
use super::replay::{To, ask};
use super::reports;
use crate::store::Document;
use book::Sighting;
pub use book::{NoiseBook, NoiseField};
use budget::Budget;

/// Under this name books are stored.
const KIND: &str = "noise";

/// What may be asked, and what is in progress.
#[derive(Debug)]
pub(super) struct Noise(Mutex<Budget>);

impl Noise {
    pub(super) fn new(overall: u32, per_route: u32) -> Self {
        Self(Mutex::new(Budget::new(overall, per_route)))
    }
}

impl Shadow {
    /// Asks the fallback a second time, if the budget has room, and remembers what differs from the first answer.
    pub(super) async fn learn_noise(&self, job: &Job, first: &Answer) {
        let safe = matches!(job.request.method, Method::GET | Method::HEAD);
        if !safe || !matches!(job.purpose, Purpose::Traffic) || first.status >= 500 || !first.complete {
            return;
        }
        let taken =
            self.noise.0.lock().unwrap_or_else(PoisonError::into_inner).take(job.route(), job.at.timestamp());
        if !taken {
            return;
        }
        let bounds = (self.options.body_bytes, self.options.timeout);
        let (fallback, request) = (job.fallback(), job.request_to(job.fallback()));
        let Some((second, _)) = ask(To::Backend(fallback), &request, bounds).await else { return };
        let sightings = self.sightings(job, first, &second);
        let (at, route) = (job.at, job.route().to_owned());
        let change = move |documents: Vec<Document>| {
            let mut book = documents.first().map(read).unwrap_or_default();
            book.add(&sightings, at);
            vec![Document { number: 1, text: serde_json::to_string(&book).unwrap_or_default() }]
        };
        let records = std::sync::Arc::clone(&self.records);
        let stored = tokio::task::spawn_blocking(move || records.change(KIND, &route, change)).await;
        if let Ok(Err(error)) = stored {
            tracing::warn!(error, "what was learned about noise cannot be stored");
        }
    }

    /// What differs, beyond what rules allow already.
    fn sightings(&self, job: &Job, first: &Answer, second: &Answer) -> Vec<Sighting> {
        let side = self.options.side(&job.served.route.fallback);
        let shadow = job.served.route.shadow.as_ref();
        let case = Case {
            asked: &job.request.asked,
            reference: first,
            candidate: second,
            design: Design::of(side, side),
            rules: job.rules(),
            now: job.at,
        };
        let mut seen = BTreeMap::<String, Sighting>::new();
        for difference in &self.judge.compare(&case).differences {
            let (masked, signature) = (difference.path.masked_signature(), difference.path.signature());
            let refused = refusal::refused(difference);
            let show = shadow.map(|shadow| shadow.show.as_slice()).unwrap_or_default();
            let entry = seen.entry(difference.group()).or_insert_with(|| Sighting {
                signature: difference.group(),
                kind: difference.kind.word().to_owned(),
                rule: (masked == signature).then_some(masked),
                refused: None,
                sample: reports::masked(difference, show),
            });
            entry.refused = entry.refused.or(refused);
        }
        seen.into_values().collect()
    }

    /// What was learned about a route.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn noise_of(&self, route: &str) -> Result<NoiseBook, String> {
        let all = self.records.all(KIND)?;
        Ok(all.iter().find(|(name, _)| name == route).map(|(_, document)| read(document)).unwrap_or_default())
    }

    /// Remembers that a person made a rule of a field.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn noise_accepted(&self, route: &str, number: u64) -> Result<(), String> {
        let at = chrono::Utc::now();
        self.records.change(KIND, route, move |documents| {
            let mut book = documents.first().map(read).unwrap_or_default();
            for field in book.fields.iter_mut().filter(|field| field.number == number) {
                field.accepted_at = Some(at);
            }
            vec![Document { number: 1, text: serde_json::to_string(&book).unwrap_or_default() }]
        })
    }

    /// How often the fallback may be asked twice, a minute: of all routes, and of each.
    pub fn noise_budget(&self) -> (u32, u32) {
        self.options.noise
    }
}

/// A document that cannot be read is begun anew.
fn read(document: &Document) -> NoiseBook {
    serde_json::from_str(&document.text).unwrap_or_default()
}
