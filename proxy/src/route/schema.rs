//! JSON Schema (draft 2020-12) of routes.toml, for editors: what a file may say, as far as one can tell without looking at
//! several routes at once, at the backends, or into a rule.
//!
//! Made from the same lists of keys by which the file is read (`keys`); what a key may hold is said here. The committed copy
//! in docs/ is tested against this.

use serde_json::{Map, Value, json};

use super::keys;

/// The schema.
pub fn schema() -> Value {
    let mut schema = table(&[]);
    schema["required"] = json!(["version"]);
    let mut whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routes.toml of Ficus",
        "description": "What runs where. Made by `ficus schema routes`; `ficus check` checks more than a schema can.",
    });
    if let (Some(whole), Value::Object(rest)) = (whole.as_object_mut(), schema) {
        whole.extend(rest);
    }
    whole["$defs"] = json!({
        "duration": {
            "type": "string",
            "pattern": "^\\s*(?=.*[1-9])([0-9]+(ms|s|m|h))+\\s*$",
            "examples": ["250ms", "5s", "1m30s", "2h"],
        },
        "backend": { "type": "string", "minLength": 1, "not": { "const": "off" } },
        "name": { "type": "string", "pattern": "^[^\\s\\x00-\\x1f-][^\\s\\x00-\\x1f]*$" },
        "rule": { "type": "string", "pattern": "^/" },
        "texts": { "type": "array", "items": { "type": "string" } },
        "path": {
            "type": "string",
            "maxLength": 400,
            "pattern": "^(status|header|redirect|cookie|flash|csrf|json|html|text|body)($|[ .\\[])",
        },
    });
    whole
}

