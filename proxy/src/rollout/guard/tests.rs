//! Candidates that are good, bad and unlucky, by chance that is the same in every run.

use super::*;
use crate::rollout::sequential::tests::Chance;
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
        let seen = Seen { at, candidate, failed, waited: Duration::from_micros((waited * 1_000.0) as u64) };
        if let Verdict::Bad(fault) = guard.see(seen) {
            return Some((fault, bad, at));
        }
    }
    None
}

/// A guard that has seen the fallback alone for a while.
fn seasoned(max_error_ratio: f64, fallback: (f64, f64), chance: &mut Chance) -> Guard {
    let mut guard = Guard::new(&route::Guard { max_error_ratio, ..rules() }, None);
    run(&mut guard, World { share: 0.0, candidate: (0.0, 0.0), fallback }, 2_000, chance);
    guard
}

/// How many of 100 candidates like this trip later than at their 20th bad outcome, or for another reason.
fn late(max_error_ratio: f64, share: f64, candidate: (f64, f64), expected: Fault) -> usize {
    late_from(|chance| seasoned(max_error_ratio, (0.0, 0.0), chance), share, candidate, expected)
}

/// The same for guards that begin like this.
fn late_from(
    guard: impl Fn(&mut Chance) -> Guard,
    share: f64,
    candidate: (f64, f64),
    expected: Fault,
) -> usize {
    let in_time = |seed: &u64| {
        let mut chance = Chance(*seed);
        let mut guard = guard(&mut chance);
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
fn slowness_is_found_in_time_by_a_guard_that_has_just_begun() {
    let rules = route::Guard { max_error_ratio: 0.005, ..rules() };
    for share in [0.05, 0.25, 0.5] {
        let late = late_from(|_| Guard::new(&rules, None), share, (0.0, 0.05), Fault::Slow);
        // It does not know yet how long the fallback takes now and then.
        assert!(late <= 5, "share {share}: {late} of 100");
    }
    // With everybody on the candidate only what is known from before says what is slow.
    let usual = Usual { p95: Duration::from_millis(40), rare: Duration::from_millis(100) };
    let late = late_from(|_| Guard::new(&rules, Some(usual)), 1.0, (0.0, 0.05), Fault::Slow);
    assert!(late <= 1, "{late} of 100");
    let mut guard = Guard::new(&rules, None);
    let slow = World { share: 1.0, candidate: (0.0, 0.05), fallback: (0.0, 0.0) };
    assert_eq!(run(&mut guard, slow, 20_000, &mut Chance(1)), None, "nobody knows what is slow");
}

#[test]
fn equal_sides_never_trip_a_guard_that_has_just_begun() {
    let same = (0.005, 0.03);
    for seed in 0..200 {
        let mut guard = Guard::new(&route::Guard { max_error_ratio: 0.005, ..rules() }, None);
        let world = World { share: 0.5, candidate: same, fallback: same };
        let tripped = run(&mut guard, world, 4_000, &mut Chance(seed));
        assert_eq!(tripped, None, "seed {seed}");
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
    let mut guard = Guard::new(&rules(), None);
    let seen = |at, failed| Seen { at, candidate: true, failed, waited: Duration::from_millis(5) };
    assert_eq!(guard.see(seen(0, false)), Verdict::Inconclusive);
    let verdicts: Vec<_> = (1..=5).map(|at| guard.see(seen(at, true))).collect();
    assert_eq!(verdicts[4], Verdict::Bad(Fault::Fails), "five failures in a row: {verdicts:?}");
}

#[test]
fn other_answers_trip_too() {
    let mut guard = Guard::new(&rules(), None);
    (0..500).for_each(|_| assert_ne!(guard.compared(false), Verdict::Bad(Fault::Differs)));
    let tripped = (0..20).any(|_| guard.compared(true) == Verdict::Bad(Fault::Differs));
    assert!(tripped);
}
