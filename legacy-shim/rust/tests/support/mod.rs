//! Reads the vectors that `tests/vectors/generator` wrote with the real Python packages.
#![allow(dead_code)]

use flask_compat::Profile;
use serde_json::Value;

/// The environments with vectors.
pub(crate) const ENVIRONMENTS: [(&str, Profile); 3] = [
    ("flask-1.1", Profile::Werkzeug10),
    ("flask-2.3", Profile::Werkzeug23),
    ("flask-3.1", Profile::Werkzeug31),
];

/// One file of vectors.
pub(crate) fn vectors(environment: &str, section: &str) -> Value {
    let path = format!("{}/tests/vectors/{environment}/{section}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cases of a list in it.
pub(crate) fn cases<'a>(vectors: &'a Value, list: &str) -> &'a [Value] {
    vectors[list].as_array().unwrap_or_else(|| panic!("no list `{list}`"))
}

/// A string in a case.
pub(crate) fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {case}"))
}
