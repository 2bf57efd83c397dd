//! What became of the application since its routing file was written: endpoints, rules, methods, switches of the map.
//!
//! Compares two routing files, the one on disk and the one that the shim would write now. Who serves a route is no
//! difference: that is decided in the file, not in the application.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::{Table, Value};

/// Every difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Endpoints that the file does not have.
    pub new: Vec<Endpoint>,
    /// Endpoints that the application no longer has.
    pub gone: Vec<Endpoint>,
    /// Endpoints whose rules or methods changed.
    pub changed: Vec<ChangedEndpoint>,
    /// Keys of `[map]` and `[converters]` that changed.
    pub switches: Vec<String>,
}

/// An endpoint with its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Its name.
    pub endpoint: String,
    /// Its rules, with methods.
    pub rules: Vec<String>,
}

/// An endpoint whose rules or methods changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedEndpoint {
    /// Its name.
    pub endpoint: String,
    /// Rules that the file does not have.
    pub added: Vec<String>,
    /// Rules that the application no longer has.
    pub removed: Vec<String>,
    /// Rules that are the same, for other methods.
    pub methods: Vec<ChangedMethods>,
}

/// A rule for other methods than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedMethods {
    /// The rule.
    pub rule: String,
    /// Methods in the file.
    pub before: Vec<String>,
    /// Methods in the application.
    pub now: Vec<String>,
}

/// Rule text with everything beside the methods that makes it this rule -> methods; by endpoint.
type Rules = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

impl Changes {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// A line for each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.new.iter().map(|e| format!("+ {}: {}", e.endpoint, e.rules.join(", "))));
        lines.extend(self.gone.iter().map(|e| format!("- {}: {}", e.endpoint, e.rules.join(", "))));
        for change in &self.changed {
            let name = &change.endpoint;
            lines.extend(change.added.iter().map(|rule| format!("~ {name}: + {rule}")));
            lines.extend(change.removed.iter().map(|rule| format!("~ {name}: - {rule}")));
            lines.extend(change.methods.iter().map(|methods| {
                let ChangedMethods { rule, before, now } = methods;
                format!("~ {name}: {rule}: {} -> {}", before.join(","), now.join(","))
            }));
        }
        lines.extend(self.switches.iter().map(|key| format!("~ {key}")));
        lines
    }
}

/// Compares the text of a routing file with the one that the application gives now.
pub fn compare(file: &str, application: &str) -> Result<Changes, toml::de::Error> {
    let (file, application): (Table, Table) = (toml::from_str(file)?, toml::from_str(application)?);
    let (before, now) = (rules(&file), rules(&application));
    let mut changes = Changes { switches: switches(&file, &application), ..Changes::default() };
    for (endpoint, rules) in &now {
        match before.get(endpoint) {
            None => changes.new.push(whole(endpoint, rules)),
            Some(known) => changes.changed.extend(changed(endpoint, known, rules)),
        }
    }
    changes.gone =
        before.iter().filter(|(name, _)| !now.contains_key(*name)).map(|(name, r)| whole(name, r)).collect();
    Ok(changes)
}

fn rules(file: &Table) -> Rules {
    let mut found = Rules::new();
    let routes = file.get("route").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for route in routes.iter().filter_map(Value::as_table) {
        let text = |key: &str| route.get(key).and_then(Value::as_str);
        let Some(endpoint) = text("endpoint").or_else(|| text("name")) else { continue };
        let methods: BTreeSet<String> = match route.get("methods") {
            None => BTreeSet::from(["GET".to_owned()]),
            Some(methods) => texts(methods),
        };
        let written: BTreeSet<String> = route
            .get("rules")
            .map(texts)
            .unwrap_or_else(|| text("rule").map(str::to_owned).into_iter().collect());
        let rules = found.entry(endpoint.to_owned()).or_default();
        for rule in written {
            // Parts of one rule, for different methods, are one rule of the application.
            rules.entry(rule + &beside(route)).or_default().extend(methods.iter().cloned());
        }
    }
    for methods in found.values_mut().flat_map(BTreeMap::values_mut) {
        if methods.contains("GET") {
            methods.remove("HEAD");
        }
    }
    found
}

