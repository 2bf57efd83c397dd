//! Keeps count of comparisons, route by route: in memory at once, in the store a moment later.
//!
//! Workers add to what is pending. Now and then all of it is settled: added to the periods in the store, in one
//! transaction, so that nothing is counted twice and two processes add to the same periods. What the store refuses stays
//! pending. Reading a certificate never waits for the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::certificate::{Certificate, SelfTest};
use super::period::{Counts, Now, Period, settle};
use crate::store::{Document, Records};

/// Under this name periods are stored.
const KIND: &str = "evidence";

/// What is known about one route.
#[derive(Debug, Default)]
struct Entry {
    /// As the store has them, the last one may still be open.
    periods: Vec<Period>,
    /// What was counted since, by the hash of the rules.
    pending: BTreeMap<String, Counts>,
}

/// Counts of all routes.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Mutex<BTreeMap<String, Entry>>,
    records: Arc<Records>,
}

impl Ledger {
    pub(super) fn new(records: Arc<Records>) -> Self {
        Self { entries: Mutex::default(), records }
    }

    /// Adds to what is pending.
    pub(super) fn count(&self, route: &str, rules: &str, add: impl FnOnce(&mut Counts)) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match entries.get_mut(route) {
            Some(entry) => entry,
            None => entries.entry(route.to_owned()).or_default(),
        };
        match entry.pending.get_mut(rules) {
            Some(counts) => add(counts),
            None => add(entry.pending.entry(rules.to_owned()).or_default()),
        }
    }

    /// Reads what earlier processes counted. Documents that cannot be read are left out.
    pub(super) fn load(&self) -> Result<(), String> {
        let all = self.records.all(KIND)?;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (route, documents) in by_route(all) {
            entries.entry(route).or_default().periods = read(&documents);
        }
        Ok(())
    }

    /// Adds what is pending for a route to its periods, and ends a period if something changed. Waits for the store.
    pub(super) fn settle(&self, route: &str, now: &Now) -> Result<(), String> {
        let pending = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut entries.entry(route.to_owned()).or_default().pending)
        };
        let pending = Arc::new(pending);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (result, adding, facts) = (Arc::clone(&written), Arc::clone(&pending), now.clone());
        let done = self.records.change(KIND, route, move |documents| {
            let mut periods = read(&documents);
            settle(&mut periods, &facts, &adding);
            let documents = write(&periods);
            *result.lock().unwrap_or_else(PoisonError::into_inner) = periods;
            documents
        });
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(route.to_owned()).or_default();
        if let Err(error) = done {
            for (rules, counts) in &*pending {
                entry.pending.entry(rules.clone()).or_default().merge(counts);
            }
            return Err(error);
        }
        entry.periods = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Replayed sessions that are counted for a route under these rules, in the period that goes on.
    pub(super) fn replayed_sessions(&self, route: &str, rules: &str) -> BTreeSet<String> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get(route) else { return BTreeSet::new() };
        let open = entry
            .periods
            .last()
            .filter(|period| period.expired.is_none() && period.provenance.rules == rules);
        let settled = open.map(|period| &period.counts.sessions);
        let pending = entry.pending.get(rules).map(|counts| &counts.sessions);
        settled.into_iter().chain(pending).flatten().cloned().collect()
    }

    /// Whether something was counted for a route that the store does not know yet.
    pub(super) fn is_pending(&self, route: &str) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(route).is_some_and(|entry| !entry.pending.is_empty())
    }

    /// The certificate as of now, and the expired ones before it, newest first.
    pub(super) fn certificates(&self, route: &str, self_test: &SelfTest) -> Vec<Certificate> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get(route) else { return Vec::new() };
        let shown = |period: &Period| {
            let pending = entry.pending.get(&period.provenance.rules).filter(|_| period.expired.is_none());
            period.certificate(route, pending, self_test.clone())
        };
        entry.periods.iter().rev().map(shown).collect()
    }

    /// Forgets routes that `keep` does not know and that nothing was counted for since `before`.
    pub(super) fn sweep(&self, before: DateTime<Utc>, keep: impl Fn(&str) -> bool) {
        let old: Vec<String> = {
            let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            let is_old = |entry: &Entry| entry.periods.last().is_none_or(|period| period.last < before);
            let old = entries.iter().filter(|(route, entry)| !keep(route) && is_old(entry));
            old.map(|(route, _)| route.clone()).collect()
        };
        for route in old {
            if self.records.change(KIND, &route, |_| Vec::new()).is_ok() {
                self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&route);
            }
        }
    }
}

fn by_route(all: Vec<(String, Document)>) -> BTreeMap<String, Vec<Document>> {
    let mut routes = BTreeMap::<String, Vec<Document>>::new();
    for (route, document) in all {
        routes.entry(route).or_default().push(document);
    }
    routes
}

fn read(documents: &[Document]) -> Vec<Period> {
    documents.iter().filter_map(|document| serde_json::from_str(&document.text).ok()).collect()
}

fn write(periods: &[Period]) -> Vec<Document> {
    let document = |period: &Period| {
        let text = serde_json::to_string(period).ok()?;
        Some(Document { number: period.number, text })
    };
    periods.iter().filter_map(document).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::period::Seen;

    fn now() -> Now {
        let (build, code) = (Seen::Told("b".to_owned()), Seen::Told("c".to_owned()));
        Now { build, code, rules: "r".to_owned(), at: Utc::now(), ..Now::default() }
    }

    fn ledger(url: &str) -> Ledger {
        Ledger::new(Arc::new(Records::start(url).unwrap()))
    }

    fn compared(ledger: &Ledger) -> u64 {
        ledger.certificates("item", &SelfTest::Never).first().map_or(0, |certificate| certificate.comparisons)
    }

    #[test]
    fn what_was_counted_is_there_after_a_restart_and_two_processes_add_up() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let one = ledger(&url);
        let count = |ledger: &Ledger| ledger.count("item", "r", |c| c.add(["GET", "2xx", "-"], false));
        count(&one);
        one.settle("item", &now()).unwrap();
        count(&one);
        assert_eq!(compared(&one), 2, "what is pending is shown");
        let other = ledger(&url);
        other.load().unwrap();
        assert_eq!(compared(&other), 1);
        count(&other);
        other.settle("item", &now()).unwrap();
        one.settle("item", &now()).unwrap();
        assert_eq!(compared(&one), 3);
        assert!(!one.is_pending("item"));
    }

    #[test]
    fn what_the_store_refuses_stays_pending() {
        let ledger = ledger("sqlite:/proc/nowhere/ficus.db");
        ledger.count("item", "r", |c| c.add(["GET", "2xx", "-"], true));
        assert!(ledger.settle("item", &now()).is_err());
        assert!(ledger.settle("item", &now()).is_err());
        assert!(ledger.is_pending("item"));
        let entries = ledger.entries.lock().unwrap();
        assert_eq!(entries["item"].pending["r"].sums(), (1, 1));
    }

    #[test]
    fn routes_that_are_gone_are_forgotten_after_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let ledger = ledger(&url);
        for route in ["item", "gone"] {
            ledger.settle(route, &now()).unwrap();
        }
        ledger.sweep(Utc::now() - chrono::Duration::hours(1), |_| false);
        assert_eq!(ledger.records.all(KIND).unwrap().len(), 2);
        ledger.sweep(Utc::now() + chrono::Duration::hours(1), |route| route == "item");
        let left = ledger.records.all(KIND).unwrap();
        assert_eq!(left.iter().map(|(route, _)| route.as_str()).collect::<Vec<_>>(), ["item"]);
    }
}
