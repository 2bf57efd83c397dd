//! One case: a map, requests and `build` calls; and its answer, ours or Werkzeug's. The JSON is the oracle's.

use std::collections::BTreeMap;

use flask_compat::Profile;
use flask_compat::routing::{
    BuildError, ConverterSpec, Map, MapOptions, Match, Request, RuleSpec, UrlFor, Value,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Case {
    pub profile: String,
    pub options: Options,
    pub rules: Vec<Rule>,
    pub requests: Vec<Asked>,
    pub builds: Vec<Wanted>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    pub strict_slashes: bool,
    pub merge_slashes: bool,
    pub redirect_defaults: bool,
    pub host_matching: bool,
    pub subdomain_matching: bool,
    pub default_subdomain: String,
    pub server_name: Option<String>,
    pub converters: BTreeMap<String, Converter>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Converter {
    pub regex: String,
    pub weight: i64,
    pub part_isolating: Option<bool>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rule {
    pub rule: String,
    pub endpoint: String,
    pub methods: Option<Vec<String>>,
    pub defaults: Vec<(String, Json)>,
    pub host: Option<String>,
    pub subdomain: Option<String>,
    pub strict_slashes: Option<bool>,
    pub merge_slashes: Option<bool>,
    pub build_only: bool,
    pub redirect_to: Option<String>,
    pub alias: bool,
    pub websocket: bool,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub host: String,
    pub method: String,
    pub path: String,
    pub query: String,
    pub scheme: String,
    pub script_name: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub endpoint: String,
    pub values: Vec<(String, Json)>,
    pub host: String,
    pub scheme: String,
    pub script_name: String,
    pub request_method: String,
    pub method: Option<String>,
    pub external: bool,
    pub append_unknown: bool,
}

/// What the map says, or why there is none.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub error: Option<String>,
    pub requests: Vec<Json>,
    pub builds: Vec<Json>,
}

impl Answer {
    pub(super) fn len(&self) -> usize {
        (self.requests.len() + self.builds.len()).max(1)
    }

    /// The first line on which two answers differ.
    pub(super) fn first_difference(&self, ours: &Answer) -> Option<String> {
        if self.error.is_none() && ours.error.as_deref().is_some_and(refused_early) {
            return None;
        }
        if self.error.is_some() != ours.error.is_some() {
            return Some(format!("map: werkzeug {:?}, ours {:?}", self.error, ours.error));
        }
        let differs = |kind: &str, theirs: &[Json], ours: &[Json]| {
            let position = theirs.iter().zip(ours).position(|(theirs, ours)| theirs != ours)?;
            Some(format!("{kind} {position}: werkzeug {}, ours {}", theirs[position], ours[position]))
        };
        differs("request", &self.requests, &ours.requests)
            .or_else(|| differs("build", &self.builds, &ours.builds))
    }
}

/// Rules that we refuse although the `Map` can be made: Werkzeug fails at the first request, or matches nothing sensible.
fn refused_early(error: &str) -> bool {
    ["is below `minlength`", "must be a length", "must be a number"].iter().any(|known| error.contains(known))
}

impl Case {
    fn profile(&self) -> Profile {
        self.profile.parse().unwrap()
    }

    fn map(&self) -> Result<Map, String> {
        let options = MapOptions {
            profile: self.profile(),
            strict_slashes: self.options.strict_slashes,
            merge_slashes: self.options.merge_slashes,
            redirect_defaults: self.options.redirect_defaults,
            host_matching: self.options.host_matching,
            subdomain_matching: self.options.subdomain_matching,
            default_subdomain: self.options.default_subdomain.clone(),
            server_name: self.options.server_name.clone(),
            converters: self
                .options
                .converters
                .iter()
                .map(|(name, spec)| (name.clone(), converter(spec)))
                .collect(),
        };
        let rules: Vec<RuleSpec> = self.rules.iter().map(Rule::spec).collect();
        Map::new(options, &rules)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Our answer.
    pub(super) fn answer(&self) -> Answer {
        match self.map() {
            Err(error) => Answer { error: Some(error), requests: Vec::new(), builds: Vec::new() },
            Ok(map) => Answer {
                error: None,
                requests: self.requests.iter().map(|asked| asked.answer(&map)).collect(),
                builds: self.builds.iter().map(|wanted| wanted.answer(&map)).collect(),
            },
        }
    }

    /// The case without what is false or absent, and without unused converters: reading puts it back.
    pub(super) fn compact(&self) -> Json {
        let mut case = self.clone();
        let used = |name: &String| {
            self.rules.iter().any(|rule| {
                [Some(&rule.rule), rule.host.as_ref(), rule.subdomain.as_ref()]
                    .into_iter()
                    .flatten()
                    .any(|text| text.contains(name))
            })
        };
        case.options.converters.retain(|name, _| used(name));
        let mut json = json!(case);
        for member in ["options", "rules", "requests", "builds"] {
            strip(&mut json[member]);
        }
        json
    }

    /// The case, readable.
    pub(super) fn describe(&self) -> String {
        let mut out = format!("options {}\n", json!(self.options));
        for (index, rule) in self.rules.iter().enumerate() {
            let Json::Object(mut fields) = json!(rule) else { continue };
            fields.retain(|_, value| !matches!(value, Json::Null | Json::Bool(false)) && *value != json!([]));
            out.push_str(&format!("rule {index} {}\n", Json::Object(fields)));
        }
        for asked in &self.requests {
            out.push_str(&format!("request {}\n", json!(asked)));
        }
        for wanted in &self.builds {
            out.push_str(&format!("build {}\n", json!(wanted)));
        }
        out
    }
}

/// Removes the members of an object, or of the objects in a list, that are null, or false where that is the default.
fn strip(json: &mut Json) {
    match json {
        Json::Object(fields) => fields.retain(|name, value| {
            let optional = matches!(name.as_str(), "strict_slashes" | "merge_slashes");
            !value.is_null() && (optional || *value != json!(false))
        }),
        Json::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn converter(spec: &Converter) -> ConverterSpec {
    ConverterSpec { regex: spec.regex.clone(), weight: spec.weight, part_isolating: spec.part_isolating }
}

impl Rule {
    fn spec(&self) -> RuleSpec {
        RuleSpec {
            rule: self.rule.clone(),
            endpoint: self.endpoint.clone(),
            methods: self.methods.clone(),
            defaults: self.defaults.iter().map(|(name, value)| (name.clone(), from_wire(value))).collect(),
            host: self.host.clone(),
            subdomain: self.subdomain.clone(),
            strict_slashes: self.strict_slashes,
            merge_slashes: self.merge_slashes,
            build_only: self.build_only,
            redirect_to: self.redirect_to.clone(),
            alias: self.alias,
            websocket: self.websocket,
            converters: BTreeMap::new(),
            provide_automatic_options: false,
        }
    }
}

impl Asked {
    fn answer(&self, map: &Map) -> Json {
        let request = Request {
            host: &self.host,
            method: &self.method,
            path: &self.path,
            query: &self.query,
            scheme: &self.scheme,
            script_name: &self.script_name,
        };
        match map.find_request(&request) {
            Match::Rule(matched) => {
                let args: serde_json::Map<String, Json> =
                    matched.args().map(|(name, arg)| (name.to_owned(), to_wire(&arg.value()))).collect();
                json!(["rule", matched.index(), args])
            }
            Match::Redirect(redirect) => json!(["redirect", redirect.location]),
            Match::MethodNotAllowed { allow } => json!(["method_not_allowed", allow]),
            Match::WebsocketMismatch => json!(["websocket_mismatch"]),
            Match::NotFound => json!(["not_found"]),
            Match::BadHost => json!(["bad_host"]),
            Match::ServerError { .. } => json!(["raises"]),
        }
    }
}

impl Wanted {
    fn answer(&self, map: &Map) -> Json {
        let values: Vec<(&str, Value)> =
            self.values.iter().map(|(name, value)| (name.as_str(), from_wire(value))).collect();
        let to = UrlFor {
            host: &self.host,
            scheme: &self.scheme,
            script_name: &self.script_name,
            request_method: &self.request_method,
            method: self.method.as_deref(),
            external: self.external,
            anchor: None,
            append_unknown: self.append_unknown,
        };
        match map.build(&self.endpoint, &values, &to) {
            Ok(url) => json!(["url", url]),
            Err(BuildError::UnknownEndpoint { .. } | BuildError::NoRule { .. }) => json!(["build_error"]),
            Err(BuildError::BadValue { .. }) => json!(["raises"]),
            Err(BuildError::BadHost(_)) => json!(["bad_host"]),
        }
    }
}

fn to_wire(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Bool(value) => json!({ "b": value }),
        Value::Int(value) => json!({ "i": value.to_string() }),
        Value::Float(_) => json!({ "f": value.to_text() }),
        Value::Str(text) => json!({ "s": text }),
        Value::Uuid(text) => json!({ "u": text }),
        Value::List(items) => json!({ "l": items.iter().map(to_wire).collect::<Vec<_>>() }),
    }
}

fn from_wire(value: &Json) -> Value {
    let Some((kind, content)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Value::None;
    };
    let text = content.as_str().unwrap_or_default();
    match kind.as_str() {
        "b" => Value::Bool(content == true),
        "i" => Value::Int(text.parse::<i64>().unwrap().into()),
        "f" => Value::Float(text.parse().unwrap()),
        "u" => Value::Uuid(text.to_owned()),
        "l" => Value::List(content.as_array().unwrap().iter().map(from_wire).collect()),
        _ => Value::Str(text.to_owned()),
    }
}
