//! `ficus incident`: what made a guard act.

use std::fmt::Write;

use serde_json::Value;

use super::Done;
use super::arguments::{Common, Incident};
use super::client::Client;
use super::screen;

pub(super) fn run(common: &Common, flags: &Incident) -> Done {
    let path = flags.id.map_or("/v1/incidents".to_owned(), |id| format!("/v1/incidents/{id}"));
    let answer = Client::new(common).get(&path)?;
    if common.json {
        screen::print_json(&answer);
    } else if flags.id.is_some() {
        screen::print(&one(&answer["incident"]));
    } else {
        screen::print(&all(&answer));
    }
    Ok(())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn all(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = answer["incidents"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return "no guard has tripped\n".to_owned();
    }
    screen::table(&["INCIDENT", "WHEN", "ROUTE", "ACTION", "BECAUSE"], &rows)
}

fn row(incident: &Value) -> Vec<String> {
    let action = match word(&incident["problem"]) {
        "" => word(&incident["action"]).to_owned(),
        _ => format!("{} failed", word(&incident["action"])),
    };
    vec![
        incident["id"].to_string(),
        screen::time(word(&incident["at"])),
        word(&incident["route"]).to_owned(),
        action,
        word(&incident["sentence"]).to_owned(),
    ]
}

fn one(incident: &Value) -> String {
    let mut text = String::new();
    let mut line = |what: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{what:<10} {value}");
    };
    line("incident", format!("{}, {}", incident["id"], screen::time(word(&incident["at"]))));
    if let Some(node) = incident["node"].as_str() {
        line("node", node.to_owned());
    }
    line("route", word(&incident["route"]).to_owned());
    line("because", word(&incident["sentence"]).to_owned());
    let revisions = match incident["became"].as_u64() {
        Some(became) => format!("revision {} -> {became}", incident["revision"]),
        None => screen::bad(&format!("not done: {}", word(&incident["problem"]))),
    };
    line("action", format!("{}, {revisions}", word(&incident["action"])));
    let _ = writeln!(text, "\n{}", sides(incident));
    let samples: Vec<Vec<String>> =
        incident["samples"].as_array().into_iter().flatten().rev().map(sample).collect();
    if !samples.is_empty() {
        text.push_str(&screen::table(&["WHEN", "TRACE", "WHAT", "STATUS", "WAITED"], &samples));
    }
    let _ = writeln!(
        text,
        "\nsend users there again: ficus resume {0}, then ficus flip {0} …",
        word(&incident["route"])
    );
    text
}

fn sides(incident: &Value) -> String {
    let row = |side: &Value| {
        let mut cells = vec![word(&side["backend"]).to_owned()];
        cells.extend(
            ["requests", "failed", "slow", "compared", "mismatches"].map(|key| side[key].to_string()),
        );
        cells.push(format!("{:.1} ms", side["mean_ms"].as_f64().unwrap_or_default()));
        cells
    };
    let rows = [row(&incident["candidate"]), row(&incident["fallback"])];
    screen::table(&["BACKEND", "REQUESTS", "FAILED", "SLOW", "COMPARED", "DIFFERENT", "MEAN"], &rows)
}

fn sample(sample: &Value) -> Vec<String> {
    vec![
        screen::time(word(&sample["at"])),
        word(&sample["trace_id"]).to_owned(),
        word(&sample["what"]).to_owned(),
        sample["status"].as_u64().map_or("-".to_owned(), |status| status.to_string()),
        format!("{:.1} ms", sample["waited_ms"].as_f64().unwrap_or_default()),
    ]
}
