//! The way from a served request to the queue. Nobody waits here: what does not fit is counted and forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Sender, channel};

use super::about::Abouts;
use super::capture::{Capture, Dropped};
use super::case::Cases;
use super::compare::{Judge, Side};
use super::confirm::Allowance;
use super::job::Job;
use super::ledger::Ledger;
use super::noise::Noise;
use super::record::{RecordOptions, Recordings};
use super::sample::{Statuses, belongs};
use super::self_test::SelfTests;
use super::tally::{RouteTally, Tally};
use super::worker::{LaneOutlet, Outlet};
use super::writes::Writes;
use crate::observe::{Evidence, Ongoing, ShadowMetrics};
use crate::route::{Live, Route};
use crate::store::{Diffs, Records};
use crate::upstream::Backends;

/// Bounds and facts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest body that is copied.
    pub body_bytes: usize,
    /// The backends that may be asked; each has a lane of its own.
    pub backends: Vec<String>,
    /// Most copies that wait for one backend; a fifth of them is kept free for rare ones.
    pub queue: usize,
    /// Most copies in progress on one backend.
    pub concurrency: usize,
    /// Longest wait for an answer to a copy.
    pub timeout: Duration,
    /// Differences of one route that are asked about again in a minute.
    pub confirm: u32,
    /// What stands behind each backend.
    pub sides: BTreeMap<String, Side>,
    /// What stands behind a backend that is not named.
    pub side: Side,
    /// How often it is tested that comparing works.
    pub self_test: Duration,
    /// How often the fallback may be asked twice, a minute: of all routes, and of each.
    pub noise: (u32, u32),
    /// How long what was counted for a route that is gone is kept.
    pub keep: Duration,
    /// What opens the channel to Flask.
    pub channel_secret: Channel,
    /// Who asks, as far as the session says.
    pub roles: Roles,
    /// What recordings need to know.
    pub record: RecordOptions,
}

/// The secret of the channel to Flask, if there is one; it stays out of dumps.
#[derive(Clone, Default)]
pub struct Channel(pub Option<String>);

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Channel(…)" } else { "Channel(none)" })
    }
}

type RolesOf = dyn Fn(&[u8], i64) -> Vec<String> + Send + Sync;

/// Reads roles from cookies at a time in unix seconds.
#[derive(Clone)]
pub struct Roles(pub Arc<RolesOf>);

impl std::fmt::Debug for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Roles")
    }
}

/// What copies meet outside of this room.
#[derive(Debug)]
pub struct Surroundings {
    /// Where numbers are shown.
    pub metrics: ShadowMetrics,
    /// Who watches guarded routes.
    pub guards: Option<Sender<Evidence>>,
    /// Where differences are stored.
    pub diffs: Arc<Diffs>,
    /// Where evidence is stored.
    pub records: Arc<Records>,
    /// The routing that holds.
    pub live: Arc<Live>,
    /// The backends.
    pub backends: Arc<Backends>,
    /// What trying out writes needs, if the settings have it.
    pub writes: Option<Writes>,
}

impl Options {
    pub(super) fn side(&self, backend: &str) -> Side {
        self.sides.get(backend).copied().unwrap_or(self.side)
    }
}

/// A copy in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: Job,
    _counted: Ongoing,
}

/// Copies requests and compares answers.
#[derive(Debug)]
pub struct Shadow {
    pub(super) options: Options,
    pub(super) judge: Judge,
    pub(super) metrics: ShadowMetrics,
    tally: Tally,
    statuses: Statuses,
    pub(super) allowance: Allowance,
    pub(super) diffs: Arc<Diffs>,
    pub(super) records: Arc<Records>,
    pub(super) live: Arc<Live>,
    pub(super) backends: Arc<Backends>,
    /// Who watches guarded routes.
    pub(super) guards: Option<Sender<Evidence>>,
    pub(super) ledger: Ledger,
    pub(super) abouts: Abouts,
    pub(super) self_tests: SelfTests,
    pub(super) noise: Noise,
    pub(super) writes: Option<Writes>,
    pub(super) recordings: Arc<Recordings>,
    pub(super) cases: Cases,
    /// A backend did not answer: something may have changed.
    pub(super) wake: Notify,
    lanes: BTreeMap<String, Lane>,
}

/// The queue to one backend: one that hangs holds up nobody but itself.
#[derive(Debug)]
struct Lane {
    rare: Sender<Waiting>,
    common: Sender<Waiting>,
}

