//! Each condition, held and missed, with the sentence that people read.

use super::*;

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A route at 5 % of which everything is known and good.
fn good() -> Facts {
    Facts {
        backends: ("rust".into(), "legacy".into()),
        stage: Stage::At(Step::Share(5_000)),
        next: Step::Share(25_000),
        gate: Gate { approvals: 1, ..Gate::default() },
        hold: None,
        incident: None,
        proof: Some(Proof {
            doubt: None,
            comparisons: 2_000,
            mismatches: 1,
            bound: 0.002_37,
            unanswered: 0,
            p95: Some((millis(20), millis(100))),
            known_heads: vec!["ae10".into()],
            head: Some("ae10".into()),
        }),
        served: Some(Served {
            candidate: (400, 1),
            fallback: (8_000, 16),
            p95: (Some(millis(20)), Some(millis(100))),
        }),
        guarded: true,
        soaked: Duration::from_secs(31 * 60),
        drill: Some(Drilled { age: Duration::from_secs(3 * 86_400), failure: None, writes: 0 }),
        writes: false,
        approvals: vec!["ben".into()],
    }
}

/// The name and sentence of what does not hold.
fn missed(change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, String)> {
    let mut facts = good();
    change(&mut facts);
    let conditions = judge(&facts);
    missing(&conditions).map(|condition| (condition.name, condition.sentence.clone())).collect()
}

#[test]
fn everything_known_and_good_holds() {
    let conditions = judge(&good());
    let names: Vec<&str> = conditions.iter().map(|condition| condition.name).collect();
    assert_eq!(
        names,
        [
            "hold",
            "incident",
            "guard",
            "certificate",
            "errors",
            "latency",
            "schema",
            "drill",
            "soak",
            "approvals"
        ]
    );
    assert!(conditions.iter().all(|condition| condition.holds), "{conditions:?}");
}

type Case = (fn(&mut Facts), &'static str, &'static str);

const CASES: &[Case] = &[
    (|f| f.hold = Some("`a` was held by `ana`".into()), "hold", "`a` was held by `ana`"),
    (
        |f| f.incident = Some(7),
        "incident",
        "incident 7 is open: look at `ficus incident 7`, then resume the route",
    ),
    (
        |f| f.guarded = false,
        "guard",
        "the route has no guard that could roll it back: write `guard = {}` into its entry",
    ),
    (
        |f| proof(f).doubt = Some("comparing this route was not tested yet".into()),
        "certificate",
        "comparing this route was not tested yet",
    ),
    (
        |f| proof(f).comparisons = 999,
        "certificate",
        "1 of 999 answers differ, and 1000 comparisons are needed",
    ),
    (
        |f| proof(f).bound = 0.0051,
        "certificate",
        "1 of 2000 answers differ: up to 0.51 % may do so, and 0.50 % is the limit",
    ),
    (
        |f| proof(f).bound = f64::NAN,
        "certificate",
        "1 of 2000 answers differ: up to NaN % may do so, and 0.50 % is the limit",
    ),
    (
        |f| served(f).candidate = (49, 0),
        "errors",
        "`rust` failed in 0 of 49 requests at this step, `legacy` in 16 of 8000, and 50 are needed",
    ),
    (
        |f| served(f).candidate = (400, 3),
        "errors",
        "`rust` failed in 3 of 400 requests at this step, `legacy` in 16 of 8000",
    ),
    (
        |f| served(f).p95.0 = Some(millis(151)),
        "latency",
        "95 % of the answers of `rust` take at most 151.0 ms, of `legacy` 100.0 ms: 1.5 times as long is the limit",
    ),
    (|f| served(f).p95.0 = None, "latency", "too little is known of how long `rust` and `legacy` take"),
    (
        |f| proof(f).head = Some("ae11".into()),
        "schema",
        "the handlers do not say that they know the schema `ae11` of the database",
    ),
    (
        |f| proof(f).head = None,
        "schema",
        "the schema of the database is not known: write `schema = false` into the plan if there is no database",
    ),
    (|f| f.drill = None, "drill", "no rollback was rehearsed yet: `ficus drill` does"),
    (
        |f| drilled(f).age = Duration::from_secs(31 * 86_400),
        "drill",
        "the last rehearsal of a rollback was 31 days ago, and 30 days is the limit",
    ),
    (
        |f| drilled(f).failure = Some("it took 3 s".into()),
        "drill",
        "the rehearsal of a rollback 3 days ago failed: it took 3 s",
    ),
    (
        |f| f.writes = true,
        "drill",
        "the rehearsal 3 days ago wrote nothing, and this route writes: `ficus drill --journey FILE` does",
    ),
    (
        |f| f.soaked = Duration::from_secs(29 * 60),
        "soak",
        "the route has been at this step for 29 min, and 30 min are needed",
    ),
    (
        |f| f.approvals.clear(),
        "approvals",
        "0 of 1 approvals: `ficus approve`, by somebody who did not make the last change",
    ),
    (
        |f| f.gate.approvals = 2,
        "approvals",
        "1 of 2 approvals (by ben): `ficus approve`, by somebody who did not make the last change",
    ),
];

