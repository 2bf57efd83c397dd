//! One `[[route]]` as written -> a checked [`Route`].

use flask_compat::routing;

use crate::diagnostic::{Place, Report, Section, Value};

use super::plan::{self, Plans};
use super::read::{Context, Defaults};
use super::{Route, Serve, keys, trial};

/// A route, and where its parts stand in the file.
pub(super) struct Entry<'d> {
    pub(super) route: Route,
    pub(super) name: Place,
    pub(super) rules: Vec<(String, Value<'d>)>,
    pub(super) methods: Option<Value<'d>>,
    pub(super) host: Option<(String, Value<'d>)>,
    pub(super) subdomain: Option<(String, Value<'d>)>,
    pub(super) defaults: Vec<(String, routing::Value)>,
    pub(super) defaults_place: Option<Value<'d>>,
    pub(super) provide_automatic_options: Option<bool>,
    pub(super) strict_slashes: Option<bool>,
    pub(super) merge_slashes: Option<bool>,
}

/// Reads one route; everything that is wrong goes into the report. A route with a name and rules goes on to the checks
/// across routes even if something else is wrong with it, so that one look finds everything.
pub(super) fn read<'d>(
    value: &Value<'d>,
    (defaults, plans): (&Defaults, &Plans),
    context: &Context,
    report: &mut Report,
) -> Option<Entry<'d>> {
    let section = value.section(keys::ROUTE, report)?;
    let name = name(&section, value, report);
    let rules = rules(&section, value, report);
    let methods = section.get("methods");
    let method_list = methods.as_ref().and_then(|methods| self::methods(methods, report));
    let endpoint = section.get("endpoint").and_then(|value| label(&value, report));
    let route_defaults = section.get("defaults");
    let values = route_defaults.as_ref().map(|value| variables(value, report)).unwrap_or_default();
    let serving = serving(&section, defaults, context, report);
    let [timeout, connect_timeout, total_timeout] = ["timeout", "connect_timeout", "total_timeout"]
        .map(|key| section.get(key).and_then(|value| value.duration(report)));
    let rate = super::rate::rate(&section, report);
    let host = located(section.get("host"), report);
    if let Some((text, value)) = &host {
        warn_of_host(value, text, report);
    }
    let subdomain = located(section.get("subdomain"), report);
    let provide_automatic_options =
        section.get("provide_automatic_options").and_then(|value| value.boolean(report));
    let [strict_slashes, merge_slashes] = ["strict_slashes", "merge_slashes"]
        .map(|key| section.get(key).and_then(|value| value.boolean(report)));
    let (name, name_place) = name?;
    let canary = trial::canary(&section, &name, &serving, report);
    let shadow = trial::shadow(&section, &serving, context, report);
    let guard = trial::guard(&section, &serving, report);
    let plan = plan::of_route(&section, plans, &serving.candidate, report);
    let rules = rules?;
    let route = Route {
        endpoint: endpoint.unwrap_or_else(|| name.clone()),
        name,
        rules: rules.iter().map(|(rule, _)| rule.clone()).collect(),
        methods: method_list,
        serve: serving.serve,
        candidate: serving.candidate,
        fallback: serving.fallback,
        canary,
        guard,
        shadow,
        plan,
        timeout,
        connect_timeout,
        total_timeout,
        rate,
        line: value.place().line_and_column().0,
    };
    Some(Entry {
        route,
        name: name_place,
        rules,
        methods,
        host,
        subdomain,
        defaults: values,
        defaults_place: route_defaults,
        provide_automatic_options,
        strict_slashes,
        merge_slashes,
    })
}

/// A browser sends the ASCII form of a host; Flask, and Ficus like it, compares with what is written here.
pub(super) fn warn_of_host(value: &Value<'_>, host: &str, report: &mut Report) {
    if !host.is_ascii() {
        report
            .warning(value.place(), format!("no browser asks for the host `{host}`"))
            .label("not ASCII: Flask finds no rule either")
            .help("write it as browsers send it: `xn--…`");
    }
}

fn located<'d>(value: Option<Value<'d>>, report: &mut Report) -> Option<(String, Value<'d>)> {
    let value = value?;
    Some((value.text(report)?, value))
}

fn name(section: &Section<'_>, route: &Value<'_>, report: &mut Report) -> Option<(String, Place)> {
    let Some(value) = section.get("name") else {
        report
            .error(route.place(), "a route needs a `name`")
            .help("use the name of its Flask endpoint")
            .absence();
        return None;
    };
    let name = label(&value, report)?;
    Some((name, value.place().clone()))
}

/// A name as it stands in metrics, on the command line and in the history.
fn label(value: &Value<'_>, report: &mut Report) -> Option<String> {
    value.parsed(report, |text| {
        if text.is_empty() || text.starts_with('-') {
            Err("must not be empty or begin with `-`".to_owned())
        } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            Err("must not contain white space".to_owned())
        } else {
            Ok(text.to_owned())
        }
    })
}

fn rules<'d>(
    section: &Section<'d>,
    route: &Value<'d>,
    report: &mut Report,
) -> Option<Vec<(String, Value<'d>)>> {
    match (section.get("rule"), section.get("rules")) {
        (Some(rule), None) => Some(vec![(rule.text(report)?, rule)]),
        (None, Some(rules)) => {
            let texts = rules.texts(report)?;
            if texts.is_empty() {
                report.error(rules.place(), "`rules` is empty").label("a route needs at least one rule");
                return None;
            }
            Some(texts)
        }
        (Some(rule), Some(rules)) => {
            report
                .error(rules.key(), "a route has either `rule` or `rules`")
                .related(rule.key().clone(), "the other one is here");
            None
        }
        (None, None) => {
            report
                .error(route.place(), "a route needs a `rule`")
                .help("write `rule = \"/path/<int:id>\"`")
                .absence();
            None
        }
    }
}