impl Shadow {
    /// The entry for served requests, and the outlet for whoever works on them.
    pub fn new(options: Options, judge: Judge, around: Surroundings) -> (Arc<Self>, Outlet) {
        let reserve = (options.queue / 5).max(1);
        let rest = (options.queue - reserve.min(options.queue - 1)).max(1);
        let (mut lanes, mut outlets) = (BTreeMap::new(), Vec::new());
        for backend in &options.backends {
            let (rare, rare_out) = channel(reserve);
            let (common, common_out) = channel(rest);
            lanes.insert(backend.clone(), Lane { rare, common });
            outlets.push(LaneOutlet { rare: rare_out, common: common_out });
        }
        let Surroundings { metrics, guards, diffs, records, live, backends, writes } = around;
        let (tally, statuses, abouts, self_tests, wake, cases) = Default::default();
        let noise = Noise::new(options.noise.0, options.noise.1);
        let allowance = Allowance::new(options.confirm);
        let ledger = Ledger::new(Arc::clone(&records));
        let recordings = Recordings::new(options.record.clone(), metrics.clone());
        let shadow = Self {
            options,
            judge,
            metrics,
            tally,
            statuses,
            allowance,
            diffs,
            records,
            live,
            backends,
            guards,
            ledger,
            abouts,
            self_tests,
            noise,
            writes,
            recordings,
            cases,
            wake,
            lanes,
        };
        (Arc::new(shadow), Outlet(outlets))
    }

    /// What keeps the bodies of a request, if it may be copied.
    pub fn begin(&self, route: &Route, method: &Method, upgrade: bool) -> Option<Box<Capture>> {
        let writes = route.shadow.as_ref().filter(|shadow| shadow.sample > 0.0)?.writes;
        let reason = match *method {
            _ if upgrade => Dropped::Upgrade,
            Method::GET | Method::HEAD => return Some(Capture::new(self.options.body_bytes)),
            // Whether it is tried out is decided when it is known who answers it.
            _ if writes && *method != Method::OPTIONS => return None,
            _ => Dropped::UnsafeMethod,
        };
        self.skip(route, reason);
        None
    }

    /// The head of the answer has come: whether the request is copied.
    pub fn wants(&self, capture: &mut Capture, route: &Route, status: u16, told: Told<'_>) -> bool {
        let rare = self.statuses.is_rare(&route.name, status);
        let share = route.shadow.as_ref().map_or(0.0, |shadow| shadow.sample);
        if !rare && !belongs(share, told.trace_id) {
            return false;
        }
        capture.answer_head(is_streaming(told.content_type), rare);
        true
    }

    /// Puts a copy into the queue, if there is room.
    pub fn offer(&self, job: Job, rare: bool) {
        let route = Arc::clone(&job.served.route);
        if !self.lanes.contains_key(job.target.name()) {
            self.skip(&route, Dropped::NoBackend);
        } else if !self.enqueue(job, rare) {
            self.skip(&route, Dropped::QueueFull);
        }
    }

    /// Whether there was room.
    pub(super) fn enqueue(&self, job: Job, rare: bool) -> bool {
        let Some(lane) = self.lanes.get(job.target.name()) else { return false };
        let mut waiting = Waiting { job, _counted: self.metrics.waits() };
        if rare {
            match lane.rare.try_send(waiting) {
                Ok(()) => return true,
                Err(refused) => waiting = refused.into_inner(),
            }
        }
        lane.common.try_send(waiting).is_ok()
    }

    /// Counts a request that is not copied.
    pub fn skip(&self, route: &Route, reason: Dropped) {
        self.metrics.dropped(&route.name, reason.word());
        self.tally.dropped(&route.name, reason.word());
    }

    /// Records what users do, when somebody wants that.
    pub fn recordings(&self) -> &Arc<Recordings> {
        &self.recordings
    }

    /// What became of copies since start-up, route by route.
    pub fn tally(&self) -> BTreeMap<String, RouteTally> {
        self.tally.all()
    }

    pub(super) fn count_compared(&self, route: &str, result: &'static str) {
        self.metrics.compared(route, result);
        self.tally.compared(route, result);
    }

    pub(super) fn count_again(&self, route: &str, result: &'static str) {
        self.metrics.again(route, result);
        self.tally.again(route, result);
    }

    pub(super) fn count_incomparable(&self, route: &str, reason: &'static str) {
        self.tally.incomparable(route, reason);
    }

    pub(super) fn count_ignored(&self, route: &str, rule: &str, times: u64) {
        self.metrics.ignored(route, rule, times);
        self.tally.ignored(route, rule, times);
    }
}

/// What the head of an answer tells about copying it.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The trace the request belongs to.
    pub trace_id: &'a str,
    /// The answer's content type, if it has one.
    pub content_type: Option<&'a [u8]>,
}

/// Answers that go on until somebody leaves.
pub(super) fn is_streaming(content_type: Option<&[u8]>) -> bool {
    let Some(content_type) = content_type else { return false };
    let begins =
        |name: &[u8]| content_type.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    begins(b"text/event-stream") || begins(b"multipart/x-mixed-replace")
}
