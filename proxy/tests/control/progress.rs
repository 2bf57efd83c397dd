//! `ficus progress`: what was counted, what comes next, what stands in the way; over restarts.

use std::collections::BTreeSet;

use ficus::diagnostic::Source;
use ficus::rollout::progress::Stage;
use ficus::route::{Context, read};
use serde_json::Value;

use crate::ficus::{Ficus, ROUTES, exchange, texts};

fn route<'p>(progress: &'p Value, name: &str) -> &'p Value {
    progress["progress"]["routes"].as_array().unwrap().iter().find(|route| route["name"] == name).unwrap()
}

#[test]
fn requests_are_counted_by_side_and_outlive_the_process() {
    let mut ficus = Ficus::start(ROUTES);
    for _ in 0..3 {
        assert_eq!(ficus.answered_by("/customers/"), "legacy");
    }
    exchange(ficus.port, "GET /customers/ HTTP/1.1\r\n", "cookie: a=1; session=secret-text\r\n");
    let before = ficus.json(&["progress"]);
    let numbers = &route(&before, "customers.list")["by_backend"]["legacy"];
    assert_eq!((&numbers["calls"], &numbers["sessions"]), (&4.into(), &1.into()), "{numbers}");
    assert_eq!((&numbers["writes"], &numbers["errors"]), (&0.into(), &0.into()));
    assert!(numbers["micros"].as_u64().unwrap() > 0);
    assert_eq!(before["next"][0]["name"], "customers.list");
    assert_eq!(before["unused"], serde_json::json!(["customers.detail"]));

    // The end of the process carries what was not carried yet.
    ficus.ok(&["flip", "customers.list", "rust"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    ficus.terminate();
    ficus.run();
    let after = ficus.json(&["progress"]);
    let list = route(&after, "customers.list");
    assert_eq!(list["stage"], "rust");
    assert_eq!(list["by_backend"]["legacy"]["calls"], 4);
    assert_eq!(list["by_backend"]["rust"]["calls"], 1);
    assert!(after["next"].as_array().unwrap().is_empty(), "{}", after["next"]);

    // Sums and names, nothing of anybody.
    let stored = std::fs::read(ficus.path("state/tally.db")).unwrap();
    let wal = std::fs::read(ficus.path("state/tally.db-wal")).unwrap_or_default();
    let all = [stored, wal].concat();
    assert!(!all.windows(11).any(|window| window == b"secret-text"), "a cookie is in the tally");
}

#[test]
fn what_python_did_for_rust_is_told_apart() {
    // The handler is not there: every request falls back.
    let ficus = Ficus::prepare();
    let settings = std::fs::read_to_string(ficus.path("ficus.toml")).unwrap();
    let start = settings.find("rust = ").unwrap();
    let end = start + settings[start..].find('\n').unwrap();
    let settings =
        format!("{}rust = {{ upstreams = [\"unix:nobody.sock\"] }}{}", &settings[..start], &settings[end..]);
    std::fs::write(ficus.path("ficus.toml"), settings).unwrap();
    std::fs::write(ficus.routes(), ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")).unwrap();
    let ficus = ficus.started();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let progress = ficus.json(&["progress"]);
    let numbers = &route(&progress, "customers.list")["by_backend"]["legacy"];
    assert_eq!(
        (&numbers["calls"], &numbers["fallbacks"], &numbers["defers"]),
        (&1.into(), &1.into(), &0.into())
    );
}

#[test]
fn the_report_names_stages_and_what_stands_in_the_way() {
    let ficus = Ficus::start(ROUTES);
    ficus.answered_by("/customers/");
    ficus.answered_by("/nowhere");
    ficus.ok(&["rollback", "customers.detail"]);
    let said = ficus.ok(&["progress"]);
    for part in [
        "0 of 2 answered by Rust (0.0 %)",
        "1 of them matched no route",
        "\nStages\nSTAGE   ROUTES  REQUESTS  BY RUST  FALLBACKS\nlegacy  2 ",
        "\nWhat to move next\n",
        "% of Flask's time; read-only; no session",
        "\nWhat nobody called for 30 days\n",
        "customers.detail  legacy  /customers/<int:customer_id>  never seen\n",
        "too early to tell",
        "customers.detail  held: `ficus resume customers.detail` ends it\n",
        "the application was not asked",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let page = ficus.ok(&["progress", "--format", "md", "--days", "7"]);
    for part in [
        "## What nobody called for 7 days\n",
        "| route | stage | rule | last call |\n| --- | --- | --- | --- |\n",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    for days in ["0", "401"] {
        let output = ficus.cli(&["progress", "--days", days]);
        assert_eq!(output.status.code(), Some(1));
        assert!(texts(&output).1.contains("`days` is between 1 and 400"), "{}", texts(&output).1);
    }
}

#[test]
fn a_route_goes_through_its_stages() {
    let rust: BTreeSet<String> = ["rust".to_owned()].into();
    let cases = [
        ("", Stage::Legacy),
        ("shadow = { sample = 0.1 }", Stage::Shadow),
        ("shadow = { sample = 0.0 }", Stage::Legacy),
        ("canary = { percent = 5 }\nshadow = { sample = 0.1 }", Stage::Canary),
        ("canary = { percent = 0 }", Stage::Legacy),
        ("canary = { percent = 5 }\ncandidate = \"legacy-next\"", Stage::Legacy),
        ("serve = \"legacy-next\"", Stage::Legacy),
        ("serve = \"rust\"", Stage::Rust),
        ("serve = \"rust\"\nfallback = \"rust\"", Stage::Retired),
        ("serve = \"off\"", Stage::Off),
    ];
    for (lines, expected) in cases {
        let text = format!("version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\n{lines}\n");
        let (table, report) = read(&Source::new("routes.toml", text), &Context::default());
        let table = table.unwrap_or_else(|| panic!("{lines}: {}", report.render(false)));
        assert_eq!(Stage::of(table.route("a").unwrap(), &rust), expected, "{lines}");
    }
}
