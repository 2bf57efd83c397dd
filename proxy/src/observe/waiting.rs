//! Requests that the candidate of a guarded route has not answered yet: one that hangs is evidence before it times out.
//!
//! Only requests that change nothing are here: how long an upload takes is for its client to say. A request that was told of as
//! overdue is not counted again when it ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Evidence;
use crate::route::Route;

/// All of them.
#[derive(Debug, Default)]
pub struct Waiting {
    next: AtomicU64,
    requests: Mutex<HashMap<u64, Request>>,
}

#[derive(Debug)]
struct Request {
    route: Arc<Route>,
    revision: u64,
    trace_id: String,
    since: Instant,
    told: bool,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Awaited {
    waiting: Arc<Waiting>,
    number: u64,
}

impl Waiting {
    /// A request begins to wait for the candidate of its route.
    pub fn begin(self: &Arc<Self>, route: &Arc<Route>, revision: u64, trace_id: &str) -> Awaited {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (route, trace_id) = (Arc::clone(route), trace_id.to_owned());
        let request = Request { route, revision, trace_id, since: Instant::now(), told: false };
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(number, request);
        Awaited { waiting: Arc::clone(self), number }
    }

    /// Those that have waited longer than their route may, each once.
    pub fn overdue(&self, limit: impl Fn(&Route) -> Option<Duration>) -> Vec<Evidence> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut overdue = Vec::new();
        for request in requests.values_mut().filter(|request| !request.told) {
            let waited = request.since.elapsed();
            if limit(&request.route).is_some_and(|limit| waited > limit) {
                request.told = true;
                overdue.push(Evidence::overdue(&request.route, request.revision, &request.trace_id, waited));
            }
        }
        overdue
    }
}

impl Awaited {
    /// Whether it was told of as overdue.
    pub fn was_told(&self) -> bool {
        let requests = self.waiting.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.get(&self.number).is_some_and(|request| request.told)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.waiting.requests.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Context, read};

    #[test]
    fn what_waits_too_long_is_told_of_once() {
        let text = "version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\nguard = {}\n";
        let source = crate::diagnostic::Source::new("routes.toml", text);
        let table = read(&source, &Context::default()).0.unwrap();
        let waiting = Arc::new(Waiting::default());
        let (one, other) =
            (waiting.begin(&table.routes()[0], 1, "t1"), waiting.begin(&table.routes()[0], 1, "t2"));
        assert!(waiting.overdue(|_| Some(Duration::from_secs(3600))).is_empty());
        assert!(waiting.overdue(|_| None).is_empty());
        drop(other);
        let overdue = waiting.overdue(|_| Some(Duration::ZERO));
        assert_eq!(
            (overdue.len(), overdue[0].trace_id.as_str(), overdue[0].failure),
            (1, "t1", Some("hung"))
        );
        assert!(one.was_told());
        assert!(waiting.overdue(|_| Some(Duration::ZERO)).is_empty());
        drop(one);
        assert!(waiting.requests.lock().unwrap().is_empty());
    }
}
