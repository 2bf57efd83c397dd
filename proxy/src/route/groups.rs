//! Routes that are parts of one Flask rule: the same endpoint and rule, different methods.
//!
//! Flask knows one rule there, so the matcher gets one; which part is meant is decided by the method afterwards.

use flask_compat::routing::{RuleError, RuleField, RuleSpec};

use crate::diagnostic::Place;

use super::entry::{ANY, Entry};

/// One Werkzeug rule and the routes that share it.
pub(super) struct Group {
    pub(super) spec: RuleSpec,
    /// Indices of the routes, in file order.
    pub(super) parts: Vec<usize>,
    /// Whether Flask answers OPTIONS by itself.
    automatic_options: bool,
    /// Which rule of the first part it is.
    rule: usize,
}

/// All rules in file order, parts merged into the first.
pub(super) fn group(entries: &[Entry<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (part, entry) in entries.iter().enumerate() {
        for rule in 0..entry.rules.len() {
            let spec = spec(entry, rule);
            let automatic_options = entry.provide_automatic_options.unwrap_or(true);
            match groups.iter_mut().find(|group| same_rule(&group.spec, &spec)) {
                Some(group) => {
                    merge(group, spec, part);
                    group.automatic_options &= automatic_options;
                }
                None => groups.push(Group { spec, parts: vec![part], automatic_options, rule }),
            }
        }
    }
    for group in &mut groups {
        // A rule for any method takes OPTIONS too, and its view answers.
        if group.automatic_options && group.spec.methods.is_some() {
            group.spec = std::mem::take(&mut group.spec).automatic_options();
        }
    }
    groups
}

fn spec(entry: &Entry<'_>, rule: usize) -> RuleSpec {
    let text =
        |value: &Option<(String, crate::diagnostic::Value<'_>)>| value.as_ref().map(|(text, _)| text.clone());
    RuleSpec {
        rule: entry.rules[rule].0.clone(),
        endpoint: entry.route.endpoint.clone(),
        methods: match &entry.route.methods {
            None => Some(vec!["GET".to_owned()]),
            Some(methods) => (methods[..] != [ANY]).then(|| methods.clone()),
        },
        defaults: entry.defaults.clone(),
        host: text(&entry.host),
        subdomain: text(&entry.subdomain),
        strict_slashes: entry.strict_slashes,
        merge_slashes: entry.merge_slashes,
        ..RuleSpec::default()
    }
}

fn same_rule(a: &RuleSpec, b: &RuleSpec) -> bool {
    (&a.rule, &a.endpoint, &a.host, &a.subdomain, &a.defaults, a.strict_slashes, a.merge_slashes)
        == (&b.rule, &b.endpoint, &b.host, &b.subdomain, &b.defaults, b.strict_slashes, b.merge_slashes)
}

fn merge(group: &mut Group, spec: RuleSpec, part: usize) {
    match (&mut group.spec.methods, spec.methods) {
        (Some(known), Some(methods)) => {
            for method in methods {
                if !known.contains(&method) {
                    known.push(method);
                }
            }
        }
        (known, _) => *known = None,
    }
    if !group.parts.contains(&part) {
        group.parts.push(part);
    }
}

impl Group {
    /// Where in the file an error of this rule is.
    pub(super) fn place(&self, entries: &[Entry<'_>], error: &RuleError) -> Place {
        let entry = &entries[self.parts[0]];
        let (rule, value) = &entry.rules[self.rule];
        let domain = entry.host.as_ref().or(entry.subdomain.as_ref());
        match (error.field, domain, &entry.methods, &entry.defaults_place) {
            (RuleField::Domain, Some((text, value)), ..) => value.part(text, error.span.clone()),
            (RuleField::Methods, _, Some(methods), _) => methods.place().clone(),
            (RuleField::Defaults, _, _, Some(defaults)) => defaults.place().clone(),
            (RuleField::Rule, ..) => value.part(rule, error.span.clone()),
            _ => value.place().clone(),
        }
    }
}
