//! `ficus history`: who changed what, when and why.

use serde_json::Value;

use super::Done;
use super::arguments::{Common, History};
use super::client::{Client, query};
use super::screen;

pub(super) fn run(common: &Common, flags: &History) -> Done {
    let query = query(&[
        ("route", flags.route.clone()),
        ("limit", Some(flags.limit.to_string())),
        ("diff", flags.diff.then(|| "true".to_owned())),
    ]);
    let answer = Client::new(common).get(&format!("/v1/history{query}"))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = answer["changes"].as_array().into_iter().flatten().flat_map(rows).collect();
    if rows.is_empty() {
        screen::print("no changes yet\n");
    } else if flags.diff {
        answer["changes"].as_array().into_iter().flatten().for_each(print_with_diff);
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

/// One change: its lines as in the table, then what it changed in the file.
fn print_with_diff(record: &Value) {
    for row in rows(record) {
        screen::print(&format!("{}\n", row.join("  ").trim_end()));
    }
    match record["diff"].as_str() {
        Some("") => screen::print("(the routing file stayed as it was)\n\n"),
        Some(diff) => screen::print(&format!("{diff}\n")),
        None => screen::print("(the file before it is not kept)\n\n"),
    }
}

/// Who made it, and in a fleet where.
fn who(record: &Value) -> String {
    let place = record["node"].as_str().map(|node| format!(" on {node}")).unwrap_or_default();
    let cut_off = if record["cut_off"] == true { ", cut off" } else { "" };
    format!("{}{place}{cut_off}", record["author"].as_str().unwrap_or_default())
}

fn rows(record: &Value) -> Vec<Vec<String>> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |route: String, change: String| {
        vec![
            record["revision"].to_string(),
            screen::time(&word(&record["at"])),
            who(record),
            route,
            change,
            word(&record["reason"]),
        ]
    };
    let changes: Vec<&Value> = record["routes"].as_array().into_iter().flatten().collect();
    if changes.is_empty() {
        let what =
            if record["action"] == "file" { "file edited" } else { record["action"].as_str().unwrap_or("-") };
        return vec![row("-".to_owned(), format!("{what}, no route moved"))];
    }
    let line = |change: &&Value| row(word(&change["route"]), screen::moved(change));
    changes.iter().map(line).collect()
}
