//! kill -9 at every step of a change: the file is whole, the revision is the old or the new one, the audit tells the truth.

use serde_json::Value;

use crate::ficus::{Ficus, ROUTES, command};

/// The steps of a change in the order in which they are made: see `store::step`.
const STEPS: [&str; 12] = [
    "before_intent",
    "intended",
    "half_beside",
    "beside",
    "renamed",
    "swapped",
    "state_beside",
    "saved",
    "before_audit",
    "audited",
    "before_commit",
    "stored",
];

/// Starts ficus so that it ends where the file `kill_at` says.
fn run(ficus: &mut Ficus) {
    std::fs::write(ficus.path("kill_at"), "").unwrap();
    let mut command = command(ficus.directory.path());
    command.env("FICUS_KILL_AT", ficus.path("kill_at"));
    ficus.run_as(command);
    ficus.wait("everything is on record", |ficus| ficus.status()["store"]["pending"] == 0);
}

/// Makes a change that never ends, and starts ficus again.
fn crash(ficus: &mut Ficus, step: &str, arguments: &[&str]) -> bool {
    std::fs::write(ficus.path("kill_at"), step).unwrap();
    let acknowledged = ficus.cli(arguments).status.success();
    ficus.wait_for_death();
    let left = ficus.routes_text();
    run(ficus);
    assert_eq!(ficus.routes_text(), left, "the file was changed by the start after {step}");
    acknowledged
}

/// Revisions without gaps, by whom, and an audit that holds together.
fn check_record(ficus: &Ficus, step: &str) -> Vec<Value> {
    ficus.ok(&["audit", "--verify"]);
    let history = ficus.json(&["history", "--limit", "1000"]);
    let mut changes = history["changes"].as_array().unwrap().clone();
    changes.reverse();
    let numbers: Vec<u64> = changes.iter().map(|change| change["revision"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=ficus.revision()).collect::<Vec<u64>>(), "after {step}");
    changes
}

#[test]
fn a_flip_that_is_cut_off_anywhere_is_made_or_not_made() {
    let mut ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    run(&mut ficus);
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
    for step in STEPS {
        let before = (ficus.routes_text(), ficus.revision());
        let on_rust = ficus.answered_by("/customers/") == "rust";
        let to = if on_rust { "legacy" } else { "rust" };
        let acknowledged = crash(&mut ficus, step, &["flip", "customers.list", to, "--reason", step]);
        let made = ficus.routes_text() != before.0;
        let expected = if made { before.1 + 1 } else { before.1 };
        assert_eq!(ficus.revision(), expected, "{step}: the file was changed: {made}");
        assert!(made || !acknowledged, "{step}: a flip was acknowledged and is lost");
        assert_eq!(ficus.answered_by("/customers/") == "rust", on_rust != made, "{step}");
        ficus.ok(&["check"]);
        let last = check_record(&ficus, step).pop().unwrap();
        if made {
            assert_eq!((last["author"].as_str(), last["reason"].as_str()), (Some(user.as_str()), Some(step)));
        } else {
            assert_ne!(last["reason"], step, "{step}: what was not made is on record");
        }
    }
}

#[test]
fn a_rollback_that_is_cut_off_anywhere_is_made_with_its_hold_or_not_made() {
    let mut ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    run(&mut ficus);
    for step in STEPS {
        ficus.cli(&["resume", "customers.list"]);
        ficus.ok(&["flip", "customers.list", "rust"]);
        ficus.wait("everything is on record", |ficus| ficus.status()["store"]["pending"] == 0);
        let acknowledged = crash(&mut ficus, step, &["rollback", "customers.list"]);
        let made = ficus.answered_by("/customers/") == "legacy";
        assert!(made || !acknowledged, "{step}: a rollback was acknowledged and is lost");
        let held = ficus.status()["holds"].as_array().unwrap().len();
        assert_eq!(held, usize::from(made), "{step}: made: {made}");
        check_record(&ficus, step);
    }
}
