//! Applications that other people wrote, installed from PyPI (`apps/requirements.txt`): every rule, no disagreement.

use crate::site::Site;

/// An application, how many rules it has at least, and which of its answers are left to Flask.
const APPS: [(&str, usize, bool); 3] = [
    ("httpbin:app", 50, false),
    // Its `b64` converter is Python.
    ("sqlite_web.sqlite_web:app", 25, true),
    ("fava.application:create_app([\"ledger.beancount\"])", 50, false),
];

fn site() -> Site {
    let site = Site::empty("apps");
    site.write("ledger.beancount", include_str!("apps/ledger.beancount"));
    site
}

#[test]
fn every_rule_of_httpbin_is_matched_as_flask_does() {
    prove(APPS[0]);
}

#[test]
fn every_rule_of_sqlite_web_is_matched_as_flask_does() {
    prove(APPS[1]);
}

#[test]
fn every_rule_of_fava_is_matched_as_flask_does() {
    prove(APPS[2]);
}

fn prove((app, rules, left): (&str, usize, bool)) {
    let site = site();
    site.run_for(app, &["init"]).expect(0);
    let (first, second) = (site.read("routes.toml"), site.read("ficus.toml"));
    // Again: nothing is written anew.
    let again = site.run_for(app, &["init"]).expect(0);
    assert!(again.out.contains("Nothing changed"), "{}", again.out);
    assert_eq!((first, second), (site.read("routes.toml"), site.read("ficus.toml")));
    site.run_for(app, &["census", "--exit-code"]).expect(0);
    let proof = site.run_for(app, &["prove-routes", "--json", "--count", "15000", "--seed", "11"]);
    assert_eq!(proof.code, 0, "{app}: {}{}", proof.out, proof.err);
    let document = proof.json();
    assert!(document["rules"].as_u64().unwrap() >= rules as u64, "{app}: {}", document["rules"]);
    assert_eq!(document["disagreed"], 0, "{app}");
    assert_eq!(document["left_to_flask"].as_u64().unwrap() > 0, left, "{app}");
    for answer in ["an endpoint", "404", "405"] {
        let count = document["answers"][answer].as_u64().unwrap_or_default();
        assert!(count > 100, "{app}: only {count} times {answer}");
    }
}

#[test]
fn their_templates_give_the_same_text() {
    for (app, same) in [("httpbin:app", 5), ("sqlite_web.sqlite_web:app", 15)] {
        let document = site().run_for(app, &["check-templates", "--json"]).expect(0).json();
        let pages = document["pages"].as_array().unwrap();
        let count = pages.iter().filter(|page| page["result"] == "same").count();
        assert!(count >= same, "{app}: only {count} of {} the same\n{document:#}", pages.len());
    }
    // An environment that is not set up as Flask's is told.
    let done = site().run_for(APPS[2].0, &["check-templates"]).expect(0);
    assert!(done.err.contains("`trim_blocks`"), "{}", done.err);
}
