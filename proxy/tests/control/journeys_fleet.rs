//! Journeys D3 and D6: a route goes up through its gates, each of which says what it wants; and a fleet of which one node
//! lags behind, up to the end of a route's Python.

use std::fmt::Write as _;

use serde_json::Value;

use crate::ficus::{Ficus, ROUTES, texts};
use crate::fleet::Fleet;
use crate::origin;

const PLAN: &str = "version = 1\n\n[plans.careful]\nsteps = [\"shadow\", \"5%\", \"candidate\"]\nsoak = \"0s\"\n\
    comparisons = 20\nmax_mismatch = 0.2\nmax_p95_ratio = 1000.0\nmin_requests = 0\nschema = false\ndrill = \"1d\"\n\n\
    [[route]]\nname = \"customers.list\"\nrule = \"/customers/\"\nguard = {}\nplan = \"careful\"\n";

/// Two sides that answer the same, so that they can be compared.
fn alike() -> Ficus {
    let ficus = Ficus::prepare();
    let settings = std::fs::read_to_string(ficus.path("ficus.toml")).unwrap();
    let (start, rest) = settings.split_once("[backends]\n").unwrap();
    let (_, end) = rest.split_once("[store]").unwrap();
    let mut text = format!("{start}[backends]\n");
    for name in ["legacy", "rust"] {
        writeln!(text, "{name} = {{ upstreams = [\"http://{}\"] }}", origin::start("the list")).unwrap();
    }
    let more = "[shadow]\nself_test = \"1s\"\n[canary]\nsecret_key = { file = \"canary.key\" }\n";
    std::fs::write(ficus.path("ficus.toml"), format!("{text}[store]{end}{more}")).unwrap();
    std::fs::write(ficus.path("canary.key"), "only for this test").unwrap();
    std::fs::write(ficus.routes(), PLAN).unwrap();
    ficus.started()
}

/// What is missing, by name, and the exit code of a promotion that is refused.
fn refused(ficus: &Ficus) -> (String, Option<i32>) {
    let output = ficus.cli(&["promote", "customers.list"]);
    let (out, err) = texts(&output);
    (format!("{out}{err}"), output.status.code())
}

fn condition(ficus: &Ficus, name: &str) -> Value {
    let gate = ficus.json(&["gate", "customers.list"])["gate"].clone();
    let conditions = gate["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {gate:#}"))
}

/// D3: shadow, look at what is missing, bring it, go up; and the one way around a gate, which leaves its mark.
#[test]
fn up_through_the_gates() {
    let ficus = alike();
    let said = ficus.ok(&["promote", "customers.list", "--reason", "CRM-812"]);
    assert!(said.contains("customers.list: ") && said.contains("undo: ficus undo 2"), "{said}");
    assert_eq!(ficus.json(&["gate", "customers.list"])["gate"]["stage"], "shadow");

    let (said, code) = refused(&ficus);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("[ ] certificate") && said.contains("[ ] drill"), "{said}");
    assert_eq!(ficus.json(&["gate", "customers.list"])["gate"]["next"], "5%");
    ficus.wait("enough is compared, and the same", |ficus| {
        assert_eq!(ficus.answered_by("/customers/"), "the list");
        condition(ficus, "certificate")["holds"] == true
    });
    let (said, code) = refused(&ficus);
    assert!(code == Some(3) && said.contains("[ ] drill") && said.contains("[x] certificate"), "{said}");
    ficus.ok(&["drill", "customers.list"]);
    let gate = ficus.ok(&["gate", "customers.list", "--exit-code"]);
    assert!(gate.contains("certificate") && gate.contains("drill"), "{gate}");

    let dry = ficus.ok(&["promote", "customers.list", "--dry-run"]);
    assert!(dry.contains("5% rust") && dry.contains("nothing was changed"), "{dry}");
    ficus.ok(&["promote", "customers.list", "--reason", "CRM-812"]);
    assert_eq!(ficus.json(&["routes"])["routes"][0]["standing"], "legacy, 5% rust");

    // A person holds it: no gate, and no way around one, moves it up.
    ficus.ok(&["hold", "customers.list", "--reason", "month end"]);
    let (said, code) = refused(&ficus);
    assert!(code == Some(3) && said.contains("month end"), "{said}");
    ficus.ok(&["resume", "customers.list"]);
    let wrong = ficus.cli(&["promote", "customers.list", "--skip-gates", "--confirm", "customers.lst"]);
    assert!(!wrong.status.success());
    ficus.ok(&[
        "promote",
        "customers.list",
        "--skip-gates",
        "--confirm",
        "customers.list",
        "--reason",
        "now",
    ]);
    let reason = ficus.json(&["history"])["changes"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("now (promoted to rust"), "{reason}");
    ficus.ok(&["audit", "--verify"]);
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(ficus.json(&["routes"])["routes"][0]["standing"], "legacy");
}

/// D6: who runs what, and why one does not; then everything is on Rust, everywhere.
#[test]
fn a_fleet_from_a_node_that_lags_to_the_end_of_legacy() {
    let fleet = Fleet::start(3, ROUTES);
    let (web1, web2) = (&fleet.nodes[0], &fleet.nodes[1]);
    web1.wait("all are well", |web1| web1.cli(&["fleet", "--exit-code"]).status.success());
    // Somebody breaks the file of one node; the fleet says which, and what is wrong with it.
    web2.edit("version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\nserv = \"rust\"\n");
    web2.wait("it is noticed", |web2| web2.status()["file"]["ok"] == false);
    assert!(web2.ok(&["status"]).contains("serv"), "{}", web2.ok(&["status"]));
    let text = web1.routes_text();
    web2.edit(&text);
    web2.wait("it is mended", |web2| web2.status()["file"]["ok"] == true);

    // A whole new file: first what it would do, then on all nodes at once.
    let next = ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ");
    std::fs::write(web1.path("next.toml"), &next).unwrap();
    let dry = web1.ok(&["apply", "next.toml", "--dry-run"]);
    assert!(dry.contains("customers.list: legacy -> rust") && dry.contains("nothing was changed"), "{dry}");
    let done = web1.ok(&["apply", "next.toml", "--reason", "CRM-900", "--wait", "30s"]);
    assert!(done.contains("on 3 of 3 nodes"), "{done}");
    for node in &fleet.nodes {
        assert_eq!(node.answered_by("/customers/"), "rust");
        assert_eq!(node.revision(), web1.revision());
    }
    web2.ok(&["flip", "customers.detail", "rust", "--reason", "the last one", "--wait", "30s"]);
    let said = fleet.nodes[2].ok(&["progress"]);
    assert!(said.contains("2 of 2 answered by Rust (100.0 %)"), "{said}");
    assert!(web1.ok(&["history"]).contains("CRM-900"));

    // Three in the morning, on whatever box is at hand.
    let back = fleet.nodes[2].ok(&["rollback", "--all", "--reason", "totals are wrong", "--wait", "30s"]);
    assert!(back.contains("on 3 of 3 nodes"), "{back}");
    for node in &fleet.nodes {
        assert_eq!(
            (node.answered_by("/customers/"), node.answered_by("/customers/7")),
            ("legacy".into(), "legacy".into())
        );
    }
    let listed = web1.ok(&["fleet"]);
    for name in ["web1 (here)", "web2 ", "web3 ", "live"] {
        assert!(listed.contains(name), "{listed}");
    }
}
