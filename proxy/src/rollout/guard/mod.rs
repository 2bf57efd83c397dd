//! One guarded route: what its candidate and its fallback did lately, and whether that is enough to roll back.
//!
//! Pure: outcomes and the clock (milliseconds since any fixed moment) come in as arguments. A candidate is bad when it
//! fails, is slow or gives other answers more often than the route's guard allows beyond the fallback, **and** more
//! often than the fallback at the same time: a database that is down is nobody's fault. What follows from a verdict is
//! in `watch`.

use std::collections::VecDeque;
use std::time::Duration;

use super::gate::Served;
use super::latency::{Latency, Usual};
use super::sequential::{Excess, Imbalance};
use super::side::Side;
use crate::route;

/// How much more likely "too many" must be than "as many as allowed".
pub(super) const PROOF: f64 = 1_500.0;
/// Where the fallback fails as often as the guard allows, chance makes streaks: this much more is asked for.
pub(super) const CHANCE_FREE: f64 = 10_000.0;
/// How much more likely "the candidate is worse" must be than "both are the same", while both answer.
const WORSE: f64 = 5_000.0;
/// So many of the last requests make the latest share.
const LATEST: f64 = 20.0;
/// Above this share of the candidate there is too little of the fallback to compare with.
const MOSTLY_CANDIDATE: f64 = 0.6;

/// A request hangs from here on at the earliest.
const HUNG: Duration = Duration::from_secs(2);
/// Where no ratio is set, and so many times the fallback's 95th percentile are waited for.
const SLOW_ANYHOW: f64 = 3.0;

/// The same for the last requests, which vary more.
const CANDIDATE_ONLY: f64 = 0.97;

/// What one request tells a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// When it ended.
    pub(super) at: u64,
    /// Asked first was the candidate, not the fallback.
    pub(super) candidate: bool,
    /// The backend that was asked failed, and the other one did not.
    pub(super) failed: bool,
    /// From asking to the head of the answer, or to giving up.
    pub(super) waited: Duration,
}

/// What a candidate does too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails.
    Fails,
    /// It is slow.
    Slow,
    /// Its answers differ from the fallback's.
    Differs,
}

impl Fault {
    /// The word in metrics and incidents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fails => "errors",
            Self::Slow => "latency",
            Self::Differs => "mismatches",
        }
    }
}

/// What a guard thinks of its candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Enough was seen, and nothing speaks against it.
    Ok,
    /// Too little was seen, or the signs contradict each other.
    Inconclusive,
    /// Roll back.
    Bad(Fault),
}

impl Verdict {
    /// The word on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Inconclusive => "inconclusive",
            Self::Bad(_) => "bad",
        }
    }
}

/// So many answers at most wait to be judged until it is known what is slow; the oldest are forgotten.
const UNJUDGED: usize = 1_024;

/// One thing that can be wrong, tested.
#[derive(Debug, Clone, Default)]
struct Measure {
    excess: Excess,
    imbalance: Imbalance,
}

/// The two sides of one route.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    rules: route::Guard,
    candidate: Side,
    fallback: Side,
    failures: Measure,
    slowness: Measure,
    mismatches: Excess,
    latency: Latency,
    /// The candidate's, for gates.
    own_latency: Latency,
    /// Whether the candidate gave each answer, and how long it took: from before it was known what is slow.
    unjudged: VecDeque<(bool, Duration)>,
    /// The candidate's share of the last requests: right after a flip it says more than that of the last seconds.
    latest_share: f64,
    /// The candidate's share of the requests of the last seconds.
    share: f64,
}

impl Guard {
    /// One that has seen nothing; `usual` is what the fallback took when it was last seen, if it ever was.
    pub(super) fn new(rules: &route::Guard, usual: Option<Usual>) -> Self {
        Self {
            rules: rules.clone(),
            candidate: Side::new(rules.window),
            fallback: Side::new(rules.window),
            failures: Measure::default(),
            slowness: Measure::default(),
            mismatches: Excess::default(),
            latency: usual.map(Latency::known).unwrap_or_default(),
            own_latency: Latency::default(),
            unjudged: VecDeque::new(),
            latest_share: 0.0,
            share: 0.0,
        }
    }

    pub(super) fn rules(&self) -> &route::Guard {
        &self.rules
    }

    pub(super) fn candidate(&self) -> &Side {
        &self.candidate
    }

    pub(super) fn fallback(&self) -> &Side {
        &self.fallback
    }

    /// How long the fallback takes; none while too little was seen.
    pub(super) fn usual(&self) -> Option<Usual> {
        self.latency.usual()
    }

    /// Whether an answer that took so long is slow; what nobody can say yet is not.
    pub(super) fn is_slow(&self, waited: Duration) -> bool {
        self.slow_from().is_some_and(|limit| waited > limit)
    }

