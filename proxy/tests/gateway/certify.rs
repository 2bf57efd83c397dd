//! `ficus replay --certify`: what counts toward a certificate, and what is refused, each with its reason.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::backend::{Backend, Then};
use crate::evidence::document;
use crate::ficus::{Ficus, Setup, eventually};

const KEY: &str = "a-secret-key-of-these-tests";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A page of the item; `/items/9` is empty.
fn page() -> impl Fn(&mut crate::backend::Exchange<'_>) -> Then + Send + Sync {
    |exchange| {
        let body = if exchange.head.contains("/items/9 ") { "" } else { "<p>page</p>" };
        exchange.answer("200 OK", "Content-Type: text/html\r\nSet-Cookie: session=a\r\n", body);
        Then::Keep
    }
}

/// Both sides, known by what they are, and a recording of these items.
fn recorded(legacy: &Backend, rust: &Backend, items: &[u32]) -> (Ficus, String) {
    legacy.is_about("{\"code\":\"code-one\"}");
    rust.is_about("{\"build\":\"build-one\"}");
    let ficus = Setup::new(legacy)
        .route("shadow = { sample = 1.0 }\n")
        .rust_at(&rust.url())
        .set("flask.secret_key", KEY)
        .set("flask.channel_secret", SECRET)
        .start();
    eventually("both programs are known", || {
        let provenance = certificate(&ficus)["provenance"].clone();
        provenance["build"] == "build-one" && provenance["code"] == "code-one"
    });
    let begun = document(&ficus, &["record", "start", "item"]);
    for item in items {
        let headers = "Cookie: session=a\r\n";
        assert_eq!(ficus.connect().request("GET", &format!("/items/{item}"), headers, "").status, 200);
    }
    let all = items.len() as u64;
    eventually("all are written", || document(&ficus, &["record", "status"])["recording"]["requests"] == all);
    document(&ficus, &["record", "stop"]);
    eventually("all copies are compared", || ficus.metric("ficus_shadow_queue") == 0);
    (ficus, begun["recording"]["folder"].as_str().unwrap().to_owned())
}

fn certificate(ficus: &Ficus) -> Value {
    document(ficus, &["certificate", "item"])["certificate"].clone()
}

/// Replays it against `rust`; what counted, and why the rest did not.
fn certify(ficus: &Ficus, folder: &str, flags: &[&str]) -> (Value, Vec<String>) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ficus"))
        .args(["--config", "ficus.toml"])
        .args(flags)
        .args(["replay", folder, "--against", "rust", "--certify", "--json"])
        .env("FICUS_FLASK_SECRET_KEY", KEY)
        .current_dir(ficus.file(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused = found["certified"]["refused"].as_array().unwrap_or_else(|| panic!("{found:#}{said}"));
    let why = refused.iter().map(|one| one["why"].as_str().unwrap().to_owned()).collect();
    (found["certified"]["counted"].clone(), why)
}

#[test]
fn what_runs_now_and_was_compared_counts_once() {
    let (legacy, rust) = (Backend::tcp(page()), Backend::tcp(page()));
    let (ficus, folder) = recorded(&legacy, &rust, &[1, 2, 9]);
    let (counted, refused) = certify(&ficus, &folder, &[]);
    assert_eq!((counted, refused), (json!([{ "route": "item", "comparisons": 2 }]), vec![]));
    // A first certificate is written within seconds.
    eventually("the certificate says so", || certificate(&ficus)["replayed"] == 2);
    let (counted, refused) = certify(&ficus, &folder, &[]);
    assert_eq!((counted, refused), (json!([]), vec!["it was counted before".to_owned()]));
    assert_eq!(certificate(&ficus)["replayed"], 2);
}

#[test]
fn a_build_that_changes_while_it_is_asked_does_not_count() {
    let legacy = Backend::tcp(page());
    let (itself, asked) = (Arc::new(OnceLock::<Backend>::new()), Arc::new(AtomicUsize::new(0)));
    let (known, times) = (Arc::clone(&itself), Arc::clone(&asked));
    let answer = page();
    let rust = Backend::tcp(move |exchange| {
        // Copies of what was recorded come first; a replay marks nothing.
        if !exchange.head.to_ascii_lowercase().contains("x-ficus-shadow:")
            && times.fetch_add(1, Ordering::SeqCst) == 0
        {
            known.get().unwrap().is_about("{\"build\":\"build-two\"}");
        }
        answer(exchange)
    });
    assert!(itself.set(rust).is_ok());
    let rust = itself.get().unwrap();
    let (ficus, folder) = recorded(&legacy, rust, &[1, 2]);
    let (counted, refused) = certify(&ficus, &folder, &[]);
    assert_eq!(counted, json!([]));
    let why = "the build of the candidate was `build-one`, and is `build-two` now";
    assert_eq!(refused, [why]);
    assert_eq!((asked.load(Ordering::SeqCst), &certificate(&ficus)["replayed"]), (2, &0.into()));
    // Another try is against the new build from its beginning.
    eventually("the new build is known", || certificate(&ficus)["provenance"]["build"] == "build-two");
    let (counted, _) = certify(&ficus, &folder, &[]);
    assert_eq!(counted, json!([{ "route": "item", "comparisons": 2 }]));
}

#[test]
fn what_was_compared_under_other_rules_does_not_count() {
    let (legacy, rust) = (Backend::tcp(page()), Backend::tcp(page()));
    let (ficus, folder) = recorded(&legacy, &rust, &[1]);
    let routes = std::fs::read_to_string(ficus.file("routes.toml")).unwrap();
    let rule = "shadow = { sample = 1.0, ignore = [{ path = \"header x-age\", reason = \"r\", author = \"a\", expires = \"2099-01-01\" }] }";
    assert!(routes.contains("shadow = { sample = 1.0 }"), "{routes}");
    std::fs::write(ficus.file("lenient.toml"), routes.replace("shadow = { sample = 1.0 }", rule)).unwrap();
    let (counted, refused) = certify(&ficus, &folder, &["--routes", "lenient.toml"]);
    assert_eq!(counted, json!([]));
    assert_eq!(refused, ["the rules under which it was compared are not those that hold"]);
    let (counted, _) = certify(&ficus, &folder, &[]);
    assert_eq!(counted, json!([{ "route": "item", "comparisons": 1 }]));
}

#[test]
fn a_replay_in_which_nothing_could_differ_does_not_count() {
    let (legacy, rust) = (Backend::tcp(page()), Backend::tcp(page()));
    let (ficus, folder) = recorded(&legacy, &rust, &[9]);
    let (counted, refused) = certify(&ficus, &folder, &[]);
    assert_eq!((counted, refused), (json!([]), vec!["nothing could be compared".to_owned()]));
    // Nor does one in which nobody answers.
    let (legacy, rust) = (Backend::tcp(page()), Backend::tcp(|_| Then::Close));
    let (ficus, folder) = recorded(&legacy, &rust, &[1]);
    let (counted, refused) = certify(&ficus, &folder, &[]);
    assert_eq!((counted, refused), (json!([]), vec!["nothing could be compared".to_owned()]));
    assert_eq!(certificate(&ficus)["replayed"], 0);
}
