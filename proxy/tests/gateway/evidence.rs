//! What comparisons prove: certificates, what ends them, and tests that comparing works.

use std::process::{Command, Output};

use flask_compat::Profile;
use flask_compat::session::{Map, SessionCodec, SessionConfig, Value as Tagged};
use serde_json::Value;

use crate::backend::{Backend, Then};
use crate::ficus::{Directory, Ficus, Setup, eventually};

const SHADOWED: &str = "shadow = { sample = 1.0 }\n";

pub(crate) fn cli(ficus: &Ficus, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ficus"))
        .args(["--config", "ficus.toml"])
        .args(arguments)
        .current_dir(ficus.file(""))
        .env("FICUS_YES", "1")
        .output()
        .unwrap()
}

pub(crate) fn document(ficus: &Ficus, arguments: &[&str]) -> Value {
    let output = cli(ficus, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn certificate(ficus: &Ficus) -> Value {
    document(ficus, &["certificate", "item"])
}

/// Waits until the certificate is as it should be.
#[track_caller]
fn shows(ficus: &Ficus, what: &str, mut check: impl FnMut(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    eventually(&format!("{what}; stderr:\n{}", ficus.said()), || {
        last = certificate(ficus);
        check(&last)
    });
    last
}

/// Waits until so many comparisons count and comparing was seen to work.
#[track_caller]
fn counted(ficus: &Ficus, comparisons: u64) -> Value {
    shows(ficus, &format!("{comparisons} comparisons"), |answer| {
        answer["certificate"]["comparisons"] == comparisons
            && answer["certificate"]["self_test"]["state"] == "passed"
    })
}

/// Answers HTML; `/items/9` in its own way, `/items/404` is not there.
fn page(own: &'static str) -> Backend {
    Backend::tcp(move |exchange| {
        let word = if exchange.head.contains("/items/9 ") { own } else { "a" };
        let status = if exchange.head.contains("/items/404 ") { "404 Not Found" } else { "200 OK" };
        exchange.answer(status, "Content-Type: text/html\r\n", &format!("<p>{word}</p>"));
        Then::Keep
    })
}

#[test]
fn comparisons_become_a_certificate_by_strata() {
    let (legacy, rust) = (page("b"), page("c"));
    rust.is_about("{\"build\":\"build-one\",\"heads\":[\"5f3c\"]}");
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    shows(&ficus, "the build", |answer| answer["certificate"]["provenance"]["build"] == "build-one");
    let mut client = ficus.connect();
    for item in [1, 2, 3, 4, 9, 404] {
        client.get(&format!("/items/{item}"));
    }
    let answer = counted(&ficus, 6);
    let certificate = &answer["certificate"];
    assert_eq!((&certificate["mismatches"], &certificate["replayed"]), (&1.into(), &0.into()));
    let strata: Vec<_> = certificate["strata"].as_array().unwrap().iter().collect();
    assert_eq!(strata.len(), 2, "{certificate:#}");
    for (stratum, (status, n, k, bound)) in strata.iter().zip([("2xx", 5, 1, 0.657_408), ("4xx", 1, 0, 0.95)])
    {
        assert_eq!(
            (&stratum["method"], &stratum["status"], &stratum["role"]),
            (&"GET".into(), &status.into(), &"-".into())
        );
        assert_eq!((&stratum["n"], &stratum["k"]), (&n.into(), &k.into()));
        assert!((stratum["bound"].as_f64().unwrap() - bound).abs() < 1e-5, "{stratum}");
    }
    assert!((certificate["worst_bound"].as_f64().unwrap() - 0.95).abs() < 1e-9);
    for side in ["reference", "candidate"] {
        assert_eq!(certificate[side]["count"], 6, "{certificate:#}");
        assert!(certificate[side]["p50"].as_u64() <= certificate[side]["p99"].as_u64());
    }
    assert_eq!(certificate["provenance"]["known_heads"], serde_json::json!(["5f3c"]));
    let missing = answer["missing"].to_string();
    assert!(missing.contains("1 of 6 answers differ"), "{missing}");
    assert!(missing.contains("the code of the fallback is not known"), "{missing}");

    let shown = cli(&ficus, &["certificate", "item"]);
    assert!(shown.status.success(), "without --exit-code it only shows");
    for line in
        ["compared   6, mismatches 1", "GET     4xx     -     1", "build      build-one", "! 1 of 6 answers"]
    {
        assert!(text(&shown).contains(line), "`{line}` is not in\n{}", text(&shown));
    }
    assert_eq!(cli(&ficus, &["certificate", "item", "--exit-code"]).status.code(), Some(3));
    eventually("the metrics", || {
        let metrics = ficus.metrics();
        [
            "ficus_certificate_comparisons{route=\"item\"} 6\n",
            "ficus_certificate_mismatches{route=\"item\"} 1\n",
            "ficus_certificate_worst_bound{route=\"item\"} 0.95\n",
            "ficus_shadow_self_test{route=\"item\"} 1\n",
        ]
        .iter()
        .all(|line| metrics.contains(line))
    });
}

#[test]
fn a_clean_certificate_is_good_enough_only_for_what_it_proves() {
    let (legacy, rust) = (page("b"), page("b"));
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    let mut client = ficus.connect();
    for _ in 0..60 {
        assert_eq!(client.get("/items/1").status, 200);
        eventually("the copy is compared", || ficus.metric("ficus_shadow_queue") == 0);
    }
    counted(&ficus, 60);
    let good = |most: &str| cli(&ficus, &["certificate", "item", "--exit-code", "--at-most", most]);
    assert_eq!(good("5%").status.code(), Some(0), "{}", text(&good("5%")));
    assert_eq!(good("4%").status.code(), Some(3));
    assert!(text(&good("4%")).contains("74 comparisons without a mismatch"), "{}", text(&good("4%")));
}

#[test]
fn evidence_outlives_a_restart() {
    let (legacy, rust) = (page("b"), page("b"));
    rust.is_about("{\"build\":\"one\"}");
    let store = Directory::new();
    let url = format!("sqlite:{}", store.path().join("ficus.db").display());
    let start = || Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).set("store.url", &url).start();
    let mut ficus = start();
    shows(&ficus, "the build", |answer| answer["certificate"]["provenance"]["build"] == "one");
    ficus.connect().get("/items/1");
    let first = counted(&ficus, 1);
    ficus.connect().get("/items/2");
    counted(&ficus, 2);
    // Right after it was counted: what is not written yet is written at the end.
    ficus.signal("TERM");
    ficus.ended();
    let ficus = start();
    let answer = counted(&ficus, 2);
    assert_eq!(answer["certificate"]["since"], first["certificate"]["since"]);
    ficus.connect().get("/items/3");
    let answer = counted(&ficus, 3);
    assert_eq!(answer["history"], serde_json::json!([]));
}

#[test]
fn another_build_or_other_rules_end_it_and_the_past_stays_visible() {
    let (legacy, rust) = (page("b"), page("b"));
    rust.is_about("{\"build\":\"one\"}");
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    shows(&ficus, "the build", |answer| answer["certificate"]["provenance"]["build"] == "one");
    ficus.connect().get("/items/1");
    counted(&ficus, 1);
    rust.is_about("{\"build\":\"two\"}");
    let answer =
        shows(&ficus, "another build", |answer| answer["certificate"]["provenance"]["build"] == "two");
    assert_eq!((&answer["certificate"]["comparisons"], &answer["stands"]), (&0.into(), &false.into()));
    let old = &answer["history"][0];
    assert_eq!(old["comparisons"], 1);
    assert_eq!(old["expired"]["reason"], "the build of the candidate changed from `one` to `two`");

    ficus.connect().get("/items/1");
    counted(&ficus, 1);
    let rule = "shadow = { sample = 1.0, ignore = [\n\
        { path = \"header x-age\", reason = \"r\", author = \"a\", expires = \"2099-01-31\" },\n] }\n";
    let routes = std::fs::read_to_string(ficus.file("routes.toml")).unwrap();
    std::fs::write(ficus.file("routes.toml"), routes.replace(SHADOWED, rule)).unwrap();
    let answer = shows(&ficus, "other rules", |answer| answer["history"].as_array().unwrap().len() == 2);
    assert_eq!(answer["history"][0]["expired"]["reason"], "the rules or the backends of the route changed");
    let shown = text(&cli(&ficus, &["certificate", "item"]));
    assert!(
        shown.contains("the rules or the backends of the route changed")
            && shown.contains("from `one` to `two`"),
        "{shown}"
    );
}

#[test]
fn flask_is_asked_on_its_private_channel_only_with_the_secret() {
    let (legacy, rust) = (page("b"), page("b"));
    legacy.is_about("{\"code\":\"code-one\",\"heads\":[\"77ab\"]}");
    rust.is_about("{\"build\":\"one\",\"heads\":[\"5f3c\"]}");
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    shows(&ficus, "the build", |answer| answer["certificate"]["provenance"]["build"] == "one");
    assert!(legacy.asked_about().is_empty(), "without a secret there is nothing to ask");
    drop(ficus);

    let secret = "a-secret-of-the-channel-42";
    let ficus = Setup::new(&legacy)
        .route(SHADOWED)
        .rust_at(&rust.url())
        .env("FICUS_FLASK_CHANNEL_SECRET", secret)
        .set("log.level", "debug")
        .start();
    let answer =
        shows(&ficus, "the code", |answer| answer["certificate"]["provenance"]["code"] == "code-one");
    let missing = answer["missing"].to_string();
    assert!(missing.contains("schema `77ab` is not one that the handlers know"), "{missing}");
    let asked = legacy.asked_about();
    assert_eq!(asked[0].request_line(), "GET /_shim/about HTTP/1.1");
    assert_eq!(asked[0].header("x-legacy-shim-authorization"), Some(format!("Bearer {secret}").as_str()));
    assert_eq!(asked[0].header("x-forwarded-for"), None);
    let to_rust = rust.asked_about();
    assert!(to_rust.iter().all(|one| one.header("x-legacy-shim-authorization").is_none()));
    for shown in [ficus.said(), answer.to_string(), ficus.metrics(), ficus.status()] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!String::from_utf8_lossy(&std::fs::read(ficus.file("state/ficus.db")).unwrap()).contains(secret));
}

#[test]
fn no_client_reaches_what_programs_say_about_themselves() {
    let (legacy, rust) = (page("b"), page("b"));
    legacy.is_about("{\"code\":\"one\"}");
    let lines = format!("{SHADOWED}[[route]]\nname = \"all\"\nrule = \"/<path:all>\"\nserve = \"rust\"\n");
    let ficus = Setup::new(&legacy).route(&lines).rust_at(&rust.url()).start();
    let before = legacy.asked_about().len();
    for path in [
        "/_ficus/about",
        "/_shim/about",
        "/%5fficus/about",
        "//_ficus/about",
        "/_shim%2fabout",
        "/_ficus/about?x",
    ] {
        let answer = ficus.connect().get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("build"), "{path}");
    }
    assert_eq!((legacy.requests(), rust.requests(), legacy.asked_about().len()), (0, 0, before));
    assert!(rust.asked_about().iter().all(|one| one.header("x-forwarded-for").is_none()));
}

