//! Secrets and personal data are planted in requests, settings, commands and tokens of a fleet; then every table of the shared
//! store is searched for them, and everything that the nodes wrote. The same for a node that is alone is in `life::sweep`.

use serde_json::json;

use crate::api::bearer;
use crate::ficus::{Ficus, ROUTES, exchange};
use crate::fleet::Fleet;

/// Planted in requests; no part of them may be found anywhere.
const PLANTED: [&str; 7] = [
    "session-cookie-Zk3vQ9",
    "bearer-Zk3vQ9",
    "csrf-Zk3vQ9",
    "query-Zk3vQ9",
    "zoe.zimmermann@example.org",
    "agent-Zk3vQ9",
    "203.0.113.77",
];

fn traffic(node: &Ficus) {
    let headers = "cookie: session=session-cookie-Zk3vQ9\r\nauthorization: Bearer bearer-Zk3vQ9\r\n\
        x-csrftoken: csrf-Zk3vQ9\r\nuser-agent: agent-Zk3vQ9\r\nx-forwarded-for: 203.0.113.77\r\n";
    for target in [
        "/customers/?q=query-Zk3vQ9",
        "/customers/7?mail=zoe.zimmermann@example.org",
        "/elsewhere?q=query-Zk3vQ9",
    ] {
        let answer = exchange(node.port, &format!("GET {target} HTTP/1.1\r\n"), headers);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn nothing_that_was_planted_is_in_the_store_that_nodes_share_nor_in_what_they_wrote() {
    let settings = "[admin]\napi = true\n[canary]\nsecret_key = { env = \"CANARY\" }\n";
    let fleet = Fleet::start_with(2, ROUTES, settings);
    let mut secrets: Vec<String> = PLANTED.iter().map(|text| (*text).to_owned()).collect();
    secrets.push("only for this test".to_owned());
    for node in &fleet.nodes {
        let token = node.token(&["--name", "desk", "--role", "operator"]);
        secrets.push(token.rsplit('_').next().unwrap().to_owned());
        let shadow = json!({ "route": "customers.list", "sample": "100%" }).to_string();
        assert_eq!(node.tcp("POST", "/v1/shadow", &bearer(&token), &shadow).status, 200);
        node.tcp("GET", "/v1/status?q=query-Zk3vQ9", &bearer("ficus_x_bearer-Zk3vQ9"), "");
        traffic(node);
    }
    let [one, two] = [&fleet.nodes[0], &fleet.nodes[1]];
    one.wait("a copy is compared", |one| {
        traffic(one);
        one.json(&["diffs"])["groups"].as_array().is_some_and(|groups| !groups.is_empty())
    });
    one.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812", "--wait", "30s"]);
    two.cli(&["rollback", "customers.list", "--reason", "3 am", "--wait", "30s"]);
    one.cli(&["resume", "customers.list"]);
    one.ok(&["tester-token", "customers.list"]);
    traffic(two);
    for node in &fleet.nodes {
        node.wait("everything is on record", |node| node.status()["store"]["pending"] == 0);
        is_clean("its log", &node.log(), &secrets);
        for entry in std::fs::read_dir(node.path("state")).unwrap().flatten() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            is_clean(&entry.path().display().to_string(), &String::from_utf8_lossy(&bytes), &secrets);
        }
    }
    let store = fleet.database.dump("ficus");
    for table in ["chain", "change", "incident", "node", "revision", "routing_file"] {
        assert!(store.contains(&format!("\n{table}\n")), "{table} was not searched");
    }
    assert!(store.contains("CRM-812") && store.contains("3 am"), "it is the store that was searched");
    is_clean("the shared store", &store, &secrets);
}

#[track_caller]
fn is_clean(what: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        if let Some(at) = text.find(secret.as_str()) {
            let start = text[..at].char_indices().rev().nth(200).map_or(0, |(index, _)| index);
            panic!("`{secret}` is in {what}: …{}", &text[start..at]);
        }
    }
}
