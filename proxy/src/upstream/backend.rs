//! One backend: which of its upstreams is asked next, and how many requests are on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use pingora::connectors::TransportConnector;
use pingora::upstreams::peer::HttpPeer;

use super::address::Maker;
use super::admission::{Admission, Claim, InFlight};
use super::outage::Outage;
use super::recovery::WHOLE;
use super::{BackendHealth, State, Upstream, UpstreamHealth};
use crate::settings::{self, Timeouts};

/// The pause between two looks whether a backend is back.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// A place that can answer.
#[derive(Debug)]
pub struct Backend {
    name: String,
    settings: settings::Backend,
    maker: Maker,
    upstreams: ArcSwap<Vec<Arc<Upstream>>>,
    next: AtomicUsize,
    admission: Arc<Admission>,
    outage: Outage,
    started: Instant,
    connector: Connector,
}

/// Connects for knocks and health checks.
#[derive(Clone)]
struct Connector(Arc<TransportConnector>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// Which upstreams of a backend one request has already tried; of more than 64, some count as one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried(u64);

impl Tried {
    fn contains(self, upstream: &Upstream) -> bool {
        self.0 & (1 << (upstream.id() % 64)) != 0
    }

    /// Remembers one.
    pub fn insert(&mut self, upstream: &Upstream) {
        self.0 |= 1 << (upstream.id() % 64);
    }
}

/// A request in progress on an upstream.
#[derive(Debug)]
pub struct Serving(pub(super) Arc<Upstream>);

impl Serving {
    fn new(upstream: Arc<Upstream>) -> Self {
        upstream.in_flight().fetch_add(1, Ordering::Relaxed);
        Self(upstream)
    }

    /// Which one.
    pub fn upstream(&self) -> &Upstream {
        &self.0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.in_flight().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Backend {
    pub(super) fn new(
        name: &str,
        settings: &settings::Backend,
        timeouts: &Timeouts,
        connector: &Arc<TransportConnector>,
    ) -> Self {
        let maker = Maker::new(settings, timeouts);
        let upstreams = (0..maker.addresses().len()).map(|origin| maker.first(origin)).collect();
        Self {
            name: name.to_owned(),
            upstreams: ArcSwap::from_pointee(upstreams),
            maker,
            next: AtomicUsize::new(0),
            admission: Admission::new(settings),
            outage: Outage::new(settings.queue),
            started: Instant::now(),
            connector: Connector(Arc::clone(connector)),
            settings: settings.clone(),
        }
    }

    /// Its name in the settings.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn settings(&self) -> &settings::Backend {
        &self.settings
    }

    pub(super) fn connector(&self) -> &Arc<TransportConnector> {
        &self.connector.0
    }

    /// The same peer, for a request whose body was kept and follows the head by itself.
    pub fn replaying(&self, peer: Box<HttpPeer>, body: Vec<Bytes>) -> Box<HttpPeer> {
        super::replay::with_body(&self.connector.0, peer, body)
    }

    pub(super) fn maker(&self) -> &Maker {
        &self.maker
    }

    pub(super) fn outage(&self) -> &Outage {
        &self.outage
    }

    /// Its upstreams.
    pub(super) fn upstreams(&self) -> arc_swap::Guard<Arc<Vec<Arc<Upstream>>>> {
        self.upstreams.load()
    }

    pub(super) fn set_upstreams(&self, upstreams: Vec<Arc<Upstream>>) {
        self.upstreams.store(Arc::new(upstreams));
    }

    /// Takes one of the places on this backend; `None` when all are taken.
    pub fn enter(&self, claim: Claim) -> Option<InFlight> {
        self.admission.enter(claim)
    }

    /// As [`Self::enter`], but waits for a place.
    pub async fn queue(&self, claim: Claim) -> Option<InFlight> {
        self.admission.queue(claim).await
    }

    /// Of the upstreams that were not tried and are up as far as we know, the one with the fewest requests. With
    /// `insist`, one that was down a moment ago is better than none: that is how a backend without alternative
    /// recovers with the first request after it is back.
    pub fn pick(&self, tried: Tried, insist: bool) -> Option<Serving> {
        let upstreams = self.upstreams.load();
        let now = self.now();
        if let [only] = upstreams.as_slice() {
            let free = only.is_resolved() && !tried.contains(only);
            let usable = free && (self.is_usable(only, now) && only.breaker().allows(now) || insist);
            return usable.then(|| Serving::new(Arc::clone(only)));
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let count = upstreams.len();
        let in_turn = || (0..count).map(|offset| &upstreams[(first + offset) % count]);
        let mut out = tried;
        loop {
            let open = || in_turn().filter(|u| u.is_resolved() && !out.contains(u) && self.is_usable(u, now));
            // One that could not be reached is knocked at; a request goes there only if there is no other.
            let connected = open().filter(|upstream| upstream.breaker().failures() == 0);
            let best = connected.min_by_key(|upstream| load(upstream, now));
            let Some(best) = best.or_else(|| open().min_by_key(|upstream| load(upstream, now))) else {
                break;
            };
            if best.breaker().allows(now) {
                return Some(Serving::new(Arc::clone(best)));
            }
            out.insert(best);
        }
        let left = in_turn().find(|u| insist && u.is_resolved() && !tried.contains(u));
        left.map(|upstream| Serving::new(Arc::clone(upstream)))
    }

    fn is_usable(&self, upstream: &Upstream, now: u64) -> bool {
        upstream.vitals().is_well() && !upstream.ejection().is_ejected(now)
    }

    /// Whether there is a choice.
    pub fn has_several(&self) -> bool {
        self.upstreams.load().len() > 1
    }

    /// Records that an upstream accepted a connection.
    pub fn reached(&self, upstream: &Upstream) {
        if upstream.breaker().succeeded() {
            tracing::info!(backend = self.name, upstream = upstream.text(), "backend can be reached again");
            upstream.recovery().begin(self.now());
            self.outage.is_over();
        }
    }

    /// Records that an upstream did not accept a connection.
    pub fn unreachable(&self, upstream: &Upstream, cause: &str) {
        upstream.blame(cause);
        if upstream.breaker().failed(self.now()) {
            let address = upstream.text();
            tracing::warn!(backend = self.name, upstream = address, cause, "backend cannot be reached");
        }
    }

    /// Records an answer that is no failure.
    pub fn succeeded(&self, upstream: &Upstream) {
        upstream.ejection().succeeded();
    }

    /// Records a failure of an upstream that accepted a connection: it broke off, was too slow, answered 5xx. After
    /// too many in a row it is left alone for a while, as long as enough others are left.
    pub fn failed(&self, upstream: &Upstream, cause: &'static str) {
        let ejection = self.settings.ejection;
        if upstream.ejection().failed() < ejection.after || ejection.after == 0 {
            return;
        }
        let now = self.now();
        let upstreams = self.upstreams.load();
        let ejected = upstreams.iter().filter(|other| other.ejection().is_ejected(now)).count();
        let others = |other: &&Arc<Upstream>| other.id() != upstream.id() && self.is_up(other, now);
        let allowed = (upstreams.len() as f64 * ejection.share).floor() as usize;
        if ejected >= allowed || !upstreams.iter().any(|other| others(&other)) {
            return;
        }
        upstream.blame(cause);
        let time = u64::try_from(ejection.time.as_millis()).unwrap_or(u64::MAX >> 24);
        let length = upstream.ejection().eject(now, time);
        let (backend, address) = (&self.name, upstream.text());
        tracing::warn!(backend, upstream = address, cause, milliseconds = length, "upstream is left alone");
    }

    /// Takes upstreams back whose time is over.
    pub(super) fn take_back(&self) {
        let now = self.now();
        for upstream in self.upstreams.load().iter().filter(|upstream| upstream.ejection().has_returned(now))
        {
            tracing::info!(backend = self.name, upstream = upstream.text(), "upstream is tried again");
            upstream.recovery().begin(now);
        }
    }

    /// Records a health check; `trouble`: why it failed, if it did.
    pub(super) fn checked(&self, upstream: &Upstream, trouble: Option<&str>) {
        let Some(check) = &self.settings.health else { return };
        let after = if trouble.is_none() { check.healthy_after } else { check.unhealthy_after };
        if let Some(cause) = trouble {
            upstream.blame(cause);
        }
        if !upstream.vitals().checked(trouble.is_none(), after) {
            return;
        }
        let (backend, address) = (&self.name, upstream.text());
        match trouble {
            None => {
                tracing::info!(backend, upstream = address, "upstream is well again");
                upstream.recovery().begin(self.now());
                self.outage.is_over();
            }
            Some(cause) => tracing::warn!(backend, upstream = address, cause, "upstream is not well"),
        }
    }

    /// Waits until an upstream can be reached, at the latest until `deadline`; false if none is, or if too many wait.
    pub async fn wait_for_return(self: &Arc<Self>, deadline: Instant) -> bool {
        super::probe::wait_for_return(self, deadline).await
    }

    /// Whether an upstream accepts connections right now.
    pub async fn is_there(&self, upstream: &Upstream) -> bool {
        super::probe::knock(self, upstream).await;
        upstream.breaker().failures() == 0
    }

    fn is_up(&self, upstream: &Upstream, now: u64) -> bool {
        upstream.breaker().failures() == 0 && upstream.is_resolved() && self.is_usable(upstream, now)
    }

    /// Whether an upstream is up.
    pub(super) fn has_upstream_up(&self) -> bool {
        let now = self.now();
        self.upstreams.load().iter().any(|upstream| self.is_up(upstream, now))
    }

    /// What is known about it.
    pub fn health(&self) -> BackendHealth {
        let now = self.now();
        BackendHealth {
            name: self.name.clone(),
            in_flight: self.admission.taken(),
            queued: self.admission.waiting(),
            waiting: self.outage.waiting(),
            upstreams: self
                .upstreams
                .load()
                .iter()
                .map(|upstream| self.upstream_health(upstream, now))
                .collect(),
        }
    }

    fn upstream_health(&self, upstream: &Upstream, now: u64) -> UpstreamHealth {
        let state = match () {
            () if !upstream.is_resolved() => State::Unresolved,
            () if upstream.breaker().failures() > 0 => State::Unreachable,
            () if !upstream.vitals().is_well() => State::Unwell,
            () if upstream.ejection().is_ejected(now) => State::Ejected,
            () if upstream.recovery().is_slow(now) => State::Recovering,
            () => State::Up,
        };
        UpstreamHealth {
            address: upstream.text().to_owned(),
            up: matches!(state, State::Up | State::Recovering),
            state,
            cause: upstream.cause(),
            failures: upstream.breaker().failures(),
            in_flight: upstream.in_flight().load(Ordering::Relaxed),
            ejections: upstream.ejection().total(),
        }
    }

    /// Milliseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Requests on an upstream after the next one, in thousandths, as if its share were whole.
fn load(upstream: &Upstream, now: u64) -> usize {
    let after = upstream.in_flight().load(Ordering::Relaxed) + 1;
    after.saturating_mul(WHOLE).saturating_mul(1_000) / upstream.recovery().share(now).max(1)
}

#[cfg(test)]
#[path = "backend_tests.rs"]
mod tests;