#[test]
fn a_rule_that_swallows_everything_raises_an_alarm() {
    let (legacy, rust) = (page("b"), page("b"));
    let swallowing = "shadow = { sample = 1.0, ignore = [\n\
        { path = \"json **\", reason = \"r\", author = \"a\", expires = \"2099-01-31\" },\n] }\n";
    let ficus = Setup::new(&legacy).route(swallowing).rust_at(&rust.url()).start();
    ficus.connect().get("/items/1");
    let line = "ficus_shadow_self_test{route=\"item\"}";
    eventually("the alarm", || ficus.metrics().contains(&format!("{line} 0\n")));
    let why = "a known difference in JSON was not found: the rule `json **` allows it";
    let answer = shows(&ficus, "the comparison", |answer| answer["certificate"]["comparisons"] == 1);
    assert_eq!(answer["stands"], false);
    assert_eq!(answer["certificate"]["self_test"]["why"], why);
    assert!(answer["missing"].to_string().contains(why), "{answer:#}");
    assert!(ficus.status().contains(&format!("! comparing item does not work, it has no evidence: {why}")));
    assert!(text(&cli(&ficus, &["shadow"])).contains(why));
    assert_eq!(cli(&ficus, &["certificate", "item", "--exit-code"]).status.code(), Some(3));
    ficus.wait_for("comparing this route does not work");

    let routes = std::fs::read_to_string(ficus.file("routes.toml")).unwrap();
    std::fs::write(ficus.file("routes.toml"), routes.replace(swallowing, SHADOWED)).unwrap();
    eventually("the alarm ends", || ficus.metrics().contains(&format!("{line} 1\n")));
    assert!(!ficus.status().contains("does not work"), "{}", ficus.status());
    let listed = text(&cli(&ficus, &["shadow"]));
    assert!(listed.contains("item   100.0 %  0      ") && listed.contains("passed"), "{listed}");
}

