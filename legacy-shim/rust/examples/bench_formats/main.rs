//! Nanoseconds for what a request costs in Flask's formats, on the inputs that `benches/python_side.py` wrote:
//! `cargo run --release -p flask-compat --features axum --example bench_formats -- INPUTS [PAGE]`.
//!
//! Prints `name nanoseconds` lines under the names that the Python side uses, and writes the rendered page to PAGE. Numbers
//! are printed, nothing is asserted. Both sides, one after the other in turns: `legacy-shim/rust/benches/bench.py`.

#[cfg(feature = "templates")]
mod page;

use std::hint::black_box;
use std::time::{Duration, Instant};

use flask_compat::Profile;
use flask_compat::csrf::Csrf;
use flask_compat::routing::{Map, MapOptions, Match, RuleSpec};
use flask_compat::session::{SessionCodec, SessionConfig};
use serde_json::Value as Json;

/// Whatever is wrong with the inputs.
type Outcome = Result<(), Box<dyn std::error::Error>>;

const PROFILE: Profile = Profile::Werkzeug10;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let inputs = arguments.next().ok_or("which inputs? see the head of this file")?;
    let given: Json = serde_json::from_str(&std::fs::read_to_string(inputs)?)?;
    sessions_and_tokens(&given)?;
    lookups("route_lookup_crm", &given["crm"])?;
    lookups("route_lookup_1000", &given["many"])?;
    #[cfg(feature = "templates")]
    page::measure_page(&given["page"], map_of(&given["crm"])?, arguments.next().as_deref())?;
    Ok(())
}

fn text<'a>(json: &'a Json, key: &str) -> Result<&'a str, String> {
    json[key].as_str().ok_or_else(|| format!("no text `{key}` in the inputs"))
}

fn list<'a>(json: &'a Json, key: &str) -> Result<&'a Vec<Json>, String> {
    json[key].as_array().ok_or_else(|| format!("no list `{key}` in the inputs"))
}

/// Best of five runs of at least 0.2 seconds, as on the other side.
fn measure(name: &str, per_call: usize, mut work: impl FnMut()) {
    let mut run = |count: u32| {
        let start = Instant::now();
        (0..count).for_each(|_| work());
        start.elapsed()
    };
    let mut count = 1;
    while run(count) < Duration::from_millis(50) {
        count *= 2;
    }
    let best = (0..5).map(|_| run(count * 4)).min().unwrap_or_default();
    println!("{name} {:.0}", best.as_secs_f64() * 1e9 / f64::from(count * 4) / per_call as f64);
}

fn sessions_and_tokens(given: &Json) -> Outcome {
    let (secret, now) = (text(given, "secret")?, given["now"].as_i64().ok_or("no time in the inputs")?);
    let (cookie, token) = (text(given, "cookie")?, text(given, "token")?);
    let codec = SessionCodec::new(&[secret], SessionConfig::new(PROFILE));
    let session = codec.load(Some(cookie), now)?;
    if session.user_id().as_deref() != Some("7") {
        return Err("the session was not read".into());
    }
    measure("session_decode", 1, || drop(black_box(codec.load(black_box(Some(cookie)), now))));
    let csrf = Csrf::new(&[secret], PROFILE);
    csrf.validate(Some(token), &session, now)?;
    measure("csrf_check", 1, || {
        let _ = black_box(csrf.validate(black_box(Some(token)), &session, now));
    });
    Ok(())
}

fn map_of(given: &Json) -> Result<Map, Box<dyn std::error::Error>> {
    let mut specs = Vec::new();
    for rule in list(given, "rules")? {
        let methods = list(rule, "methods")?.iter().filter_map(Json::as_str);
        let mut spec = RuleSpec::new(text(rule, "rule")?, text(rule, "endpoint")?).methods(methods);
        for (name, value) in rule["defaults"].as_object().into_iter().flatten() {
            let value = value.as_i64().ok_or_else(|| format!("default `{name}` is no integer"))?;
            spec = spec.default_value(name, value);
        }
        specs.push(spec);
    }
    Map::new(MapOptions::new(PROFILE), &specs).map_err(|errors| format!("{errors:?}").into())
}

fn lookups(name: &str, given: &Json) -> Outcome {
    let map = map_of(given)?;
    let requests: Vec<(&str, &str)> = list(given, "requests")?
        .iter()
        .filter_map(|request| Some((request[0].as_str()?, request[1].as_str()?)))
        .collect();
    for (method, path) in &requests {
        if !matches!(map.find("crm.example.com", method, path), Match::Rule(_)) {
            return Err(format!("no rule for {method} {path}").into());
        }
    }
    measure(name, requests.len(), || {
        for (method, path) in &requests {
            black_box(map.find(black_box("crm.example.com"), method, path));
        }
    });
    Ok(())
}
