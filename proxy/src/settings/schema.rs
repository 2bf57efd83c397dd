//! JSON Schema (draft 2020-12) of ficus.toml, for editors: names, kinds of values, defaults and variables, made from the
//! table of keys by which the file is read. What a key may hold is told by its default; where that says too little, here.

use serde_json::{Map, Value, json};

use super::keys::{BACKEND, HEALTH, KEYS, Key, variable};
use crate::diagnostic::{bytes, duration};

/// The schema.
pub fn schema() -> Value {
    let mut properties = tables(KEYS);
    properties.insert("backends".to_owned(), backends());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ficus.toml of Ficus",
        "description": "This node. Made by `ficus schema ficus`; `ficus check` checks more than a schema can.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": {
            "duration": {
                "type": "string",
                "pattern": "^\\s*([0-9]+(ms|s|m|h))+\\s*$",
                "examples": ["250ms", "5s", "1m30s", "2h"],
            },
            "size": {
                "anyOf": [
                    { "type": "integer", "minimum": 1 },
                    { "type": "string", "pattern": "^\\s*[0-9]+\\s*([kKmMgG]?[iI]?[bB])?\\s*$" },
                ],
            },
            "secret": {
                "type": "object",
                "properties": { "env": { "type": "string" }, "file": { "type": "string" } },
                "additionalProperties": false,
                "oneOf": [{ "required": ["env"] }, { "required": ["file"] }],
            },
            "address": { "type": "string", "pattern": "^(off|.*:[0-9]+)$" },
            "texts": { "type": "array", "items": { "type": "string" } },
        },
    })
}

/// `listen.https.address` becomes `address` in a table in a table.
fn tables(keys: &[Key]) -> Map<String, Value> {
    let mut root = Map::new();
    for key in keys {
        let description = format!("Variable {}.", variable(key.name));
        insert(&mut root, key.name, property(key, key.name, Some(&description)));
    }
    root
}

fn insert(table: &mut Map<String, Value>, name: &str, schema: Value) {
    let Some((first, rest)) = name.split_once('.') else {
        table.insert(name.to_owned(), schema);
        return;
    };
    let inner = table
        .entry(first.to_owned())
        .or_insert_with(|| json!({ "type": "object", "properties": {}, "additionalProperties": false }));
    if let Value::Object(properties) = &mut inner["properties"] {
        insert(properties, rest, schema);
    }
}

fn backends() -> Value {
    let mut backend = object(BACKEND, "backends.");
    backend["required"] = json!(["upstreams"]);
    let mut health = object(HEALTH, "health.");
    health["required"] = json!(["path"]);
    backend["properties"]["health"] = health;
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[a-z0-9_-]+$", "not": { "const": "off" } },
        "additionalProperties": backend,
    })
}