#[test]
fn each_link_of_the_way_is_tested_with_the_rest() {
    let (legacy, rust) = (page("b"), page("b"));
    // Differences cannot be stored.
    let ficus = Setup::new(&legacy)
        .route(SHADOWED)
        .rust_at(&rust.url())
        .set("store.url", "sqlite:/proc/nowhere/ficus.db")
        .set("store.directory", "state")
        .start();
    eventually("the alarm", || ficus.metrics().contains("ficus_shadow_self_test{route=\"item\"} 0\n"));
    assert!(ficus.status().contains("the store cannot be asked"), "{}", ficus.status());
    // A status that nobody would miss.
    let lines = "shadow = { ignore = [\n{ path = \"status\", reason = \"r\", author = \"a\", expires = \"2099-01-31\" },\n] }\n";
    let ficus = Setup::new(&legacy).route(lines).rust_at(&rust.url()).start();
    eventually("the alarm", || ficus.status().contains("a known difference in status was not found"));
}

#[test]
fn probes_are_counted_and_shown_nowhere() {
    let (legacy, rust) = (page("b"), page("b"));
    let ficus =
        Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).set("shadow.self_test", "1s").start();
    let passed = |answer: &Value| answer["certificate"]["self_test"]["state"] == "passed";
    let first = shows(&ficus, "the first test", passed);
    let at = |answer: &Value| answer["certificate"]["self_test"]["at"].clone();
    let later = shows(&ficus, "a later test", |answer| passed(answer) && at(answer) != at(&first));
    assert_eq!(later["certificate"]["comparisons"], 0);
    assert_eq!(later["certificate"]["strata"], serde_json::json!([]));
    let diffs = document(&ficus, &["diffs", "export"]);
    assert_eq!((&diffs["groups"], &diffs["routes"]), (&serde_json::json!([]), &serde_json::json!({})));
    assert!(!ficus.metrics().contains("ficus_shadow_compared_total{"), "{}", ficus.metrics());
    assert_eq!((legacy.requests(), rust.requests()), (0, 0), "no backend sees a probe");
}

