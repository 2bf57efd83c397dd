//! When two values mean the same: ids that stand for each other, times of the same moment, cipher texts of one text,
//! hashes made in one way, JSON with its keys in any order.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDateTime};
use flask_compat::fernet::MultiFernet;
use regex::Regex;
use serde_json::Value;

use super::ids::Ids;
use super::{Clock, RowRules};
use crate::shadow::compare::{Difference, Kind, Path, Step};

/// Deepest JSON that is looked into.
const DEEPEST: usize = 64;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'a str,
    pub(super) column: &'a str,
    /// Of the key.
    pub(super) key: bool,
    /// Of a new row.
    pub(super) new: bool,
}

/// What two values have in common, unless they are equal.
#[derive(Debug)]
pub(super) enum Sameness {
    /// They mean the same, for this reason.
    ByDesign(&'static str),
    /// They do not; the path is the caller's.
    Different(Difference),
}

/// What comparing reports: where below the column, and what.
pub(super) type Report<'r> = dyn FnMut((Vec<Step>, Sameness)) + 'r;

/// Compares the values of one column.
pub(super) fn compare(
    place: &Place<'_>,
    (left, right): (&Value, &Value),
    rules: &RowRules<'_>,
    ids: &mut Ids<'_>,
    report: &mut Report<'_>,
) {
    if left.is_null() != right.is_null() {
        report((Vec::new(), Sameness::Different(changed(left, right))));
        return;
    }
    match ids.same_reference(place, left, right) {
        Some(true) if left == right => return,
        Some(true) => return report((Vec::new(), Sameness::ByDesign("generated ids"))),
        Some(false) => return report((Vec::new(), Sameness::Different(changed(left, right)))),
        None if ids.is_own(place, left) && ids.is_own(place, right) => {
            if left != right {
                report((Vec::new(), Sameness::ByDesign("generated ids")));
            }
            return;
        }
        None => {}
    }
    walk((left, right), &mut Vec::new(), rules, ids, report);
}

fn walk(
    (left, right): (&Value, &Value),
    steps: &mut Vec<Step>,
    rules: &RowRules<'_>,
    ids: &mut Ids<'_>,
    report: &mut Report<'_>,
) {
    match (left, right) {
        _ if left == right => {}
        (Value::Object(one), Value::Object(other)) if steps.len() < DEEPEST => {
            for (key, value) in one {
                steps.push(Step::Key(key.clone()));
                match other.get(key) {
                    Some(counterpart) => walk((value, counterpart), steps, rules, ids, report),
                    None => report((steps.clone(), one_sided(Some(value), None))),
                }
                steps.pop();
            }
            for (key, value) in other.iter().filter(|(key, _)| !one.contains_key(*key)) {
                let place = steps.iter().cloned().chain([Step::Key(key.clone())]).collect();
                report((place, one_sided(None, Some(value))));
            }
        }
        (Value::Array(one), Value::Array(other)) if steps.len() < DEEPEST => {
            for index in 0..one.len().max(other.len()) {
                steps.push(Step::Index(index));
                match (one.get(index), other.get(index)) {
                    (Some(value), Some(counterpart)) => {
                        walk((value, counterpart), steps, rules, ids, report);
                    }
                    (value, counterpart) => report((steps.clone(), one_sided(value, counterpart))),
                }
                steps.pop();
            }
        }
        (Value::String(one), Value::String(other)) => match (json(one), json(other)) {
            (Some(one), Some(other)) if steps.len() < DEEPEST => {
                if one == other {
                    report((steps.clone(), Sameness::ByDesign("json text")));
                }
                walk((&one, &other), steps, rules, ids, report);
            }
            _ => report((steps.clone(), texts(one, other, rules, ids))),
        },
        _ if numbers_are_equal(left, right) => {}
        (Value::Number(_), Value::Number(_)) if ids.stands_for(&text(left), &text(right)) => {
            report((steps.clone(), Sameness::ByDesign("generated ids")));
        }
        _ => report((steps.clone(), Sameness::Different(changed(left, right)))),
    }
}

fn changed(left: &Value, right: &Value) -> Difference {
    let same_type = std::mem::discriminant(left) == std::mem::discriminant(right);
    let difference = Difference::changed(Path::Body, text(left), text(right));
    if same_type || left.is_null() || right.is_null() { difference } else { difference.of(Kind::Type) }
}

fn one_sided(left: Option<&Value>, right: Option<&Value>) -> Sameness {
    Sameness::Different(Difference::one_sided(Path::Body, left.map(text), right.map(text)))
}

/// Two texts that are not equal.
fn texts(left: &str, right: &str, rules: &RowRules<'_>, ids: &mut Ids<'_>) -> Sameness {
    if let (Some(one), Some(other)) = (token_blocks(left), token_blocks(right)) {
        return tokens((left, one), (right, other), rules.keys);
    }
    if let (Some(one), Some(other)) = (hash_method(left), hash_method(right)) {
        if one == other {
            return Sameness::ByDesign("password hash");
        }
        let difference = Difference::changed(Path::Body, one, other);
        return Sameness::Different(difference.in_own_words());
    }
    if are_near(left, right, rules.clock) {
        return Sameness::ByDesign("moment");
    }
    if same_but_for_ids(left, right, ids) {
        return Sameness::ByDesign("generated ids");
    }
    Sameness::Different(Difference::changed(Path::Body, left, right))
}

/// Two Fernet tokens. The length of a token tells how many blocks its text has, even without the key.
fn tokens(left: (&str, usize), right: (&str, usize), keys: Option<&MultiFernet>) -> Sameness {
    let same = match keys.map(|keys| (keys.decrypt(left.0), keys.decrypt(right.0))) {
        Some((Ok(one), Ok(other))) => one == other,
        Some((Ok(_), Err(_)) | (Err(_), Ok(_))) => false,
        None | Some((Err(_), Err(_))) => left.1 == right.1,
    };
    if same {
        return Sameness::ByDesign("encrypted text");
    }
    let difference = Difference::changed(Path::Body, "an encrypted text", "another encrypted text");
    Sameness::Different(difference.in_own_words())
}

/// The number of blocks, if a text is a Fernet token: base64 of version, time (whose first bytes are 0), IV, blocks, MAC.
fn token_blocks(text: &str) -> Option<usize> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let body = text.trim_end_matches('=');
    if !text.starts_with("gAAAAA") || text.len() < 100 || !body.bytes().all(alphabet) {
        return None;
    }
    let length = body.len() * 3 / 4;
    length.checked_sub(57).filter(|rest| rest % 16 == 0 && *rest > 0).map(|rest| rest / 16)
}

