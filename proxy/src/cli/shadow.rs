//! `ficus shadow`: how much is copied to the other side, and how that goes.

use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::certificate::percent;
use super::change::report;
use super::client::Client;
use super::screen;

/// `shadow`.
#[derive(Debug, Args)]
#[command(after_help = "\
Users notice nothing: the other side is asked after they have got their answer, and what it says is compared and thrown \
away. Only GET and HEAD are copied.

Examples:
  ficus shadow                 (every route that is copied, and whether comparing it works)
  ficus shadow customers.list --reason CRM-812
  ficus shadow customers.list 10%
  ficus shadow customers.list off")]
pub(super) struct Flags {
    /// The route; without one, the routes that are copied are listed
    route: Option<String>,
    /// The share of requests, up to three decimals; statuses that are rare are always copied
    #[arg(value_name = "SHARE|off", default_value = "100%", value_parser = sample)]
    sample: String,
    /// Why; goes into the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Refuse unless this revision still holds
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

fn sample(text: &str) -> Result<String, String> {
    if text != "off" {
        crate::diagnostic::percent(text)?;
    }
    Ok(text.to_owned())
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let client = Client::new(common);
    let Some(route) = &flags.route else { return list(common, &client) };
    let question = json!({
        "route": route,
        "sample": flags.sample,
        "reason": flags.reason,
        "based_on": flags.if_revision,
    });
    let answer = client.post("/v1/shadow", &question)?;
    report(common, &answer, route);
    for line in failures(&client.get("/v1/shadow")?).iter().filter(|(name, _)| name == route) {
        eprintln!("{} comparing it does not work: {}", screen::warning_word(), line.1);
    }
    Ok(())
}

/// Routes whose self-test failed, and why.
fn failures(answer: &Value) -> Vec<(String, String)> {
    let routes = answer["routes"].as_array().into_iter().flatten();
    let failed = routes.filter(|route| route["self_test"]["state"] == "failed");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    failed.map(|route| (word(&route["route"]), word(&route["self_test"]["why"]))).collect()
}

fn list(common: &Common, client: &Client) -> Done {
    let answer = client.get("/v1/shadow")?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let routes: Vec<&Value> = answer["routes"].as_array().into_iter().flatten().collect();
    if routes.is_empty() {
        screen::print("no route is copied: `ficus shadow ROUTE` begins to\n");
        return Ok(());
    }
    for (route, why) in failures(&answer) {
        screen::print(&format!("{}\n", screen::bad(&format!("! comparing {route} does not work: {why}"))));
    }
    let row = |route: &&Value| {
        vec![
            route["route"].as_str().unwrap_or_default().to_owned(),
            percent(route["sample"].as_f64().unwrap_or_default()),
            route["rules"].to_string(),
            route["comparisons"].to_string(),
            route["mismatches"].to_string(),
            percent(route["overall_bound"].as_f64().unwrap_or(1.0)),
            route["self_test"]["state"].as_str().unwrap_or("never").to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = routes.iter().map(row).collect();
    let header = ["ROUTE", "COPIED", "RULES", "COMPARED", "DIFFER", "AT MOST", "SELF-TEST"];
    screen::print(&screen::table(&header, &rows));
    Ok(())
}
