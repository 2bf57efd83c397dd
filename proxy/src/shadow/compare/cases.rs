//! The table: every file in `cases/` lists pairs of answers and what a comparison must find.
//!
//! `find` lists the differences as `KIND PATH` (kind left out for a changed value); nothing else may be found. In
//! bodies `{{csrf}}` is a good token of the session, `{{csrf:expired}}`, `{{csrf:other}}`, `{{csrf:forged}}` are not.

use chrono::DateTime;
use flask_compat::Profile;
use flask_compat::csrf::Csrf;
use flask_compat::session::{Session, SessionCodec, SessionConfig, read_tagged_json};
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{Answer, Asked, Case, Design, Judge, Side};
use crate::route::{Allows, IgnoreRule, Pattern};

const KEY: &str = "not the key of anybody";
const NOW: i64 = 1_800_000_000;
/// The secret in the session of the request.
const SECRET: &str = "5f0c9a1e7b3d8426af915c02d7e84b6310fa92ce";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Row {
    name: String,
    #[serde(rename = "type")]
    media: String,
    reference: String,
    /// Absent: the same as the reference.
    candidate: Option<String>,
    status: u16,
    candidate_status: Option<u16>,
    reference_headers: Vec<String>,
    candidate_headers: Vec<String>,
    /// Session cookies as JSON, `""` for a deletion.
    asked_session: Option<String>,
    reference_session: Option<String>,
    candidate_session: Option<String>,
    sides: String,
    rules: Vec<Rule>,
    without_key: bool,
    truncated: bool,
    verdict: String,
    find: Vec<String>,
    /// Signatures, if they matter.
    groups: Vec<String>,
    /// Names of the rules that were needed.
    ignored: Vec<String>,
    incomparable: Option<String>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            name: String::new(),
            media: "text/html; charset=utf-8".to_owned(),
            reference: String::new(),
            candidate: None,
            status: 200,
            candidate_status: None,
            reference_headers: Vec::new(),
            candidate_headers: Vec::new(),
            asked_session: None,
            reference_session: None,
            candidate_session: None,
            sides: "same".to_owned(),
            rules: Vec::new(),
            without_key: false,
            truncated: false,
            verdict: "mismatch".to_owned(),
            find: Vec::new(),
            groups: Vec::new(),
            ignored: Vec::new(),
            incomparable: None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    path: String,
    tolerance: Option<f64>,
    within: Option<f64>,
    unordered_by: Option<String>,
    #[serde(default = "far")]
    expires: String,
}

fn far() -> String {
    "2099-12-31".to_owned()
}

impl Rule {
    fn checked(&self) -> IgnoreRule {
        let allows = match (self.tolerance, self.within, &self.unordered_by) {
            (Some(most), ..) => Allows::Number(most),
            (_, Some(most), _) => Allows::Seconds(most),
            (.., Some(key)) => Allows::AnyOrder((key != ".").then(|| key.clone())),
            _ => Allows::Anything,
        };
        IgnoreRule {
            path: Pattern::parse(&self.path).unwrap(),
            allows,
            reason: "test".to_owned(),
            author: "test".to_owned(),
            expires: self.expires.parse().unwrap(),
        }
    }
}

fn codec() -> SessionCodec {
    SessionCodec::new(&[KEY], SessionConfig::new(Profile::Werkzeug10))
}

fn session_cookie(json: &str, now: i64) -> String {
    codec().encode(&read_tagged_json(json).unwrap(), now)
}

fn set_cookie(json: &str, now: i64) -> String {
    match json {
        "" => "session=; Expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=0; Path=/".to_owned(),
        json => format!("session={}; HttpOnly; Path=/", session_cookie(json, now)),
    }
}

/// Puts tokens in the places for them; `now` makes two answers' tokens differ.
fn with_tokens(text: &str, now: i64) -> String {
    let token = |secret: &str, key: &str, now: i64| {
        let data = read_tagged_json(&format!("{{\"csrf_token\":\"{secret}\"}}")).unwrap();
        let mut session = Session::new(data, Profile::Werkzeug10);
        Csrf::new(&[key], Profile::Werkzeug10).generate(&mut session, &[0; 64], now)
    };
    let other = SECRET.replace('5', "1");
    text.replace("{{csrf}}", &token(SECRET, KEY, now))
        .replace("{{csrf:expired}}", &token(SECRET, KEY, now - 7_200))
        .replace("{{csrf:other}}", &token(&other, KEY, now))
        .replace("{{csrf:forged}}", &token(SECRET, "another key", now))
}