/// Any method, as a Werkzeug rule without methods.
pub(super) const ANY: &str = "*";

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

fn methods(value: &Value<'_>, report: &mut Report) -> Option<Vec<String>> {
    let texts = value.texts(report)?;
    if texts.is_empty() {
        report.error(value.place(), "`methods` is empty").help("leave it out for GET");
    }
    let any = texts.iter().find(|(method, _)| method == ANY).map(|(_, place)| place.place().clone());
    if let Some(place) = any {
        if texts.len() > 1 {
            report
                .error(&place, "`*` stands for every method")
                .help("write `methods = [\"*\"]`, without others");
        }
        return Some(vec![ANY.to_owned()]);
    }
    let mut methods: Vec<String> = Vec::new();
    for (method, place) in texts {
        let upper = method.to_ascii_uppercase();
        let near = crate::diagnostic::nearest(&upper, METHODS).first().copied();
        let token = |c: char| c.is_ascii_uppercase() || c == '-' || c == '_';
        if METHODS.contains(&method.as_str()) {
            if methods.contains(&method) {
                report.error(place.place(), format!("method `{method}` stands here twice"));
            }
        } else if METHODS.contains(&upper.as_str()) {
            report
                .error(place.place(), format!("unknown method `{method}`"))
                .help(format!("methods are written in upper case: `{upper}`"));
        } else if let Some(near) = near {
            report
                .error(place.place(), format!("unknown method `{method}`"))
                .help(format!("did you mean `{near}`?"));
        } else if method.is_empty() || !method.chars().all(token) {
            report.error(place.place(), format!("`{method}` cannot be a method"));
        } else {
            report.warning(place.place(), format!("`{method}` is an unusual method"));
        }
        methods.push(method);
    }
    Some(methods)
}

/// Values that the rule adds, as Werkzeug's `defaults`: texts, numbers, switches, `{ none = true }`.
fn variables(value: &Value<'_>, report: &mut Report) -> Vec<(String, routing::Value)> {
    let Some(section) = value.free_section(report) else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    for (name, value) in section.entries() {
        let read = if value.is_text() {
            value.text(report).map(routing::Value::from)
        } else if let Some(number) = value.number_text() {
            match number.parse::<i64>() {
                Ok(whole) => Some(routing::Value::from(whole)),
                Err(_) => value.number(f64::MIN, f64::MAX, report).map(routing::Value::from),
            }
        } else if value.is_table() {
            // TOML has no null: `{ none = true }` is Python's None.
            let none = value.section(&["none"], report).and_then(|section| section.get("none"));
            none.and_then(|none| none.boolean(report)).map(|_| routing::Value::None)
        } else {
            value.boolean(report).map(routing::Value::from)
        };
        variables.extend(read.map(|read| (name, read)));
    }
    variables
}

/// Who answers a route.
pub(super) struct Serving {
    pub(super) serve: Serve,
    pub(super) candidate: String,
    pub(super) fallback: String,
}

fn serving(section: &Section<'_>, defaults: &Defaults, context: &Context, report: &mut Report) -> Serving {
    let named = |key: &str, inherited: &str, report: &mut Report| {
        section
            .get(key)
            .and_then(|value| backend(&value, context, report))
            .unwrap_or_else(|| inherited.to_owned())
    };
    let serve = section.get("serve").and_then(|value| serve(&value, context, report));
    let candidate = named("candidate", &defaults.candidate, report);
    let fallback = named("fallback", &defaults.fallback, report);
    if let (Some(canary), Some(backends)) = (section.get("canary"), &context.backends)
        && section.get("candidate").is_none()
        && !backends.contains(&candidate)
    {
        report
            .error(
                canary.key(),
                format!("a canary needs its candidate, and there is no backend `{candidate}`"),
            )
            .suggest(&candidate, backends.iter().map(String::as_str));
    }
    Serving { serve: serve.unwrap_or_else(|| defaults.serve.clone()), candidate, fallback }
}

/// A backend, or `off`.
pub(super) fn serve(value: &Value<'_>, context: &Context, report: &mut Report) -> Option<Serve> {
    if value.is_text() && value.text(report)? == "off" {
        return Some(Serve::Off);
    }
    backend(value, context, report).map(Serve::Backend)
}

/// The name of a backend.
pub(super) fn backend(value: &Value<'_>, context: &Context, report: &mut Report) -> Option<String> {
    let name = value.text(report)?;
    if name == "off" {
        report
            .error(value.place(), format!("`{}` must be a backend", value.path()))
            .label("`off` is for `serve` only");
        return None;
    }
    if let Some(backends) = &context.backends
        && !backends.contains(&name)
    {
        let known: Vec<&str> = backends.iter().map(String::as_str).collect();
        let near = crate::diagnostic::nearest(&name, &known);
        let help = match near.first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}; name it under `[backends]` in ficus.toml", quoted(&known)),
        };
        report.error(value.place(), format!("unknown backend `{name}`")).help(help);
        return None;
    }
    Some(name)
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