#[test]
fn the_role_of_who_asks_is_a_stratum() {
    let (legacy, rust) = (page("b"), page("b"));
    let ficus = Setup::new(&legacy)
        .route(SHADOWED)
        .rust_at(&rust.url())
        .set("flask.secret_key", "a secret key")
        .set("flask.role_key", "role")
        .start();
    let codec = SessionCodec::new(&["a secret key"], SessionConfig::new(Profile::Werkzeug10));
    let values =
        [("_user_id", "7"), ("role", "admin")].map(|(key, value)| (key.to_owned(), Tagged::from(value)));
    let cookie = codec.encode(&Map::from_iter(values), chrono::Utc::now().timestamp());
    let mut client = ficus.connect();
    client.request("GET", "/items/1", &format!("Cookie: session={cookie}\r\n"), "");
    client.get("/items/1");
    let answer = counted(&ficus, 2);
    let strata = answer["certificate"]["strata"].as_array().unwrap();
    let roles: Vec<_> = strata.iter().map(|stratum| stratum["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["-", "admin"]);
}

#[test]
fn what_proves_nothing_is_not_counted() {
    let legacy = page("b");
    let rust = Backend::tcp(|exchange| {
        if exchange.head.contains("/items/1 ") {
            exchange.answer("503 Service Unavailable", "X-Ficus-Defer: 1\r\n", "");
        } else if exchange.head.contains("/items/2 ") {
            return Then::Close;
        } else {
            exchange.answer("200 OK", "Content-Type: text/html\r\n", "<p>a</p>");
        }
        Then::Keep
    });
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    let mut client = ficus.connect();
    for (method, item) in [("GET", 1), ("GET", 2), ("HEAD", 3), ("GET", 4)] {
        client.request(method, &format!("/items/{item}"), "", "");
    }
    let answer = counted(&ficus, 1);
    let uncounted = &answer["certificate"]["uncounted"];
    assert_eq!(
        (&uncounted["deferred"], &uncounted["unanswered"], &uncounted["empty"]),
        (&1.into(), &1.into(), &1.into()),
        "{answer:#}"
    );
}

#[test]
fn a_route_that_is_not_copied_has_no_certificate() {
    let (legacy, rust) = (page("b"), page("b"));
    let ficus = Setup::new(&legacy).route("").rust_at(&rust.url()).start();
    let answer = certificate(&ficus);
    assert_eq!((&answer["certificate"], &answer["stands"]), (&Value::Null, &false.into()));
    assert!(answer["missing"][0].as_str().unwrap().contains("`ficus shadow item` begins to"));
    let unknown = cli(&ficus, &["certificate", "itm"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean `item`?"));
    assert!(text(&cli(&ficus, &["shadow"])).contains("no route is copied"));
}
