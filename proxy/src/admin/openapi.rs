//! The description of the API in OpenAPI 3.1: paths and roles from the table, documents from `schemas.json`.
//!
//! docs/reference/openapi.json is the same text; a test tells when it is not.

use axum::Json;
use serde_json::{Map, Value, json};

use super::role::Role;
use super::table::{ENDPOINTS, Endpoint};

/// The documents, as JSON Schema.
const SCHEMAS: &str = include_str!("schemas.json");
/// What changes of the routing take, by path.
const REQUESTS: &[(&str, &str)] = &[
    ("/v1/flip", "FlipRequest"),
    ("/v1/canary", "CanaryRequest"),
    ("/v1/rollback", "RollbackRequest"),
    ("/v1/hold", "HoldRequest"),
    ("/v1/resume", "ResumeRequest"),
    ("/v1/undo", "UndoRequest"),
    ("/v1/apply", "ApplyRequest"),
    ("/v1/tester-token", "TesterTokenRequest"),
    ("/v1/tokens", "TokenRequest"),
];
/// Parameters of a query, by path.
const QUERIES: &[(&str, &[&str])] = &[
    ("/v1/explain", &["method", "path", "user", "visitor", "address", "role", "host"]),
    ("/v1/history", &["route", "limit", "diff"]),
    ("/v1/audit", &["limit"]),
    ("/v1/progress", &["days"]),
    ("/v1/diffs", &["route", "samples"]),
    ("/v1/certificate", &["route"]),
    ("/v1/noise", &["route"]),
    ("/v1/access", &["limit"]),
];

pub(super) async fn show() -> Json<Value> {
    Json(document())
}

/// The whole description.
pub fn document() -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_ascii_lowercase()] = operation(endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ficus admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "On the Unix socket the kernel says who asks; over TCP a bearer token does. Within /v1 \
                            fields and paths are added, never taken away. Every answer carries the revision that holds \
                            as its ETag; If-Match with another one is answered 412.",
        },
        "servers": [{ "url": "http://127.0.0.1:9900" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": serde_json::from_str::<Value>(SCHEMAS).unwrap_or_default(),
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let kind = if endpoint.path == "/v1/events" { "text/event-stream" } else { "application/json" };
    let mut operation = json!({
        "operationId": id(endpoint),
        "summary": endpoint.summary,
        "x-ficus-role": endpoint.role,
        "parameters": parameters(endpoint),
        "responses": {
            "200": { "description": "Done", "content": { kind: { "schema": reference(endpoint.answer) } } },
            "default": {
                "description": "Why not",
                "content": { "application/problem+json": { "schema": reference("Problem") } },
            },
        },
    });
    if endpoint.method == "POST" {
        let name = REQUESTS.iter().find(|(path, _)| *path == endpoint.path).map(|(_, name)| *name);
        let schema = name.map_or_else(|| json!({ "type": "object" }), reference);
        operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    }
    if endpoint.role > Role::Viewer {
        operation["description"] = json!(format!("Needs the role {}.", endpoint.role.word()));
    }
    operation
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let within = endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = within
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let own = |path: &str| path == endpoint.path && endpoint.method == "GET";
    let query = QUERIES.iter().find(|(path, _)| own(path)).map_or(&[][..], |(_, names)| *names);
    all.extend(
        query.iter().map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } })),
    );
    let header = |name: &str| json!({ "name": name, "in": "header", "schema": { "type": "string" } });
    all.push(header(if endpoint.path == "/v1/events" { "Last-Event-ID" } else { "If-Match" }));
    if endpoint.method != "GET" {
        let mut key = header("Idempotency-Key");
        key["schema"]["maxLength"] = json!(255);
        key["description"] = json!(
            "The same request with the same key within a day is made once and answered the same, with \
             Idempotency-Replayed; another request with it is answered 422, one that comes before the answer 409. A \
             restart or an upgrade of ficus forgets keys."
        );
        all.push(key);
    }
    all
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.trim_start_matches("/v1/").split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", endpoint.method.to_ascii_lowercase(), words.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_there_and_every_request_and_query_belongs_to_an_endpoint() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert!(!schemas.is_empty(), "schemas.json cannot be read");
        for text in document.to_string().split("#/components/schemas/").skip(1) {
            let name = text.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        for (path, method) in
            REQUESTS.iter().map(|r| (r.0, "POST")).chain(QUERIES.iter().map(|q| (q.0, "GET")))
        {
            assert!(ENDPOINTS.iter().any(|e| e.path == path && e.method == method), "{method} {path}");
        }
    }
}
