//! Two JSON values side by side.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::read::{Json, value_of};
use crate::shadow::compare::align::{Item, Pair, align, is_reordered};
use crate::shadow::compare::findings::{Difference, Findings, Kind};
use crate::shadow::compare::path::{CookiePart, Path, Step};

/// What the steps of a path start from.
#[derive(Debug, Clone, Copy)]
pub(in crate::shadow) enum Root<'a> {
    /// The body.
    Body,
    /// The session in the cookie of this name.
    Session(&'a str),
    /// Waiting flash messages.
    Flash,
}

impl Root<'_> {
    fn path(self, steps: &[Step]) -> Path {
        match self {
            Self::Body => Path::Json(steps.to_vec()),
            Self::Session(name) => {
                Path::Cookie { name: name.to_owned(), part: CookiePart::Session(steps.to_vec()) }
            }
            Self::Flash => Path::Flash(steps.iter().find_map(|step| match step {
                Step::Index(index) => Some(*index),
                Step::Key(_) => None,
            })),
        }
    }
}

/// Reports what differs between two values.
pub(in crate::shadow) fn walk(
    root: Root<'_>,
    reference: &Json,
    candidate: &Json,
    findings: &mut Findings<'_>,
) {
    Walk { root, steps: Vec::new(), findings }.values(reference, candidate);
}

struct Walk<'a, 'r> {
    root: Root<'a>,
    steps: Vec<Step>,
    findings: &'a mut Findings<'r>,
}

impl Walk<'_, '_> {
    fn here(&self) -> Path {
        self.root.path(&self.steps)
    }

    fn inside(&mut self, step: Step, look: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        look(self);
        self.steps.pop();
    }

    fn values(&mut self, reference: &Json, candidate: &Json) {
        match (reference, candidate) {
            (Json::Object(one), Json::Object(other)) => self.objects(one, other),
            (Json::List(one), Json::List(other)) => self.lists(one, other),
            (Json::Number(one), Json::Number(other)) if value_of(one) == value_of(other) => {
                if is_whole(one) != is_whole(other) {
                    let difference = Difference::changed(self.here(), one.as_str(), other.as_str());
                    self.findings.report(difference.of(Kind::Type));
                }
            }
            (one, other) if one == other => {}
            (one, other) => {
                let difference = Difference::changed(self.here(), text(one), text(other));
                // A value that is null today and a number tomorrow has not changed its type.
                let typed =
                    name(one) != name(other) && !matches!((one, other), (Json::Null, _) | (_, Json::Null));
                self.findings.report(if typed { difference.of(Kind::Type) } else { difference });
            }
        }
    }

    /// Of a key that stands there several times the last one counts, as in Python and in browsers.
    fn objects(&mut self, reference: &[(String, Json)], candidate: &[(String, Json)]) {
        let (one, other) = (by_key(reference), by_key(candidate));
        for (key, (value, times)) in &one {
            self.inside(Step::Key((*key).to_owned()), |walk| match other.get(key) {
                None => walk.one_sided(Some(value), None),
                Some((partner, others)) => {
                    if times != others {
                        let counts = (times.to_string(), others.to_string());
                        let difference = Difference::changed(walk.here(), counts.0, counts.1);
                        walk.findings.report(difference.of(Kind::Repeated).in_own_words());
                    }
                    walk.values(value, partner);
                }
            });
        }
        for (key, (value, _)) in other.iter().filter(|(key, _)| !one.contains_key(*key)) {
            self.inside(Step::Key((*key).to_owned()), |walk| walk.one_sided(None, Some(value)));
        }
    }

    fn one_sided(&mut self, reference: Option<&Json>, candidate: Option<&Json>) {
        let difference = Difference::one_sided(self.here(), reference.map(text), candidate.map(text));
        self.findings.report(difference);
    }

