//! Undo: one change of the past is taken back as a new revision, and nothing else is.

use crate::ficus::{Ficus, ROUTES, texts};

fn moved() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

fn stored(ficus: &Ficus) {
    ficus.wait("everything is on record", |ficus| ficus.status()["store"]["pending"] == 0);
}

#[test]
fn the_last_change_is_taken_back_to_the_letter_and_can_be_made_again() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust"]);
    let flipped = ficus.routes_text();
    stored(&ficus);
    let said = ficus.ok(&["undo"]);
    assert_eq!(said, "customers.list: rust -> legacy (revision 3)\nundo: ficus undo 3\n");
    assert_eq!(ficus.routes_text(), ROUTES);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let last = ficus.status()["last"].clone();
    assert_eq!(
        (last["action"].as_str(), last["reason"].as_str()),
        (Some("undo"), Some("undo of revision 2"))
    );
    stored(&ficus);
    ficus.ok(&["undo"]);
    assert_eq!(ficus.routes_text(), flipped);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
}

#[test]
fn later_changes_of_other_routes_stay() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust"]);
    ficus.ok(&["flip", "customers.detail", "rust"]);
    ficus.edit(&format!("{}# ask Marco, too\n", ficus.routes_text()));
    ficus.wait("the comment is seen", |ficus| ficus.revision() == 4);
    stored(&ficus);
    ficus.ok(&["undo", "2"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.answered_by("/customers/1"), "rust");
    assert!(ficus.routes_text().ends_with("# ask Marco, too\n"));
    assert!(ficus.routes_text().contains("# CRM-812: flip me"));
}

#[test]
fn a_later_change_of_the_same_route_is_only_overwritten_by_force() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["canary", "customers.list", "5%"]);
    ficus.ok(&["canary", "customers.list", "25%"]);
    stored(&ficus);
    let output = ficus.cli(&["undo", "2"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        texts(&output).1.contains("`customers.list` changed again since revision 2"),
        "{}",
        texts(&output).1
    );
    ficus.ok(&["undo", "2", "--force"]);
    assert_eq!(ficus.routes_text(), ROUTES);
}

#[test]
fn a_hand_edit_can_be_taken_back_too() {
    let ficus = Ficus::start(ROUTES);
    ficus.edit(&moved().replace("rule = \"/customers/\"", "rule = \"/clients/\""));
    ficus.wait("the edit is seen", |ficus| ficus.revision() == 2);
    stored(&ficus);
    ficus.ok(&["undo", "2"]);
    assert_eq!(ficus.routes_text(), ROUTES);
}

#[test]
fn an_undo_that_sends_more_users_to_rust_asks_and_one_that_sends_fewer_does_not() {
    let ficus = Ficus::start(&moved());
    ficus.ok(&["flip", "customers.list", "legacy"]);
    stored(&ficus);
    let output = ficus.cli_without_yes(&["undo"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(texts(&output).1.contains("run `ficus undo --yes`"), "{}", texts(&output).1);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    ficus.ok(&["undo"]);
    stored(&ficus);
    let output = ficus.cli_without_yes(&["undo"]);
    assert!(output.status.success(), "{}", texts(&output).1);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
}

#[test]
fn what_changed_exactly_is_in_the_history() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    stored(&ficus);
    let change = ficus.json(&["history", "--diff", "-n", "1"])["changes"][0].clone();
    let diff = change["diff"].as_str().unwrap();
    assert!(diff.contains("-serve = 'legacy'             # CRM-812: flip me\n"), "{diff}");
    assert!(diff.contains("+serve = \"rust\"             # CRM-812: flip me\n"), "{diff}");
    assert!(ficus.ok(&["history", "--diff", "customers.list"]).contains("legacy -> rust  CRM-812"));
}

#[test]
fn the_undo_of_a_hold_resumes_and_the_undo_of_that_holds_again() {
    let ficus = Ficus::start(ROUTES);
    let held = |ficus: &Ficus| ficus.status()["holds"].as_array().unwrap().len();
    ficus.ok(&["hold", "customers.list", "--reason", "month end"]);
    ficus.ok(&["undo"]);
    assert_eq!(held(&ficus), 0);
    assert_eq!(ficus.status()["last"]["reason"], "undo of revision 2");
    ficus.ok(&["undo", "3"]);
    assert_eq!(held(&ficus), 1);
    let history = ficus.ok(&["history", "customers.list"]);
    assert!(
        history.contains("legacy -> legacy, held") && history.contains("legacy, held -> legacy"),
        "{history}"
    );
}

#[test]
fn what_is_not_there_cannot_be_taken_back() {
    let ficus = Ficus::start(ROUTES);
    let output = ficus.cli(&["undo", "99"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("revision 99 cannot be taken back"), "{}", texts(&output).1);
    stored(&ficus);
    let output = ficus.cli(&["undo", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(ficus.revision(), 1);
}