/// What belongs to a rule beside its text and methods.
fn beside(route: &Table) -> String {
    let keys =
        ["host", "subdomain", "defaults", "provide_automatic_options", "strict_slashes", "merge_slashes"];
    keys.iter().filter_map(|key| route.get(*key).map(|value| format!(" ({key} = {value})"))).collect()
}

fn texts(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn switches(file: &Table, application: &Table) -> Vec<String> {
    let mut changed = Vec::new();
    for table in ["map", "converters"] {
        let of =
            |document: &Table| document.get(table).and_then(Value::as_table).cloned().unwrap_or_default();
        let (before, now) = (of(file), of(application));
        let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let said = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
        changed.extend(
            keys.into_iter()
                .filter(|key| before.get(*key) != now.get(*key))
                .map(|key| format!("{table}.{key}: {} -> {}", said(before.get(key)), said(now.get(key)))),
        );
    }
    changed
}

fn whole(endpoint: &str, rules: &BTreeMap<String, BTreeSet<String>>) -> Endpoint {
    Endpoint { endpoint: endpoint.to_owned(), rules: rules.iter().map(with_methods).collect() }
}

fn with_methods((rule, methods): (&String, &BTreeSet<String>)) -> String {
    let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
    format!("{} {rule}", methods.join(","))
}

fn changed(
    endpoint: &str,
    before: &BTreeMap<String, BTreeSet<String>>,
    now: &BTreeMap<String, BTreeSet<String>>,
) -> Option<ChangedEndpoint> {
    let only = |some: &BTreeMap<String, BTreeSet<String>>, others: &BTreeMap<String, BTreeSet<String>>| {
        some.iter().filter(|(rule, _)| !others.contains_key(*rule)).map(with_methods).collect::<Vec<_>>()
    };
    let methods = now.iter().filter_map(|(rule, now)| {
        let before = before.get(rule).filter(|before| *before != now)?;
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect();
        Some(ChangedMethods { rule: rule.clone(), before: list(before), now: list(now) })
    });
    let change = ChangedEndpoint {
        endpoint: endpoint.to_owned(),
        added: only(now, before),
        removed: only(before, now),
        methods: methods.collect(),
    };
    let nothing = change.added.is_empty() && change.removed.is_empty() && change.methods.is_empty();
    (!nothing).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPLICATION: &str = r#"
version = 1
[[route]]
name = "customers.edit"
rule = "/customers/<int:id>/edit"
methods = ["GET", "POST"]
serve = "legacy"
[[route]]
name = "customers.list"
rules = ["/customers/", "/all"]
methods = ["GET"]
serve = "legacy"
"#;

    #[test]
    fn decisions_and_parts_are_no_change() {
        let file = r#"
version = 1
[defaults]
serve = "rust"
[[route]]
name = "customers.list"
rules = ["/all", "/customers/"]
serve = "rust"
canary = { percent = 5.0 }
[[route]]
name = "customers.edit"
rule = "/customers/<int:id>/edit"
serve = "rust"
[[route]]
name = "customers.edit.post"
endpoint = "customers.edit"
rule = "/customers/<int:id>/edit"
methods = ["POST"]
"#;
        assert_eq!(compare(file, APPLICATION).unwrap(), Changes::default());
    }

    #[test]
    fn every_kind_of_change_is_told() {
        let file = r#"
version = 1
[map]
strict_slashes = false
[[route]]
name = "customers.edit"
rule = "/customers/<int:id>/edit"
[[route]]
name = "customers.list"
rules = ["/customers/", "/every"]
[[route]]
name = "old"
rule = "/old"
"#;
        let application = format!("{APPLICATION}[[route]]\nname = \"new\"\nrule = \"/new\"\n");
        let changes = compare(file, &application).unwrap();
        assert!(!changes.is_empty());
        assert_eq!(
            changes.lines(),
            [
                "+ new: GET /new",
                "- old: GET /old",
                "~ customers.edit: /customers/<int:id>/edit: GET -> GET,POST",
                "~ customers.list: + GET /all",
                "~ customers.list: - GET /every",
                "~ map.strict_slashes: false -> not set",
            ]
        );
    }
}
