//! What a caller says about a map: options, rules as written, custom converters. Nothing is checked here; `Map::new`
//! checks everything and reports all errors at once.

use std::collections::BTreeMap;

use super::value::Value;
use crate::Profile;

/// Options of `werkzeug.routing.Map` and of the Flask application around it. The default is Flask's.
#[derive(Debug, Clone)]
pub struct MapOptions {
    /// Whose matching to follow.
    pub profile: Profile,
    /// A rule that ends in a slash redirects the request without it.
    pub strict_slashes: bool,
    /// Repeated slashes count as one and redirect.
    pub merge_slashes: bool,
    /// Values equal to a rule's `defaults` redirect to that rule.
    pub redirect_defaults: bool,
    /// Match rules by `host` instead of `subdomain`.
    pub host_matching: bool,
    /// `Flask(subdomain_matching=True)`; matters from Flask 3.1 on, before that only with a `default_subdomain`.
    pub subdomain_matching: bool,
    /// Subdomain of the rules that name none.
    pub default_subdomain: String,
    /// Flask's `SERVER_NAME`.
    pub server_name: Option<String>,
    /// Converters that are not Werkzeug's own, by name.
    pub converters: BTreeMap<String, ConverterSpec>,
}

impl Default for MapOptions {
    fn default() -> Self {
        MapOptions {
            profile: Profile::default(),
            strict_slashes: true,
            merge_slashes: true,
            redirect_defaults: true,
            host_matching: false,
            subdomain_matching: false,
            default_subdomain: String::new(),
            server_name: None,
            converters: BTreeMap::new(),
        }
    }
}

impl MapOptions {
    /// The default options with another profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        MapOptions { profile, ..MapOptions::default() }
    }
}

/// A custom converter, as far as a router must know it: what its class attributes say. Its values stay text.
#[derive(Debug, Clone)]
pub struct ConverterSpec {
    /// The class attribute `regex`.
    pub regex: String,
    /// The class attribute `weight`: 100 unless the class says otherwise.
    pub weight: i64,
    /// The class attribute `part_isolating`; absent: true unless the regex contains a slash.
    pub part_isolating: Option<bool>,
}

impl ConverterSpec {
    /// A converter with this regular expression and default weight.
    #[must_use]
    pub fn new(regex: impl Into<String>) -> Self {
        ConverterSpec { regex: regex.into(), weight: 100, part_isolating: None }
    }
}

/// One `werkzeug.routing.Rule`, as written.
#[derive(Debug, Clone, Default)]
pub struct RuleSpec {
    /// The rule, verbatim: `/customers/<int:customer_id>`.
    pub rule: String,
    /// The Flask endpoint.
    pub endpoint: String,
    /// The methods; absent: any. HEAD joins GET by itself.
    pub methods: Option<Vec<String>>,
    /// Values that the rule adds, in order of definition.
    pub defaults: Vec<(String, Value)>,
    /// Host rule, used with `host_matching`.
    pub host: Option<String>,
    /// Subdomain rule, used without `host_matching`.
    pub subdomain: Option<String>,
    /// Overrides the map's option.
    pub strict_slashes: Option<bool>,
    /// Overrides the map's option.
    pub merge_slashes: Option<bool>,
    /// The rule is only for `build`.
    pub build_only: bool,
    /// Target of a redirect, with `<variable>` in it.
    pub redirect_to: Option<String>,
    /// The rule redirects to the canonical rule of its endpoint.
    pub alias: bool,
    /// The rule answers WebSocket requests only.
    pub websocket: bool,
    /// Custom converters of this rule; they win over the map's.
    pub converters: BTreeMap<String, ConverterSpec>,
    /// Flask answers OPTIONS by itself ([`RuleSpec::automatic_options`]); matching does not depend on it.
    pub provide_automatic_options: bool,
}

impl RuleSpec {
    /// A rule for all methods.
    #[must_use]
    pub fn new(rule: impl Into<String>, endpoint: impl Into<String>) -> Self {
        RuleSpec { rule: rule.into(), endpoint: endpoint.into(), ..RuleSpec::default() }
    }

    /// Limits the rule to these methods, as `Rule(methods=...)` does.
    #[must_use]
    pub fn methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// Adds OPTIONS to the methods and lets Flask answer it, as `Flask.add_url_rule` does. A rule that lists OPTIONS itself
    /// answers it with its own view.
    #[must_use]
    pub fn automatic_options(mut self) -> Self {
        let methods = self.methods.get_or_insert_with(|| vec!["GET".to_owned()]);
        if !methods.iter().any(|method| method.eq_ignore_ascii_case("OPTIONS")) {
            methods.push("OPTIONS".to_owned());
            self.provide_automatic_options = true;
        }
        self
    }

    /// Adds a default value.
    #[must_use]
    pub fn default_value(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.defaults.push((name.into(), value.into()));
        self
    }
}
