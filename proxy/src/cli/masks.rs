//! What is masked in a support bundle. Where it is not known that a value is harmless, it is masked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::settings::{BACKEND, HEALTH, KEYS};

/// In the place of what is masked.
const MASKED: &str = "(masked)";
/// Authors that are no people.
const NOBODY: &[&str] = &["file", "guard", "ficus", "expiry"];

/// People that occurred, each with a number, so that one can see who is the same.
#[derive(Debug, Default)]
pub(super) struct Masks {
    people: BTreeMap<String, usize>,
}

impl Masks {
    /// Masks a document of the API.
    pub(super) fn document(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.document(item)),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    match (key.as_str(), &*value) {
                        ("author" | "who", Value::String(name)) => *value = json!(self.person(name)),
                        ("users" | "networks", Value::Array(items)) => *value = json!(count(items.len())),
                        // Files as they were, and what lay over them, with the lists that are in them.
                        ("text" | "diff" | "samples" | "token" | "pins", Value::Null) => {}
                        ("text" | "diff" | "token" | "pins", _) => *value = json!(MASKED),
                        _ => self.document(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn person(&mut self, name: &str) -> String {
        if NOBODY.contains(&name) {
            return name.to_owned();
        }
        let next = self.people.len() + 1;
        format!("person-{}", self.people.entry(name.to_owned()).or_insert(next))
    }
}

fn count(number: usize) -> String {
    format!("({number} masked)")
}

/// ficus.toml without comments, and without every value that is not known to be harmless.
pub(super) fn settings_text(text: &str) -> Result<String, String> {
    masked_file(text, &|path, value| {
        let secret = ["secret", "password", "token"].iter().any(|word| path.contains(word));
        let named = path.ends_with(".env") || path.ends_with(".file");
        let people = ["admin.admins", "admin.operators", "admin.viewers"].contains(&path);
        let known = known_key(path);
        let address = value.as_str().is_some_and(|text| text.contains('@'));
        (secret && !named) || people || address || !(known || named)
    })
}

fn known_key(path: &str) -> bool {
    if KEYS.iter().any(|key| key.name == path) {
        return true;
    }
    let Some((_, key)) = path.strip_prefix("backends.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let of_health = key.strip_prefix("health.").is_some_and(|key| HEALTH.iter().any(|own| own.name == key));
    of_health || BACKEND.iter().any(|own| own.name == key)
}

/// routes.toml without comments and without the people who are named in it.
pub(super) fn routes_text(text: &str) -> Result<String, String> {
    masked_file(text, &|path, _| {
        ["users", "networks", "author"].contains(&path.rsplit('.').next().unwrap_or(path))
    })
}

type Decide<'d> = &'d dyn Fn(&str, &toml::Value) -> bool;

fn masked_file(text: &str, hide: Decide<'_>) -> Result<String, String> {
    // What the parser would quote is not for anybody to see.
    let mut table: toml::Table = toml::from_str(text)
        .map_err(|_| "it cannot be read as TOML, so nobody knows what is in it".to_owned())?;
    for (key, value) in &mut table {
        mask(key, value, hide);
    }
    toml::to_string_pretty(&table).map_err(|error| error.to_string())
}

fn mask(path: &str, value: &mut toml::Value, hide: Decide<'_>) {
    match value {
        toml::Value::Table(table) => {
            table.iter_mut().for_each(|(key, value)| mask(&format!("{path}.{key}"), value, hide));
        }
        toml::Value::Array(items) if items.iter().all(toml::Value::is_table) => {
            items.iter_mut().for_each(|item| mask(path, item, hide));
        }
        toml::Value::Array(items) => {
            let masked =
                hide(path, &toml::Value::Array(Vec::new())) || items.iter().any(|item| hide(path, item));
            if masked {
                *value = toml::Value::String(count(items.len()));
            }
        }
        plain if hide(path, plain) => *plain = toml::Value::String(MASKED.to_owned()),
        _ => {}
    }
}

/// A line of the access log without what the client sent; `None`: it is not JSON.
pub(super) fn log_line(line: &str) -> Option<String> {
    let mut line: serde_json::Map<String, Value> = serde_json::from_str(line).ok()?;
    for key in ["path", "request_id", "bucket"] {
        line.remove(key);
    }
    Some(Value::Object(line).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_keep_what_is_harmless() {
        let text = r#"
            # SECRET in a comment
            routes = "routes.toml"
            unknown = "SECRET"
            [listen]
            http = "127.0.0.1:80"
            [flask]
            secret_key = "SECRET"
            session_cookie = "session"
            [canary]
            secret_key = { env = "CANARY_KEY" }
            [admin]
            operators = ["SECRET", "@ops"]
            [backends]
            legacy = { upstreams = ["http://a:1"], health = { path = "/ok" }, odd = "SECRET" }
            rust = { upstreams = ["http://u:SECRET@b"] }
        "#;
        let masked = settings_text(text).unwrap();
        assert!(!masked.contains("SECRET"), "{masked}");
        for kept in
            ["routes.toml", "127.0.0.1:80", "CANARY_KEY", "http://a:1", "/ok", "(2 masked)", "\"session\""]
        {
            assert!(masked.contains(kept), "{kept}: {masked}");
        }
        assert!(settings_text("= SECRET").is_err_and(|why| !why.contains("SECRET")));
    }

    #[test]
    fn routes_keep_what_is_no_person() {
        let text = "[[route]]\nname = \"a\" # SECRET\nrule = \"/a\"\n\
            canary = { users = [\"SECRET\"], networks = [\"192.0.2.0/24\"], percent = 5.0 }\n";
        let masked = routes_text(text).unwrap();
        assert!(!masked.contains("SECRET") && !masked.contains("192.0.2"), "{masked}");
        assert!(masked.contains("rule = \"/a\"") && masked.contains("percent = 5.0"), "{masked}");
    }

    #[test]
    fn people_are_numbered_and_the_same_person_has_the_same_number() {
        let mut document = json!({
            "last": { "author": "ana", "reason": "CRM-812" },
            "holds": [{ "author": "bea" }, { "author": "ana" }, { "author": "file" }],
            "record": { "text": "users = [7]", "users": ["7"] },
        });
        Masks::default().document(&mut document);
        let expected = json!({
            "last": { "author": "person-1", "reason": "CRM-812" },
            "holds": [{ "author": "person-2" }, { "author": "person-1" }, { "author": "file" }],
            "record": { "text": MASKED, "users": "(1 masked)" },
        });
        assert_eq!(document, expected);
    }
}
