//! Whether comparing a route works at all: pairs of answers that are known to differ, or not to, go the whole way of a
//! copy (queue, asking, comparison with the route's rules, store), now and then and whenever the rules change.
//!
//! A route whose probes are not seen correctly has no evidence, and an alarm. Probes are counted nowhere; what they leave
//! in the store stands under a name that no route can have, and is removed.

mod known;
mod probe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Shadow;
use super::certificate::SelfTest;
use super::compare::{Asked, Verdict};
use super::job::{Copied, Job, Purpose, Served};
use crate::route::{Route, Serve};
use crate::store::Wanted;
use known::Known;
use probe::Found;
pub use probe::Probe;

/// How often it is looked whether a route is to be tested.
const LOOK: Duration = Duration::from_millis(500);
/// After a failure it is tried again sooner.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a probe may wait for its turn, beyond the time that copies before it may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Routes that are tested at the same time.
const AT_ONCE: usize = 4;
/// The beginning of the name under which probes are stored; names of routes have no blanks.
pub(crate) const STORED_AS: &str = "self-test of ";

/// How each route fared.
#[derive(Debug, Default)]
pub(super) struct SelfTests(Mutex<BTreeMap<String, Tested>>);

#[derive(Debug, Clone)]
struct Tested {
    /// What was tested: the rules and the backend.
    subject: String,
    at: Instant,
    result: SelfTest,
}

impl SelfTests {
    fn of(&self, route: &str) -> Option<Tested> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(route).cloned()
    }
}

/// A route whose comparisons are worth nothing.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Alarm {
    /// The route.
    pub route: String,
    /// Since when, as far as it is known.
    pub at: chrono::DateTime<Utc>,
    /// What was not seen.
    pub why: String,
}

impl Shadow {
    /// How the last test of a route ended.
    pub fn self_test(&self, route: &str) -> SelfTest {
        self.self_tests.of(route).map_or(SelfTest::Never, |tested| tested.result)
    }

    /// Every route whose test failed.
    pub fn alarms(&self) -> Vec<Alarm> {
        let all = self.self_tests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = all.iter().filter_map(|(route, tested)| match &tested.result {
            SelfTest::Failed { at, why } => Some(Alarm { route: route.clone(), at: *at, why: why.clone() }),
            _ => None,
        });
        failed.collect()
    }

    /// Tests every shadowed route, until the process ends.
    pub(super) async fn keep_testing(self: Arc<Self>) {
        loop {
            let mut running = JoinSet::new();
            for route in self.shadowed() {
                if let Some(subject) = self.due(&route) {
                    while running.len() >= AT_ONCE {
                        running.join_next().await;
                    }
                    running.spawn(Arc::clone(&self).test(route, subject));
                }
            }
            while running.join_next().await.is_some() {}
            self.forget_tests();
            sleep(LOOK).await;
        }
    }

    /// What is to be tested, if it is time.
    fn due(&self, route: &Route) -> Option<String> {
        let subject = format!("{} {}", self.rules_now(route), tested_lane(route));
        let Some(last) = self.self_tests.of(&route.name) else { return Some(subject) };
        let interval = match last.result {
            SelfTest::Passed { .. } => self.options.self_test,
            _ => self.options.self_test.min(AGAIN),
        };
        (last.subject != subject || last.at.elapsed() >= interval).then_some(subject)
    }

    /// Routes that are not shadowed any more are neither tested nor alarmed about.
    fn forget_tests(&self) {
        let names: Vec<String> = self.shadowed().iter().map(|route| route.name.clone()).collect();
        let mut all = self.self_tests.0.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in all.keys().filter(|name| !names.contains(name)) {
            self.metrics.forget_self_test(gone);
        }
        all.retain(|name, _| names.contains(name));
    }

