//! Every endpoint times everybody who may ask: the table of the API is gone through, so a new line is tested too.

use ficus::admin::{ENDPOINTS, Role};
use serde_json::json;

use crate::api::{Answer, JSON, bearer};
use crate::ficus::Ficus;

/// No revision has this number, so what is let in is answered 412 and does nothing.
const NEVER: &str = "if-match: \"999999\"\r\n";

fn path(pattern: &str) -> String {
    pattern.replace("{id}", "999999")
}

/// Whether somebody was let in.
fn let_in(answer: &Answer, path: &str) -> bool {
    // A rollback is right on any picture.
    answer.status == 412 || (path == "/v1/rollback" && answer.status == 200)
}

#[test]
fn every_endpoint_lets_in_who_has_its_role_and_nobody_else() {
    let ficus = Ficus::with_api();
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let token = bearer(&ficus.token(&["--name", role.word(), "--role", role.word()]));
        for endpoint in ENDPOINTS {
            let answer = ficus.tcp(endpoint.method, &path(endpoint.path), &format!("{NEVER}{token}"), "{}");
            if role >= endpoint.role {
                assert!(let_in(&answer, endpoint.path), "{role:?} {endpoint:?}: {answer:?}");
            } else {
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (403, "needs_role"),
                    "{role:?} {endpoint:?}"
                );
                let needed = format!("this needs the role {}, and token", endpoint.role.word());
                assert!(answer.body.contains(&needed), "{answer:?}");
            }
        }
    }
}

#[test]
fn nobody_is_let_in_without_a_token_that_is_good() {
    let ficus = Ficus::with_api();
    let admin = |name: &str, lasts: &str| ficus.token(&["--name", name, "--role", "admin", "--for", lasts]);
    let (expired, revoked) = (admin("expired", "1ms"), admin("revoked", "1h"));
    ficus.ok(&["token", "revoke", "revoked"]);
    ficus.wait("the token has ended", |ficus| {
        ficus.tcp("GET", "/v1/me", &bearer(&expired), "").code() == "expired"
    });
    let invented = format!("ficus_00000000_{}", "0".repeat(64));
    for endpoint in ENDPOINTS {
        for (headers, codes) in [
            (JSON.to_owned(), ["no_token", "no_token"]),
            (format!("authorization: Basic dTpw\r\n{JSON}"), ["no_token", "no_token"]),
            // The first ones are told so; then there are too many.
            (bearer(&invented), ["unknown_token", "too_many_attempts"]),
            (bearer(&expired), ["expired", "expired"]),
            (bearer(&revoked), ["revoked", "revoked"]),
        ] {
            let answer = ficus.tcp(endpoint.method, &path(endpoint.path), &format!("{NEVER}{headers}"), "{}");
            assert!(codes.contains(&answer.code().as_str()), "{headers} {endpoint:?}: {answer:?}");
            let expected = if answer.code() == "too_many_attempts" { 429 } else { 401 };
            assert_eq!(answer.status, expected, "{answer:?}");
            let hint = if expected == 429 { "retry-after: 60" } else { "www-authenticate: bearer" };
            assert!(answer.head.contains(hint), "{answer:?}");
        }
    }
    // Whoever has a good one is not locked out by those who try.
    let good = bearer(&admin("good", "1h"));
    assert_eq!(ficus.tcp("GET", "/v1/status", &good, "").status, 200);
    let written = ficus.json(&["token", "log", "-n", "1000"]);
    let refused = |entry: &&serde_json::Value| entry["event"] == "refused";
    let refused = written["entries"].as_array().unwrap().iter().filter(refused).count();
    assert!((1..=40).contains(&refused), "{refused} refusals are written down");
    let metrics = ficus.http(ficus.admin_port, "/metrics").1;
    for reason in ["no_token", "unknown_token", "limited", "expired", "revoked"] {
        let line = format!("ficus_admin_requests_refused_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&line), "{line}");
    }
}

#[test]
fn a_token_for_some_routes_changes_those_and_nothing_else() {
    let ficus = Ficus::with_api();
    let flags = ["--name", "one", "--role", "operator", "--route", "customers.list"];
    let token = bearer(&ficus.token(&flags));
    let elsewhere = json!({ "route": "customers.detail", "to": "rust" }).to_string();
    for endpoint in ENDPOINTS {
        for body in ["{}", "", "[]", r#"{"route":null}"#, &elsewhere] {
            let read = endpoint.method == "GET";
            let headers = if read { format!("{NEVER}{token}") } else { token.clone() };
            let answer = ficus.tcp(endpoint.method, &path(endpoint.path), &headers, body);
            let code = match (endpoint.role > Role::Operator, read) {
                (true, _) => "needs_role",
                (false, true) => "stale",
                (false, false) => "wrong_scope",
            };
            assert_eq!(answer.code(), code, "{endpoint:?} {body}: {answer:?}");
        }
    }
    let here = json!({ "route": "customers.list", "to": "rust" }).to_string();
    assert_eq!(ficus.tcp("POST", "/v1/flip", &token, &here).status, 200);
    // Of two routes in one body it is the last that counts, and a handler takes only one.
    let twice = r#"{"route":"customers.detail","to":"rust","route":"customers.list"}"#;
    assert_eq!(ficus.tcp("POST", "/v1/flip", &token, twice).status, 422);
}

/// On the socket the kernel says who asks, and the user who runs ficus may do everything.
#[test]
fn on_the_socket_no_token_is_asked_for() {
    let ficus = Ficus::with_api();
    for endpoint in ENDPOINTS {
        let answer = ficus.unix(endpoint.method, &path(endpoint.path), &format!("{NEVER}{JSON}"), "{}");
        assert!(let_in(&answer, endpoint.path), "{endpoint:?}: {answer:?}");
    }
    let me = ficus.unix("GET", "/v1/me", "", "").document();
    assert_eq!(me["role"], "admin");
}
