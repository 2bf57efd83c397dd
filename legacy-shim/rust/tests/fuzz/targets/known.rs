//! Everything that the real Python packages signed for the vectors: the only signed texts that may ever be accepted.

use std::collections::HashSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::tamper::{essence, signature_bytes};

/// The secret of the sessions and CSRF tokens, that of the logins, the raw CSRF token, the Fernet keys.
pub(crate) struct Known {
    pub(crate) secret: String,
    pub(crate) login_secret: String,
    pub(crate) csrf_raw: String,
    pub(crate) fernet_keys: Vec<String>,
    /// Session cookies and CSRF tokens, by what must not change in them.
    pub(crate) sessions: HashSet<(String, Vec<u8>)>,
    pub(crate) csrf_tokens: HashSet<(String, Vec<u8>)>,
    pub(crate) remember: HashSet<String>,
    /// Fernet tokens by their bytes.
    pub(crate) fernets: HashSet<Vec<u8>>,
    /// `signed.json`: derivation, digest, text.
    pub(crate) signed: Vec<(String, String, String)>,
}

macro_rules! vectors {
    ($section:literal) => {
        [
            include_str!(concat!("../../vectors/flask-1.1/", $section, ".json")),
            include_str!(concat!("../../vectors/flask-2.3/", $section, ".json")),
            include_str!(concat!("../../vectors/flask-3.1/", $section, ".json")),
        ]
    };
}

pub(crate) fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(read)
}

fn read() -> Known {
    let [session, csrf, login, fernet] =
        [vectors!("sessions"), vectors!("csrf"), vectors!("login"), vectors!("fernets")]
            .map(|files| files.map(parse));
    let mut texts = Vec::new();
    session.iter().chain(&csrf).chain(&login).chain(&fernet).for_each(|file| strings(file, &mut texts));
    let csrf_tokens = texts.iter().flat_map(|text| pieces(text)).map(essence).collect();
    let sessions = texts.iter().flat_map(|text| pieces(text)).map(essence).collect();
    let signed = parse(include_str!("../signed.json"));
    let signed = signed.as_array().map(Vec::as_slice).unwrap_or_default();
    Known {
        secret: of(&session[0], "secret"),
        login_secret: of(&login[0], "secret"),
        csrf_raw: of(&csrf[0], "raw"),
        fernet_keys: fernet[0]["keys"].as_array().into_iter().flatten().map(text).collect(),
        sessions,
        csrf_tokens,
        remember: texts.iter().flat_map(|text| pieces(text)).map(str::to_owned).collect(),
        fernets: texts.iter().map(|text| signature_bytes(text)).collect(),
        signed: signed
            .iter()
            .map(|one| (of(one, "derivation"), of(one, "digest"), of(one, "text")))
            .collect(),
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("vectors: {error}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn of(value: &Value, key: &str) -> String {
    text(&value[key])
}

/// Every text anywhere in the vectors. Among them are damaged ones, but whoever damaged them had no other key.
fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, into)),
        _ => {}
    }
}

/// A text, and the values of cookies and form fields in it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.split(['&', ';', ' ']).filter_map(|pair| pair.split_once('=').map(|(_, value)| value));
    std::iter::once(text).chain(inner).flat_map(|text| [text, text.trim_matches('"')])
}
