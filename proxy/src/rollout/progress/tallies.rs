//! Carries what the observer counted into the store, every few seconds and at the end.
//!
//! The observer's counters only grow; what they grew by since the last time is added to the day. What could not be added
//! is added with the next attempt. In a fleet what the store of this node has is then told to the others, so that each of
//! them knows the sum. Nothing here is on the path of a request.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::tellers::Tellers;
use crate::observe::Observer;
use crate::store::{Book, Shared, Sums, Tallied, Tally};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);
/// Clocks may be set back a little.
const AGAIN: TimeDelta = TimeDelta::seconds(60);

/// The tally of this node.
#[derive(Debug)]
pub struct Tallies {
    observer: Arc<Observer>,
    store: Tally,
    /// Backends behind which there is no Python.
    rust: BTreeSet<String>,
    /// What was carried on of each route and backend.
    carried: Mutex<HashMap<(String, String), Sums>>,
    /// A line to the store that the nodes share, if they do, and up to when they were told.
    shared: Option<(Shared, Mutex<Option<DateTime<Utc>>>)>,
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
        shared: Option<Shared>,
        rust: BTreeSet<String>,
    ) -> std::io::Result<Arc<Self>> {
        let (carried, ending) = (Mutex::default(), Mutex::default());
        let shared = shared.map(|shared| (shared, Mutex::default()));
        let tallies = Arc::new(Self { observer, store, rust, carried, shared, ending });
        let (sender, ended) = channel();
        let carrier = Arc::clone(&tallies);
        let thread = std::thread::Builder::new().name("tally".to_owned()).spawn(move || {
            let mut failed = false;
            loop {
                let word = ended.recv_timeout(INTERVAL);
                let now = Utc::now();
                let carried = carrier.carry(now).and_then(|()| carrier.tell(now));
                if let Err(error) = &carried
                    && !failed
                {
                    tracing::warn!(
                        error,
                        "the tally of requests cannot be written or told; it is tried again"
                    );
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

    /// What is known from a day on, up to now: in a fleet what all nodes counted, as far as they told it.
    ///
    /// # Errors
    /// When the tally cannot be read.
    pub fn book(&self, from: NaiveDate) -> Result<(Book, Option<Tellers>), String> {
        let now = Utc::now();
        self.carry(now)?;
        let Some((shared, _)) = &self.shared else { return Ok((self.store.book(from)?, None)) };
        let all = self.tell(now).and_then(|()| shared.fleet_book(from).map_err(|away| away.to_string()));
        match all {
            Ok(all) => Ok((all.book, Some(Tellers { nodes: all.tellers, error: None }))),
            Err(error) => {
                Ok((self.store.book(from)?, Some(Tellers { nodes: Vec::new(), error: Some(error) })))
            }
        }
    }

    /// Tells the others what this node counted since it told them last; if they know nothing of it, everything.
    fn tell(&self, now: DateTime<Utc>) -> Result<(), String> {
        let Some((shared, mark)) = &self.shared else { return Ok(()) };
        let mut mark = mark.lock().unwrap_or_else(PoisonError::into_inner);
        let away = |away: crate::store::Away| away.to_string();
        let known = match *mark {
            None => shared.tally_mark().map_err(away)?,
            known => known,
        };
        let since = known.map_or(DateTime::UNIX_EPOCH, |known| known - AGAIN);
        let (rows, days) = self.store.changed(since)?;
        let done = shared.tell_tally((&rows, &days), now, known.is_some()).map_err(away)?;
        // A store that has lost what it knew is told everything the next time.
        *mark = done.then_some(now);
        Ok(())
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
