//! Whole journeys of the people who use this, as far as this version goes: from a canary to everybody, and a night with a
//! rollback.

use crate::ficus::{Ficus, ROUTES, texts};

/// An engineer raises a canary step by step, looks at each step, and takes a wrong one back.
#[test]
fn from_a_canary_to_everybody() {
    let ficus = Ficus::start(ROUTES);
    let dry = ficus.ok(&["canary", "customers.list", "5%", "--dry-run"]);
    assert!(dry.starts_with("customers.list: legacy -> legacy, 5% rust\n"), "{dry}");
    assert!(
        dry.contains("+canary = { percent = 5.0 }\n") && dry.contains("nothing was changed (revision 1)"),
        "{dry}"
    );
    ficus.ok(&["canary", "customers.list", "5%", "--reason", "CRM-812"]);
    ficus.ok(&["canary", "customers.list", "25%", "--if-revision", "2"]);
    let explained = ficus.ok(&["explain", "GET", "/customers/", "--user", "7"]);
    assert!(
        explained.contains("canary    legacy, 25% rust; group customers.list, told apart by user"),
        "{explained}"
    );
    ficus.ok(&["flip", "customers.list", "rust"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert!(ficus.routes_text().contains("canary = { percent = 0.0 }"));
    ficus.wait("everything is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.ok(&["undo", "--reason", "too early"]);
    assert_eq!(ficus.json(&["routes"])["routes"][0]["standing"], "legacy, 25% rust");
    let history = ficus.ok(&["history", "customers.list"]);
    assert!(history.contains("CRM-812") && history.contains("too early"), "{history}");
}

/// Ops at three in the morning: status, one command, no question; a typo does nothing; the route stays where it is until
/// somebody who is awake resumes it.
#[test]
fn a_rollback_at_three_in_the_morning() {
    let ficus = Ficus::start(&ROUTES.replace("serve = 'legacy' ", "serve = 'rust' "));
    let output = ficus.cli_without_yes(&["rollback", "customers.lst"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("did you mean `customers.list`?"));
    assert_eq!(ficus.answered_by("/customers/"), "rust");

    let output = ficus.cli_without_yes(&["rollback", "customers.list"]);
    let (said, _) = texts(&output);
    assert_eq!(
        said,
        "customers.list: rust -> legacy (revision 2)\n\
         held: customers.list gets no more traffic for its candidate until `ficus resume customers.list` (revision 2)\n\
         undo: ficus resume customers.list && ficus undo 2\n"
    );
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.cli(&["flip", "customers.list", "rust"]).status.code(), Some(3));

    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.ok(&["resume", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    ficus.ok(&["undo", "2"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
}

/// A deployment brings a whole file: shown first, refused where it would undo what somebody holds.
#[test]
fn a_deployment_of_the_routing_file() {
    let ficus = Ficus::start(ROUTES);
    let moved = ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ");
    std::fs::write(ficus.path("new.toml"), &moved).unwrap();
    let dry = ficus.ok(&["apply", "new.toml", "--dry-run"]);
    assert!(dry.starts_with("customers.list: legacy -> rust\n"), "{dry}");
    ficus.ok(&["apply", "new.toml", "--reason", "release 12"]);
    assert_eq!((ficus.routes_text(), ficus.answered_by("/customers/")), (moved, "rust".to_owned()));
    ficus.ok(&["rollback", "customers.list"]);
    let output = ficus.cli(&["apply", "new.toml"]);
    assert_eq!(output.status.code(), Some(3), "{}", texts(&output).1);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.ok(&["diff"]), "no difference: the file is what is running (revision 3)\n");
}