    fn slow_from(&self) -> Option<Duration> {
        self.rules.max_p95_ratio.and_then(|ratio| self.latency.slow_from(ratio))
    }

    /// The candidate starts with a clean record; what is known of the fallback stays.
    pub(super) fn restart(&mut self) {
        self.candidate = Side::new(self.rules.window);
        self.failures = Measure::default();
        self.slowness = Measure::default();
        self.mismatches = Excess::default();
        self.own_latency = Latency::default();
        self.unjudged.clear();
    }

    /// From when on a request that the candidate has not answered yet counts as failed; absent: too little is known of
    /// the fallback to say so.
    pub(super) fn hung_from(&self) -> Option<Duration> {
        self.latency.slow_from(self.rules.max_p95_ratio.unwrap_or(SLOW_ANYHOW)).map(|slow| slow.max(HUNG))
    }

    /// What a gate must know of both sides.
    pub(super) fn served(&self) -> Served {
        let counts = |side: &Side| (side.total().requests, side.total().failed);
        Served {
            candidate: counts(&self.candidate),
            fallback: counts(&self.fallback),
            p95: (self.own_latency.rough_p95(), self.latency.rough_p95()),
        }
    }

    /// Takes one request in, and says what is to be thought now.
    pub(super) fn see(&mut self, seen: Seen) -> Verdict {
        let slow_from = self.slow_from();
        let side = if seen.candidate { &mut self.candidate } else { &mut self.fallback };
        side.count(seen.at, seen.failed, seen.waited);
        if !seen.failed {
            let latency = if seen.candidate { &mut self.own_latency } else { &mut self.latency };
            latency.add(seen.waited);
        }
        self.latest_share += (f64::from(u8::from(seen.candidate)) - self.latest_share) / LATEST;
        self.share = self.candidate.share_against(&self.fallback, seen.at);
        if seen.failed {
            self.failures.imbalance.add(seen.candidate, self.share.max(self.latest_share));
        }
        if seen.candidate {
            let allowed = self.rules.max_error_ratio;
            self.failures.excess.add(seen.failed, self.fallback.failing() + allowed);
        }
        if self.rules.max_p95_ratio.is_some() {
            let waited = if seen.failed { Duration::ZERO } else { seen.waited };
            self.judge((seen.candidate, waited), slow_from);
        }
        self.verdict()
    }

    /// Looks at how long an answer took, as soon as it is known what is slow, and then at all that waited for that.
    fn judge(&mut self, (candidate, waited): (bool, Duration), slow_from: Option<Duration>) {
        if self.unjudged.len() == UNJUDGED {
            self.unjudged.pop_front();
        }
        self.unjudged.push_back((candidate, waited));
        let Some(limit) = slow_from else { return };
        let share = self.share.max(self.latest_share);
        for (candidate, waited) in self.unjudged.drain(..) {
            let slow = waited > limit;
            let side = if candidate { &mut self.candidate } else { &mut self.fallback };
            side.judge(slow);
            if slow {
                self.slowness.imbalance.add(candidate, share);
            }
            if candidate {
                self.slowness.excess.add(slow, self.fallback.slow() + self.rules.max_error_ratio);
            }
        }
    }

    /// Takes a comparison of both sides' answers in.
    pub(super) fn compared(&mut self, mismatch: bool) -> Verdict {
        self.candidate.compared(mismatch);
        self.mismatches.add(mismatch, self.rules.max_error_ratio);
        self.verdict()
    }

    fn verdict(&self) -> Verdict {
        let allowed = self.rules.max_error_ratio;
        let faults = [
            (Fault::Fails, &self.failures, self.fallback.failing()),
            (Fault::Slow, &self.slowness, self.fallback.slow()),
        ];
        let mut doubtful = false;
        for (fault, measure, usual) in faults {
            let streaks = (usual / allowed.max(0.000_1) - 0.3).clamp(0.0, 1.0);
            let proof = PROOF * CHANCE_FREE.powf(streaks);
            let too_many = measure.excess.evidence() >= proof;
            let alone = self.share >= MOSTLY_CANDIDATE || self.latest_share >= CANDIDATE_ONLY;
            let worse = alone || measure.imbalance.evidence() >= WORSE;
            match (too_many, worse) {
                (true, true) => return Verdict::Bad(fault),
                (true, false) => doubtful = true,
                _ => {}
            }
        }
        if self.mismatches.evidence() >= PROOF {
            return Verdict::Bad(Fault::Differs);
        }
        if doubtful || self.candidate.requests() < self.rules.min_requests {
            return Verdict::Inconclusive;
        }
        Verdict::Ok
    }
}

#[cfg(test)]
mod tests;
