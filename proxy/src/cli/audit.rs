//! `ficus audit`: every change on record, and whether the record can be believed.

use serde_json::Value;

use super::Done;
use super::arguments::{Audit, Common};
use super::client::{Client, query};
use super::exit::Exit;
use super::screen::{self, word};

pub(super) fn run(common: &Common, flags: &Audit) -> Done {
    let query = query(&[("limit", Some(flags.limit.to_string()))]);
    let answer = Client::new(common).get(&format!("/v1/audit{query}"))?;
    let audit = &answer["audit"];
    if common.json {
        screen::print_json(&answer);
    } else if !flags.verify {
        let rows: Vec<Vec<String>> = audit["links"].as_array().into_iter().flatten().flat_map(rows).collect();
        screen::print(&screen::table(
            &["RECORD", "REVISION", "WHEN", "WHO", "WHAT", "ROUTE", "CHANGE", "REASON"],
            &rows,
        ));
    }
    if audit["store_read"] == false {
        eprintln!("{} the store cannot be read: only audit.jsonl was checked", screen::warning_word());
    }
    if let Some(broken) = audit["broken"].as_object() {
        let why = word(&broken["why"]);
        let message = format!("the audit is broken at record {}: {why}", broken["seq"]);
        return if common.json { Err(Exit::silent(1)) } else { Err(Exit::failed(message)) };
    }
    if flags.verify && !common.json {
        let head = audit["head"].as_str().unwrap_or("none");
        screen::print(&format!(
            "{} records, none changed, missing or moved\nhead {head}\n",
            audit["records"]
        ));
    }
    Ok(())
}

fn rows(link: &Value) -> Vec<Vec<String>> {
    let record = &link["record"];
    if record["action"] == "refused" {
        return vec![refused(link)];
    }
    let row = |route: String, change: String| {
        vec![
            link["seq"].to_string(),
            record["revision"].to_string(),
            screen::time(&word(&record["at"])),
            word(&record["author"]),
            word(&record["action"]),
            route,
            change,
            word(&record["reason"]),
        ]
    };
    let changes: Vec<&Value> = record["routes"].as_array().into_iter().flatten().collect();
    if changes.is_empty() {
        return vec![row("-".to_owned(), "no route moved".to_owned())];
    }
    let line = |change: &&Value| row(word(&change["route"]), screen::moved(change));
    changes.iter().map(line).collect()
}

/// An attempt that was refused, or how many were.
fn refused(link: &Value) -> Vec<String> {
    let record = &link["record"];
    let (author, what) = match record["reasons"].as_object() {
        None => (record["author"].as_str().unwrap_or("somebody").to_owned(), word(&record["what"])),
        Some(reasons) => {
            let each: Vec<String> = reasons.iter().map(|(why, count)| format!("{count} {why}")).collect();
            ("-".to_owned(), each.join(", "))
        }
    };
    vec![
        link["seq"].to_string(),
        "-".to_owned(),
        screen::time(&word(&record["at"])),
        author,
        "refused".to_owned(),
        record["route"].as_str().unwrap_or("-").to_owned(),
        what,
        word(&record["reason"]),
    ]
}
