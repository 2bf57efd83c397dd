//! Carries what the observer counted into the store, every few seconds and at the end.
//!
//! The observer's counters only grow; what they grew by since the last time is added to the day. What could not be added
//! is added with the next attempt. Nothing here is on the path of a request.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::observe::Observer;
use crate::store::{Book, Sums, Tallied, Tally};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);

/// The tally of this node.
#[derive(Debug)]
pub struct Tallies {
    observer: Arc<Observer>,
    store: Tally,
    /// Backends behind which there is no Python.
    rust: BTreeSet<String>,
    /// What was carried on of each route and backend.
    carried: Mutex<HashMap<(String, String), Sums>>,
    /// Ends the thread.
    ending: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Tallies {
    /// Begins to carry.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn start(
        observer: Arc<Observer>,
        store: Tally,
        rust: BTreeSet<String>,
    ) -> std::io::Result<Arc<Self>> {
        let tallies =
            Arc::new(Self { observer, store, rust, carried: Mutex::default(), ending: Mutex::default() });
        let (sender, ended) = channel();
        let carrier = Arc::clone(&tallies);
        let thread = std::thread::Builder::new().name("tally".to_owned()).spawn(move || {
            let mut failed = false;
            loop {
                let word = ended.recv_timeout(INTERVAL);
                let carried = carrier.carry(Utc::now());
                if let Err(error) = &carried
                    && !failed
                {
                    tracing::warn!(error, "the tally of requests cannot be written; it is tried again");
                }
                failed = carried.is_err();
                if word != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        *tallies.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some((sender, thread));
        Ok(tallies)
    }

    /// Carries what is left, and ends.
    pub fn finish(&self) {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, thread)) = ending {
            drop(sender);
            let _ = thread.join();
        }
    }

    /// Backends behind which there is no Python.
    pub fn rust(&self) -> &BTreeSet<String> {
        &self.rust
    }

    /// What is known from a day on, up to now.
    ///
    /// # Errors
    /// When the tally cannot be read.
    pub fn book(&self, from: NaiveDate) -> Result<Book, String> {
        self.carry(Utc::now())?;
        self.store.book(from)
    }

    fn carry(&self, now: DateTime<Utc>) -> Result<(), String> {
        let mut carried = self.carried.lock().unwrap_or_else(PoisonError::into_inner);
        let mut more = Vec::new();
        let mut next = carried.clone();
        for counted in self.observer.tallied() {
            let key = (counted.route.clone(), counted.backend.clone());
            let sums = Sums {
                calls: counted.requests,
                errors: counted.errors,
                fallbacks: counted.fallbacks,
                defers: counted.defers,
                writes: counted.writes,
                sessions: counted.sessions,
                micros: counted.micros,
            };
            let grown = since(next.get(&key), &sums);
            if grown.calls > 0 {
                more.push(Tallied { route: counted.route, backend: counted.backend, sums: grown });
            }
            next.insert(key, sums);
        }
        self.store.add(now, &more)?;
        *carried = next;
        Ok(())
    }
}

/// What was added; counters that began anew have only that.
fn since(before: Option<&Sums>, now: &Sums) -> Sums {
    let Some(before) = before.filter(|before| before.calls <= now.calls) else { return now.clone() };
    Sums {
        calls: now.calls.saturating_sub(before.calls),
        errors: now.errors.saturating_sub(before.errors),
        fallbacks: now.fallbacks.saturating_sub(before.fallbacks),
        defers: now.defers.saturating_sub(before.defers),
        writes: now.writes.saturating_sub(before.writes),
        sessions: now.sessions.saturating_sub(before.sessions),
        micros: now.micros.saturating_sub(before.micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_carried() {
        let sums = |calls, writes| Sums { calls, writes, ..Sums::default() };
        assert_eq!(since(None, &sums(3, 1)), sums(3, 1));
        assert_eq!(since(Some(&sums(3, 1)), &sums(5, 1)), sums(2, 0));
        assert_eq!(since(Some(&sums(3, 1)), &sums(2, 2)), sums(2, 2), "counters that began anew");
    }
}