fn proof(facts: &mut Facts) -> &mut Proof {
    facts.proof.as_mut().unwrap()
}

fn served(facts: &mut Facts) -> &mut Served {
    facts.served.as_mut().unwrap()
}

fn drilled(facts: &mut Facts) -> &mut Drilled {
    facts.drill.as_mut().unwrap()
}

#[test]
fn what_is_missing_is_one_sentence_of_one_condition() {
    for (change, name, sentence) in CASES {
        assert_eq!(missed(change), [(*name, (*sentence).to_owned())]);
    }
}

#[test]
fn what_is_not_known_does_not_hold() {
    let nothing = missed(|facts| {
        (facts.proof, facts.served, facts.drill) = (None, None, None);
        (facts.guarded, facts.soaked) = (false, Duration::ZERO);
        facts.approvals.clear();
    });
    let names: Vec<&str> = nothing.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["guard", "certificate", "errors", "latency", "schema", "drill", "soak", "approvals"]);
}

#[test]
fn the_first_copy_needs_nobody_but_a_free_route() {
    let mut facts = good();
    (facts.stage, facts.next, facts.proof, facts.drill) = (Stage::Before, Step::Shadow, None, None);
    facts.gate.approvals = 0;
    let names: Vec<_> = judge(&facts).iter().map(|condition| (condition.name, condition.holds)).collect();
    assert_eq!(names, [("hold", true), ("incident", true)]);
}

#[test]
fn before_users_come_errors_and_times_are_those_of_copies() {
    let at_shadow = |change: fn(&mut Facts)| {
        missed(|facts| {
            (facts.stage, facts.next, facts.served) = (Stage::At(Step::Shadow), Step::Share(1_000), None);
            change(facts);
        })
    };
    assert!(at_shadow(|_| ()).is_empty());
    let errors = at_shadow(|facts| proof(facts).unanswered = 20);
    assert_eq!(errors, [("errors", "`rust` did not answer 20 of 2020 copies".to_owned())]);
    let latency = at_shadow(|facts| proof(facts).p95 = Some((millis(400), millis(100))));
    assert_eq!(latency[0].0, "latency");
    let unnoticed = at_shadow(|facts| proof(facts).p95 = Some((millis(11), millis(2))));
    assert!(unnoticed.is_empty(), "9 ms more: {unnoticed:?}");
}

#[test]
fn a_route_that_is_not_compared_has_other_conditions() {
    let missed = missed(|facts| {
        (facts.stage, facts.proof, facts.served) = (Stage::Before, None, None);
        (facts.gate.comparisons, facts.gate.schema) = (0, false);
        facts.writes = true;
        drilled(facts).writes = 2;
    });
    assert!(missed.is_empty(), "{missed:?}");
}
