//! `ficus noise`: what differs from itself on the legacy side, and the rule that a person makes of it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::change::report;
use super::change_flags::Rule;
use super::client::{Client, query};
use super::exit::Exit;
use super::screen::{self, word};

/// `noise`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
With `shadow.noise` in ficus.toml above 0, so many GET and HEAD requests a minute are asked of the legacy side a second \
time. What differs is shown here and changes nothing, until somebody accepts it. Amounts, permissions and ids are refused: \
--anyway says why it is safe.

Examples:
  ficus noise customers.list
  ficus noise accept customers.list 2 --reason 'minutes since'"
)]
pub(super) struct Flags {
    /// The route
    route: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do with a field.
#[derive(Debug, Subcommand)]
enum Action {
    /// Allow the differences of a field: writes a rule into routes.toml
    Accept {
        /// The route
        route: String,
        /// The number of the field
        number: u64,
        #[command(flatten)]
        rule: Rule,
        /// Why it is safe although it looks like an amount, a permission or an id
        #[arg(long, value_name = "TEXT")]
        anyway: Option<String>,
    },
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let client = Client::new(common);
    match (&flags.action, &flags.route) {
        (None, None) => Err(Exit::usage("which route? `ficus noise ROUTE`")),
        (None, Some(route)) => list(common, &client, route),
        (Some(Action::Accept { route, number, rule, anyway }), _) => {
            let question = json!({
                "route": route,
                "number": number,
                "reason": rule.reason,
                "anyway": anyway,
                "expires": rule.expires,
            });
            let answer = client.post("/v1/noise/accept", &question)?;
            report(common, &answer, &format!("{route}, field {number}"))?;
            Ok(())
        }
    }
}

fn list(common: &Common, client: &Client, route: &str) -> Done {
    let answer = client.get(&format!("/v1/noise{}", query(&[("route", Some(route.to_owned()))])))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let budget = &answer["budget"]["a_minute"];
    if *budget == 0 {
        screen::print("nothing is asked twice: set `shadow.noise` in ficus.toml, such as 30 a minute\n");
    }
    screen::print(&format!("{route}: asked twice {}, differed {}\n", answer["pairs"], answer["unsteady"]));
    let fields: Vec<&Value> = answer["fields"].as_array().into_iter().flatten().collect();
    if fields.is_empty() {
        return Ok(());
    }
    let row = |field: &&Value| {
        vec![
            field["number"].to_string(),
            format!("{} of {}", field["differed"], answer["pairs"]),
            word(&field["signature"]),
            standing(field),
        ]
    };
    let rows: Vec<Vec<String>> = fields.iter().map(row).collect();
    screen::print(&screen::table(&["NO", "DIFFERED", "WHAT DIFFERS FROM ITSELF", ""], &rows));
    for field in &fields {
        let sample = &field["samples"][0];
        let side = |key: &str| sample[key].as_str().map_or("(not there)".to_owned(), str::to_owned);
        screen::print(&format!("  {}: {} | {}\n", field["number"], side("reference"), side("candidate")));
        if let Some(why) = field["refused_because"].as_str() {
            screen::print(&format!("     {why}\n"));
        }
    }
    screen::print(&format!("allow one: ficus noise accept {route} NO --reason ..\n"));
    Ok(())
}

fn standing(field: &Value) -> String {
    match (field["accepted_at"].as_str(), field["refused"].as_str(), field["rule"].as_str()) {
        (Some(at), ..) => format!("accepted {}", screen::time(at)),
        (None, Some(kind), _) => format!("refused: {kind}"),
        (None, None, None) => "names in it are masked: write a rule by hand".to_owned(),
        (None, None, Some(_)) => "proposed".to_owned(),
    }
}
