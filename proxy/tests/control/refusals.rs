//! Who was refused stands in the audit, beside what was changed; a flood of refusals stands there as numbers.

use serde_json::{Value, json};

use crate::api::{JSON, bearer};
use crate::ficus::{Ficus, texts};

const ROUTES: &str = "version = 1\n\n[plans.quick]\nsteps = [\"10%\", \"candidate\"]\nsoak = \"10m\"\n\n\
    [[route]]\nname = \"customers.list\"\nrule = \"/customers/\"\nguard = {}\nplan = \"quick\"\n\n\
    [[route]]\nname = \"customers.detail\"\nrule = \"/customers/<int:id>\"\n";

fn started() -> Ficus {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    ficus.configure("[admin]\napi = true\n");
    ficus.started()
}

/// What the audit says of refusals, oldest first.
fn refused(ficus: &Ficus) -> Vec<Value> {
    ficus.wait("everything is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    let audit = ficus.json(&["audit", "--limit", "1000"]);
    let records = audit["audit"]["links"].as_array().unwrap().iter().map(|link| link["record"].clone());
    let mut refused: Vec<Value> = records.filter(|record| record["action"] == "refused").collect();
    refused.reverse();
    refused
}

#[test]
fn attempts_that_were_refused_are_on_record_with_who_what_and_why() {
    let mut ficus = started();
    let viewer = bearer(&ficus.token(&["--name", "phone", "--role", "viewer"]));
    let operator = bearer(&ficus.token(&["--name", "desk", "--role", "operator"]));
    let flip = json!({ "route": "customers.list", "to": "rust" }).to_string();
    let route = json!({ "route": "customers.list" }).to_string();
    let unknown = json!({ "route": "Somebody's secret" }).to_string();
    for (method, path, headers, body, status) in [
        ("POST", "/v1/flip", viewer.as_str(), &flip, 403),
        ("GET", "/v1/status", JSON, &String::new(), 401),
        ("POST", "/v1/flip", &format!("if-match: \"77\"\r\n{operator}"), &flip, 412),
        ("POST", "/v1/promote", &operator, &route, 409),
        ("POST", "/v1/hold", &operator, &route, 200),
        ("POST", "/v1/flip", &operator, &flip, 409),
        // Not refused: there is no such route. A conditional question is no attempt either.
        ("POST", "/v1/hold", &operator, &unknown, 404),
        ("GET", "/v1/routes", &format!("if-match: \"77\"\r\n{operator}"), &String::new(), 412),
    ] {
        assert_eq!(ficus.tcp(method, path, headers, body).status, status, "{method} {path} {body}");
    }
    let stale = ficus.cli(&["flip", "customers.detail", "rust", "--if-revision", "1"]);
    assert_eq!(stale.status.code(), Some(4), "{}", texts(&stale).1);
    let expected = [
        json!(["token phone", "POST /v1/flip", null, "needs_role"]),
        json!([null, "GET /v1/status", null, "no_token"]),
        json!(["token desk", "POST /v1/flip", "customers.list", "stale"]),
        json!(["token desk", "POST /v1/promote", "customers.list", "gate"]),
        json!(["token desk", "POST /v1/flip", "customers.list", "held"]),
    ];
    let found = refused(&ficus);
    let short = |record: &Value| json!([record["author"], record["what"], record["route"], record["reason"]]);
    assert_eq!(found[..5].iter().map(short).collect::<Vec<_>>(), expected);
    assert_eq!(
        (found.len(), short(&found[5])[2].as_str(), &found[5]["reason"]),
        (6, Some("customers.detail"), &json!("stale"))
    );
    let said = ficus.ok(&["audit"]);
    assert!(
        said.contains("token phone") && said.contains("POST /v1/promote") && said.contains("gate"),
        "{said}"
    );
    ficus.ok(&["audit", "--verify"]);
    // They are no revisions: nothing is missing in the history, and a restart goes on from the last change.
    let revision = ficus.revision();
    ficus.kill();
    std::fs::remove_file(ficus.path("state/routing.json")).unwrap();
    ficus.run();
    assert_eq!(ficus.revision(), revision);
    assert_eq!(ficus.status()["holds"][0]["route"], "customers.list");
    ficus.ok(&["audit", "--verify"]);
}

#[test]
fn a_flood_of_refusals_becomes_numbers() {
    let mut ficus = started();
    for number in 0..300 {
        let invented = bearer(&format!("ficus_{number:08}_{}", "0".repeat(64)));
        assert!(ficus.tcp("POST", "/v1/flip", &invented, "{}").status >= 400);
    }
    assert!(refused(&ficus).len() <= 10, "{}", refused(&ficus).len());
    // What was only counted is written down when the while or the process ends.
    ficus.terminate();
    ficus.run();
    let found = refused(&ficus);
    assert!(found.len() <= 11, "{}", found.len());
    let all: u64 = found.iter().map(|record| record["count"].as_u64().unwrap()).sum();
    assert_eq!(all, 300);
    assert!(found.last().unwrap()["reasons"].is_object(), "{found:?}");
    ficus.ok(&["audit", "--verify"]);
}
