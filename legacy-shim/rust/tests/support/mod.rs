//! Reads the vectors that `tests/vectors/generator` wrote with the real Python packages.
#![allow(dead_code)]

use flask_compat::Profile;
use flask_compat::cookie::SameSite;
use flask_compat::login::{LoginConfig, Protection};
use serde_json::Value;

/// The environments with vectors.
pub(crate) const ENVIRONMENTS: [(&str, Profile); 4] = [
    ("flask-1.1", Profile::Werkzeug10),
    ("flask-2.3", Profile::Werkzeug23),
    ("flask-3.0", Profile::Werkzeug30),
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

/// `LoginConfig` from Flask's configuration in a vector.
pub(crate) fn login_config(given: &Value, profile: Profile) -> LoginConfig {
    let mut config = LoginConfig::new(profile);
    if let Some(protection) = given.get("SESSION_PROTECTION") {
        config.protection = if protection.is_null() { Protection::Off } else { Protection::Strong };
    }
    config.force_host = given["FORCE_HOST_FOR_REDIRECTS"].as_str().map(str::to_owned);
    config.session_for_next = given["USE_SESSION_FOR_NEXT"] == true;
    config.refresh_each_request = given["REMEMBER_COOKIE_REFRESH_EACH_REQUEST"] == true;
    if given["REMEMBER_COOKIE_SECURE"] == true {
        config.cookie_name = text(given, "REMEMBER_COOKIE_NAME").to_owned();
        config.secure = true;
        config.http_only = true;
        config.domain = Some(text(given, "REMEMBER_COOKIE_DOMAIN").to_owned());
        config.same_site = Some(SameSite::Lax);
        config.duration = given["REMEMBER_COOKIE_DURATION"].as_f64().unwrap() as i64;
        config.path = text(given, "REMEMBER_COOKIE_PATH").to_owned();
    }
    config
}
