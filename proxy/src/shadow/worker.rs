//! Takes copies from the queue, asks the other side, compares. On a runtime of its own.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::Shadow;
use super::compare::{Answer, Case, Comparison, Design, Verdict};
use super::confirm::Again;
use super::evidence::Came;
use super::job::{Job, Purpose};
use super::queue::Waiting;
use super::replay::{To, ask};
use crate::observe::Evidence;

/// A handler's word that Flask shall answer.
const DEFER: &str = "x-ficus-defer";

/// The ends of all queues where copies come out.
#[derive(Debug)]
pub struct Outlet(pub(super) Vec<LaneOutlet>);

/// The ends of the queue to one backend.
#[derive(Debug)]
pub(super) struct LaneOutlet {
    pub(super) rare: Receiver<Waiting>,
    pub(super) common: Receiver<Waiting>,
}

impl Shadow {
    /// Works until the process ends.
    pub fn work(self: &Arc<Self>, outlet: Outlet, runtime: &tokio::runtime::Runtime) {
        for lane in outlet.0 {
            runtime.spawn(Arc::clone(self).work_lane(lane));
        }
        runtime.spawn(Arc::clone(self).keep_evidence());
        runtime.spawn(Arc::clone(self).keep_testing());
        runtime.spawn(Arc::clone(self).keep_rows());
    }

    /// At most so many copies are in progress; while they all wait for a side that hangs, the queue fills and what does
    /// not fit is counted.
    async fn work_lane(self: Arc<Self>, mut outlet: LaneOutlet) {
        let places = Arc::new(Semaphore::new(self.options.concurrency));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let waiting = tokio::select! {
                biased;
                Some(waiting) = outlet.rare.recv() => waiting,
                Some(waiting) = outlet.common.recv() => waiting,
                else => return,
            };
            let shadow = Arc::clone(&self);
            tokio::spawn(async move {
                shadow.treat(&waiting.job).await;
                drop((waiting, place));
            });
        }
    }

    async fn treat(&self, job: &Job) {
        let bounds = (self.options.body_bytes, self.options.timeout);
        if let Purpose::Probe(probe) = &job.purpose {
            let answer = ask(To::Probe(probe), &job.request, bounds).await;
            let comparison = answer.map(|(answer, _)| {
                let comparison = self.compare(job, (&job.answer, &answer));
                if comparison.verdict == Verdict::Mismatch {
                    self.report(job, (&answer, Again::NotAsked), &comparison);
                }
                comparison
            });
            probe.tell(comparison.as_ref());
            return;
        }
        if let Purpose::Write(rehearsal) = &job.purpose {
            self.treat_write(job, rehearsal).await;
            return;
        }
        let answer = ask(To::Backend(&job.target), &job.request, bounds).await;
        let route = job.route();
        let Some((answer, waited)) = answer else {
            self.count_compared(route, "unanswered");
            self.add_evidence(job, Came::Unanswered, None, None);
            return;
        };
        if job.asks_candidate() && is_deferred(&answer) {
            self.count_compared(route, "deferred");
            self.add_evidence(job, Came::Deferred, None, None);
            return;
        }
        let comparison = self.compare(job, (&job.answer, &answer));
        let again = self.again(job, &answer, &comparison).await;
        let reference = if job.asks_candidate() { &job.answer } else { &answer };
        if again == Some(Again::Raced) {
            self.count_compared(route, Again::Raced.word());
            self.add_evidence(job, Came::Raced, None, None);
            self.learn_noise(job, reference).await;
            return;
        }
        self.add_evidence(job, Came::Compared(comparison.verdict), Some(reference), Some(waited));
        self.count_compared(route, comparison.verdict.word());
        self.tell_guards(job, comparison.verdict);
        if let Some(why) = comparison.incomparable {
            self.count_incomparable(route, why.word());
        }
        for (rule, times) in &comparison.ignored {
            self.count_ignored(route, rule, *times);
        }
        if let Some(again) = again {
            self.report(job, (&answer, again), &comparison);
        }
        self.learn_noise(job, reference).await;
    }

    /// What asking again has shown, if the answers differ.
    async fn again(&self, job: &Job, answer: &Answer, comparison: &Comparison) -> Option<Again> {
        if comparison.verdict != Verdict::Mismatch {
            return None;
        }
        let again = self.confirm(job, answer, comparison).await;
        self.count_again(job.route(), again.word());
        Some(again)
    }

    /// A guarded route that gives other answers too often rolls itself back.
    pub(super) fn tell_guards(&self, job: &Job, verdict: Verdict) {
        let served = &job.served;
        let mismatch = match verdict {
            Verdict::Mismatch => true,
            Verdict::Match | Verdict::Ignored => false,
            _ => return,
        };
        // A recording says nothing about what users get now.
        let watched = served.route.guard.is_some() && matches!(job.purpose, Purpose::Traffic);
        if let Some(guards) = self.guards.as_ref().filter(|_| watched) {
            let route = Arc::clone(&served.route);
            // A guard that is behind misses this one.
            let _ = guards.try_send(Evidence::compared(route, served.revision, mismatch, &served.trace_id));
        }
    }

    /// What the served side and the other one answered; the fallback is the reference, whoever served.
    pub(super) fn compare(&self, job: &Job, (served, answer): (&Answer, &Answer)) -> Comparison {
        let (reference, candidate) = if job.asks_candidate() { (served, answer) } else { (answer, served) };
        let other = if job.asks_candidate() { job.target.name() } else { &job.served.by };
        let design = Design::of(self.options.side(&job.served.route.fallback), self.options.side(other));
        let (asked, rules) = (&job.request.asked, job.rules());
        self.judge.compare(&Case { asked, reference, candidate, design, rules, now: job.at })
    }
}

pub(super) fn is_deferred(answer: &Answer) -> bool {
    answer.status == 503 && answer.headers.get(DEFER).is_some_and(|value| value == "1")
}
