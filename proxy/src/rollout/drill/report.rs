//! What a rehearsal came to, and where that is kept: in the store, a few of each route.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::{Document, Records};

/// Under this name rehearsals are stored.
const KIND: &str = "drill";
/// So many are kept of a route.
const KEPT: usize = 20;

/// A rehearsal of a rollback.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Its number among those of the route; 0: not stored.
    pub number: u64,
    /// The route.
    pub route: String,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Who asked for it.
    pub author: String,
    /// How the test identity changed sides: `flip` or `token`.
    pub by: String,
    /// From the command to the first answer of the candidate, in milliseconds.
    pub to_candidate_ms: Option<f64>,
    /// From the command to the last answer of the candidate, in milliseconds.
    pub back_ms: Option<f64>,
    /// Requests that were sent.
    pub requests: u64,
    /// Of these, not answered, or with a status of 500 or more.
    pub errors: u64,
    /// Requests that changed something, answered by the candidate.
    pub writes: u64,
    /// Requests that both sides answered, to be compared.
    pub reads: u64,
    /// Of these, answered differently.
    pub different: u64,
    /// What went wrong, one sentence each; empty: it passed.
    pub failures: Vec<String>,
}

/// The rehearsals of all routes.
#[derive(Debug)]
pub struct Drills(Arc<Records>);

impl Drills {
    /// Those in the store.
    pub fn new(records: Arc<Records>) -> Self {
        Self(records)
    }

    /// Keeps one, and gives it a number.
    ///
    /// # Errors
    /// When the store cannot write.
    pub fn add(&self, report: &mut Report) -> Result<(), String> {
        let all = self.of(&report.route)?;
        report.number = all.last().map_or(1, |last| last.number + 1);
        let text = serde_json::to_string(report).map_err(|error| error.to_string())?;
        self.0.change(KIND, &report.route, move |mut documents| {
            // Another node may have been faster.
            let number = documents.last().map_or(1, |last: &Document| last.number + 1);
            documents.push(Document { number, text: text.clone() });
            let surplus = documents.len().saturating_sub(KEPT);
            documents.split_off(surplus)
        })
    }

    /// The rehearsals of a route, oldest first.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn of(&self, route: &str) -> Result<Vec<Report>, String> {
        let all = self.0.all(KIND)?;
        let of_route = all.into_iter().filter(|(subject, _)| subject == route);
        let read = |(_, document): (String, Document)| {
            let report: Report = serde_json::from_str(&document.text).ok()?;
            Some(Report { number: document.number, ..report })
        };
        Ok(of_route.filter_map(read).collect())
    }

    /// The last one; absent also when the store cannot be asked.
    pub(in super::super) fn last(&self, route: &str) -> Option<Report> {
        self.of(route).ok()?.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rehearsals_are_numbered_and_the_oldest_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let drills = Drills::new(Arc::new(Records::start(&url).unwrap()));
        let report = |route: &str| Report { route: route.to_owned(), ..Report::default() };
        let mut last = report("a");
        (0..=KEPT).for_each(|_| drills.add(&mut last).unwrap());
        drills.add(&mut report("b")).unwrap();
        let kept = drills.of("a").unwrap();
        assert_eq!((kept.len(), kept[0].number, last.number), (KEPT, 2, KEPT as u64 + 1));
        assert_eq!(drills.last("b").map(|report| report.number), Some(1));
        assert_eq!(drills.last("c"), None);
    }
}