/// A table with the keys that it may have, and no others.
fn table(path: &[&str]) -> Value {
    let mut properties = Map::new();
    for key in keys::of(path).unwrap_or_default() {
        properties.insert((*key).to_owned(), value(&path.join("."), key).unwrap_or(json!(true)));
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

fn of(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn switch() -> Value {
    json!({ "type": "boolean" })
}

fn text() -> Value {
    json!({ "type": "string" })
}

/// What a key may hold.
fn value(table: &str, key: &str) -> Option<Value> {
    match table {
        "" => top(key),
        "defaults" => serving(key),
        "map" => map(key),
        "converters.*" => converter(key),
        "route" => route(key),
        "route.canary" => canary(key),
        "route.shadow" => shadow(key),
        "route.shadow.ignore" => ignore(key),
        "route.rate" => rate(key),
        "route.guard" => guard(key),
        "route.plan" | "plans.*" => plan(key),
        _ => None,
    }
}

fn top(key: &str) -> Option<Value> {
    Some(match key {
        "version" => described(json!({ "const": 1 }), "The version of this format."),
        "defaults" => {
            described(table(&["defaults"]), "What a route inherits, and who answers what no route matches.")
        }
        "plans" => {
            let all = json!({ "type": "object", "additionalProperties": table(&["plans", "*"]) });
            described(all, "Ways to the candidate that routes name.")
        }
        "map" => described(table(&["map"]), "What Flask says to Werkzeug's map."),
        "converters" => {
            let mut converter = table(&["converters", "*"]);
            converter["required"] = json!(["regex"]);
            let regex = json!({ "type": "string", "minLength": 1 });
            let all = json!({ "type": "object", "additionalProperties": { "anyOf": [regex, converter] } });
            described(all, "Converters of the application's own: a regular expression, or a table.")
        }
        "route" => {
            let mut route = table(&["route"]);
            route["required"] = json!(["name"]);
            route["oneOf"] = json!([{ "required": ["rule"] }, { "required": ["rules"] }]);
            described(json!({ "type": "array", "items": route }), "One Flask endpoint, or a part of one.")
        }
        _ => return None,
    })
}

fn serving(key: &str) -> Option<Value> {
    Some(match key {
        "serve" => described(
            json!({ "type": "string", "minLength": 1 }),
            "Which backend answers; `off`: nobody, 503.",
        ),
        "candidate" => described(of("backend"), "The backend being tried."),
        "fallback" => described(of("backend"), "The backend that is safe."),
        _ => return None,
    })
}

fn map(key: &str) -> Option<Value> {
    Some(match key {
        "default_subdomain" | "server_name" => text(),
        "strict_slashes" | "merge_slashes" | "redirect_defaults" | "host_matching" | "subdomain_matching" => {
            switch()
        }
        _ => return None,
    })
}

fn converter(key: &str) -> Option<Value> {
    Some(match key {
        "regex" => json!({ "type": "string", "minLength": 1 }),
        "weight" => json!({ "type": "integer", "minimum": 0 }),
        "part_isolating" => switch(),
        _ => return None,
    })
}

fn route(key: &str) -> Option<Value> {
    Some(match key {
        "name" => described(
            of("name"),
            "Unique: the Flask endpoint; with the method behind it when methods move apart.",
        ),
        "endpoint" => described(of("name"), "The Flask endpoint, where the name does not say it."),
        "rule" => described(of("rule"), "Werkzeug's rule, verbatim."),
        "rules" => described(
            json!({ "type": "array", "minItems": 1, "items": of("rule") }),
            "Several rules of one endpoint.",
        ),
        "methods" => described(
            json!({
                "type": "array",
                "minItems": 1,
                "uniqueItems": true,
                "items": { "type": "string", "pattern": "^([A-Z_-]+|\\*)$" },
                "if": { "contains": { "const": "*" } },
                "then": { "maxItems": 1 },
            }),
            "Methods; left out: GET; `*`: any. HEAD and OPTIONS follow as in Flask.",
        ),
        "host" | "subdomain" => described(text(), "As in Werkzeug."),
        "defaults" => described(variables(), "Values that the rule adds."),
        "provide_automatic_options" | "strict_slashes" | "merge_slashes" => switch(),
        "serve" | "candidate" | "fallback" => return serving(key),
        "canary" => described(table(&["route", "canary"]), "Who is served by the candidate."),
        "shadow" => described(table(&["route", "shadow"]), "Which requests are copied to the other side."),
        "guard" => described(table(&["route", "guard"]), "When the route rolls itself back."),
        "plan" => described(
            json!({ "anyOf": [{ "type": "string", "minLength": 1 }, table(&["route", "plan"])] }),
            "The steps to the candidate and what each needs; or the name of one of `plans`.",
        ),
        "timeout" => described(of("duration"), "Longest wait for the backend's next bytes."),
        "connect_timeout" => described(of("duration"), "Longest wait for a connection."),
        "total_timeout" => described(of("duration"), "Longest time for the whole answer."),
        "rate" => {
            let mut rate = table(&["route", "rate"]);
            rate["required"] = json!(["per", "requests", "window"]);
            described(rate, "How often somebody may ask.")
        }
        _ => return None,
    })
}

fn variables() -> Value {
    let none = json!({
        "type": "object",
        "properties": { "none": { "type": "boolean" } },
        "additionalProperties": false,
    });
    json!({ "type": "object", "additionalProperties": { "anyOf": [{ "type": ["string", "number", "boolean"] }, none] } })
}

fn canary(key: &str) -> Option<Value> {
    Some(match key {
        "percent" => described(
            json!({ "type": "number", "minimum": 0, "maximum": 100 }),
            "Share of users, with at most 3 decimals.",
        ),
        "users" | "roles" => of("texts"),
        "networks" => {
            json!({ "type": "array", "items": { "type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]+)?$" } })
        }
        "testers" => switch(),
        "group" => json!({ "type": "string", "minLength": 1 }),
        "pin" => json!({ "anyOf": [{ "const": "off" }, of("duration")] }),
        _ => return None,
    })
}

fn shadow(key: &str) -> Option<Value> {
    Some(match key {
        "sample" => described(json!({ "type": "number", "minimum": 0, "maximum": 1 }), "Share of requests."),
        "ignore" => {
            let mut rule = table(&["route", "shadow", "ignore"]);
            rule["required"] = json!(["path", "reason", "author", "expires"]);
            let one = ["tolerance", "within", "unordered_by"];
            let two = |a: usize, b: usize| json!({ "required": [one[a], one[b]] });
            rule["not"] = json!({ "anyOf": [two(0, 1), two(0, 2), two(1, 2)] });
            json!({ "type": "array", "items": rule })
        }
        "writes" => switch(),
        "show" => json!({ "type": "array", "items": of("path") }),
        _ => return None,
    })
}

fn ignore(key: &str) -> Option<Value> {
    Some(match key {
        "path" => of("path"),
        "reason" | "author" => json!({ "type": "string", "pattern": "\\S" }),
        "expires" => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        "tolerance" => json!({ "type": "number", "minimum": 0 }),
        "within" => of("duration"),
        "unordered_by" => text(),
        _ => return None,
    })
}

fn rate(key: &str) -> Option<Value> {
    Some(match key {
        "per" => json!({ "enum": ["client", "user"] }),
        "requests" | "burst" => json!({ "type": "integer", "minimum": 1 }),
        "window" => of("duration"),
        _ => return None,
    })
}

fn guard(key: &str) -> Option<Value> {
    Some(match key {
        "max_error_ratio" => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        "max_p95_ratio" => {
            json!({ "anyOf": [{ "type": "number", "minimum": 1, "maximum": 1_000 }, { "const": "off" }] })
        }
        "window" => of("duration"),
        "min_requests" => json!({ "type": "integer", "minimum": 1 }),
        "on_trip" => json!({ "enum": ["rollback", "freeze"] }),
        _ => return None,
    })
}

fn plan(key: &str) -> Option<Value> {
    let count = json!({ "type": "integer", "minimum": 0 });
    let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    Some(match key {
        "steps" => json!({ "type": "array", "minItems": 1, "items": { "type": ["string", "number"] } }),
        "soak" => of("duration"),
        "drill" => json!({ "anyOf": [of("duration"), { "const": "off" }] }),
        "comparisons" | "min_requests" | "approvals" => count,
        "max_mismatch" | "max_error_ratio" => share,
        "max_p95_ratio" => json!({ "type": "number", "minimum": 1 }),
        "schema" | "auto" => switch(),
        "hours" => text(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_may_hold() {
        for (path, keys) in keys::TABLES {
            for key in *keys {
                let table = path.join(".");
                assert!(
                    value(&table, key).is_some(),
                    "say in route/schema.rs what `{key}` of `{table}` may hold"
                );
            }
        }
    }
}
