//! Addresses, redirects, error pages and JSON, against the real Werkzeug, Flask and Flask-RESTful.

#![allow(clippy::unwrap_used)]

mod support;

use flask_compat::answer::{error_page, jsonify, redirect, restful_error, restful_json};
use flask_compat::url::{RequestUrl, decode_pairs};
use serde_json::{Value, json};
use support::{ENVIRONMENTS, cases, text, vectors};

#[test]
fn shows_addresses_like_a_view_sees_them() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "pages");
        for case in cases(&vectors, "addresses") {
            let target = text(case, "target");
            let url = RequestUrl::new(text(case, "scheme"), text(case, "host"), target, profile);
            let args: Vec<Value> = decode_pairs(url.query.as_bytes(), profile)
                .0
                .iter()
                .map(|(name, value)| json!([name, value]))
                .collect();
            let seen = json!({
                "url": url.url(), "base_url": url.base_url(), "host_url": url.host_url(), "path": url.path,
                "full_path": url.full_path(), "host": url.host, "args": args,
            });
            assert_eq!(seen, case["seen"], "{environment}: {target}");
        }
    }
}

#[test]
fn redirects_like_werkzeug() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "pages");
        for case in cases(&vectors, "redirects") {
            let url = RequestUrl::new(text(case, "scheme"), "crm.example.com", text(case, "target"), profile);
            let ours = redirect(text(case, "given"), &url);
            assert_eq!(ours.location, text(case, "location"), "{environment}: {case}");
            assert_eq!(ours.body, text(case, "body"), "{environment}: {case}");
        }
    }
}

#[test]
fn writes_the_pages_of_errors() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "pages");
        for case in cases(&vectors, "errors") {
            let code = case["code"].as_u64().unwrap() as u16;
            assert_eq!(
                error_page(code, case["description"].as_str(), profile),
                text(case, "body"),
                "{environment}"
            );
        }
    }
}

#[test]
fn writes_json_like_flask_and_flask_restful() {
    for (environment, _) in ENVIRONMENTS {
        let vectors = vectors(environment, "pages");
        for case in cases(&vectors, "json") {
            let value: Value = serde_json::from_str(text(case, "value")).unwrap();
            assert_eq!(jsonify(&value).unwrap(), text(case, "jsonify"), "{environment}");
            assert_eq!(restful_json(&value).unwrap(), text(case, "restful"), "{environment}");
        }
        for case in cases(&vectors, "restful_errors") {
            let code = case["status"].as_u64().unwrap() as u16;
            let data = match text(case, "path") {
                "/stop/422" => json!({"message": "no good", "errors": {"name": ["x"]}}),
                "/known" => json!({"message": "Customer 7 doesn't exist"}),
                _ => json!({}),
            };
            assert_eq!(restful_error(code, data.as_object().unwrap()), text(case, "body"), "{environment}");
        }
    }
}
