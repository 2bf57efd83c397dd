//! `ficus routes`: every route and who answers it.

use serde_json::{Value, json};

use crate::admin::RouteLine;

use super::Done;
use super::arguments::{Common, Routes};
use super::client::Client;
use super::exit::Exit;
use super::screen;

pub(super) fn run(common: &Common, flags: &Routes) -> Done {
    let mut answer = Client::new(common).get("/v1/routes")?;
    let mut lines: Vec<RouteLine> = serde_json::from_value(answer["routes"].take())
        .map_err(|error| Exit::failed(format!("the running ficus lists routes in another way: {error}")))?;
    if let Some(filter) = &flags.filter {
        lines
            .retain(|line| line.name.contains(filter) || line.rules.iter().any(|rule| rule.contains(filter)));
    }
    if common.json {
        answer["routes"] = json!(lines);
        screen::print_json(&answer);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    if rows.is_empty() {
        screen::print(match &flags.filter {
            Some(_) => "no route fits\n",
            None => "there are no routes: everything goes to legacy\n",
        });
        return Ok(());
    }
    let header = ["ROUTE", "METHODS", "RULE", "ANSWERED BY", "REQUESTS", "ERRORS", "FALLBACKS"];
    screen::print(&screen::table(&header, &rows));
    Ok(())
}

fn row(line: &RouteLine) -> Vec<String> {
    let mut standing = line.standing.clone();
    if line.overridden {
        standing.push_str(" (rolled back over the file)");
    } else if line.held {
        standing.push_str(" (held)");
    }
    let counts = |counts: &std::collections::BTreeMap<String, u64>| {
        let texts: Vec<String> = counts.iter().map(|(backend, count)| format!("{count} {backend}")).collect();
        if texts.is_empty() { Value::from(0).to_string() } else { texts.join(", ") }
    };
    vec![
        line.name.clone(),
        line.methods.join(","),
        line.rules.join(" "),
        standing,
        counts(&line.requests),
        counts(&line.errors),
        line.fallbacks.to_string(),
    ]
}