    async fn test(self: Arc<Self>, route: Arc<Route>, subject: String) {
        let why = self.try_all(&route).await.err();
        let (at, name) = (Utc::now(), route.name.clone());
        self.metrics.self_test(&name, why.is_none());
        let before = self.self_tests.of(&name).map(|tested| tested.result);
        let result = match why {
            None => SelfTest::Passed { at },
            Some(why) => SelfTest::Failed { at, why },
        };
        match (&before, &result) {
            (Some(SelfTest::Failed { why: old, .. }), SelfTest::Failed { why, .. }) if old == why => {}
            (_, SelfTest::Failed { why, .. }) => {
                tracing::error!(route = name, why, "comparing this route does not work: it has no evidence");
            }
            (Some(SelfTest::Failed { .. }), _) => {
                tracing::info!(route = name, "comparing this route works again")
            }
            _ => {}
        }
        let tested = Tested { subject, at: Instant::now(), result };
        self.self_tests.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, tested);
    }

    async fn try_all(&self, route: &Arc<Route>) -> Result<(), String> {
        let id = format!("{:032x}", Utc::now().timestamp_micros());
        for known in known::ALL {
            let found = self.send(route, *known, &id).await?;
            judge(known, &found)?;
        }
        self.look_into_store(route, &id).await
    }

    /// Through the queue to the backend that copies of this route go to.
    async fn send(&self, route: &Arc<Route>, known: Known, id: &str) -> Result<Found, String> {
        let lane = tested_lane(route);
        let target = self.backends.get(lane).ok_or_else(|| format!("there is no backend `{lane}`"))?;
        let by = if *lane == route.fallback { &route.candidate } else { &route.fallback };
        let (probe, found) = Probe::new(known);
        let served = Served {
            route: Arc::clone(route),
            revision: 0,
            by: by.clone(),
            backend: Arc::clone(self.backends.get(by).unwrap_or(target)),
            waited: None,
            trace_id: id.to_owned(),
        };
        let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("self-test"))]);
        let asked = Asked { url: "http://self-test/".to_owned(), cookies: Vec::new() };
        let target_path = PathAndQuery::from_static("/");
        let request = Copied { method: Method::GET, target: target_path, headers, body: Bytes::new(), asked };
        let answer = known.served();
        let answer = (answer.status, answer.headers, answer.body);
        let mut job = Job::new(served, Arc::clone(target), request, answer);
        job.purpose = Purpose::Probe(probe);
        if !self.enqueue(job, true) {
            return Err(format!("the queue to `{lane}` is full"));
        }
        let patience = self.options.timeout + PATIENCE;
        match timeout(patience, found).await {
            Ok(Ok(found)) => Ok(found),
            _ => Err(format!(
                "a probe did not come back from the queue to `{lane}` within {} s",
                patience.as_secs()
            )),
        }
    }

    /// Every known difference must be stored, with this test's id; afterwards it is removed.
    async fn look_into_store(&self, route: &Route, id: &str) -> Result<(), String> {
        let (diffs, name, id) =
            (Arc::clone(&self.diffs), format!("{STORED_AS}{}", route.name), id.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let wanted = Wanted { id: None, route: Some(name), samples: true };
            let groups =
                diffs.groups(wanted).map_err(|error| format!("the store cannot be asked: {error}"))?;
            for known in known::ALL {
                let Some(group) = known.group else { continue };
                let stored = groups.iter().any(|stored| {
                    stored.signature.starts_with(group)
                        && stored.samples.iter().any(|sample| sample["trace_id"] == id.as_str())
                });
                if !stored {
                    return Err(format!(
                        "a known difference in {} was found, but is not in the store",
                        known.what
                    ));
                }
            }
            for group in groups {
                diffs.forget(group.id)?;
            }
            Ok(())
        });
        looked.await.unwrap_or_else(|error| Err(format!("the look into the store ended abnormally: {error}")))
    }
}

/// The backend that most copies of a route are sent to.
fn tested_lane(route: &Route) -> &String {
    match &route.serve {
        Serve::Backend(name) if *name != route.fallback => &route.fallback,
        _ => &route.candidate,
    }
}

fn judge(known: &Known, found: &Found) -> Result<(), String> {
    let what = known.what;
    match (known.group, found.verdict) {
        (Some(group), Some(Verdict::Mismatch)) if found.groups.iter().any(|one| one.starts_with(group)) => {
            Ok(())
        }
        (None, Some(Verdict::Match)) => Ok(()),
        (_, None) => Err("a probe got no answer".to_owned()),
        (Some(_), Some(Verdict::Ignored)) => {
            let rules = found.rules.join("`, `");
            Err(format!("a known difference in {what} was not found: the rule `{rules}` allows it"))
        }
        (_, Some(Verdict::Incomparable)) => {
            let why = found.incomparable.map_or("unknown", super::compare::Incomparable::word);
            Err(format!("two known answers of {what} could not be compared: {why}"))
        }
        (Some(_), Some(_)) => Err(format!("a known difference in {what} was not found")),
        (None, Some(_)) => {
            Err(format!("two equal answers of {what} were taken for different: {}", found.groups.join(", ")))
        }
    }
}
