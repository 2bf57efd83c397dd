//! The URL map of the whole application, from routes.toml: `url_for` and matching know every rule, moved or not.
//!
//! Only what a rule is made of is read here; the proxy checks the file.

use flask_compat::Profile;
use flask_compat::routing::{Map, MapOptions, RuleSpec, Value};
use serde::Deserialize;

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// Not TOML, or not the shape of routes.toml.
    #[error("routes.toml: {0}")]
    Toml(#[from] toml::de::Error),
    /// Rules that Werkzeug would not take.
    #[error("routes.toml: {}", .0.join("; "))]
    Rules(Vec<String>),
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    route: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    name: String,
    endpoint: Option<String>,
    rule: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    methods: Option<Vec<String>>,
    #[serde(default = "yes")]
    provide_automatic_options: bool,
    host: Option<String>,
    subdomain: Option<String>,
    strict_slashes: Option<bool>,
    #[serde(default)]
    defaults: toml::Table,
}

/// Reads the map. Parts of one Flask rule (same endpoint and rule, other methods) become one rule again.
///
/// # Errors
/// When the text is no routes.toml, or a rule is none of Werkzeug's; all bad rules are named.
pub fn read(text: &str, profile: Profile) -> Result<Map, RoutesError> {
    let file: File = toml::from_str(text)?;
    let mut specs: Vec<RuleSpec> = Vec::new();
    for route in file.route {
        let endpoint = route.endpoint.clone().unwrap_or_else(|| route.name.clone());
        let methods = methods_of(&route);
        for rule in route.rule.iter().chain(&route.rules) {
            if let Some(known) = specs.iter_mut().find(|spec| spec.endpoint == endpoint && spec.rule == *rule)
            {
                known.methods =
                    known.methods.take().zip(methods.clone()).map(|(known, more)| [known, more].concat());
                known.provide_automatic_options &= route.provide_automatic_options;
                continue;
            }
            specs.push(spec(&route, rule, &endpoint, methods.as_ref()));
        }
    }
    let specs: Vec<RuleSpec> = specs.into_iter().map(with_options).collect();
    Map::new(MapOptions::new(profile), &specs)
        .map_err(|errors| RoutesError::Rules(errors.iter().map(ToString::to_string).collect()))
}

fn yes() -> bool {
    true
}

/// `None`: any.
fn methods_of(route: &Route) -> Option<Vec<String>> {
    match &route.methods {
        None => Some(vec!["GET".to_owned()]),
        Some(methods) => (methods[..] != ["*"]).then(|| methods.clone()),
    }
}

/// Flask's automatic OPTIONS, unless a route does without it or takes any method.
fn with_options(mut spec: RuleSpec) -> RuleSpec {
    let wanted = std::mem::take(&mut spec.provide_automatic_options) && spec.methods.is_some();
    if wanted { spec.automatic_options() } else { spec }
}

fn spec(route: &Route, rule: &str, endpoint: &str, methods: Option<&Vec<String>>) -> RuleSpec {
    let mut spec = RuleSpec::new(rule, endpoint);
    spec.methods = methods.cloned();
    spec.provide_automatic_options = route.provide_automatic_options;
    spec.host.clone_from(&route.host);
    spec.subdomain.clone_from(&route.subdomain);
    spec.strict_slashes = route.strict_slashes;
    spec.defaults = route.defaults.iter().map(|(name, value)| (name.clone(), value_of(value))).collect();
    spec
}

fn value_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::String(text) => Value::from(text.as_str()),
        other => Value::from(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flask_compat::routing::Match;

    const FILE: &str = r#"
        version = 1
        [[route]]
        name = "customers.create"
        rule = "/customers/new"
        methods = ["GET"]
        [[route]]
        name = "customers.create.post"
        endpoint = "customers.create"
        rule = "/customers/new"
        methods = ["POST"]
    "#;

    #[test]
    fn parts_of_a_rule_are_one_rule() {
        let map = read(FILE, Profile::Werkzeug10).unwrap();
        assert_eq!(map.len(), 1);
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            assert!(matches!(map.find("crm.test", method, "/customers/new"), Match::Rule(_)), "{method}");
        }
    }

    #[test]
    fn rules_for_any_method_and_without_automatic_options() {
        let text = "[[route]]\nname='any'\nrule='/any'\nmethods=['*']\n[[route]]\nname='quiet'\nrule='/quiet'\n\
            provide_automatic_options=false\n[[route]]\nname='own'\nrule='/own'\n";
        let map = read(text, Profile::Werkzeug23).unwrap();
        let automatic = |method, path| match map.find("crm.test", method, path) {
            Match::Rule(matched) => Some(matched.automatic_options()),
            _ => None,
        };
        assert_eq!(automatic("PURGE", "/any"), Some(false));
        assert_eq!(automatic("OPTIONS", "/any"), Some(false));
        assert_eq!(automatic("OPTIONS", "/quiet"), None);
        assert_eq!(automatic("OPTIONS", "/own"), Some(true));
    }

    #[test]
    fn bad_rules_are_all_named() {
        let text = "[[route]]\nname='a'\nrule='/<int:'\n[[route]]\nname='b'\nrule='nope'\n";
        let error = read(text, Profile::Werkzeug10).unwrap_err().to_string();
        assert!(error.contains(';'), "{error}");
    }
}
