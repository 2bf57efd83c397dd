//! Gates in a fleet: whose approval counts where, and until when; what is one node's alone; what a scrape of a node says of
//! its fleet.

use serde_json::{Value, json};

use crate::api::{Answer, JSON, bearer};
use crate::ficus::Ficus;
use crate::fleet::Fleet;

const ROUTES: &str = "version = 1\n\n[plans.quick]\nsteps = [\"10%\", \"50%\", \"candidate\"]\nsoak = \"0s\"\n\
    comparisons = 0\nmin_requests = 0\nschema = false\ndrill = \"off\"\napprovals = 2\n\n[[route]]\n\
    name = \"customers.list\"\nrule = \"/customers/\"\nguard = {}\nplan = \"quick\"\n";

fn with_api(count: usize) -> Fleet {
    Fleet::start_with(count, ROUTES, "[admin]\napi = true\n[canary]\nsecret_key = { env = \"CANARY\" }\n")
}

fn operator(node: &Ficus, name: &str) -> String {
    bearer(&node.token(&["--name", name, "--role", "operator"]))
}

fn approve(node: &Ficus, token: &str) -> Answer {
    node.tcp("POST", "/v1/approve", token, &json!({ "route": "customers.list" }).to_string())
}

fn approvals(node: &Ficus) -> Value {
    let gate = node.json(&["gate", "customers.list"])["gate"].clone();
    let conditions = gate["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|one| one["name"] == "approvals").unwrap()
}

#[test]
fn approvals_of_two_people_on_two_nodes_count_on_all_and_the_author_s_own_on_none() {
    let fleet = with_api(2);
    let [one, two] = [&fleet.nodes[0], &fleet.nodes[1]];
    let (cem, ana) = (operator(one, "cem"), operator(one, "ana"));
    let canary = json!({ "route": "customers.list", "percent": "10%", "wait": "30s" }).to_string();
    assert_eq!(one.tcp("POST", "/v1/canary", &cem, &canary).status, 200);

    // A token is one node's; its owner's name is the same person everywhere.
    assert_eq!(approve(two, &ana).code(), "unknown_token");
    let (cem_there, ben) = (operator(two, "cem"), operator(two, "ben"));
    let own = approve(two, &cem_there);
    assert_eq!((own.status, own.code().as_str()), (409, "no_step"), "{own:?}");
    assert!(own.body.contains("made the last change of `customers.list`"), "{own:?}");

    assert_eq!(approve(one, &ana).status, 200);
    fleet.settle();
    let half = approvals(two);
    assert!(half["holds"] == false && half["sentence"].as_str().unwrap().contains("1 of 2"), "{half}");
    assert_eq!(two.cli(&["promote", "customers.list"]).status.code(), Some(3));
    assert_eq!(approve(two, &ben).status, 200);
    fleet.settle();
    for node in &fleet.nodes {
        let both = approvals(node);
        let sentence = both["sentence"].as_str().unwrap();
        assert!(
            both["holds"] == true && sentence.contains("token ana") && sentence.contains("token ben"),
            "{both}"
        );
    }
    let history = two.ok(&["history", "customers.list"]);
    assert!(history.contains("token ana on web1") && history.contains("token ben on web2"), "{history}");

    // What they looked at is no more.
    one.edit(&one.routes_text().replace("guard = {}", "guard = { min_requests = 7 }"));
    two.wait("the edit is here", |two| two.routes_text().contains("min_requests = 7"));
    fleet.settle();
    for node in &fleet.nodes {
        assert_eq!(approvals(node)["holds"], false);
    }
    for (node, token) in [(one, &ana), (two, &ben)] {
        node.wait("it is approved anew", |node| approve(node, token).status == 200);
        fleet.settle();
    }
    one.ok(&["promote", "customers.list", "--wait", "30s"]);
    let standing = |node: &Ficus| node.json(&["routes"])["routes"][0]["standing"].clone();
    two.wait("all are a step up", |two| {
        standing(two) == "legacy, 50% rust" && standing(one) == standing(two)
    });
}

#[test]
fn somebody_who_comes_by_the_socket_and_with_tokens_is_one_person_on_every_node() {
    let fleet = with_api(2);
    let [one, two] = [&fleet.nodes[0], &fleet.nodes[1]];
    let of = |node: &Ficus, name: &str, user: &str| {
        bearer(&node.token(&["--name", name, "--for-user", user, "--role", "operator"]))
    };
    let me = one.unix("GET", "/v1/me", "", "").document()["person"].as_str().unwrap().to_owned();
    one.ok(&["canary", "customers.list", "10%", "--wait", "30s"]);
    for (name, token) in [("mine", of(two, "phone", &me)), ("by its name", operator(two, &me))] {
        let own = approve(two, &token);
        assert_eq!((own.status, own.code().as_str()), (409, "no_step"), "{name}: {own:?}");
        assert!(own.body.contains("is the same person"), "{name}: {own:?}");
    }
    let listed = two.ok(&["token", "list"]);
    assert!(listed.contains(&format!("phone (of {me})")), "{listed}");

    let (ana, tablet) = (operator(one, "ana"), of(two, "tablet", "ana"));
    assert_eq!(two.tcp("GET", "/v1/me", &tablet, "").document()["person"], "ana");
    for (node, token) in [(one, &ana), (two, &tablet)] {
        assert_eq!(approve(node, token).status, 200);
        fleet.settle();
    }
    let half = approvals(two);
    assert!(half["holds"] == false && half["sentence"].as_str().unwrap().contains("1 of 2"), "{half}");
    assert_eq!(approve(two, &of(two, "laptop", "ben")).status, 200);
    fleet.settle();
    for node in &fleet.nodes {
        let both = approvals(node);
        assert!(both["sentence"].as_str().unwrap().contains("token laptop of ben"), "{both}");
        assert_eq!(both["holds"], true, "{both}");
    }
    for wrong in ["", "two words", "ana\n"] {
        let new = json!({ "name": "x", "user": wrong, "role": "viewer", "lasts": "1h" }).to_string();
        assert_eq!(one.unix("POST", "/v1/tokens", JSON, &new).status, 400, "{wrong:?}");
    }
}

/// A number of a scrape.
fn shown(node: &Ficus, name: &str) -> Option<f64> {
    let text = node.http(node.admin_port, "/metrics").1;
    let line = text.lines().find(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])) && !line.starts_with('#')
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_scrape_says_how_the_fleet_is_and_nothing_of_it_when_there_is_none() {
    let fleet = Fleet::start(2, crate::ficus::ROUTES);
    let node = &fleet.nodes[0];
    let live = "ficus_fleet_nodes{state=\"live\"}";
    node.wait("both are seen", |node| {
        node.http(node.admin_port, "/metrics").1.lines().any(|line| line == format!("{live} 2"))
    });
    for name in ["nodes_behind", "revisions_behind", "cut_off", "unshared_changes", "changes_waiting"] {
        assert_eq!(shown(node, &format!("ficus_fleet_{name}")), Some(0.0), "{name}");
    }
    let contact = "ficus_fleet_last_contact_timestamp_seconds";
    assert!(shown(node, contact).unwrap() > 1_600_000_000.0);

    fleet.relays[0].cut();
    node.wait("it is cut off", |node| shown(node, "ficus_fleet_cut_off") == Some(1.0));
    node.cli(&["rollback", "customers.detail"]);
    assert_eq!(shown(node, "ficus_fleet_unshared_changes"), Some(1.0));
    let last = shown(node, contact);
    fleet.nodes[1].cli(&["canary", "customers.list", "5%"]);
    assert_eq!(shown(node, contact), last, "nobody answered since");
    fleet.relays[0].heal();
    node.wait("it is back", |node| {
        shown(node, "ficus_fleet_cut_off") == Some(0.0)
            && shown(node, "ficus_fleet_unshared_changes") == Some(0.0)
    });

    let frozen = nix::unistd::Pid::from_raw(fleet.nodes[1].pid());
    nix::sys::signal::kill(frozen, nix::sys::signal::Signal::SIGSTOP).unwrap();
    node.cli(&["flip", "customers.list", "rust", "--wait", "0s"]);
    node.wait("one is behind", |node| shown(node, "ficus_fleet_nodes_behind") == Some(1.0));
    nix::sys::signal::kill(frozen, nix::sys::signal::Signal::SIGCONT).unwrap();
    node.wait("nobody is behind", |node| shown(node, "ficus_fleet_nodes_behind") == Some(0.0));

    let alone = Ficus::start(crate::ficus::ROUTES);
    let text = alone.http(alone.admin_port, "/metrics").1;
    assert!(!text.lines().any(|line| line.starts_with("ficus_fleet_")), "{text}");
}
