//! `ficus diffs`: where the answers of both sides differ, grouped; one group in full; what to do with it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::change::report;
use super::change_flags::Rule;
use super::client::{Client, query};
use super::screen::{self, word};

/// `diffs`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Values are kept by their shape only: letters as x and X, digits as 9. `shadow.show` in routes.toml names paths whose \
values stay readable.

Examples:
  ficus diffs
  ficus diffs customers.list
  ficus diffs show 31
  ficus diffs ignore 31 --reason 'minutes since'"
)]
pub(super) struct Flags {
    /// Only this route
    route: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do with a group.
#[derive(Debug, Subcommand)]
enum Action {
    /// Show a group with its samples
    Show {
        /// The number of the group
        id: i64,
    },
    /// Allow the differences of a group: writes a rule into routes.toml
    Ignore {
        /// The number of the group
        id: i64,
        #[command(flatten)]
        rule: Rule,
    },
    /// Forget a group and its samples, because it was mended; it comes back if it was not
    Forget {
        /// The number of the group
        id: i64,
    },
    /// Print all groups with their samples as one JSON document
    Export {
        /// Only this route
        route: Option<String>,
    },
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let client = Client::new(common);
    match &flags.action {
        None => list(common, &client, flags.route.as_ref()),
        Some(Action::Show { id }) => show(common, &client, *id),
        Some(Action::Ignore { id, rule }) => {
            let question = json!({ "reason": rule.reason, "expires": rule.expires });
            let answer = client.post(&format!("/v1/diffs/{id}/ignore"), &question)?;
            report(common, &answer, &format!("group {id}"))
        }
        Some(Action::Forget { id }) => {
            let answer = client.delete(&format!("/v1/diffs/{id}"))?;
            if common.json {
                screen::print_json(&answer);
            } else {
                screen::print(&format!("group {id} is forgotten\n"));
            }
            Ok(())
        }
        Some(Action::Export { route }) => {
            let query = query(&[("route", route.clone()), ("samples", Some("true".to_owned()))]);
            screen::print_json(&client.get(&format!("/v1/diffs{query}"))?);
            Ok(())
        }
    }
}

fn list(common: &Common, client: &Client, route: Option<&String>) -> Done {
    let answer = client.get(&format!("/v1/diffs{}", query(&[("route", route.cloned())])))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    for (name, tally) in answer["routes"].as_object().into_iter().flatten() {
        screen::print(&format!("{name}: {}\n", numbers(tally)));
    }
    let groups: Vec<&Value> = answer["groups"].as_array().into_iter().flatten().collect();
    if groups.is_empty() {
        let compared = answer["routes"].as_object().is_some_and(|routes| !routes.is_empty());
        screen::print(if compared { "no differences\n" } else { "nothing was compared yet\n" });
    } else {
        let row = |group: &&Value| {
            vec![
                group["id"].to_string(),
                group["count"].to_string(),
                word(&group["route"]),
                word(&group["signature"]),
                screen::time(&word(&group["last_at"])),
            ]
        };
        let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
        screen::print(&screen::table(&["ID", "TIMES", "ROUTE", "WHAT DIFFERS", "LAST"], &rows));
    }
    if answer["lost"].as_u64().is_some_and(|lost| lost > 0) {
        let warning = screen::warning_word();
        eprintln!("{warning} {} mismatches could not be stored and are not shown", answer["lost"]);
    }
    Ok(())
}

/// `compared 12: match 10, mismatch 2; not copied 3: unsafe_method 3; allowed: header x 2`.
fn numbers(tally: &Value) -> String {
    let pairs = |value: &Value| -> (u64, String) {
        let entries: Vec<(&String, u64)> = value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, count)| (name, count.as_u64().unwrap_or_default()))
            .collect();
        let texts: Vec<String> = entries.iter().map(|(name, count)| format!("{name} {count}")).collect();
        (entries.iter().map(|(_, count)| count).sum(), texts.join(", "))
    };
    let mut parts = Vec::new();
    for (what, key) in [
        ("compared", "compared"),
        ("incomparable", "incomparable"),
        ("not copied", "dropped"),
        ("allowed", "ignored"),
    ] {
        let (sum, texts) = pairs(&tally[key]);
        if sum > 0 {
            parts.push(format!("{what} {sum}: {texts}"));
        }
    }
    parts.join("; ")
}

fn show(common: &Common, client: &Client, id: i64) -> Done {
    let answer = client.get(&format!("/v1/diffs/{id}"))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let group = &answer["group"];
    screen::print(&format!(
        "{}  {}  {} times, {} to {}, revisions {} to {}\n",
        word(&group["route"]),
        word(&group["signature"]),
        group["count"],
        screen::time(&word(&group["first_at"])),
        screen::time(&word(&group["last_at"])),
        group["first_revision"],
        group["last_revision"],
    ));
    for sample in group["samples"].as_array().into_iter().flatten() {
        screen::print(&sample_text(sample));
    }
    match group["rule"].as_str() {
        Some(rule) => {
            screen::print(&format!("\nallow it: ficus diffs ignore {id} --reason ..   (`{rule}`)\n"))
        }
        None => {
            screen::print("\nallow it: write a rule into `shadow.ignore`; names in this path are masked\n")
        }
    }
    Ok(())
}

fn sample_text(sample: &Value) -> String {
    let side = |name: &str| {
        let side = &sample[name];
        format!("{} {} {} B", word(&side["backend"]), side["status"], side["bytes"])
    };
    let mut text = format!(
        "\n{}  {}  trace {}  revision {}\n{} | {}\n",
        word(&sample["request"]),
        screen::time(&word(&sample["at"])),
        word(&sample["trace_id"]),
        sample["revision"],
        side("reference"),
        side("candidate"),
    );
    for difference in sample["differences"].as_array().into_iter().flatten() {
        let same = if difference["same_shape"] == true { "   (same shape, other text)" } else { "" };
        text.push_str(&format!("@@ {} {} @@\n", word(&difference["path"]), word(&difference["kind"])));
        for (sign, key) in [("-", "reference"), ("+", "candidate")] {
            if let Some(value) = difference[key].as_str() {
                text.push_str(&format!("{sign} {value}{}\n", if sign == "+" { same } else { "" }));
            }
        }
    }
    if sample["more"].as_u64().is_some_and(|more| more > 0) {
        text.push_str(&format!("and {} more\n", sample["more"]));
    }
    text
}
