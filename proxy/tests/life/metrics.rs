//! Metrics: both formats, and a reference that names all of them.

use std::collections::BTreeMap;

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

/// Everything that can be made to happen in one test.
fn eventful() -> crate::ficus::Ficus {
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(|exchange| {
        exchange.answer("500 Internal Server Error", "", "oops");
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let mut client = ficus.connect();
    client.get("/items/1");
    client.request("POST", "/items/1", "", "x");
    client.request("BREW", "/pot", "", "");
    client.send("GET / HTTP/1.1\r\nX: no host\r\n\r\n");
    client.answer();
    ficus.log(4);
    ficus
}

#[test]
fn both_formats_say_the_same() {
    let ficus = eventful();
    let mut admin = crate::client::Client::connect(ficus.admin());
    let mut ask = |accept: &str| {
        admin.send(format!("GET /metrics HTTP/1.1\r\nHost: admin\r\n{accept}\r\n"));
        admin.answer()
    };
    let prometheus =
        "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3\r\n";
    let (new, old) = (ask(prometheus), ask(""));
    assert_eq!(
        new.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert_eq!(old.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(new.text().ends_with("# EOF\n") && new.text().matches("# EOF").count() == 1);
    assert!(!old.text().contains("# EOF") && !old.text().contains("# UNIT"));
    let samples = |text: String| -> Vec<String> {
        let mut names: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(samples(new.text()), samples(old.text()));
    let line = "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
                http_response_status_code=\"200\",http_route=\"/items/<int:id>\",ficus_route=\"item\",\
                ficus_backend=\"legacy\"} 1";
    assert!(old.text().lines().any(|found| found == line), "{line} is not in\n{}", old.text());
    let unmatched = "http_request_method=\"_OTHER\",http_response_status_code=\"200\",http_route=\"\"";
    assert!(old.text().contains(unmatched), "{}", old.text());
}

/// Name, kind and labels of each metric that a scrape shows.
fn shown(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let mut shown = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            shown.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
        } else if !line.starts_with('#') {
            let (name, labels) = line.split_once('{').unwrap_or((line.split(' ').next().unwrap(), ""));
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let name = if shown.contains_key(name) { name } else { family };
            // Values hold no `="`.
            let names =
                labels.match_indices("=\"").map(|(at, _)| labels[..at].rsplit([',', '{']).next().unwrap());
            let names: Vec<String> = names.filter(|name| *name != "le").map(str::to_owned).collect();
            shown.get_mut(name).unwrap_or_else(|| panic!("{line}")).1 = names;
        }
    }
    shown
}

#[test]
fn every_metric_is_described_in_the_reference() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let ficus = eventful();
    let text = ficus.metrics();
    for (name, (kind, labels)) in shown(&text) {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("`{name}` is not described"));
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(columns[2], kind, "{row}");
        let described: Vec<String> = columns[3]
            .split(", ")
            .map(|label| label.trim_matches('`').to_owned())
            .filter(|l| !l.is_empty())
            .collect();
        assert!(labels.is_empty() || labels == described, "{name} has {labels:?}: {row}");
    }
    // What has not happened has no line yet; the source names all there are.
    let sources = [include_str!("../../src/observe/metrics.rs"), include_str!("../../src/observe/shadow.rs")];
    for line in
        sources.into_iter().flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("r.register(\""))
    {
        let mut parts = line.split('"');
        let (name, help) = (parts.next().unwrap(), parts.nth(1).unwrap());
        let described = page.lines().any(|row| {
            let own = [format!("| `ficus_{name}` |"), format!("| `ficus_{name}_total` |")];
            own.iter().any(|own| row.starts_with(own)) && row.contains(help)
        });
        assert!(described, "`ficus_{name}` is not described as \"{help}\"");
    }
}