/// How a password was hashed: all but salt and hash, and how long the hash is.
fn hash_method(text: &str) -> Option<String> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // Werkzeug; Django; crypt's own ($2b$, $6$, $argon2id$) with bcrypt's salt and hash in one.
        Regex::new(
            r"(?x)^(?: (?P<werkzeug>(?:pbkdf2|scrypt|sha1|sha256|sha512|md5)(?::[a-z0-9_]+)*)\$[^$]+\$(?P<hex>[0-9a-f]{32,})
              | (?P<django>(?:pbkdf2|scrypt|argon2|bcrypt)[a-z0-9_]*\$[0-9$]*)\$?[^$]+\$(?P<base>[A-Za-z0-9+/=]{20,})
              | (?P<bcrypt>\$2[aby]?\$[0-9]{2})\$[./A-Za-z0-9]{53}
              | (?P<crypt>\$(?:argon2[a-z]+\$v=[0-9]+\$[a-z0-9=,]+|[156y](?:\$rounds=[0-9]+)?))\$[^$]+\$(?P<rest>[./A-Za-z0-9+]{20,}))$",
        )
        .ok()
    });
    let found = FORM.as_ref()?.captures(text)?;
    let method = ["werkzeug", "django", "bcrypt", "crypt"].iter().find_map(|name| found.name(name))?;
    let hash = ["hex", "base", "rest"].iter().find_map(|name| found.name(name));
    let length = hash.map(|hash| hash.as_str().len()).unwrap_or_default();
    Some(format!("{} with {length} characters", method.as_str()))
}

/// Two times that are as far apart as the clocks of both sides.
fn are_near(left: &str, right: &str, clock: Clock) -> bool {
    let (Some(one), Some(other)) = (moment(left), moment(right)) else { return false };
    let apart = other - one;
    apart.abs() <= clock.within || (apart - clock.apart).abs() <= clock.within
}

