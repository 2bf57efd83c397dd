//! One guarded route: what its candidate and its fallback did lately, and whether that is enough to roll back.
//!
//! Pure: outcomes and the clock (milliseconds since any fixed moment) come in as arguments. A candidate is bad when it
//! fails, is slow or gives other answers more often than the route's guard allows beyond the fallback, **and** more
//! often than the fallback at the same time: a database that is down is nobody's fault. What follows from a verdict is
//! in `watch`.

use std::time::Duration;

use super::gate::Served;
use super::latency::Latency;
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
    /// The candidate's share of the last requests: right after a flip it says more than that of the last seconds.
    latest_share: f64,
    /// The candidate's share of the requests of the last seconds.
    share: f64,
}

impl Guard {
    pub(super) fn new(rules: &route::Guard) -> Self {
        Self {
            rules: rules.clone(),
            candidate: Side::new(rules.window),
            fallback: Side::new(rules.window),
            failures: Measure::default(),
            slowness: Measure::default(),
            mismatches: Excess::default(),
            latency: Latency::default(),
            own_latency: Latency::default(),
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

    /// The fallback's 95th percentile; none while too little was seen.
    pub(super) fn usual_p95(&self) -> Option<Duration> {
        self.latency.p95()
    }

    /// The candidate starts with a clean record; what is known of the fallback stays.
    pub(super) fn restart(&mut self) {
        self.candidate = Side::new(self.rules.window);
        self.failures = Measure::default();
        self.slowness = Measure::default();
        self.mismatches = Excess::default();
        self.own_latency = Latency::default();
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
        let slow_from = self.rules.max_p95_ratio.and_then(|ratio| self.latency.slow_from(ratio));
        let slow = !seen.failed && slow_from.is_some_and(|limit| seen.waited > limit);
        let side = if seen.candidate { &mut self.candidate } else { &mut self.fallback };
        side.count(seen.at, seen.failed, slow, seen.waited);
        if !seen.failed {
            let latency = if seen.candidate { &mut self.own_latency } else { &mut self.latency };
            latency.add(seen.waited);
        }
        self.latest_share += (f64::from(u8::from(seen.candidate)) - self.latest_share) / LATEST;
        self.share = self.candidate.share_against(&self.fallback, seen.at);
        let share = self.share.max(self.latest_share);
        if seen.failed {
            self.failures.imbalance.add(seen.candidate, share);
        }
        if slow {
            self.slowness.imbalance.add(seen.candidate, share);
        }
        if seen.candidate {
            let allowed = self.rules.max_error_ratio;
            self.failures.excess.add(seen.failed, self.fallback.failing() + allowed);
            if slow_from.is_some() {
                self.slowness.excess.add(slow, self.fallback.slow() + allowed);
            }
        }
        self.verdict()
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
mod tests {
    use super::super::sequential::tests::Chance;
    use super::*;
    use crate::route::OnTrip;

    fn rules() -> route::Guard {
        route::Guard {
            max_error_ratio: 0.01,
            max_p95_ratio: Some(1.5),
            window: Duration::from_secs(60),
            min_requests: 50,
            on_trip: OnTrip::Rollback,
        }
    }

    /// What the two sides do: the share of failures, and of answers that take ten times as long.
    #[derive(Clone, Copy)]
    struct World {
        share: f64,
        candidate: (f64, f64),
        fallback: (f64, f64),
    }

    /// Runs a world for so many requests, one per millisecond: the first verdict of `Bad`, after how many bad outcomes
    /// of the candidate.
    fn run(guard: &mut Guard, world: World, requests: u64, chance: &mut Chance) -> Option<(Fault, u32, u64)> {
        let mut bad = 0;
        for at in 0..requests {
            let candidate = chance.next() < world.share;
            let (fails, slow) = if candidate { world.candidate } else { world.fallback };
            let failed = chance.next() < fails;
            let usual = 20.0 + 20.0 * chance.next() + if chance.next() < 0.02 { 60.0 } else { 0.0 };
            let waited = if chance.next() < slow { usual * 10.0 } else { usual };
            bad += u32::from(candidate && (failed || waited > 150.0));
            let seen =
                Seen { at, candidate, failed, waited: Duration::from_micros((waited * 1_000.0) as u64) };
            if let Verdict::Bad(fault) = guard.see(seen) {
                return Some((fault, bad, at));
            }
        }
        None
    }

    /// A guard that has seen the fallback alone for a while.
    fn seasoned(max_error_ratio: f64, fallback: (f64, f64), chance: &mut Chance) -> Guard {
        let mut guard = Guard::new(&route::Guard { max_error_ratio, ..rules() });
        run(&mut guard, World { share: 0.0, candidate: (0.0, 0.0), fallback }, 2_000, chance);
        guard
    }

    /// How many of 100 candidates like this trip later than at their 20th bad outcome, or for another reason.
    fn late(max_error_ratio: f64, share: f64, candidate: (f64, f64), expected: Fault) -> usize {
        let in_time = |seed: &u64| {
            let mut chance = Chance(*seed);
            let mut guard = seasoned(max_error_ratio, (0.0, 0.0), &mut chance);
            let world = World { share, candidate, fallback: (0.0, 0.0) };
            let tripped = run(&mut guard, world, 200_000, &mut chance);
            tripped.is_some_and(|(fault, bad, _)| fault == expected && bad <= 20)
        };
        (0..100).filter(|seed| !in_time(seed)).count()
    }

    #[test]
    fn five_percent_of_bad_answers_trip_within_twenty() {
        for share in [0.05, 0.25, 0.5, 1.0] {
            for (candidate, fault) in [((0.05, 0.0), Fault::Fails), ((0.0, 0.05), Fault::Slow)] {
                let late = late(0.005, share, candidate, fault);
                assert!(late <= 1, "share {share}, {fault:?}: {late} of 100");
            }
        }
    }

    #[test]
    fn a_guard_that_allows_more_asks_for_a_little_more() {
        for share in [0.05, 0.25, 0.5, 1.0] {
            for (candidate, fault) in [((0.05, 0.0), Fault::Fails), ((0.0, 0.05), Fault::Slow)] {
                let late = late(0.01, share, candidate, fault);
                assert!(late <= 6, "share {share}, {fault:?}: {late} of 100");
            }
        }
    }

    #[test]
    fn equal_sides_never_trip() {
        for (fails, slow) in [(0.0, 0.0), (0.003, 0.003), (0.01, 0.01), (0.03, 0.03), (0.2, 0.1)] {
            for share in [0.01, 0.25, 0.5, 0.9, 1.0] {
                let mut chance = Chance(11);
                let mut guard = seasoned(0.01, (fails, slow), &mut chance);
                let world = World { share, candidate: (fails, slow), fallback: (fails, slow) };
                let tripped = run(&mut guard, world, 300_000, &mut chance);
                assert_eq!(tripped, None, "{fails} failing, {slow} slow, share {share}");
            }
        }
    }

    #[test]
    fn what_breaks_both_sides_is_nobodys_fault() {
        for share in [0.05, 0.5] {
            let mut chance = Chance(5);
            let mut guard = seasoned(0.01, (0.0, 0.0), &mut chance);
            let good = World { share, candidate: (0.0, 0.0), fallback: (0.0, 0.0) };
            let outage = World { share, candidate: (0.9, 0.0), fallback: (0.9, 0.0) };
            for world in [good, outage, good, outage] {
                let tripped = run(&mut guard, world, 10_000, &mut chance);
                assert_eq!(tripped, None, "share {share}");
            }
        }
    }

    #[test]
    fn a_candidate_that_is_better_is_ok() {
        let mut chance = Chance(2);
        let mut guard = seasoned(0.01, (0.05, 0.05), &mut chance);
        let world = World { share: 0.5, candidate: (0.0, 0.0), fallback: (0.05, 0.05) };
        assert_eq!(run(&mut guard, world, 50_000, &mut chance), None);
        let fast = Seen { at: 60_000, candidate: true, failed: false, waited: Duration::from_millis(1) };
        assert_eq!(guard.see(fast), Verdict::Ok);
    }

    #[test]
    fn little_is_inconclusive_but_plain_failure_is_not() {
        let mut guard = Guard::new(&rules());
        let seen = |at, failed| Seen { at, candidate: true, failed, waited: Duration::from_millis(5) };
        assert_eq!(guard.see(seen(0, false)), Verdict::Inconclusive);
        let verdicts: Vec<_> = (1..=5).map(|at| guard.see(seen(at, true))).collect();
        assert_eq!(verdicts[4], Verdict::Bad(Fault::Fails), "five failures in a row: {verdicts:?}");
    }

    #[test]
    fn other_answers_trip_too() {
        let mut guard = Guard::new(&rules());
        (0..500).for_each(|_| assert_ne!(guard.compared(false), Verdict::Bad(Fault::Differs)));
        let tripped = (0..20).any(|_| guard.compared(true) == Verdict::Bad(Fault::Differs));
        assert!(tripped);
    }
}
