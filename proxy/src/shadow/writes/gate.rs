//! Whether a request is tried out now: bounded in number, and not while the candidate does not answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::route::Route;
use crate::shadow::Shadow;
use crate::shadow::capture::Dropped;
use crate::shadow::sample::belongs;

/// After so many dry runs without an answer the candidate is left alone.
const FAILURES: u32 = 3;
/// For so long.
const REST: Duration = Duration::from_secs(30);

/// Who may try out.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    rests: Mutex<BTreeMap<String, Rest>>,
}

#[derive(Debug, Default)]
struct Rest {
    failures: u32,
    until: Option<Instant>,
}

/// The right to one dry run, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _place: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), rests: Mutex::default() }
    }

    fn enter(&self, backend: &str, now: Instant) -> Result<Place, Dropped> {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.get(backend).and_then(|rest| rest.until).is_some_and(|until| now < until) {
            return Err(Dropped::Resting);
        }
        drop(rests);
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Dropped::Busy)?;
        Ok(Place { _place: place })
    }

    /// A dry run ended, with an answer or without.
    pub(super) fn ended(&self, backend: &str, answered: bool, now: Instant) {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = rests.entry(backend.to_owned()).or_default();
        if answered {
            *rest = Rest::default();
            return;
        }
        rest.failures += 1;
        if rest.failures >= FAILURES {
            // The next one after the rest decides: one failure is enough then.
            *rest = Rest { failures: FAILURES - 1, until: Some(now + REST) };
        }
    }
}

impl Shadow {
    /// Whether a request is tried out: `Ok(None)` if nobody asked for it.
    ///
    /// # Errors
    /// Why it is not, although it should be.
    pub fn admit(&self, route: &Route, method: &Method, trace_id: &str) -> Result<Option<Place>, Dropped> {
        let Some(shadow) = route.shadow.as_ref().filter(|shadow| shadow.writes) else { return Ok(None) };
        if !belongs(shadow.sample, trace_id) {
            return Ok(None);
        }
        let writes = self.writes.as_ref().ok_or(Dropped::NotSetUp)?;
        if !flask_compat::dry_run::is_method(method.as_str()) {
            return Err(Dropped::Unsendable);
        }
        writes.gate.enter(&route.candidate, Instant::now()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted() {
        let (gate, now) = (Gate::new(2), Instant::now());
        let places = [gate.enter("rust", now), gate.enter("rust", now)];
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(gate.enter("rust", now).err(), Some(Dropped::Busy));
        drop(places);
        assert!(gate.enter("rust", now).is_ok());
    }

    #[test]
    fn a_candidate_that_does_not_answer_is_left_alone_for_a_while() {
        let (gate, now) = (Gate::new(2), Instant::now());
        for _ in 0..FAILURES {
            assert!(gate.enter("rust", now).is_ok());
            gate.ended("rust", false, now);
        }
        assert_eq!(gate.enter("rust", now).err(), Some(Dropped::Resting));
        assert!(gate.enter("other", now).is_ok());
        let later = now + REST;
        assert!(gate.enter("rust", later).is_ok(), "one is tried");
        gate.ended("rust", false, later);
        assert_eq!(gate.enter("rust", later).err(), Some(Dropped::Resting));
        let later = later + REST;
        gate.ended("rust", true, later);
        gate.ended("rust", false, later);
        assert!(gate.enter("rust", later).is_ok(), "an answer makes up for all failures");
    }
}
