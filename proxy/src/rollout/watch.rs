//! Watches guarded routes, one request at a time, and acts when a guard trips.
//!
//! Runs on its own; requests never wait for it. A person who flips a route that tripped starts its guard afresh; a
//! guard itself never sends anybody to the candidate.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::guard::{Fault, Guard, Seen, Verdict};
use super::incident::{Incident, Incidents, Sample, SideReport};
use super::side::Side;
use super::sights::Sights;
use super::usuals::Usuals;
use crate::control::{Change, Control, Edit};
use crate::observe::{Evidence, Waiting};
use crate::route::{OnTrip, Route};

/// So many bad requests are shown.
const SAMPLES: usize = 20;
/// So many requests are taken in at once,
const BATCH: usize = 1_024;
/// and so long it is paused then: whoever answers requests does not wake this thread with each of them.
const BREATHER: Duration = Duration::from_millis(2);
/// How often to look for requests that hang.
const LOOK: Duration = Duration::from_millis(250);
/// How often what was learnt of fallbacks is written.
const WRITE: Duration = Duration::from_secs(5);
/// How long to wait before an action that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How often incidents are looked at that the other nodes do not know yet.
const SHARED_EVERY: Duration = Duration::from_secs(1);

/// A guarded route, watched.
struct Watched {
    guard: Guard,
    route: Arc<Route>,
    revision: u64,
    samples: VecDeque<Sample>,
    /// Acted, or tried to, for this standing of the route.
    acted: Option<Acted>,
}

enum Acted {
    Done,
    Failed(Instant),
}

/// Watches until the senders are gone.
pub async fn watch(
    control: Arc<Control>,
    incidents: Arc<Incidents>,
    (sights, waiting, mut usuals): (Arc<Sights>, Arc<Waiting>, Usuals),
    mut evidence: mpsc::Receiver<Evidence>,
) {
    let began = Instant::now();
    let mut written = began;
    let mut routes: HashMap<String, Watched> = HashMap::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut news = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            received = evidence.recv_many(&mut news, BATCH) => {
                if received == 0 {
                    return;
                }
            }
            _ = look.tick() => {
                if written.elapsed() >= WRITE {
                    written = Instant::now();
                    save(&mut usuals);
                }
                news = waiting.overdue(|route| routes.get(&route.name)?.guard.hung_from());
            }
        }
        for one in news.drain(..) {
            let Some(rules) = &one.route.guard else { continue };
            let watched = routes.entry(one.route.name.clone()).or_insert_with(|| Watched {
                guard: Guard::new(rules, usuals.of(&one.route)),
                route: Arc::clone(&one.route),
                revision: one.revision,
                samples: VecDeque::new(),
                acted: None,
            });
            let verdict = watched.take(&one, began);
            if let Some(usual) = watched.guard.usual() {
                usuals.learnt(&watched.route, usual);
            }
            sights.saw(&watched.route, watched.guard.served());
            if let Verdict::Bad(fault) = verdict {
                watched.act(fault, &control, &incidents).await;
            }
        }
        tokio::time::sleep(BREATHER).await;
    }
}

/// Writes what was learnt since the last time; nobody waits for it.
fn save(usuals: &mut Usuals) {
    let Some(write) = usuals.unsaved() else { return };
    tokio::task::spawn_blocking(|| {
        if let Err(error) = write() {
            tracing::debug!(%error, "what fallbacks usually take cannot be written");
        }
    });
}

/// Shares incidents with the other nodes, as soon as their store can be reached; for ever.
pub async fn share(incidents: Arc<Incidents>) {
    loop {
        let shared = Arc::clone(&incidents);
        let _ = tokio::task::spawn_blocking(move || shared.share()).await;
        tokio::time::sleep(SHARED_EVERY).await;
    }
}

impl Watched {
    fn take(&mut self, one: &Evidence, began: Instant) -> Verdict {
        if one.revision > self.revision {
            self.follow(one);
        } else if one.revision < self.revision && one.candidate {
            // What began before the last flip says nothing about what holds now.
            return Verdict::Inconclusive;
        }
        if let Some(mismatch) = one.mismatch {
            if mismatch {
                self.keep(one, "mismatch");
            }
            return self.guard.compared(mismatch);
        }
        let seen = Seen {
            at: u64::try_from(one.at.saturating_duration_since(began).as_millis()).unwrap_or(u64::MAX),
            candidate: one.candidate,
            failed: one.failure.is_some(),
            waited: one.waited,
        };
        let slow = self.guard.is_slow(seen.waited);
        let verdict = self.guard.see(seen);
        if let Some(what) = one.failure.or(slow.then_some("slow")).filter(|_| one.candidate) {
            self.keep(one, what);
        }
        verdict
    }