fn object(keys: &[Key], prefix: &str) -> Value {
    let mut properties = Map::new();
    for key in keys {
        properties.insert(key.name.to_owned(), property(key, &format!("{prefix}{}", key.name), None));
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(key: &Key, name: &str, description: Option<&str>) -> Value {
    let mut schema = kind(name, key.default).unwrap_or(json!({}));
    if let Some(description) = description {
        schema["description"] = json!(description);
    }
    if !key.default.is_empty() {
        schema["default"] = serde_json::from_str(key.default)
            .ok()
            .filter(|_| schema["type"] != "string" && schema["$ref"] != "#/$defs/size")
            .unwrap_or_else(|| json!(key.default));
    }
    schema
}

fn of(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

/// What a key may hold; `None`: nobody said, and its default does not tell.
fn kind(name: &str, default: &str) -> Option<Value> {
    said(name).or_else(|| told(default))
}

/// Keys whose default does not tell everything.
fn said(name: &str) -> Option<Value> {
    Some(match name {
        "flask.secret_key"
        | "canary.secret_key"
        | "flask.channel_secret"
        | "store.password"
        | "shadow.database"
        | "shadow.fernet_keys"
        | "webhooks.secret" => of("secret"),
        "webhooks.before" | "webhooks.after" => json!({ "type": "string", "minLength": 1 }),
        "listen.http" | "listen.admin" | "listen.https.address" => of("address"),
        "listen.https.certificate" | "listen.https.key" | "admin.certificate" | "admin.key" => {
            json!({ "anyOf": [{ "type": "string" }, of("texts")] })
        }
        "listen.trusted_proxies"
        | "listen.proxy_protocol"
        | "shadow.profiles"
        | "admin.hosts"
        | "admin.admins"
        | "admin.operators"
        | "admin.viewers" => of("texts"),
        "flask.profile" => {
            json!({ "enum": ["werkzeug-1.0", "werkzeug-2.3", "werkzeug-3.0", "werkzeug-3.1"] })
        }
        "log.format" => json!({ "enum": ["json", "common"] }),
        "log.paths" => json!({ "enum": ["full", "rule"] }),
        "control.override_expires" => json!({ "anyOf": [{ "const": "never" }, of("duration")] }),
        "store.url" => json!({ "type": "string", "pattern": "^(sqlite|postgres|postgresql):" }),
        "flask.role_key" | "fleet.node" | "store.directory" | "telemetry.otlp_endpoint" | "backends.ca" => {
            json!({ "type": "string" })
        }
        "backends.upstreams" => json!({
            "type": "array",
            "minItems": 1,
            "items": { "type": "string", "pattern": "^(unix:.+|https?://[^/?#@\\s]+/?)$" },
        }),
        "backends.max_requests" => json!({ "type": "integer", "minimum": 1 }),
        "backends.fallback_requests" => json!({ "type": "integer", "minimum": 0 }),
        "backends.health" => json!({ "type": "object" }),
        "backends.max_ejected" | "telemetry.sample" => {
            json!({ "type": "number", "minimum": 0, "maximum": 1 })
        }
        "health.path" => json!({ "type": "string", "pattern": "^/[!-~]*$" }),
        "health.unhealthy_after" | "health.healthy_after" => json!({ "type": "integer", "minimum": 1 }),
        "limits.backend_requests" | "limits.connections" | "limits.connections_per_client" => {
            json!({ "type": "integer", "minimum": 1 })
        }
        "limits.body_rate" => of("size"),
        _ => return None,
    })
}

/// What a default tells: a size, a time, a number, a switch, a text.
fn told(default: &str) -> Option<Value> {
    if default.is_empty() {
        return None;
    }
    Some(if default.parse::<u64>().is_ok() {
        json!({ "type": "integer", "minimum": 0 })
    } else if default.parse::<f64>().is_ok() {
        json!({ "type": "number" })
    } else if default.parse::<bool>().is_ok() {
        json!({ "type": "boolean" })
    } else if duration(default).is_ok() {
        of("duration")
    } else if bytes(default).is_ok() {
        of("size")
    } else {
        json!({ "type": "string", "minLength": 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_may_hold() {
        let prefixed = |keys: &'static [Key], prefix: &str| -> Vec<(String, &'static str)> {
            keys.iter().map(|key| (format!("{prefix}{}", key.name), key.default)).collect()
        };
        let all = [prefixed(KEYS, ""), prefixed(BACKEND, "backends."), prefixed(HEALTH, "health.")].concat();
        for (name, default) in all {
            assert!(kind(&name, default).is_some(), "say in settings/schema.rs what `{name}` may hold");
        }
    }

    #[test]
    fn defaults_tell_the_kind_of_a_value() {
        let kinds = [("5s", "duration"), ("64KiB", "size")];
        for (default, definition) in kinds {
            assert_eq!(told(default), Some(of(definition)), "{default}");
        }
        assert_eq!(told("256"), Some(json!({ "type": "integer", "minimum": 0 })));
        assert_eq!(told("false"), Some(json!({ "type": "boolean" })));
        assert_eq!(told(""), None);
    }
}
