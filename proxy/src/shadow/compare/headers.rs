//! The headers that matter: all of them, but for what belongs to a connection or to one moment.

use std::collections::BTreeSet;

use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, VARY,
};

use super::answer::{Answer, Case};
use super::findings::{Difference, Findings};
use super::moment::Meant;
use super::path::Path;

/// What says nothing about the answer itself, or is compared elsewhere.
const ELSEWHERE: &[&str] = &[
    "date",
    "server",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "content-length",
    "via",
    "alt-svc",
    "x-request-id",
    "traceparent",
    "tracestate",
    "content-type",
    "content-encoding",
    "location",
    "set-cookie",
];
/// Lists whose order does not matter.
const SETS: &[&str] = &[
    "vary",
    "allow",
    "cache-control",
    "accept-ranges",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
];
pub(super) fn compare(case: &Case<'_>, findings: &mut Findings<'_>) {
    let names = case.reference.headers.keys().chain(case.candidate.headers.keys());
    let names: BTreeSet<&str> = names.map(HeaderName::as_str).collect();
    for name in names {
        if ELSEWHERE.contains(&name) || name.starts_with("x-ficus-") {
            continue;
        }
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        header(&name, case, findings);
    }
}

fn header(name: &HeaderName, case: &Case<'_>, findings: &mut Findings<'_>) {
    let path = Path::Header(name.as_str().to_owned());
    let text = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
    if *name == EXPIRES && times(case.reference) == times(case.candidate) {
        return;
    }
    let (one, other) = (values(name, case.reference), values(name, case.candidate));
    if one == other {
        return;
    }
    if let Some(rule) = by_design(name, case, (&one, &other)) {
        findings.by_design(rule);
        return;
    }
    let difference = match (text(&one), text(&other)) {
        (Some(one), Some(other)) => Difference::changed(path, one, other),
        (one, other) => Difference::one_sided(path, one, other),
    };
    // Lists of methods, headers and directives hold nobody's data.
    let harmless = SETS.contains(&name.as_str());
    findings.report(if harmless { difference.in_own_words() } else { difference });
}

fn times(answer: &Answer) -> Vec<Meant> {
    answer.all(&EXPIRES).iter().map(|value| Meant::time(value, answer)).collect()
}

/// The values; sets are sorted.
fn values(name: &HeaderName, answer: &Answer) -> Vec<String> {
    let all = answer.all(name);
    if SETS.contains(&name.as_str()) {
        let words =
            all.iter().flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase());
        return words.filter(|word| !word.is_empty()).collect::<BTreeSet<_>>().into_iter().collect();
    }
    all.iter().map(|value| value.trim().to_owned()).collect()
}

type Values<'a> = (&'a [String], &'a [String]);

/// The built-in rule that allows this difference.
fn by_design(
    name: &HeaderName,
    case: &Case<'_>,
    (one, other): (&Vec<String>, &Vec<String>),
) -> Option<&'static str> {
    let values: Values<'_> = (one, other);
    let design = case.design;
    let file = is_file(case.reference) && is_file(case.candidate);
    if design.vary && *name == VARY && without_cookie(values.0) == without_cookie(values.1) {
        return Some("vary");
    }
    if design.etags && *name == ETAG && !one.is_empty() && !other.is_empty() {
        return Some("etag");
    }
    if design.files && file {
        let inline = |values: &[String]| values.iter().all(|value| value.starts_with("inline"));
        let caching = *name == CACHE_CONTROL || *name == EXPIRES || *name == ACCEPT_RANGES;
        if caching || (*name == CONTENT_DISPOSITION && inline(values.0) && inline(values.1)) {
            return Some("file-headers");
        }
    }
    // The order of methods is no matter anyway; newer releases name OPTIONS and HEAD where older ones do not.
    let implied = |values: &[String]| -> Vec<String> {
        values.iter().filter(|method| !matches!(method.as_str(), "head" | "options")).cloned().collect()
    };
    (design.vary && *name == ALLOW && implied(values.0) == implied(values.1)).then_some("allow")
}

fn without_cookie(values: &[String]) -> Vec<&String> {
    values.iter().filter(|value| *value != "cookie").collect()
}

/// What `send_file` sends.
fn is_file(answer: &Answer) -> bool {
    answer.headers.contains_key(ETAG) && answer.headers.contains_key(LAST_MODIFIED)
        || (answer.status == 304 && answer.headers.contains_key(ETAG))
}