fn answer(row: &Row, is_reference: bool) -> Answer {
    let now = if is_reference { NOW - 3 } else { NOW - 1 };
    let body = if is_reference { &row.reference } else { row.candidate.as_ref().unwrap_or(&row.reference) };
    let status = if is_reference { row.status } else { row.candidate_status.unwrap_or(row.status) };
    let mut answer = Answer { status, complete: !row.truncated, ..Answer::default() };
    let mut lines = if is_reference { row.reference_headers.clone() } else { row.candidate_headers.clone() };
    let session = if is_reference { &row.reference_session } else { &row.candidate_session };
    lines.extend(session.as_ref().map(|json| format!("Set-Cookie: {}", set_cookie(json, now))));
    if !row.media.is_empty() && !lines.iter().any(|line| line.to_lowercase().starts_with("content-type:")) {
        lines.push(format!("Content-Type: {}", row.media));
    }
    lines.push(format!("Date: {}", flask_compat::cookie::http_date(now)));
    for line in &lines {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("`{line}` is no header"));
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        answer.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let body = with_tokens(body, now);
    answer.body = match body.strip_prefix("gzip:") {
        Some(text) => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            std::io::Write::write_all(&mut packer, text.as_bytes()).unwrap();
            packer.finish().unwrap().into()
        }
        None => match body.strip_prefix("hex:") {
            Some(hex) => {
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                (0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>().into()
            }
            None => body.into(),
        },
    };
    answer
}

fn design(sides: &str) -> Design {
    let old = Side::Flask(Profile::Werkzeug10);
    match sides {
        "same" => Design::of(old, old),
        "rust" => Design::of(old, Side::Rust(Profile::Werkzeug10)),
        "upgrade" => Design::of(old, Side::Flask(Profile::Werkzeug23)),
        other => panic!("unknown sides `{other}`"),
    }
}

fn check(row: &Row) -> Result<(), String> {
    let rules: Vec<IgnoreRule> = row.rules.iter().map(Rule::checked).collect();
    let cookies =
        row.asked_session.as_ref().map(|json| format!("session={}", session_cookie(json, NOW - 60)));
    let asked = Asked {
        url: "http://crm.example/customers/7?page=2".to_owned(),
        cookies: cookies.unwrap_or_default().into_bytes(),
    };
    let (reference, candidate) = (answer(row, true), answer(row, false));
    let case = Case {
        asked: &asked,
        reference: &reference,
        candidate: &candidate,
        design: design(&row.sides),
        rules: &rules,
        now: DateTime::from_timestamp(NOW, 0).unwrap(),
    };
    let judge = Judge::new((!row.without_key).then_some(KEY), "session", Profile::Werkzeug10);
    let found = judge.compare(&case);
    let differences: Vec<String> = found
        .differences
        .iter()
        .map(|difference| match difference.kind {
            super::Kind::Changed => difference.path.text(),
            kind => format!("{} {}", kind.word(), difference.path.text()),
        })
        .collect();
    let ignored: Vec<String> = found.ignored.keys().cloned().collect();
    let why = found.incomparable.map(|why| why.word().to_owned());
    let groups: Vec<String> = found.differences.iter().map(super::Difference::group).collect();
    let as_expected = found.verdict.word() == row.verdict
        && differences == row.find
        && ignored == row.ignored
        && (row.groups.is_empty() || groups == row.groups)
        && why == row.incomparable;
    if as_expected { Ok(()) } else { Err(format!("{}: {}, {found:#?}", row.name, found.verdict.word())) }
}

fn run(text: &str, least: usize) {
    let file: File = toml::from_str(text).unwrap();
    assert!(file.case.len() >= least, "only {} cases", file.case.len());
    let wrong: Vec<String> = file.case.iter().filter_map(|row| check(row).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), file.case.len(), wrong.join("\n\n"));
}

#[test]
fn json() {
    run(include_str!("cases/json.toml"), 30);
}

#[test]
fn html() {
    run(include_str!("cases/html.toml"), 40);
}

#[test]
fn cookies() {
    run(include_str!("cases/cookies.toml"), 25);
}

#[test]
fn heads() {
    run(include_str!("cases/heads.toml"), 30);
}

#[test]
fn other_bodies() {
    run(include_str!("cases/bodies.toml"), 20);
}