/// A date with a time, in seconds: as PostgreSQL, Python and JSON write it.
fn moment(text: &str) -> Option<f64> {
    if text.len() < 16 || !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let micros = |time: DateTime<_>| time.timestamp_micros() as f64 / 1e6;
    for form in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"] {
        if let Ok(time) = DateTime::parse_from_str(text, form) {
            return Some(micros(time));
        }
    }
    let bare = text.strip_suffix('Z').unwrap_or(text);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok())
        .map(|time| time.and_utc().timestamp_micros() as f64 / 1e6)
}

/// Texts that hold ids: what is between them is equal, and the ids stand for each other.
fn same_but_for_ids(left: &str, right: &str, ids: &mut Ids<'_>) -> bool {
    let (one, other) = (parts(left), parts(right));
    one.len() == other.len()
        && one.iter().zip(&other).all(|((before, id), (other_before, other_id))| {
            let random = is_random_id(id) && is_random_id(other_id);
            before == other_before
                && (id == other_id || ids.stands_for(id, other_id) || (random && ids.meet(id, other_id)))
        })
}

/// A text as pairs: what is in front of an id, and the id; what follows the last one has none.
fn parts(text: &str) -> Vec<(&str, &str)> {
    static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!(r"{RANDOM_ID}|[0-9]+")).ok());
    let mut out = Vec::new();
    let mut rest = 0;
    for found in IDS.iter().flat_map(|ids| ids.find_iter(text)) {
        out.push((&text[rest..found.start()], found.as_str()));
        rest = found.end();
    }
    out.push((&text[rest..], ""));
    out
}

/// A UUID of version 4 or 7, with its dashes or without.
const RANDOM_ID: &str =
    "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[47][0-9a-fA-F]{3}-?[89abAB][0-9a-fA-F]{3}-?[0-9a-fA-F]{12}";

pub(super) fn is_random_id(text: &str) -> bool {
    static WHOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("^{RANDOM_ID}$")).ok());
    WHOLE.as_ref().is_some_and(|whole| whole.is_match(text))
}

fn numbers_are_equal(left: &Value, right: &Value) -> bool {
    match (left.as_i64(), right.as_i64()) {
        (Some(one), Some(other)) => one == other,
        _ => matches!((left.as_f64(), right.as_f64()), (Some(one), Some(other)) if one == other),
    }
}

/// The document in a text that holds JSON.
fn json(text: &str) -> Option<Value> {
    let starts = text.trim_start().starts_with(['{', '[']);
    starts.then(|| serde_json::from_str(text).ok()).flatten()
}

/// As people read it: a text without its quotes.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is left of a value when everything is left out that sides make anew; `numbers`: those in texts stay.
pub(super) fn sketch(value: &Value, keys: Option<&MultiFernet>, numbers: bool) -> String {
    match value {
        Value::String(text) => text_sketch(text, keys, numbers),
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| format!("{number}"))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| sketch(item, keys, numbers)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let mut items: Vec<String> =
                map.iter().map(|(key, value)| format!("{key:?}:{}", sketch(value, keys, numbers))).collect();
            items.sort_unstable();
            format!("{{{}}}", items.join(","))
        }
        other => other.to_string(),
    }
}

fn text_sketch(text: &str, keys: Option<&MultiFernet>, numbers: bool) -> String {
    if let Some(blocks) = token_blocks(text) {
        let plain = keys.and_then(|keys| keys.decrypt(text).ok());
        return plain.map_or_else(|| format!("token {blocks}"), |plain| format!("token {plain:?}"));
    }
    if let Some(method) = hash_method(text) {
        return method;
    }
    if moment(text).is_some() {
        return "moment".to_owned();
    }
    if let Some(document) = json(text) {
        return sketch(&document, keys, numbers);
    }
    let shown = |id: &str| match id {
        "" => String::new(),
        id if numbers && !is_random_id(id) => id.to_owned(),
        _ => "#".to_owned(),
    };
    parts(text).iter().map(|(before, id)| format!("{before}{}", shown(id))).collect()
}
