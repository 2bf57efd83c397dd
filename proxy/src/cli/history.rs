//! `ficus history`: who changed what, when and why.

use serde_json::Value;

use super::Done;
use super::arguments::{Common, History};
use super::client::{Client, query};
use super::screen;

pub(super) fn run(common: &Common, flags: &History) -> Done {
    let query = query(&[("route", flags.route.clone()), ("limit", Some(flags.limit.to_string()))]);
    let answer = Client::new(common).get(&format!("/v1/history{query}"))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = answer["changes"].as_array().into_iter().flatten().flat_map(rows).collect();
    if rows.is_empty() {
        screen::print("no changes yet\n");
    } else {
        screen::print(&screen::table(&["REVISION", "WHEN", "WHO", "ROUTE", "CHANGE", "REASON"], &rows));
    }
    if answer["store"]["up"] == false {
        let cause = answer["store"]["error"].as_str().unwrap_or("unknown");
        eprintln!(
            "{} the store cannot be used ({cause}); older changes are not shown",
            screen::warning_word()
        );
    }
    Ok(())
}

fn rows(record: &Value) -> Vec<Vec<String>> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |route: String, change: String| {
        vec![
            record["revision"].to_string(),
            screen::time(&word(&record["at"])),
            word(&record["author"]),
            route,
            change,
            word(&record["reason"]),
        ]
    };
    let changes: Vec<&Value> = record["routes"].as_array().into_iter().flatten().collect();
    if changes.is_empty() {
        return vec![row("-".to_owned(), "file edited, no route moved".to_owned())];
    }
    let line = |change: &&Value| {
        row(word(&change["route"]), format!("{} -> {}", word(&change["before"]), word(&change["after"])))
    };
    changes.iter().map(line).collect()
}
