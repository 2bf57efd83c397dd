//! Holds: nothing sends more users of a held route to its candidate, neither commands nor hand edits, neither restarts nor
//! a lost or damaged memory.

use std::os::unix::fs::PermissionsExt;

use crate::ficus::{Ficus, ROUTES, texts};

fn moved() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

/// A ficus whose list was on Rust and was rolled back.
fn rolled_back() -> Ficus {
    let ficus = Ficus::start(&moved());
    ficus.ok(&["rollback", "customers.list", "--reason", "wrong totals"]);
    ficus
}

#[track_caller]
fn refused(ficus: &Ficus, arguments: &[&str]) -> String {
    let output = ficus.cli(arguments);
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
    said
}

#[test]
fn a_rollback_holds_until_somebody_resumes() {
    let mut ficus = rolled_back();
    let said = refused(&ficus, &["flip", "customers.list", "rust"]);
    assert!(said.contains("`customers.list` was rolled back and held by `"), "{said}");
    assert!(said.contains("(wrong totals)") && said.contains("`ficus resume customers.list`"), "{said}");
    refused(&ficus, &["canary", "customers.list", "0.001%"]);
    refused(&ficus, &["undo"]);
    ficus.kill();
    ficus.run();
    refused(&ficus, &["flip", "customers.list", "rust"]);
    assert!(ficus.ok(&["status"]).contains("held      customers.list, by "), "{}", ficus.ok(&["status"]));
    ficus.ok(&["flip", "customers.list", "off"]);
    ficus.ok(&["flip", "customers.list", "legacy"]);
    ficus.ok(&["resume", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    ficus.ok(&["flip", "customers.list", "rust"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
}

#[test]
fn a_hand_edit_does_not_get_past_a_hold() {
    let mut ficus = rolled_back();
    ficus.edit(&moved());
    ficus.wait("the edit is seen", |ficus| ficus.status()["drift"].as_array().unwrap().len() == 1);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let status = ficus.ok(&["status"]);
    assert!(status.contains("! customers.list: the file says rust, running is legacy"), "{status}");
    assert_eq!(ficus.cli(&["diff", "--exit-code"]).status.code(), Some(3));

    ficus.kill();
    ficus.run();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");

    let output = ficus.cli_without_yes(&["resume", "customers.list"]);
    assert_eq!(output.status.code(), Some(2), "{}", texts(&output).1);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let said = ficus.ok(&["resume", "customers.list"]);
    assert!(said.starts_with("customers.list: legacy -> rust (revision "), "{said}");
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert!(ficus.status()["drift"].as_array().unwrap().is_empty());
}

#[test]
fn an_edit_made_while_ficus_was_down_does_not_get_past_a_hold() {
    let mut ficus = rolled_back();
    ficus.kill();
    ficus.edit(&moved());
    ficus.run();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.status()["drift"][0]["route"], "customers.list");
}

#[test]
fn a_route_that_leaves_the_file_and_comes_back_is_still_held() {
    let ficus = rolled_back();
    let text = ficus.routes_text();
    let (start, end) = (text.find("[[route]]").unwrap(), text.find("[[route]]   # the page").unwrap());
    ficus.edit(&format!("{}{}", &text[..start], &text[end..]));
    ficus.wait("it is gone", |ficus| ficus.status()["routes"] == 1);
    ficus.edit(&moved());
    ficus.wait("it is back", |ficus| ficus.status()["routes"] == 2);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    refused(&ficus, &["flip", "customers.list", "rust"]);
    ficus.ok(&["resume", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
}

#[test]
fn a_person_holds_a_canary_where_it_is() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["canary", "customers.list", "25%"]);
    let said = ficus.ok(&["hold", "customers.list", "--reason", "month end"]);
    assert!(said.ends_with("undo: ficus resume customers.list\n"), "{said}");
    refused(&ficus, &["canary", "customers.list", "26%"]);
    refused(&ficus, &["flip", "customers.list", "rust"]);
    ficus.ok(&["canary", "customers.list", "5%"]);
    refused(&ficus, &["canary", "customers.list", "25%"]);
    ficus.edit(&ficus.routes_text().replace("percent = 5.0", "percent = 50.0"));
    ficus.wait("the edit is seen", |ficus| ficus.status()["drift"].as_array().unwrap().len() == 1);
    let drift = ficus.status()["drift"][0].clone();
    assert_eq!(
        (drift["file"].as_str(), drift["running"].as_str()),
        (Some("legacy, 50% rust"), Some("legacy, 5% rust"))
    );
    let history = ficus.json(&["history", "customers.list"]);
    let words: Vec<&str> =
        history["changes"].as_array().unwrap().iter().map(|c| c["action"].as_str().unwrap()).collect();
    assert!(words.contains(&"hold") && words.contains(&"canary"), "{history}");
}

#[test]
fn a_hold_for_a_time_ends_by_itself_and_gives_the_file_back() {
    let mut ficus = Ficus::start(&moved());
    std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(0o444)).unwrap();
    ficus.ok(&["rollback", "customers.list", "--for", "2s"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert!(ficus.status()["drift"][0]["expires"].is_string());
    ficus.kill();
    ficus.run();
    ficus.wait("the file counts again", |ficus| ficus.answered_by("/customers/") == "rust");
    let status = ficus.status();
    assert_eq!(
        (status["last"]["author"].as_str(), status["last"]["action"].as_str()),
        (Some("expiry"), Some("expire"))
    );
    assert!(status["holds"].as_array().unwrap().is_empty());
}

#[test]
fn an_override_says_until_when_and_stays_while_the_route_is_held() {
    let ficus = Ficus::prepare();
    ficus.configure("[control]\noverride_expires = \"1s\"\n");
    std::fs::write(ficus.routes(), moved()).unwrap();
    let ficus = ficus.started();
    std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(0o444)).unwrap();
    ficus.ok(&["rollback", "customers.list"]);
    ficus.wait("its time is over", |ficus| ficus.status()["drift"][0]["overdue"] == true);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let status = ficus.ok(&["status"]);
    assert!(status.contains(": over, but the route is held"), "{status}");
    ficus.ok(&["resume", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
}

#[test]
fn what_a_node_forgot_is_restored_from_the_audit_loudly() {
    for damage in [None, Some("{\"revision\": 7, \"half"), Some("")] {
        let mut ficus = Ficus::start(&moved());
        std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(0o444)).unwrap();
        ficus.ok(&["rollback", "customers.list"]);
        ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
        let revision = ficus.revision();
        ficus.kill();
        match damage {
            None => std::fs::remove_file(ficus.path("state/routing.json")).unwrap(),
            Some(text) => std::fs::write(ficus.path("state/routing.json"), text).unwrap(),
        }
        ficus.run();
        assert_eq!(ficus.answered_by("/customers/"), "legacy", "{damage:?}");
        assert_eq!(ficus.revision(), revision, "{damage:?}");
        let status = ficus.ok(&["status"]);
        assert!(status.contains("restored from the audit: revision 2"), "{status}");
        refused(&ficus, &["flip", "customers.list", "rust"]);
        std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(0o644)).unwrap();
    }
}

#[test]
fn a_damaged_memory_and_a_bad_file_are_served_from_the_store() {
    let mut ficus = rolled_back();
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.kill();
    std::fs::write(ficus.path("state/routing.json"), "no").unwrap();
    ficus.edit("version = 1\nrouts = []\n");
    ficus.run();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let status = ficus.status();
    assert_eq!((status["file"]["ok"].as_bool(), status["routes"].as_u64()), (Some(false), Some(2)));
    assert_eq!(status["holds"][0]["route"], "customers.list");
}
