//! How much is copied, what differs, and what is allowed: through the command line.

use serde_json::Value;

use crate::ficus::{Ficus, ROUTES, texts};

fn json(ficus: &Ficus, arguments: &[&str]) -> Value {
    let output = ficus.cli(&[&["--json"], arguments].concat());
    let (out, err) = texts(&output);
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{arguments:?}: {err}{out}"))
}

/// A ficus on whose route `customers.list` both sides were asked once; they say their names.
fn compared() -> Ficus {
    let ficus = Ficus::start(ROUTES);
    json(&ficus, &["shadow", "customers.list", "--reason", "CRM-812"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    ficus.wait("a difference is stored", |ficus| {
        !json(ficus, &["diffs"])["groups"].as_array().unwrap().is_empty()
    });
    ficus
}

#[test]
fn shadow_goes_through_the_one_door() {
    let ficus = Ficus::start(ROUTES);
    let (out, err) = texts(&ficus.cli(&["shadow", "customers.list", "25%", "--reason", "CRM-812"]));
    assert_eq!(err, "");
    assert_eq!(out, "customers.list: no shadow -> shadow 25% (revision 2)\nundo: ficus undo 2\n");
    let text = std::fs::read_to_string(ficus.routes()).unwrap();
    let line = "serve = 'legacy'             # CRM-812: flip me\n";
    assert_eq!(text, ROUTES.replace(line, &format!("{line}shadow = {{ sample = 0.25 }}\n")));

    let (out, _) = texts(&ficus.cli(&["shadow", "customers.list", "off"]));
    assert_eq!(out, "customers.list: shadow 25% -> no shadow (revision 3)\nundo: ficus undo 3\n");
    let history = json(&ficus, &["history", "customers.list"]);
    assert_eq!(history["changes"][1]["action"], "shadow");
    assert_eq!(history["changes"][1]["reason"], "CRM-812");

    let (out, _) = texts(&ficus.cli(&["shadow", "customers.list", "off"]));
    assert_eq!(out, "customers.list: nothing to change (revision 3)\n");
    let (_, err) = texts(&ficus.cli(&["shadow", "customers.lst"]));
    assert!(err.contains("did you mean `customers.list`?"), "{err}");
    let stale = ficus.cli(&["shadow", "customers.list", "--if-revision", "1"]);
    assert_eq!(stale.status.code(), Some(4));
}

#[test]
fn a_rollback_leaves_the_shadow_alone() {
    let ficus = Ficus::start(ROUTES);
    json(&ficus, &["shadow", "customers.list", "5"]);
    json(&ficus, &["flip", "customers.list", "rust"]);
    json(&ficus, &["rollback", "customers.list"]);
    assert!(std::fs::read_to_string(ficus.routes()).unwrap().contains("shadow = { sample = 0.05 }"));
}

#[test]
fn differences_are_listed_shown_and_allowed() {
    let ficus = compared();
    let (out, err) = texts(&ficus.cli(&["diffs", "customers.list"]));
    assert_eq!(err, "");
    assert!(out.starts_with("customers.list: compared 1: mismatch 1\nID"), "{out}");
    assert!(out.contains("customers.list  text line"), "{out}");
    let id = json(&ficus, &["diffs"])["groups"][0]["id"].to_string();

    let (out, _) = texts(&ficus.cli(&["diffs", "show", &id]));
    for part in
        ["GET /customers/", "legacy 200", "rust 200", "@@ text line 1 changed @@", "- xxxxxx", "+ xxxx"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }

    let (out, err) = texts(&ficus.cli(&["diffs", "ignore", &id, "--reason", "they say their names"]));
    assert_eq!(err, "");
    assert!(out.starts_with("customers.list: shadow 100% -> shadow 100%, 1 rule"), "{out}");
    let text = std::fs::read_to_string(ficus.routes()).unwrap();
    assert!(
        text.contains("\n  { path = \"text line\", reason = \"they say their names\", author = "),
        "{text}"
    );
    assert!(texts(&ficus.cli(&["check"])).1.is_empty(), "the rule is a good one");

    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    ficus.wait("the difference is allowed", |ficus| {
        json(ficus, &["diffs"])["routes"]["customers.list"]["compared"]["ignored"] == 1
    });
    let left = json(&ficus, &["diffs", "customers.list"]);
    assert_eq!(left["groups"], serde_json::json!([]), "the group is gone and does not come back");
    assert_eq!(left["routes"]["customers.list"]["ignored"]["text line"], 1);
}

#[test]
fn a_shadow_without_its_candidate_is_warned_about() {
    let directory = tempfile::tempdir().unwrap();
    let routes = "version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\nshadow = { sample = 1.0 }\n";
    std::fs::write(directory.path().join("routes.toml"), routes).unwrap();
    std::fs::write(directory.path().join("ficus.toml"), "[log]\naccess = \"off\"\n").unwrap();
    let check =
        crate::ficus::command(directory.path()).args(["check", "--routes", "routes.toml"]).output().unwrap();
    let (_, err) = texts(&check);
    assert!(check.status.success(), "{err}");
    assert!(
        err.contains("this shadow copies nothing") && err.contains("there is no backend `rust`"),
        "{err}"
    );
}

#[test]
fn what_was_found_is_stored_before_the_process_ends() {
    let mut ficus = Ficus::start(ROUTES);
    json(&ficus, &["shadow", "customers.list"]);
    for _ in 0..50 {
        ficus.answered_by("/customers/");
    }
    ficus.wait("all copies are compared", |ficus| {
        json(ficus, &["diffs"])["routes"]["customers.list"]["compared"]["mismatch"] == 50
    });
    ficus.terminate();
    ficus.run();
    assert_eq!(json(&ficus, &["diffs"])["groups"][0]["count"], 50);
}

#[test]
fn groups_outlive_a_restart_and_can_be_forgotten() {
    let mut ficus = compared();
    let before = json(&ficus, &["diffs", "export"])["groups"].clone();
    assert_eq!(before[0]["samples"].as_array().map(Vec::len), Some(1));
    ficus.kill();
    ficus.run();
    assert_eq!(json(&ficus, &["diffs", "export"])["groups"], before);
    let id = before[0]["id"].to_string();
    assert!(ficus.cli(&["diffs", "forget", &id]).status.success());
    assert_eq!(json(&ficus, &["diffs"])["groups"], serde_json::json!([]));
    let (_, err) = texts(&ficus.cli(&["diffs", "show", &id]));
    assert!(err.contains(&format!("there is no group of differences {id}")), "{err}");
    let (_, err) = texts(&ficus.cli(&["diffs", "customers.lst"]));
    assert!(err.contains("did you mean `customers.list`?"), "{err}");
}
