//! `Set-Cookie`, cookie by cookie: values, the session by what is in it, attributes by what browsers make of them.

use std::collections::{BTreeMap, BTreeSet};

use flask_compat::cookie::Cookies;
use http::header::SET_COOKIE;

use super::answer::{Answer, Case};
use super::findings::{Difference, Findings};
use super::moment::{MOMENT, Meant, date};
use super::path::{CookiePart, Path};
use super::session::Sessions;

/// A cookie as an answer sets it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Still quoted.
    pub(super) value: String,
    /// Lower-case names; flags have the empty value.
    attributes: BTreeMap<String, String>,
}

pub(super) fn compare(case: &Case<'_>, sessions: &Sessions<'_>, findings: &mut Findings<'_>) {
    let (reference, candidate) = (sent(case.reference), sent(case.candidate));
    let names: BTreeSet<&String> = reference.keys().chain(candidate.keys()).collect();
    for name in names {
        let path = |part| Path::Cookie { name: name.clone(), part };
        let (one, other) = match (reference.get(name), candidate.get(name)) {
            (Some(one), Some(other)) => (one, other),
            (one, other) => {
                let shown = |cookie: Option<&Sent>| cookie.map(|_| "set".to_owned());
                findings.report(
                    Difference::one_sided(path(CookiePart::Itself), shown(one), shown(other)).in_own_words(),
                );
                continue;
            }
        };
        let now = case.now.timestamp();
        let deleted = (is_deleted(one, now), is_deleted(other, now));
        if deleted.0 != deleted.1 {
            let word = |deleted: bool| if deleted { "deleted" } else { "set" };
            findings.report(
                Difference::changed(path(CookiePart::Value), word(deleted.0), word(deleted.1)).in_own_words(),
            );
            continue;
        }
        if name == sessions.cookie {
            sessions.compare(findings);
        } else if !deleted.0 && read(name, one, sessions) != read(name, other, sessions) {
            let difference = Difference::changed(path(CookiePart::Value), &*one.value, &*other.value);
            findings.report(difference);
        }
        let pair = Pair { name, one, other, deleted: deleted.0 };
        attributes(&pair, case, findings);
    }
}

/// All cookies of an answer; of several with one name the last one counts.
pub(super) fn sent(answer: &Answer) -> BTreeMap<String, Sent> {
    answer.all(&SET_COOKIE).iter().filter_map(|header| parse(header)).collect()
}

fn parse(header: &str) -> Option<(String, Sent)> {
    let mut parts = header.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let attribute = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_ascii_lowercase(), value.trim().to_owned())
    };
    let attributes = parts.map(attribute).filter(|(name, _)| !name.is_empty()).collect();
    Some((name.trim().to_owned(), Sent { value: value.trim().to_owned(), attributes }))
}

/// The value as the application will read it.
fn read(name: &str, cookie: &Sent, sessions: &Sessions<'_>) -> Option<String> {
    let header = format!("{name}={}", cookie.value);
    Cookies::parse(header.as_bytes(), sessions.profile()).get(name).map(str::to_owned)
}

/// Whether a browser throws the cookie away.
pub(super) fn is_deleted(cookie: &Sent, now: i64) -> bool {
    match (cookie.attributes.get("max-age"), cookie.attributes.get("expires")) {
        (Some(age), _) => age.parse::<i64>().is_ok_and(|age| age <= 0),
        (None, Some(time)) => date(time).is_some_and(|time| time <= now - MOMENT),
        (None, None) => false,
    }
}

struct Pair<'a> {
    name: &'a str,
    one: &'a Sent,
    other: &'a Sent,
    deleted: bool,
}

fn attributes(pair: &Pair<'_>, case: &Case<'_>, findings: &mut Findings<'_>) {
    let of = |cookie: &Sent, answer: &Answer| {
        let meant =
            cookie.attributes.iter().map(|(name, value)| (name.clone(), meaning(name, value, answer)));
        // When a deleted cookie ended does not matter, and both ways to say it mean the same.
        let meant =
            meant.filter(|(name, _)| !(pair.deleted && matches!(name.as_str(), "expires" | "max-age")));
        meant.collect::<BTreeMap<String, Meant>>()
    };
    let (one, other) = (of(pair.one, case.reference), of(pair.other, case.candidate));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for attribute in names {
        let values = (one.get(attribute), other.get(attribute));
        if values.0 == values.1 {
            continue;
        }
        if is_by_design(attribute, values, pair.deleted) && case.design.cookies {
            findings.by_design("cookie-attributes");
            continue;
        }
        let part = CookiePart::Attribute(attribute.clone());
        let path = Path::Cookie { name: pair.name.to_owned(), part };
        let shown = |value: Option<&Meant>| {
            let text = value?.shown();
            Some(if text.is_empty() { "set".to_owned() } else { text })
        };
        let difference = match (shown(values.0), shown(values.1)) {
            (Some(one), Some(other)) => Difference::changed(path, one, other),
            (one, other) => Difference::one_sided(path, one, other),
        };
        findings.report(if is_harmless(attribute) { difference.in_own_words() } else { difference });
    }
}

/// Newer releases delete cookies with all their flags, and add `HttpOnly` where older ones had none.
fn is_by_design(attribute: &str, values: (Option<&Meant>, Option<&Meant>), deleted: bool) -> bool {
    match attribute {
        "httponly" => deleted || values.0.is_none(),
        "secure" | "samesite" => deleted,
        _ => false,
    }
}

/// Attributes whose values nobody's data can be in.
fn is_harmless(attribute: &str) -> bool {
    matches!(attribute, "secure" | "httponly" | "samesite" | "max-age" | "expires" | "partitioned")
}

/// An attribute as a browser reads it; `Expires` counts from the moment of the answer.
fn meaning(name: &str, value: &str, answer: &Answer) -> Meant {
    match name {
        "domain" => Meant::Text(value.trim_start_matches('.').to_ascii_lowercase()),
        "samesite" => Meant::Text(value.to_ascii_lowercase()),
        "secure" | "httponly" | "partitioned" => Meant::Text(String::new()),
        "expires" => Meant::time(value, answer),
        _ => Meant::Text(value.to_owned()),
    }
}
