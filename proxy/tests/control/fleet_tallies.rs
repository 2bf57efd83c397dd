//! What the nodes of a fleet counted, summed on any of them: for `progress`, and before a view is retired.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::ficus::{Ficus, ROUTES, texts};
use crate::fleet::Fleet;

/// How often Flask answered the list of customers, as far as this node knows.
fn counted(node: &Ficus) -> u64 {
    let progress = node.json(&["progress"])["progress"].clone();
    let routes = progress["routes"].as_array().unwrap();
    let list = routes.iter().find(|route| route["name"] == "customers.list").unwrap();
    list["by_backend"]["legacy"]["calls"].as_u64().unwrap_or_default()
}

fn ask(node: &Ficus, times: usize) {
    for _ in 0..times {
        assert_eq!(node.answered_by("/customers/"), "legacy");
    }
}

/// The condition about the nodes, and the exit code; the application is one that has no such endpoint any more.
fn nodes(node: &Ficus, flags: &[&str]) -> (Value, Option<i32>) {
    let python = node.path("python");
    std::fs::write(&python, "#!/bin/sh\necho '{\"known\": false}'\n").unwrap();
    std::fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).unwrap();
    let arguments = ["retire", "customers.list", "--flask", "crm:app", "--python", "./python", "--json"];
    let output = node.cli(&[&arguments[..], flags].concat());
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", texts(&output).1));
    let conditions = document["conditions"].as_array().unwrap();
    let of_nodes = conditions.iter().find(|one| one["name"] == "nodes").unwrap();
    (of_nodes.clone(), output.status.code())
}

/// As if a node had told what it counted an hour ago.
fn an_hour_ago(fleet: &Fleet, node: &str) {
    let told = "UPDATE ficus.tally_node SET told = told - interval '1 hour'";
    fleet.database.run(&format!("{told} WHERE node = '{node}'"));
}

#[test]
fn what_other_nodes_counted_is_in_the_numbers_and_whoever_is_missing_is_named() {
    let mut fleet = Fleet::start(2, ROUTES);
    let [one, two] = [&fleet.nodes[0], &fleet.nodes[1]];
    ask(one, 2);
    ask(two, 3);
    for node in &fleet.nodes {
        node.wait("the sum is known", |node| counted(node) == 5);
    }
    let said = one.ok(&["progress"]);
    assert!(said.contains("counted by the fleet (web1, web2) in the last 30 days"), "{said}");
    let (all, code) = nodes(one, &[]);
    assert_eq!((&all["met"], code), (&true.into(), Some(3)), "{all}");
    assert!(all["sentence"].as_str().unwrap().ends_with(": web1, web2"), "{all}");

    // One that is cut off serves on, and nobody knows whom.
    fleet.relays[1].cut();
    two.wait("it is cut off", |two| {
        two.status()["fleet"]["apart"] == true
            || two.json(&["progress"])["progress"]["fleet"]["error"].is_string()
    });
    ask(two, 4);
    let alone = two.json(&["progress"])["progress"].clone();
    assert!(alone["fleet"]["error"].is_string(), "{alone}");
    assert_eq!(counted(two), 7, "its own, and they are told as such");
    assert!(two.ok(&["progress"]).contains("only this node's requests are counted"));
    assert_eq!(nodes(two, &[]).0["met"], false);
    an_hour_ago(&fleet, "web2");
    let (missing, code) = nodes(one, &[]);
    assert_eq!((&missing["met"], code), (&false.into(), Some(3)), "{missing}");
    assert!(
        missing["sentence"].as_str().unwrap().contains("`web2` told of its requests 60 min ago"),
        "{missing}"
    );
    assert!(one.ok(&["progress"]).contains("`web2` told of its requests 60 min ago"));
    assert_eq!(nodes(one, &["--without-node", "web2"]).0["met"], true);
    let unknown = one.cli(&["retire", "customers.list", "--flask", "crm:app", "--without-node", "web9"]);
    assert!(texts(&unknown).1.contains("there is no node `web9`"), "{unknown:?}");

    fleet.relays[1].heal();
    one.wait("it has told", |one| counted(one) == 9 && nodes(one, &[]).0["met"] == true);

    // Who stops has told everything, also what was not carried yet.
    ask(&fleet.nodes[1], 1);
    fleet.nodes[1].terminate();
    an_hour_ago(&fleet, "web2");
    assert_eq!((counted(&fleet.nodes[0]), &nodes(&fleet.nodes[0], &[]).0["met"]), (10, &true.into()));
}

#[test]
fn a_store_that_lost_it_or_never_had_it_is_told_everything() {
    let mut fleet = Fleet::start(1, ROUTES);
    ask(&fleet.nodes[0], 3);
    fleet.nodes[0].wait("it is counted", |node| counted(node) == 3);
    fleet.database.run("DELETE FROM ficus.tally; DELETE FROM ficus.tally_day; DELETE FROM ficus.tally_node");
    fleet.nodes[0].wait("it is told again", |node| counted(node) == 3);
    // The tables as the version before this one left them.
    fleet.nodes[0].terminate();
    fleet
        .database
        .run("DROP TABLE ficus.tally, ficus.tally_day, ficus.tally_node; UPDATE ficus.form SET version = 1");
    fleet.nodes[0].run();
    fleet.nodes[0].wait("it is told to the new tables", |node| counted(node) == 3);
    let progress = fleet.nodes[0].json(&["progress"])["progress"].clone();
    assert_eq!(progress["fleet"]["error"], Value::Null, "{progress}");
    // Nothing of anybody.
    let columns = "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns \
                   WHERE table_schema = 'ficus' AND table_name = 'tally'";
    assert_eq!(
        fleet.database.ask(columns),
        "backend calls day defers errors fallbacks last_at micros node route sessions writes"
    );
}