    /// The routing changed: the same guard goes on if the route is as before.
    fn follow(&mut self, one: &Evidence) {
        let (old, new) = (&self.route, &one.route);
        let same_sides = old.candidate == new.candidate && old.fallback == new.fallback;
        if let Some(rules) = new.guard.as_ref().filter(|rules| !same_sides || *rules != self.guard.rules()) {
            self.guard = Guard::new(rules, self.guard.usual().filter(|_| old.fallback == new.fallback));
        }
        if !same_sides || old.serve != new.serve || old.canary != new.canary {
            self.guard.restart();
            self.samples.clear();
            self.acted = None;
        }
        self.route = Arc::clone(new);
        self.revision = one.revision;
    }

    fn keep(&mut self, one: &Evidence, what: &str) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            at: Utc::now(),
            trace_id: one.trace_id.clone(),
            what: what.to_owned(),
            status: one.status,
            waited_ms: milliseconds(one.waited),
        });
    }

    async fn act(&mut self, fault: Fault, control: &Arc<Control>, incidents: &Arc<Incidents>) {
        match self.acted {
            Some(Acted::Done) => return,
            Some(Acted::Failed(at)) if at.elapsed() < AGAIN => return,
            _ => {}
        }
        let tried_before = self.acted.is_some();
        let incident = self.incident(fault);
        let (control, kept) = (Arc::clone(control), Arc::clone(incidents));
        let on_trip = self.guard.rules().on_trip;
        let acting =
            tokio::task::spawn_blocking(move || respond(&control, &kept, incident, on_trip, tried_before));
        let succeeded = acting.await.unwrap_or(false);
        self.acted = Some(if succeeded { Acted::Done } else { Acted::Failed(Instant::now()) });
    }

    fn incident(&self, fault: Fault) -> Incident {
        let (candidate, fallback) = (self.guard.candidate(), self.guard.fallback());
        Incident {
            id: 0,
            node: None,
            at: Utc::now(),
            route: self.route.name.clone(),
            fault: fault.word().to_owned(),
            sentence: sentence(fault, &self.route, candidate, fallback),
            action: self.guard.rules().on_trip.word().to_owned(),
            revision: self.revision,
            became: None,
            problem: None,
            candidate: report(&self.route.candidate, candidate),
            fallback: report(&self.route.fallback, fallback),
            usual_p95_ms: self.guard.usual().map(|usual| milliseconds(usual.p95)),
            samples: self.samples.iter().cloned().collect(),
        }
    }
}

/// Takes the action, then keeps the incident: the way to safety does not wait for a disk.
fn respond(
    control: &Control,
    incidents: &Incidents,
    mut incident: Incident,
    on_trip: OnTrip,
    tried_before: bool,
) -> bool {
    incident.id = incidents.next_id();
    let route = incident.route.clone();
    let edit = match on_trip {
        OnTrip::Rollback => Edit::Rollback { route: Some(route), lasts: None },
        OnTrip::Freeze => Edit::Hold { route, lasts: None },
    };
    let reason = format!("{} (ficus incident {})", incident.sentence, incident.id);
    let change = Change { author: "guard".to_owned(), reason: Some(reason), based_on: None, edit };
    match control.apply(&change) {
        Ok(applied) => incident.became = Some(applied.revision),
        Err(refused) => incident.problem = Some(refused.to_string()),
    }
    let (id, route, fault) = (incident.id, &incident.route, &incident.fault);
    tracing::error!(
        incident = id,
        route,
        fault,
        action = incident.action,
        problem = incident.problem,
        "guard tripped"
    );
    let succeeded = incident.problem.is_none();
    // One entry for an action that fails again and again, and one for its success.
    if (succeeded || !tried_before)
        && let Err(error) = incidents.add(&incident)
    {
        tracing::error!(incident = id, %error, "cannot keep the incident");
    }
    succeeded
}

fn sentence(fault: Fault, route: &Route, candidate: &Side, fallback: &Side) -> String {
    let (one, other) = (candidate.total(), fallback.total());
    let (bad, usual) = match fault {
        Fault::Fails => (one.failed, other.failed),
        Fault::Slow => (one.slow, other.slow),
        Fault::Differs => {
            return format!(
                "`{}` gave another answer than `{}` in {} of {} comparisons",
                route.candidate, route.fallback, one.mismatches, one.compared
            );
        }
    };
    let did = if fault == Fault::Fails { "failed" } else { "was slow" };
    format!(
        "`{}` {did} in {bad} of {} requests, `{}` in {usual} of {}",
        route.candidate, one.requests, route.fallback, other.requests
    )
}

fn report(backend: &str, side: &Side) -> SideReport {
    let total = side.total();
    SideReport {
        backend: backend.to_owned(),
        requests: total.requests,
        failed: total.failed,
        slow: total.slow,
        mean_ms: milliseconds(total.waited) / (total.requests.max(1) as f64),
        compared: total.compared,
        mismatches: total.mismatches,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