    fn lists(&mut self, reference: &[Json], candidate: &[Json]) {
        if let Some((rule, key)) = self.findings.any_order(&self.here()) {
            self.any_order(reference, candidate, (&rule, key.as_deref()));
            return;
        }
        let items = |list: &[Json]| -> Vec<Item> { list.iter().map(item).collect() };
        let (one, other) = (items(reference), items(candidate));
        if is_reordered(&one, &other) {
            let (one, other) = (format!("{} items", one.len()), "the same in another order".to_owned());
            self.findings.report(Difference::changed(self.here(), one, other).of(Kind::Order).in_own_words());
            return;
        }
        for pair in align(&one, &other) {
            self.pair(pair, reference, candidate);
        }
    }

    fn pair(&mut self, pair: Pair, reference: &[Json], candidate: &[Json]) {
        match pair {
            Pair::Both(i, j) => {
                self.inside(Step::Index(i), |walk| walk.values(&reference[i], &candidate[j]));
            }
            Pair::Reference(i) => {
                self.inside(Step::Index(i), |walk| walk.one_sided(Some(&reference[i]), None));
            }
            Pair::Candidate(j) => {
                self.inside(Step::Index(j), |walk| walk.one_sided(None, Some(&candidate[j])));
            }
        }
    }

    /// Items belong together by the value of a key, or as a whole; the n-th of equal ones with the n-th.
    fn any_order(&mut self, reference: &[Json], candidate: &[Json], rule: (&str, Option<&str>)) {
        let identity = |item: &Json| match (rule.1, item) {
            (Some(key), Json::Object(entries)) => {
                entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| content(value))
            }
            (Some(_), _) => None,
            (None, item) => Some(content(item)),
        };
        let mut waiting: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
        for (index, item) in candidate.iter().enumerate().rev() {
            waiting.entry(identity(item)).or_default().push(index);
        }
        let mut moved = false;
        for (i, item) in reference.iter().enumerate() {
            match waiting.get_mut(&identity(item)).and_then(Vec::pop) {
                Some(j) => {
                    moved |= i != j;
                    self.pair(Pair::Both(i, j), reference, candidate);
                }
                None => self.pair(Pair::Reference(i), reference, candidate),
            }
        }
        let mut left: Vec<usize> = waiting.into_values().flatten().collect();
        left.sort_unstable();
        for j in left {
            self.pair(Pair::Candidate(j), reference, candidate);
        }
        if moved {
            self.findings.count(rule.0.to_owned());
        }
    }
}

/// The last value of each key, and how often the key stands there.
fn by_key(entries: &[(String, Json)]) -> BTreeMap<&str, (&Json, usize)> {
    let mut map: BTreeMap<&str, (&Json, usize)> = BTreeMap::new();
    for (key, value) in entries {
        let times = map.get(key.as_str()).map_or(0, |(_, times)| *times);
        map.insert(key, (value, times + 1));
    }
    map
}

fn item(value: &Json) -> Item {
    let shape = match value {
        Json::List(_) => 1,
        Json::Object(_) => 2,
        _ => 0,
    };
    Item { content: content(value), shape }
}

/// Equal for values that mean the same.
fn content(value: &Json) -> u64 {
    let mut hasher = SipHasher13::new();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Json, hasher: &mut SipHasher13) {
    name(value).hash(hasher);
    match value {
        Json::Null => {}
        Json::Bool(flag) => flag.hash(hasher),
        Json::Number(number) => (is_whole(number), value_of(number)).hash(hasher),
        Json::Text(text) => text.hash(hasher),
        Json::List(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| feed(item, hasher));
        }
        Json::Object(entries) => {
            for (key, (value, times)) in by_key(entries) {
                (key, times).hash(hasher);
                feed(value, hasher);
            }
        }
    }
}

/// Written as a whole number. Typed clients, Python among them, do not read `3.0` where they want `3`.
fn is_whole(number: &str) -> bool {
    !number.contains(['.', 'e', 'E', 'N', 'I'])
}

fn name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::Text(_) => "text",
        Json::List(_) => "list",
        Json::Object(_) => "object",
    }
}

/// A value for people: scalars as they are, the rest by its size.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.clone(),
        Json::Text(text) => format!("\"{text}\""),
        Json::List(items) => format!("[{} items]", items.len()),
        Json::Object(entries) => format!("{{{} keys}}", entries.len()),
    }
}
