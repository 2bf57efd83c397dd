//! routes.toml as written -> a checked [`Table`], or everything that is wrong with it.
//!
//! This file reads the top level; one route is read in `entry`, checks across routes are in `check`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flask_compat::Profile;
use flask_compat::routing::{ConverterSpec, MapOptions};

use crate::diagnostic::{Document, Place, Report, Section, Source, Value};

use super::entry::{self, Entry};
use super::{Serve, Table, check, keys};

/// What a routing file is checked against.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The names of the backends; absent: not known here, and not checked.
    pub backends: Option<BTreeSet<String>>,
    /// Whose matching to follow.
    pub profile: Profile,
    /// What day it is, to tell rules that have expired; absent: nothing is said about them.
    pub today: Option<fn() -> chrono::NaiveDate>,
}

/// What a route inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Who answers, also when no route matches.
    pub serve: Serve,
    /// The backend being tried.
    pub candidate: String,
    /// The backend that is safe.
    pub fallback: String,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            serve: Serve::Backend("legacy".to_owned()),
            candidate: "rust".to_owned(),
            fallback: "legacy".to_owned(),
        }
    }
}

/// Reads and checks a routing file; without a table the report has at least one error.
pub fn read(source: &Arc<Source>, context: &Context) -> (Option<Table>, Report) {
    let mut report = Report::default();
    let document = Document::parse(source, &mut report);
    let root = document.root(keys::TOP, &mut report);
    version(&root, &mut report);
    let defaults = defaults(&root, context, &mut report);
    let options = options(&root, context.profile, &mut report);
    let plans = super::plan::named(&root, &[&defaults.candidate], &mut report);
    let mut entries = Vec::new();
    for value in root.get("route").and_then(|routes| route_list(&routes, &mut report)).unwrap_or_default() {
        if let Some(entry) = entry::read(&value, (&defaults, &plans), context, &mut report) {
            entries.push(entry);
        }
    }
    check::across(&entries, &mut report);
    let table = table(entries, defaults, options, &mut report);
    if document.is_broken() {
        report.forget_absences();
    }
    let report = report.sorted();
    (table.filter(|_| !report.has_errors()), report)
}

fn route_list<'d>(routes: &Value<'d>, report: &mut Report) -> Option<Vec<Value<'d>>> {
    if routes.is_table() {
        report
            .error(routes.key(), "`route` must be a list of tables")
            .help("write `[[route]]`, in double brackets");
        return None;
    }
    routes.list(report)
}

/// An empty or cut-off file must never be taken for a table without routes: the version has to be there.
fn version(root: &Section<'_>, report: &mut Report) {
    let Some(value) = root.get("version") else {
        let help = "write `version = 1` on the first line";
        report.error(root.place(), "`version` is missing").help(help).absence();
        return;
    };
    if value.integer(1, report).is_some_and(|version| version != 1) {
        report.error(value.place(), "unknown version").label("this ficus understands version 1");
    }
}

fn defaults(root: &Section<'_>, context: &Context, report: &mut Report) -> Defaults {
    let mut defaults = Defaults::default();
    let Some(section) = root.get("defaults").and_then(|value| value.section(keys::DEFAULTS, report)) else {
        return defaults;
    };
    if let Some(serve) = section.get("serve").and_then(|value| entry::serve(&value, context, report)) {
        defaults.serve = serve;
    }
    for (key, field) in [("candidate", &mut defaults.candidate), ("fallback", &mut defaults.fallback)] {
        if let Some(name) = section.get(key).and_then(|value| entry::backend(&value, context, report)) {
            *field = name;
        }
    }
    defaults
}

fn options(root: &Section<'_>, profile: Profile, report: &mut Report) -> MapOptions {
    let mut options = MapOptions::new(profile);
    options.converters = converters(root, report);
    let Some(section) = root.get("map").and_then(|value| value.section(keys::MAP, report)) else {
        return options;
    };
    let switches = [
        ("strict_slashes", &mut options.strict_slashes),
        ("merge_slashes", &mut options.merge_slashes),
        ("redirect_defaults", &mut options.redirect_defaults),
        ("host_matching", &mut options.host_matching),
        ("subdomain_matching", &mut options.subdomain_matching),
    ];
    for (key, field) in switches {
        if let Some(on) = section.get(key).and_then(|value| value.boolean(report)) {
            *field = on;
        }
    }
    if let Some(text) = section.get("default_subdomain").and_then(|value| value.text(report)) {
        options.default_subdomain = text;
    }
    options.server_name = section.get("server_name").and_then(|value| {
        let name = value.text(report)?;
        entry::warn_of_host(&value, &name, report);
        Some(name)
    });
    options
}

fn converters(root: &Section<'_>, report: &mut Report) -> BTreeMap<String, ConverterSpec> {
    let mut converters = BTreeMap::new();
    let Some(section) = root.get("converters").and_then(|value| value.free_section(report)) else {
        return converters;
    };
    for (name, value) in section.entries() {
        if let Some(converter) = converter(&value, report) {
            converters.insert(name, converter);
        }
    }
    converters
}

/// A regular expression, or a table with the class attributes of the converter.
fn converter(value: &Value<'_>, report: &mut Report) -> Option<ConverterSpec> {
    if !value.is_table() {
        return Some(ConverterSpec::new(regex(value, report)?));
    }
    let section = value.section(keys::CONVERTER, report)?;
    let Some(pattern) = section.get("regex") else {
        report.error(value.key(), format!("`{}` has no `regex`", value.path()));
        return None;
    };
    let mut converter = ConverterSpec::new(regex(&pattern, report)?);
    if let Some(weight) = section.get("weight") {
        converter.weight = i64::try_from(weight.integer(0, report)?).ok()?;
    }
    if let Some(isolating) = section.get("part_isolating") {
        converter.part_isolating = Some(isolating.boolean(report)?);
    }
    Some(converter)
}

fn regex(value: &Value<'_>, report: &mut Report) -> Option<String> {
    value.parsed(report, |text| match text {
        "" => Err("a converter needs a regular expression".to_owned()),
        text => Ok(text.to_owned()),
    })
}

fn table(
    entries: Vec<Entry<'_>>,
    defaults: Defaults,
    options: MapOptions,
    report: &mut Report,
) -> Option<Table> {
    let groups = super::groups::group(&entries);
    let specs: Vec<_> = groups.iter().map(|group| group.spec.clone()).collect();
    match flask_compat::routing::Map::new(options, &specs) {
        Ok(map) => {
            let parts = groups.into_iter().map(|group| group.parts).collect();
            let routes = entries.into_iter().map(|entry| Arc::new(entry.route)).collect();
            Some(Table::new(routes, parts, map, defaults))
        }
        Err(errors) => {
            let mut seen = BTreeSet::new();
            for error in errors {
                let place = groups[error.index].place(&entries, &error);
                let once = (place.span().start, place.span().end, error.message.clone());
                if seen.insert(once) {
                    rule_error(&place, error.message, error.suggestion, report);
                }
            }
            None
        }
    }
}

fn rule_error(place: &Place, message: String, suggestion: Option<String>, report: &mut Report) {
    let diagnostic = report.error(place, message);
    if let Some(suggestion) = suggestion {
        diagnostic.help(suggestion);
    }
}
