//! Whole journeys of the people who use this: the first endpoint, from a canary to everybody, a night with a rollback, the
//! reason of a mismatch, the end of legacy. Adopting an application is a transcript of the census (`first_morning`).

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

/// An engineer asks what to move next, compares both sides, allows what may differ, moves users, and sees it in the report.
#[test]
fn the_first_endpoint() {
    let ficus = Ficus::start(ROUTES);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.json(&["progress"])["next"][0]["name"], "customers.list");

    ficus.ok(&["shadow", "customers.list", "--reason", "CRM-812"]);
    let mut asked = 0;
    ficus.wait("the answers were compared", |ficus| {
        let diffs = ficus.json(&["diffs", "customers.list"]);
        let counted = &diffs["routes"]["customers.list"];
        let sum = |of: &serde_json::Value| -> u64 {
            of.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
        };
        let done = !diffs["groups"].as_array().unwrap().is_empty();
        // A busy machine drops a copy now and then.
        if !done && sum(&counted["compared"]) + sum(&counted["dropped"]) >= asked {
            assert_eq!(ficus.answered_by("/customers/"), "legacy", "users still get Flask");
            asked += 1;
        }
        done
    });
    let blocked = ficus.json(&["progress"]);
    assert_eq!(blocked["progress"]["routes"][0]["stage"], "shadow");
    assert_eq!(blocked["blockers"][0]["because"], "1 open difference: `ficus diffs customers.list`");

    // Why they differ, and that it may be so.
    let id = ficus.json(&["diffs"])["groups"][0]["id"].to_string();
    assert!(ficus.ok(&["diffs", "show", &id]).contains("GET /customers/"));
    ficus.ok(&["diffs", "ignore", &id, "--reason", "they say their names"]);
    assert_eq!(ficus.json(&["progress"])["blockers"], serde_json::json!([]));

    ficus.ok(&["canary", "customers.list", "5%", "--reason", "CRM-812"]);
    assert_eq!(ficus.json(&["progress"])["progress"]["routes"][0]["stage"], "canary");
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    let moved = ficus.json(&["progress"]);
    assert_eq!(moved["progress"]["routes"][0]["stage"], "rust");
    assert_eq!(moved["progress"]["routes"][0]["by_backend"]["rust"]["calls"], 1);
    assert_eq!(moved["next"], serde_json::json!([]));
}

/// An engineer asks why a request is answered as it is: by the running process, and by a file that is not running yet.
#[test]
fn who_answers_and_why() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["canary", "customers.list", "25%"]);
    let bucket = |text: &str| text.lines().find(|line| line.starts_with("why ")).unwrap().to_owned();
    let running = ficus.ok(&["explain", "GET", "/customers/?page=3", "--user", "9"]);
    assert!(bucket(&running).contains("25%") && running.contains("revision  2"), "{running}");
    // The same bucket, whoever is asked.
    let offline = ficus.ok(&["explain", "GET", "/customers/?page=3", "--user", "9", "--offline"]);
    assert_eq!(bucket(&offline), bucket(&running));
    std::fs::write(ficus.path("new.toml"), ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")).unwrap();
    let tomorrow =
        ficus.ok(&["explain", "GET", "/customers/", "--routes", "new.toml", "--offline", "--user", "9"]);
    assert!(tomorrow.contains("answered  rust; if it cannot, legacy"), "{tomorrow}");
}

/// Everything is on Rust, and then its fallback is: the report says that the end is there.
#[test]
fn the_end_of_legacy() {
    let ficus = Ficus::start(ROUTES);
    for route in ["customers.list", "customers.detail"] {
        ficus.ok(&["flip", route, "rust", "--reason", "the last ones"]);
    }
    ficus.answered_by("/customers/");
    let said = ficus.ok(&["progress"]);
    assert!(said.contains("2 of 2 answered by Rust (100.0 %)"), "{said}");
    let retired = |name: &str, rule: &str| {
        format!("\n[[route]]\nname = \"{name}\"\nrule = \"{rule}\"\nserve = \"rust\"\nfallback = \"rust\"\n")
    };
    let (list, detail) = (
        retired("customers.list", "/customers/"),
        retired("customers.detail", "/customers/<int:customer_id>"),
    );
    ficus.edit(&format!("version = 1\n{list}{detail}"));
    ficus.ok(&["fmt", "--check"]);
    ficus.wait("the file is taken", |ficus| {
        let routes = ficus.json(&["progress"])["progress"]["routes"].clone();
        routes.as_array().unwrap().iter().all(|route| route["stage"] == "retired")
    });
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert_eq!(ficus.json(&["progress"])["unused"], serde_json::json!([]));
}
