//! One backend: which of its upstreams is asked next, and how many requests are on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pingora::upstreams::peer::HttpPeer;

use super::{BackendHealth, Upstream};
use crate::settings::{self, Limits, Timeouts};

/// A place that can answer.
#[derive(Debug)]
pub struct Backend {
    name: String,
    upstreams: Vec<Upstream>,
    next: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: usize,
    started: Instant,
}

/// Which upstreams of a backend one request has already tried; at most 64 count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried(u64);

impl Tried {
    fn contains(self, index: usize) -> bool {
        index < 64 && self.0 & (1 << index) != 0
    }

    /// Remembers one.
    pub fn insert(&mut self, index: usize) {
        self.0 |= 1u64.checked_shl(index as u32).unwrap_or(0);
    }
}

/// A request in progress on a backend; dropping it says that the request is over.
#[derive(Debug)]
pub struct InFlight(Arc<Backend>);

impl InFlight {
    /// The backend.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Backend {
    pub(super) fn new(name: &str, backend: &settings::Backend, timeouts: &Timeouts, limits: &Limits) -> Self {
        Self {
            name: name.to_owned(),
            upstreams: backend.upstreams.iter().map(|address| Upstream::new(address, timeouts)).collect(),
            next: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: limits.backend_requests,
            started: Instant::now(),
        }
    }

    /// Its name in the settings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its upstreams.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// Takes one of the places on this backend; `None` when all are taken.
    pub fn enter(self: &Arc<Self>) -> Option<InFlight> {
        if self.in_flight.fetch_add(1, Ordering::AcqRel) >= self.most_in_flight {
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(InFlight(Arc::clone(self)))
    }

    /// The next upstream in turn that was not tried and can be reached as far as we know. With `insist`, one that
    /// could not be reached a moment ago is better than none: that is how a backend without alternative recovers
    /// with the first request after it is back.
    pub fn pick(&self, tried: Tried, insist: bool) -> Option<usize> {
        let now = self.now();
        let count = self.upstreams.len();
        let first = if count > 1 { self.next.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let in_turn = || (0..count).map(|offset| (first + offset) % count).filter(|i| !tried.contains(*i));
        let usable = |index: &usize| {
            let upstream = &self.upstreams[*index];
            upstream.is_resolved() && upstream.breaker().allows(now)
        };
        in_turn().find(usable).or_else(|| in_turn().find(|i| insist && self.upstreams[*i].is_resolved()))
    }

    /// What pingora connects to for an upstream that was picked.
    pub fn peer(&self, upstream: usize, single_use: bool, wait: Option<Duration>) -> Option<Box<HttpPeer>> {
        self.upstreams.get(upstream)?.peer(single_use, wait)
    }

    /// Records that an upstream accepted a connection.
    pub fn reached(&self, upstream: usize) {
        let Some(upstream) = self.upstreams.get(upstream) else { return };
        if upstream.breaker().succeeded() {
            tracing::info!(backend = self.name, upstream = upstream.text(), "backend can be reached again");
        }
    }

    /// Records that an upstream did not accept a connection.
    pub fn unreachable(&self, upstream: usize, cause: &str) {
        let Some(upstream) = self.upstreams.get(upstream) else { return };
        if upstream.breaker().failed(self.now()) {
            let address = upstream.text();
            tracing::warn!(backend = self.name, upstream = address, cause, "backend cannot be reached");
        }
    }

    /// What is known about it.
    pub fn health(&self) -> BackendHealth {
        BackendHealth {
            name: self.name.clone(),
            in_flight: self.in_flight.load(Ordering::Acquire),
            upstreams: self.upstreams.iter().map(Upstream::health).collect(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::UpstreamAddress;

    fn backend(upstreams: usize, most_in_flight: usize) -> Arc<Backend> {
        let upstreams = (0..upstreams)
            .map(|n| UpstreamAddress::Tcp { host: "127.0.0.1".into(), port: 5000 + n as u16 })
            .collect();
        let second = Duration::from_secs(1);
        let timeouts = Timeouts {
            connect: second,
            upstream: second,
            client_header: second,
            client_body: second,
            client_idle: second,
            upstream_idle: second,
            drain: second,
            before_drain: second,
            upgrade: second,
        };
        let limits =
            Limits { body_bytes: 1, header_bytes: 1, uri_bytes: 1, backend_requests: most_in_flight };
        Arc::new(Backend::new("legacy", &settings::Backend { upstreams }, &timeouts, &limits))
    }

    #[test]
    fn upstreams_take_turns() {
        let backend = backend(3, 10);
        let picked: Vec<_> = (0..4).map(|_| backend.pick(Tried::default(), false).unwrap()).collect();
        assert_eq!(picked, [0, 1, 2, 0]);
    }

    #[test]
    fn an_upstream_is_tried_once_per_request() {
        let backend = backend(2, 10);
        let mut tried = Tried::default();
        tried.insert(backend.pick(tried, false).unwrap());
        tried.insert(backend.pick(tried, false).unwrap());
        assert_eq!(backend.pick(tried, true), None);
    }

    #[test]
    fn one_that_is_down_is_avoided_unless_nothing_else_is_left() {
        let backend = backend(2, 10);
        backend.unreachable(0, "refused");
        assert!((0..4).all(|_| backend.pick(Tried::default(), false) == Some(1)));
        backend.unreachable(1, "refused");
        assert_eq!(backend.pick(Tried::default(), false), None);
        assert!(backend.pick(Tried::default(), true).is_some());
        assert!(!backend.health().is_up());
        backend.reached(1);
        assert!(backend.health().is_up());
    }

    #[test]
    fn a_full_backend_takes_no_more() {
        let backend = backend(1, 2);
        let places = [backend.enter().unwrap(), backend.enter().unwrap()];
        assert!(backend.enter().is_none());
        drop(places);
        assert!(backend.enter().is_some());
    }
}
