//! What can only be seen by looking at all routes together.

use std::collections::BTreeMap;

use crate::diagnostic::{Place, Report};

use super::entry::Entry;

/// Two routes must not have one name, nor answer one method of one rule.
pub(super) fn across(entries: &[Entry<'_>], report: &mut Report) {
    names(entries, report);
    rules(entries, report);
}

fn names(entries: &[Entry<'_>], report: &mut Report) {
    const HELP: &str =
        "a name is unique; when methods move apart, write the method behind it: `customers.edit.post`";
    let mut first: BTreeMap<&str, &Place> = BTreeMap::new();
    for entry in entries {
        match first.get(entry.route.name.as_str()) {
            Some(earlier) => {
                report
                    .error(&entry.name, format!("two routes are named `{}`", entry.route.name))
                    .related((*earlier).clone(), "the first one is here")
                    .help(HELP);
            }
            None => drop(first.insert(&entry.route.name, &entry.name)),
        }
    }
}

/// The same endpoint twice is a slip. Two endpoints on one rule are legal in Flask, which asks the first only.
fn rules(entries: &[Entry<'_>], report: &mut Report) {
    let get = ["GET".to_owned()];
    let mut first: BTreeMap<(String, &str), (&Entry<'_>, Place)> = BTreeMap::new();
    for entry in entries {
        let methods = entry.route.methods.as_deref().unwrap_or(&get);
        for (rule, value) in &entry.rules {
            for method in methods {
                let key = (format!("{:?}", identity(entry, rule)), method.as_str());
                let Some((earlier, place)) =
                    first.get(&key).filter(|(other, _)| !std::ptr::eq(*other, entry))
                else {
                    first.insert(key, (entry, value.place().clone()));
                    continue;
                };
                let message = format!("{method} {rule} belongs to two routes");
                let same_endpoint = earlier.route.endpoint == entry.route.endpoint;
                let diagnostic = match same_endpoint {
                    true => report.error(value.place(), message),
                    false => report.warning(value.place(), message),
                };
                diagnostic
                    .label(format!("`{}` is never asked", entry.route.name))
                    .related(place.clone(), format!("`{}` comes first", earlier.route.name));
            }
        }
    }
}

/// What makes a rule of one route the same rule as that of another.
fn identity<'e>(entry: &'e Entry<'_>, rule: &'e str) -> impl std::fmt::Debug {
    let text = |value: &'e Option<(String, crate::diagnostic::Value<'_>)>| {
        value.as_ref().map(|(text, _)| text.as_str())
    };
    (rule, text(&entry.host), text(&entry.subdomain), &entry.defaults)
}
